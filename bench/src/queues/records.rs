//! What became of each job, and what follows from it. Here it is decided whether every job has run once.

use std::{collections::HashMap, fs, path::Path, time::Duration};

use anyhow::{Context, Result, bail};

use crate::figures::Times;

/// Three numbers of 64 bits, the least significant byte first: the job's, and two times in nanoseconds.
const RECORD: usize = 24;

/// Times of one clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) begun: Duration,
    pub(super) ended: Duration,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    /// Its writing, up to the word that it is kept.
    pub(super) written: Span,
    pub(super) ran: Span,
}

/// A run of the backlog, once.
#[derive(Debug, Clone)]
pub(super) struct Drained {
    /// Jobs a second from the first begin to the last end.
    pub(super) rate: f64,
    /// From the first begin to each begin.
    pub(super) waited: Vec<Duration>,
    pub(super) cpu: Duration,
}

impl Drained {
    pub(super) fn new(ran: &[Span], cpu: Duration) -> Result<Self> {
        let first = ran.iter().map(|span| span.begun).min().context("no job ran")?;
        let last = ran.iter().map(|span| span.ended).max().context("no job ran")?;
        let rate = (ran.len() - 1) as f64 / last.saturating_sub(first).as_secs_f64().max(1e-6);
        Ok(Self { rate, waited: ran.iter().map(|span| span.begun - first).collect(), cpu })
    }

    pub(super) fn cpu_ms_a_thousand(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.waited.len() as f64
    }
}

/// Jobs that were written one by one.
#[derive(Debug, Clone, Default)]
pub(super) struct Paced(pub(super) Vec<Job>);

impl Paced {
    pub(super) fn pick_up(&self) -> Times {
        self.times(|job| job.ran.begun.saturating_sub(job.written.ended))
    }

    pub(super) fn pick_up_from_begin(&self) -> Times {
        self.times(|job| job.ran.begun.saturating_sub(job.written.begun))
    }

    pub(super) fn whole(&self) -> Times {
        self.times(Self::life)
    }

    fn life(job: &Job) -> Duration {
        job.ran.ended.saturating_sub(job.written.begun)
    }

    fn times(&self, of: impl Fn(&Job) -> Duration) -> Times {
        Times::new(self.0.iter().map(of).collect())
    }

    /// Jobs a second where each is written when the one before has ended.
    pub(super) fn rate(&self) -> f64 {
        let lives: Duration = self.0.iter().map(Self::life).sum();
        self.0.len() as f64 / lives.as_secs_f64().max(1e-6)
    }
}

/// How many records stand in the folder's files whose names begin so.
pub(super) fn count(folder: &Path, name: &str) -> Result<usize> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(name) {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(usize::try_from(bytes)? / RECORD)
}

pub(super) fn read(folder: &Path, name: &str) -> Result<Vec<(u64, Span)>> {
    let mut records = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(name) {
            let bytes = fs::read(entry.path())?;
            records.extend(bytes.chunks_exact(RECORD).map(parse));
        }
    }
    Ok(records)
}

fn parse(record: &[u8]) -> (u64, Span) {
    let numbers: Vec<u64> = record
        .chunks_exact(8)
        .map(|bytes| bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
        .collect();
    let time = |at: usize| Duration::from_nanos(numbers.get(at).copied().unwrap_or(0));
    (numbers.first().copied().unwrap_or(0), Span { begun: time(1), ended: time(2) })
}

/// By number, if the numbers are those from `from` on, `count` of them, each once.
pub(super) fn each_once(
    records: impl IntoIterator<Item = (u64, Span)>,
    from: u64,
    count: u64,
) -> Result<HashMap<u64, Span>> {
    let mut found = HashMap::new();
    let mut doubled = 0_usize;
    for (number, span) in records {
        if (from..from + count).contains(&number) && found.insert(number, span).is_some() {
            doubled += 1;
        }
    }
    let missing = count - found.len() as u64;
    if missing > 0 || doubled > 0 {
        bail!("of {count} jobs {missing} did not run, and there were {doubled} runs too many");
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(begun: u64, ended: u64) -> Span {
        Span { begun: Duration::from_millis(begun), ended: Duration::from_millis(ended) }
    }

    #[test]
    fn a_missing_or_doubled_job_is_told() {
        let all = [(5, span(1, 2)), (6, span(2, 3)), (9, span(0, 1))];
        assert_eq!(each_once(all, 5, 2).unwrap().len(), 2);
        let missing = each_once(all, 5, 3).unwrap_err().to_string();
        assert_eq!(missing, "of 3 jobs 1 did not run, and there were 0 runs too many");
        let doubled = each_once([all[0], all[1], all[0]], 5, 2).unwrap_err().to_string();
        assert_eq!(doubled, "of 2 jobs 0 did not run, and there were 1 runs too many");
    }

    #[test]
    fn the_rate_is_from_the_first_begin_to_the_last_end() {
        let drained =
            Drained::new(&[span(100, 110), span(50, 250), span(120, 130)], Duration::from_millis(30));
        let drained = drained.unwrap();
        assert!((drained.rate - 10.0).abs() < 1e-9, "{}", drained.rate);
        assert!((drained.cpu_ms_a_thousand() - 10_000.0).abs() < 1e-6);
        assert_eq!(Times::new(drained.waited).percentile(100.0), Duration::from_millis(70));
    }

    #[test]
    fn records_are_read_from_all_files_of_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let record = |number: u64, begun: u64, ended: u64| {
            [number, begun, ended].iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()
        };
        fs::write(folder.path().join("ran-1"), [record(1, 2_000_000, 3_000_000), record(300, 0, 0)].concat())
            .unwrap();
        fs::write(folder.path().join("ran-2"), record(2, 0, 1_000_000)).unwrap();
        fs::write(folder.path().join("added-1"), record(7, 0, 0)).unwrap();
        assert_eq!(count(folder.path(), "ran-").unwrap(), 3);
        let mut read = read(folder.path(), "ran-").unwrap();
        read.sort_by_key(|(number, _)| *number);
        assert_eq!(read, [(1, span(2, 3)), (2, span(0, 1)), (300, span(0, 0))]);
    }
}
