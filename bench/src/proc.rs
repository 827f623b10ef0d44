//! What the kernel knows of a process and of those that it has started: processor time and memory.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// Ticks of `/proc/PID/stat` a second: the same on every Linux that we run on.
const TICKS: u64 = 100;

/// The numbers of `/proc/PID/stat` from the parent's id on.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything, parentheses too.
    let numbers = stat.rsplit_once(") ")?.1.split(' ').skip(1);
    Some(numbers.map(|number| number.trim().parse().unwrap_or(0)).collect())
}

/// The process and all below it.
pub(crate) fn tree(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<_> = pids.filter_map(|pid| Some((pid, *stat(pid)?.first()?))).collect();
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(of) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, parent)| *parent == u64::from(of)).map(|(pid, _)| *pid));
        at += 1;
    }
    found
}

/// Time that the process has computed, in user and kernel mode, without its children.
pub(crate) fn cpu(pid: u32) -> Duration {
    ticks(pid, 10..12)
}

/// Time that the process and all below it have computed, and those that have ended: their parents inherit it.
pub(crate) fn cpu_of_tree(pid: u32) -> Duration {
    tree(pid).into_iter().map(|pid| ticks(pid, 10..14)).sum()
}

/// The sum of user, system, ended children's user and system time, as far as the range has them.
fn ticks(pid: u32, fields: std::ops::Range<usize>) -> Duration {
    let ticks: u64 = stat(pid).and_then(|stat| Some(stat.get(fields)?.iter().sum())).unwrap_or(0);
    Duration::from_millis(ticks * 1_000 / TICKS)
}

/// Resident memory in MB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    /// The part that is the process's own: heap and stacks. The rest is mapped files, code above all, of
    /// which the kernel can take back what it needs.
    pub(crate) anonymous: f64,
}

pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let field = |name| megabytes(&status, name).with_context(|| format!("the kernel tells no {name}"));
    Ok(Memory { resident: field("VmRSS:")?, anonymous: field("RssAnon:")? })
}

/// What processes hold together: memory that several share is divided between those that do.
pub(crate) fn memory_of(pids: &[u32]) -> Memory {
    let rollup = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
    let shares: Vec<_> = pids.iter().filter_map(rollup).collect();
    let sum = |name| shares.iter().filter_map(|share| megabytes(share, name)).sum();
    Memory { resident: sum("Pss:"), anonymous: sum("Pss_Anon:") }
}

fn megabytes(text: &str, name: &str) -> Option<f64> {
    let kilobytes = text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?;
    Some(kilobytes.parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_sees_itself() {
        let own = std::process::id();
        assert_eq!(tree(own).first(), Some(&own));
        let memory = memory(own).unwrap();
        assert!(memory.resident > memory.anonymous && memory.anonymous > 0.0, "{memory:?}");
        let shared = memory_of(&[own]);
        assert!(shared.resident > shared.anonymous && shared.anonymous > 0.0, "{shared:?}");
        let before = cpu(own);
        let started = std::time::Instant::now();
        while started.elapsed() < Duration::from_millis(200) {
            std::hint::spin_loop();
        }
        assert!(cpu(own) > before);
        assert!(cpu_of_tree(own) >= cpu(own));
    }
}
