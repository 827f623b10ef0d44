//! When a schedule is due: a cron line, read in a time zone. It reads no clock.
//!
//! Where clocks are put forward, a time that does not exist is made up for at the first moment that does, and where
//! they are put back, a time that comes twice counts the first time only. That is for lines with one minute and one
//! hour. What comes round more often (a list, a range, a step or a star in either field) goes by the clock on the
//! wall: it leaves out the hour that is missing and comes again in the hour that does.

use std::collections::VecDeque;

use chrono::{Datelike, DurationRound, TimeDelta};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

use super::MissedRuns;
use crate::{Error, Result, time::Timestamp};

/// A run that begins later than this after its time was missed: long enough for another process to take over.
pub const GRACE: TimeDelta = TimeDelta::minutes(2);
/// Missed runs that are made up for one by one.
pub const MADE_UP: usize = 24;
/// Times to come that can be asked for at once.
pub const MAX_UPCOMING: usize = 20;
/// How far ahead times to come are told. Looking for them takes as long as there are years.
const HORIZON_YEARS: i32 = 10;

const MAX_LINE_CHARS: usize = 100;
const MAX_ZONE_CHARS: usize = 64;
const NAMES: [&str; 6] = ["@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@annually"];

/// A line in its zone.
#[derive(Debug, Clone)]
pub struct Timing {
    line: String,
    cron: Cron,
    zone: Tz,
}

impl Timing {
    /// Refuses what cannot be read, or fires more often than once a minute.
    pub fn read(line: &str, zone: &str) -> Result<Self> {
        let zone = read_zone(zone)?;
        Ok(Self { line: line.to_owned(), cron: read_line(line)?, zone })
    }

    /// As [`read`](Self::read), for a line that somebody sets or that is due: it takes milliseconds to find that one never fires, and
    /// that is refused, too.
    pub fn check(line: &str, zone: &str) -> Result<Self> {
        let timing = Self::read(line, zone)?;
        if !fires(line)? {
            let message = format!(
                "`{line}` never fires: no month that it names has such a day; look at its third, fourth and fifth field"
            );
            return Err(Error::invalid("cron", "CRON_NEVER_FIRES", message));
        }
        Ok(timing)
    }

    /// The first time after this moment; `None` where there is none any more that a calendar can name.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let whole = after.duration_trunc(TimeDelta::seconds(1)).unwrap_or(after);
        let found = self.cron.find_next_occurrence(&whole.with_timezone(&self.zone), false).ok()?;
        Some(found.to_utc())
    }

    /// The next few times after this moment, in ten years.
    pub fn upcoming(&self, after: Timestamp, number: usize) -> Vec<Timestamp> {
        // The year before: it may still be that one in the zone.
        let near = bounded(&self.line, after.year() - 1, after.year() + HORIZON_YEARS);
        let near = Self { cron: near.unwrap_or_else(|_named| self.cron.clone()), ..self.clone() };
        let first = near.next_after(after);
        std::iter::successors(first, |at| near.next_after(*at)).take(number).collect()
    }

    /// The newest `number` of the times from `first`, which is one of them, to `now`, the oldest first. It looks
    /// back from `now` in growing steps, so that a year of minutes is not walked through.
    fn newest(&self, first: Timestamp, now: Timestamp, number: usize) -> VecDeque<Timestamp> {
        let mut back = TimeDelta::minutes(1);
        loop {
            let start = now - back;
            let from = if start <= first { Some(first) } else { self.next_after(start) };
            let mut newest = VecDeque::with_capacity(number + 1);
            for at in std::iter::successors(from, |at| self.next_after(*at)).take_while(|at| *at <= now) {
                newest.push_back(at);
                if newest.len() > number {
                    newest.pop_front();
                }
            }
            if newest.len() == number || start <= first {
                return newest;
            }
            back = back * 2;
        }
    }
}

fn read_zone(name: &str) -> Result<Tz> {
    let name = name.trim();
    let known = if name.chars().count() <= MAX_ZONE_CHARS { name.parse().ok() } else { None };
    known.ok_or_else(|| {
        let shown: String = name.chars().take(MAX_ZONE_CHARS).collect();
        let message = format!("there is no time zone `{shown}`; one is such as Europe/Berlin or UTC");
        Error::invalid("timeZone", "TIME_ZONE_UNKNOWN", message)
    })
}

