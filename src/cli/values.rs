//! What single arguments may be.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use clap::ValueEnum;
use colloquy_domain::{
    jobs::{JobKind, JobState, Queue},
    time::Timestamp,
    transcripts::{formats, report::Format},
};
use serde::Serialize;
use url::Url;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Kind {
    Coaching,
    Interview,
    Advice,
    #[default]
    Meeting,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Mode {
    /// By word
    Text,
    /// By meaning
    Semantic,
    /// Both
    #[default]
    Hybrid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum BatchKind {
    /// Analyse anew, beside the analyses of before
    Reanalyze,
    /// Read the kept bytes again
    Reimport,
    /// Write transcripts as JSON into the object store
    Export,
    /// Delete, for good
    Purge,
    /// Write the search indexes anew; with --everywhere beside the live ones
    Reindex,
    /// The same, with every vector made anew
    Reembed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Analyzer {
    /// By rules, for nothing
    #[default]
    Extractive,
    /// The same for a price, to try caps
    TestPriced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum MissedRuns {
    /// Left out
    Skip,
    /// One run stands for all of them
    RunOnce,
    /// Made up for one after another, the newest 24 at most
    RunAll,
}

/// The most that the key of `login` may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum KeyRole {
    /// Read and search
    Viewer,
    /// Also import, edit and delete
    #[default]
    Member,
    /// Also see to members, keys, jobs and queues
    Admin,
}

/// A server's address without what people paste behind it: `/graphql`, a query, a fragment.
pub(super) fn server(text: &str) -> Result<Url, String> {
    let example = "an address is such as https://colloquy.example.org";
    let mut url = Url::parse(text).map_err(|error| format!("{error}; {example}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(example.to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a password has no place in an address; use `colloquy login`".to_owned());
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/graphql").unwrap_or(path).trim_end_matches('/');
    url.set_path(&format!("{path}/"));
    Ok(url)
}

/// A day is its beginning; a time without a zone is UTC.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|time| time.and_utc())
        .ok_or_else(|| "a time is such as 2026-03-01, `2026-03-01 14:30` or 2026-03-01T14:30:00Z".to_owned())
}

pub(super) fn format(text: &str) -> Result<Format, String> {
    Format::from_name(&text.trim().to_uppercase().replace('-', "_")).ok_or_else(|| {
        let mut names: Vec<_> =
            formats::all().map(|format| format.as_str().to_lowercase().replace('_', "-")).collect();
        names.sort();
        format!("the formats are {}", names.join(", "))
    })
}

pub(super) fn queue(text: &str) -> Result<Queue, String> {
    Queue::ALL.into_iter().find(|queue| queue.as_str() == text.trim()).ok_or_else(|| {
        let names: Vec<_> = Queue::ALL.iter().map(|queue| queue.as_str()).collect();
        format!("the queues are {}", names.join(", "))
    })
}

pub(super) fn job_kind(text: &str) -> Result<JobKind, String> {
    JobKind::from_name(text.trim()).ok_or_else(|| {
        let names: Vec<_> = JobKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("the kinds are {}", names.join(", "))
    })
}

pub(super) fn job_state(text: &str) -> Result<JobState, String> {
    let name = text.trim().to_uppercase();
    JobState::ALL.into_iter().find(|state| state.as_str() == name).ok_or_else(|| {
        let names: Vec<_> = JobState::ALL.iter().map(|state| state.as_str().to_lowercase()).collect();
        format!("the states are {}", names.join(", "))
    })
}

/// Dollars, with up to six decimals, as micro-dollars.
pub(super) fn dollars(text: &str) -> Result<u64, String> {
    let strange = || "an amount is in dollars, such as 2 or 0.25, with at most six decimals".to_owned();
    let plain = text.trim().trim_start_matches('$');
    let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 6 || (whole.is_empty() && decimals.is_empty())
    {
        return Err(strange());
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_too_long| strange())? };
    let decimals: u64 = format!("{decimals:0<6}").parse().map_err(|_not_digits| strange())?;
    whole.checked_mul(1_000_000).and_then(|micros| micros.checked_add(decimals)).ok_or_else(strange)
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a number from 1 on is wanted".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// More at once than the server works on gains nothing.
pub(super) fn jobs(text: &str) -> Result<usize, String> {
    match at_least_one(text) {
        Ok(number) if number <= 64 => Ok(number),
        _ => Err("a number from 1 to 64 is wanted".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_servers_whatever_was_pasted() {
        for (text, address) in [
            ("https://colloquy.example.org", "https://colloquy.example.org/"),
            ("https://Colloquy.example.org:443/graphql", "https://colloquy.example.org/"),
            ("http://127.0.0.1:4000/graphql#token=x", "http://127.0.0.1:4000/"),
            ("https://example.org/talks/", "https://example.org/talks/"),
        ] {
            assert_eq!(server(text).unwrap().as_str(), address);
        }
        for strange in
            ["colloquy.example.org", "ftp://example.org", "localhost:4000", "https://me:pw@example.org"]
        {
            assert!(server(strange).is_err(), "{strange}");
        }
    }

    #[test]
    fn dollars_are_whole_micro_dollars() {
        assert_eq!(
            ["2", "0.25", "$1.000001", ".5"].map(dollars),
            [Ok(2_000_000), Ok(250_000), Ok(1_000_001), Ok(500_000)]
        );
        for strange in ["", ".", "-1", "1e3", "0.0000001", "two", "99999999999999999999"] {
            assert!(dollars(strange).is_err(), "{strange}");
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, meant) in [
            ("2026-03-01", "2026-03-01T00:00:00+00:00"),
            ("2026-03-01 14:30", "2026-03-01T14:30:00+00:00"),
            ("2026-03-01T14:30:05+01:00", "2026-03-01T13:30:05+00:00"),
        ] {
            assert_eq!(time(text).unwrap().to_rfc3339(), meant);
        }
        for strange in ["yesterday", "01.03.2026", "2026-13-01", ""] {
            assert!(time(strange).is_err(), "{strange}");
        }
    }
}
