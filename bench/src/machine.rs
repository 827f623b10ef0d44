//! What the figures were taken on.

use std::{fs, process::Command};

use anyhow::{Context, Result};

use crate::process::Binary;

pub(crate) fn describe(binary: &Binary) -> Result<String> {
    let cpus = read("/proc/cpuinfo")?;
    let field = |name| cpus.lines().find_map(|line| line.strip_prefix(name)?.split_once(": "));
    let model = field("model name").map_or("unknown", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo")?;
    let memory = memory.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0);
    let kernel = read("/proc/sys/kernel/osrelease")?;
    let load = read("/proc/loadavg")?;
    let load: Vec<_> = load.split(' ').take(3).collect();
    let size = fs::metadata(binary.path()).context("the binary is gone")?.len();
    Ok(format!(
        "### Machine\n\n\
        | | |\n|---|---|\n\
        | processor | {model}, {cores} cores |\n\
        | memory | {:.0} GB |\n\
        | kernel | Linux {} |\n\
        | PostgreSQL | {} |\n\
        | Redis | {} |\n\
        | binary | {}, {:.0} MB |\n\
        | load average at the start | {} (1, 5, 15 minutes) |\n",
        memory / 1024.0 / 1024.0,
        kernel.trim(),
        version(&["postgres", "psql"]),
        version(&["redis-server"]),
        binary.version()?,
        size as f64 / 1e6,
        load.join(", "),
    ))
}

/// What the first of these programs that is on the path says of itself.
fn version(programs: &[&str]) -> String {
    let said = programs.iter().find_map(|program| {
        let output = Command::new(program).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    });
    said.unwrap_or_else(|| "not on the path".to_owned())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("could not read {path}; the benchmark needs Linux"))
}
