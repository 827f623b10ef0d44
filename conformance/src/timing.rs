//! What benchmarks print.

use std::{fs, time::Duration};

/// A line with the median and the 99th percentile, in milliseconds.
pub fn line(what: &str, mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    format!("{what:48} p50 {:8.2} ms   p99 {:8.2} ms   n {}", at(0.5), at(0.99), times.len())
}

/// Resident memory of a process and what of it is its own rather than mapped files, where the system tells them.
pub fn memory(process: u32) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let megabytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
        Some(kilobytes / 1_024)
    };
    Some(format!("{} MB, of which its own {} MB", megabytes("VmRSS:")?, megabytes("RssAnon:")?))
}
