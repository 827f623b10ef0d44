//! What Zoom saves as text in a meeting: captions (`[Anna Lee] 14:03:05` above what is said) and chat
//! (`14:03:05 From Anna Lee : text`). The times are the clock's on the wall; they run past midnight.

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        lines::{Line, Lines},
        markers::Mark,
        report::{Format, SpeakerSource},
    },
    FormatReader,
    turns::Turns,
};
use crate::{error::Problem, time::Millis};

pub(super) struct ZoomText;

impl FormatReader for ZoomText {
    fn format(&self) -> Format {
        Format::ZoomText
    }

    fn name(&self) -> &'static str {
        "Zoom text"
    }

    fn looks_like(&self) -> &'static str {
        "a line with the speaker and the time of day, as in `[Anna Lee] 14:03:05`, stands above what is said"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let (mut lines, mut entries, mut first) = (0, 0, false);
        for line in Lines::new(sample.head).filter(|line| !line.is_blank()) {
            let found = entry(line.text).is_some_and(|entry| entry.of_day.is_some());
            first |= found && lines == 0;
            lines += 1;
            entries += usize::from(found);
        }
        match entries {
            2.. if entries * 10 >= lines => Confidence::new(95, "lines name a speaker and a time of day"),
            1.. if first => Confidence::new(75, "the first line names a speaker and a time of day"),
            _ => Confidence::new(0, "few lines or none name a speaker and a time of day as Zoom does"),
        }
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let mut turns = Turns::new(Format::ZoomText, limits, SpeakerSource::Headings);
        let mut clock = WallClock::default();
        for line in Lines::new(text) {
            if line.is_blank() {
                turns.blank();
            } else if let Some(entry) = entry(line.text) {
                let start = clock.since_origin(&entry, line, &mut turns);
                let mark = start.map(|start| Mark { start, end: None });
                turns.begin(line, entry.name, mark)?;
                if entry.to_some {
                    turns.source.log.warning(line.number, "the message went to some only");
                }
                turns.say(line, entry.said)?;
            } else {
                turns.say(line, line.text)?;
            }
        }
        turns.finish()
    }
}

/// Counts from the first time of the file.
#[derive(Default)]
struct WallClock {
    origin: Option<u64>,
    /// The last time, in milliseconds of its day, and the day from 0.
    last: u64,
    day: u64,
}

const DAY: u64 = 24 * 60 * 60 * 1000;

impl WallClock {
    /// A time that is more than half a day before the last one is of the next day.
    fn since_origin(&mut self, entry: &Entry<'_>, line: Line<'_>, turns: &mut Turns<'_>) -> Option<Millis> {
        let Some(of_day) = entry.of_day else {
            turns.source.log.warning(line.number, "the time cannot be read: it was left out");
            return None;
        };
        let origin = *self.origin.get_or_insert_with(|| {
            turns.source.wall_origin = Some(entry.time.to_owned());
            of_day
        });
        if of_day + DAY / 2 < self.last {
            self.day += 1;
        } else if of_day < self.last {
            turns.source.log.warning(line.number, "the time is before the time above it");
        }
        self.last = of_day;
        let since = (self.day * DAY + of_day).checked_sub(origin);
        if since.is_none() {
            turns.source.log.warning(line.number, "the time is before the first time: it was left out");
        }
        since.map(Millis)
    }
}

struct Entry<'a> {
    name: Option<&'a str>,
    /// As it is written.
    time: &'a str,
    /// Milliseconds of the day; `None` where they cannot be read.
    of_day: Option<u64>,
    said: &'a str,
    /// A message of the chat that not everyone got.
    to_some: bool,
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let line = line.trim();
    if line.starts_with('[') { caption(line) } else { message(line) }
}

/// `[Anna Lee] 14:03:05`
fn caption(line: &str) -> Option<Entry<'_>> {
    let (name, rest) = line.strip_prefix('[')?.rsplit_once(']')?;
    let rest = rest.trim();
    let (of_day, time) = match time_of_day(rest) {
        Some((of_day, time, "")) => (Some(of_day), time),
        _ => (None, rest),
    };
    let like_a_time = time.contains(':') && time.bytes().all(|byte| b"0123456789: AaPpMm".contains(&byte));
    let fits = like_a_time && name.len() <= 400 && name.contains(char::is_alphanumeric);
    fits.then_some(Entry { name: Some(name.trim()), time, of_day, said: "", to_some: false })
}