fn read_line(line: &str) -> Result<Cron> {
    let invalid = |message: String| Error::invalid("cron", "CRON_INVALID", message);
    if line.chars().count() > MAX_LINE_CHARS {
        return Err(invalid(format!("a cron line has at most {MAX_LINE_CHARS} characters")));
    }
    let fields = line.split_whitespace().count();
    let is_named = NAMES.contains(&line.trim().to_lowercase().as_str());
    if fields == 6 || fields == 7 {
        let message = format!(
            "`{line}` has {fields} fields, as lines with seconds or years have; a schedule fires once a minute at most, and has five: minute, hour, day of month, month, day of week"
        );
        return Err(Error::invalid("cron", "CRON_TOO_OFTEN", message));
    }
    if fields != 5 && !is_named {
        return Err(invalid(format!(
            "`{line}` is no cron line: that is five fields (minute, hour, day of month, month, day of week), or one of {}",
            NAMES.join(", ")
        )));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(line).map_err(|error| invalid(format!("`{line}` cannot be read: {error}")))
}

/// Days of the week and leap years come round every 28 years: what does not fire in those never does. It is looked for
/// by another line with these years in it, for a search without an end takes a second.
fn fires(line: &str) -> Result<bool> {
    if line.trim().starts_with('@') {
        return Ok(true);
    }
    Ok(bounded(line, 2000, 2027)?.find_next_occurrence(&Timestamp::UNIX_EPOCH.naive_utc(), true).is_ok())
}

/// The same line in these years alone. A name cannot be bounded, and need not: it comes round each year.
fn bounded(line: &str, first: i32, last: i32) -> Result<Cron> {
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Required).build();
    let bounded = parser.parse(&format!("0 {line} {first}-{last}"));
    bounded.map_err(|error| Error::internal("bound a cron line", error))
}

/// What is to happen when a schedule is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The time that it is about.
    pub at: Timestamp,
    /// Whether it runs, or is left out since it was missed.
    pub runs: bool,
    pub next: Option<Timestamp>,
}