/// `14:03:05 From Anna Lee : text`, `14:03:05 From Anna Lee to Everyone: text`
fn message(line: &str) -> Option<Entry<'_>> {
    let (of_day, time, rest) = time_of_day(line)?;
    let rest = rest.trim_start();
    let rest = rest.strip_prefix("From ").or_else(|| rest.strip_prefix("from "))?;
    let (name, to, said) = addressed(rest)?;
    let to_some = !matches!(to.trim(), "" | "Everyone" | "everyone");
    let name = Some(name.trim()).filter(|name| !name.is_empty());
    Some(Entry { name, time, of_day: Some(of_day), said, to_some })
}

/// Who says something, to whom, and what. Older messages name nobody whom they are for, and have a blank before their
/// colon, so that a name may hold another one.
fn addressed(text: &str) -> Option<(&str, &str, &str)> {
    let (head, said) = text.split_once(':')?;
    if let Some((name, to)) = head.split_once(" to ").or_else(|| head.split_once(" To ")) {
        return Some((name, to, said));
    }
    let (name, said) = text.split_once(" : ").unwrap_or((head, said));
    Some((name, "", said))
}

/// `14:03:05`, `2:03:05 PM`: milliseconds of the day, the time as written, what follows it.
fn time_of_day(text: &str) -> Option<(u64, &str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(text.len());
    let (clock, mut rest) = text.split_at(end);
    let mut parts = clock.split(':').map(|part| part.parse::<u64>().ok().filter(|_| part.len() <= 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || minute > 59 || second > 59 {
        return None;
    }
    let after = rest.trim_start();
    let half = after.split_at_checked(2).filter(|(_, next)| !next.starts_with(char::is_alphanumeric));
    let afternoon = match half.map(|(half, _)| half.to_ascii_uppercase()).as_deref() {
        Some("AM") => Some(false),
        Some("PM") => Some(true),
        _ => None,
    };
    if afternoon.is_some() {
        rest = &after[2..];
    }
    let hour = match afternoon {
        Some(afternoon) if (1..=12).contains(&hour) => hour % 12 + if afternoon { 12 } else { 0 },
        None if hour <= 23 => hour,
        _ => return None,
    };
    let written = text[..text.len() - rest.len()].trim_end();
    Some((((hour * 60 + minute) * 60 + second) * 1000, written, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_in_both_ways() {
        for (text, hours, minutes, rest) in [
            ("14:03:05", 14, 3, ""),
            ("2:03:05 PM", 14, 3, ""),
            ("12:03:05 am x", 0, 3, " x"),
            ("12:03:05PM", 12, 3, ""),
            ("00:03:05\tFrom", 0, 3, "\tFrom"),
            ("9:03:05 Amy", 9, 3, " Amy"),
        ] {
            let (of_day, _, found) = time_of_day(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((of_day, found), ((hours * 60 + minutes) * 60_000 + 5_000, rest), "{text}");
        }
        for text in ["24:00:00", "13:00:00 PM", "0:03", "1:2:3:4", "12:60:00", "", "x", ":", "é"] {
            assert!(time_of_day(text).is_none(), "{text}");
        }
    }

    #[test]
    fn messages_and_captions_name_who_speaks() {
        for (line, name, said) in [
            ("[Anna Lee] 14:03:05", "Anna Lee", ""),
            ("[Anna [Host]] 14:03:05", "Anna [Host]", ""),
            ("14:03:05 From Anna Lee : Hi: you", "Anna Lee", "Hi: you"),
            ("14:03:05\t From  Anna Lee to Everyone: Hi", "Anna Lee", " Hi"),
            ("14:03:05 From Anna Lee to Everyone: the score is 3 : 1", "Anna Lee", " the score is 3 : 1"),
            ("14:03:05 From Anna Lee To Everyone : we said : no", "Anna Lee", " we said : no"),
            ("14:03:05 From Team 2: Anna : Hi", "Team 2: Anna", "Hi"),
        ] {
            let found = entry(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((found.name, found.said), (Some(name), said), "{line}");
        }
        for line in ["[laughs] at 14:03", "[] 14:03:05", "14:03:05 Anna: hi", "[Anna] 14:03:05 hi", "[Anna]"]
        {
            assert!(entry(line).is_none(), "{line}");
        }
    }
}