/// `due` is the schedule's next time, and not after `now`.
pub fn turn(timing: &Timing, missed: MissedRuns, due: Timestamp, now: Timestamp) -> Turn {
    let number = if missed == MissedRuns::RunAll { MADE_UP } else { 1 };
    let at = timing.newest(due, now, number).front().copied().unwrap_or(due);
    match missed {
        MissedRuns::Skip => Turn { at, runs: now - at <= GRACE, next: timing.next_after(now) },
        MissedRuns::RunOnce => Turn { at, runs: true, next: timing.next_after(now) },
        MissedRuns::RunAll => Turn { at, runs: true, next: timing.next_after(at) },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn times(line: &str, zone: &str, after: &str, number: usize) -> Vec<String> {
        let timing = Timing::read(line, zone).unwrap();
        let times = timing.upcoming(at(after), number);
        let unbounded = std::iter::successors(timing.next_after(at(after)), |at| timing.next_after(*at));
        assert_eq!(times, unbounded.take(number).collect::<Vec<_>>());
        times.into_iter().map(|time| time.format("%m-%d %H:%M").to_string()).collect()
    }

    fn refusal(line: &str, zone: &str) -> (&'static str, String) {
        let error = Timing::check(line, zone).err().unwrap_or_else(|| panic!("{line} is taken"));
        (error.code(), error.to_string())
    }

    #[test]
    fn a_line_that_never_fires_or_too_often_or_says_nothing_is_refused_in_words() {
        let rare = Timing::check("0 0 29 2 +MON", "UTC").expect("rare is not never");
        assert_eq!(rare.next_after(at("2026-01-01T00:00:00Z")), Some(at("2044-02-29T00:00:00Z")));
        assert!(
            rare.upcoming(at("2026-01-01T00:00:00Z"), MAX_UPCOMING).is_empty(),
            "nobody waits for centuries"
        );
        assert_eq!(rare.upcoming(at("2034-06-01T00:00:00Z"), MAX_UPCOMING), [at("2044-02-29T00:00:00Z")]);
        for never in ["0 0 30 2 *", "* * 31 2,4,6,9,11 *", "0 0 30-31 FEB ?"] {
            let (code, message) = refusal(never, "UTC");
            assert_eq!(code, "CRON_NEVER_FIRES", "{never}");
            assert!(message.contains(never) && message.contains("never fires"), "{message}");
        }
        for seconds in ["* * * * * *", "0 0 0 * * *", "*/5 * * * * * 2026"] {
            let (code, message) = refusal(seconds, "UTC");
            assert_eq!(code, "CRON_TOO_OFTEN", "{seconds}");
            assert!(message.contains("once a minute at most"), "{message}");
        }
        let long = "1,".repeat(60);
        for strange in [
            "",
            " ",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "5-1 * * * *",
            "@reboot",
            "@",
            "every day",
            "a b c d e",
            "* * * *",
            "\0 * * * *",
            "１ * * * *",
            "-1 * * * *",
            "* * * * MOO",
            &long,
        ] {
            assert_eq!(refusal(strange, "UTC").0, "CRON_INVALID", "{strange:?}");
        }
        for zone in ["", "Berlin", "Europe/berlin", "CEST+1", "\0", "Mars/Olympus", &"x".repeat(500)] {
            let (code, message) = refusal("@daily", zone);
            assert_eq!(code, "TIME_ZONE_UNKNOWN", "{zone:?}");
            assert!(message.len() < 200, "{message}");
        }
    }

    #[test]
    fn lines_are_read_as_cron_reads_them() {
        let after = "2026-01-30T10:15:30Z";
        assert_eq!(times("@daily", "UTC", after, 2), ["01-31 00:00", "02-01 00:00"]);
        assert_eq!(
            times("*/20 9-10 * * MON-FRI", "UTC", after, 3),
            ["01-30 10:20", "01-30 10:40", "02-02 09:00"]
        );
        assert_eq!(times("30 2 * * *", "Asia/Kolkata", after, 1), ["01-30 21:00"]);
        // Day of month or day of week, as cron has it; the last day of the month.
        assert_eq!(times("0 0 1 * SUN", "UTC", after, 2), ["02-01 00:00", "02-08 00:00"]);
        assert_eq!(times("0 0 L * *", "UTC", after, 2), ["01-31 00:00", "02-28 00:00"]);
        let leap = Timing::read("0 0 29 2 *", "UTC").unwrap();
        assert_eq!(leap.next_after(at(after)), Some(at("2028-02-29T00:00:00Z")));
    }

    #[test]
    fn a_time_that_does_not_exist_comes_with_the_first_that_does() {
        // Berlin: 02:00 to 03:00 is left out on 29 March 2026; New York on 8 March.
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
            ["03-28 01:30", "03-29 01:00", "03-30 00:30"]
        );
        assert_eq!(
            times("30 2 * * *", "America/New_York", "2026-03-07T00:00:00Z", 3),
            ["03-07 07:30", "03-08 07:00", "03-09 06:30"]
        );
        // Of a line with more than one time the missing ones are left out.
        assert_eq!(
            times("30 */2 * * *", "Europe/Berlin", "2026-03-28T23:00:00Z", 3),
            ["03-28 23:30", "03-29 02:30", "03-29 04:30"]
        );
        // Lord Howe's half hour.
        assert_eq!(
            times("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
            ["10-03 15:30", "10-04 15:15"]
        );
    }

    #[test]
    fn a_time_that_comes_twice_counts_once_unless_the_line_goes_by_the_hour() {
        // Berlin: 02:00 to 03:00 comes twice on 25 October 2026.
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", 3),
            ["10-24 00:30", "10-25 00:30", "10-26 01:30"]
        );
        assert_eq!(
            times("30 * * * *", "Europe/Berlin", "2026-10-24T23:00:00Z", 4),
            ["10-24 23:30", "10-25 00:30", "10-25 01:30", "10-25 02:30"]
        );
        // Asked between the two, the second is none.
        assert_eq!(times("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z", 1), ["10-26 01:30"]);
    }

    #[test]
    fn missed_runs_are_skipped_run_once_or_made_up_for() {
        let daily = Timing::read("0 6 * * *", "UTC").unwrap();
        let (due, now) = (at("2026-05-01T06:00:00Z"), at("2026-05-03T12:00:00Z"));
        let next = Some(at("2026-05-04T06:00:00Z"));
        let last = at("2026-05-03T06:00:00Z");
        assert_eq!(turn(&daily, MissedRuns::Skip, due, now), Turn { at: last, runs: false, next });
        assert_eq!(turn(&daily, MissedRuns::RunOnce, due, now), Turn { at: last, runs: true, next });
        let second = Some(at("2026-05-02T06:00:00Z"));
        assert_eq!(turn(&daily, MissedRuns::RunAll, due, now), Turn { at: due, runs: true, next: second });
        // What is due just now was not missed, though others were.
        let on_time = at("2026-05-03T06:00:01Z");
        assert_eq!(turn(&daily, MissedRuns::Skip, due, on_time), Turn { at: last, runs: true, next });
        // A year of minutes: the newest alone are made up for, and nobody waits for it.
        let minutely = Timing::read("* * * * *", "UTC").unwrap();
        let now = at("2027-05-01T06:00:30Z");
        assert_eq!(turn(&minutely, MissedRuns::RunAll, due, now).at, at("2027-05-01T05:37:00Z"));
        assert_eq!(turn(&minutely, MissedRuns::RunOnce, due, now).at, at("2027-05-01T06:00:00Z"));
    }

    fn line() -> impl Strategy<Value = String> {
        let minute = prop_oneof![
            Just("*".to_owned()),
            (0..60u8).prop_map(|n| n.to_string()),
            (1..60u8).prop_map(|n| format!("*/{n}"))
        ];
        let hour = prop_oneof![
            Just("*".to_owned()),
            (0..24u8).prop_map(|n| n.to_string()),
            (0..12u8).prop_map(|n| format!("{n}-{}", n + 11))
        ];
        let day = prop_oneof![3 => Just("*".to_owned()), 1 => (1..29u8).prop_map(|n| n.to_string())];
        let weekday = prop_oneof![3 => Just("*".to_owned()), 1 => (0..8u8).prop_map(|n| n.to_string())];
        (minute, hour, day, weekday).prop_map(|(m, h, d, w)| format!("{m} {h} {d} * {w}"))
    }

    fn zone() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "America/St_Johns",
            "Australia/Lord_Howe",
            "Asia/Kathmandu",
            "Africa/Casablanca",
            "America/Santiago",
            "Pacific/Chatham",
            "Africa/Cairo",
            "Antarctica/Troll",
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_next_time_is_later_on_a_whole_minute_and_the_same_from_any_moment_before_it(
            line in line(), zone in zone(), seconds in 1_760_000_000_i64..1_900_000_000, between in 0.0..1.0_f64,
        ) {
            let timing = Timing::read(&line, zone).unwrap();
            let after = Timestamp::from_timestamp(seconds, 0).unwrap();
            let next = timing.next_after(after).unwrap();
            prop_assert!(next > after);
            prop_assert_eq!(next.timestamp() % 60, 0);
            let part = ((next - after).num_milliseconds() as f64 * between) as i64;
            let later = after + TimeDelta::milliseconds(part.min((next - after).num_milliseconds() - 1));
            prop_assert_eq!(timing.next_after(later), Some(next), "from {} on", later);
        }

        #[test]
        fn every_time_of_a_day_is_found_whichever_way_one_looks(
            line in line(), zone in zone(), seconds in 1_760_000_000_i64..1_900_000_000, hours in 1..200_i64, number in 1..30_usize,
        ) {
            let timing = Timing::read(&line, zone).unwrap();
            let first = timing.next_after(Timestamp::from_timestamp(seconds, 0).unwrap()).unwrap();
            let now = first + TimeDelta::hours(hours);
            let all: Vec<_> = std::iter::successors(Some(first), |at| timing.next_after(*at)).take_while(|at| *at <= now).collect();
            let newest: Vec<_> = timing.newest(first, now, number).into();
            prop_assert_eq!(&newest[..], &all[all.len().saturating_sub(number)..]);
            for missed in MissedRuns::ALL {
                let turn = turn(&timing, missed, first, now);
                prop_assert!(all.contains(&turn.at) && turn.next.is_some_and(|next| next > turn.at));
            }
        }

        #[test]
        fn no_line_is_too_strange_to_be_answered(line in "\\PC{0,120}|[-0-9*/,#LW?+@A-Z \t]{1,40}", zone in "\\PC{0,80}") {
            for zone in [zone.as_str(), "Africa/Casablanca"] {
                if let Ok(timing) = Timing::check(&line, zone) {
                    let now = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
                    prop_assert!(timing.upcoming(now, 3).windows(2).all(|pair| pair[0] < pair[1]));
                }
            }
        }
    }
}
