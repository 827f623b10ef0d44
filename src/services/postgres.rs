//! The private PostgreSQL.

use std::{fs, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process,
    time::{Instant, sleep},
};

use super::{child::Child, find_program, free_port, owner::Owner, password};

const USER: &str = "colloquy";
/// A first start after a crash replays the log.
const START: Duration = Duration::from_secs(120);
/// For one that a crashed process left to end.
const END: Duration = Duration::from_secs(20);

/// Modest: it shares the machine with everything else.
const SETTINGS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=60",
    "shared_buffers=64MB",
    "wal_compression=on",
    "max_wal_size=512MB",
    "autovacuum_naptime=15s",
    "log_checkpoints=off",
];

/// The running server and its URL.
pub(super) async fn start(folder: &Path, owner: &Owner) -> Result<(Child, String)> {
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    owner.give(&folder)?;
    let (data, log, secret) = (folder.join("data"), folder.join("postgres.log"), folder.join("password"));
    let password = password(&secret)?;
    owner.give(&secret)?;
    if !data.join("PG_VERSION").exists() {
        init(&folder, &data, &secret, owner).await?;
    }
    end_leftover(&data).await?;

    let port = free_port()?;
    let mut args = vec!["-D".to_owned(), data.display().to_string(), "-p".to_owned(), port.to_string()];
    for setting in SETTINGS {
        args.extend(["-c".to_owned(), setting.to_owned()]);
    }
    // SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
    let mut child = Child::start("PostgreSQL", owner, "INT", &find_program("postgres")?, &args, &log)?;
    let pid_file = data.join("postmaster.pid");
    let ready = async || PidFile::read(&pid_file).is_some_and(|file| file.port == port && file.ready);
    child.wait_until(START, &log, ready).await?;
    Ok((child, format!("postgres://{USER}:{password}@127.0.0.1:{port}/postgres")))
}

/// Makes the cluster beside its place and moves it there whole, so that an interrupted one is never used.
async fn init(folder: &Path, data: &Path, secret: &Path, owner: &Owner) -> Result<()> {
    let partial = folder.join("data.partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).with_context(|| format!("could not remove {}", partial.display()))?;
    }
    let mut command = owner.command(&find_program("initdb")?, &partial)?;
    command.arg("--pgdata").arg(&partial).arg("--pwfile").arg(secret);
    command.args(["--username", USER, "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"]);
    command.stdin(Stdio::null());
    let output = process::Command::from(command).output().await.context("could not run initdb")?;
    if !output.status.success() {
        bail!("initdb failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    fs::rename(&partial, data).with_context(|| format!("could not make {}", data.display()))
}

/// Ends a server that a process of ours left on this folder when it crashed.
async fn end_leftover(data: &Path) -> Result<()> {
    let pid_file = data.join("postmaster.pid");
    let started = Instant::now();
    let mut asked = false;
    while let Some(pid) = PidFile::read(&pid_file).map(|file| Pid::from_raw(file.pid)) {
        if !is_postgres(pid) {
            // A stale file: PostgreSQL sees to it.
            return Ok(());
        }
        if started.elapsed() > END {
            bail!("PostgreSQL (pid {pid}) still runs on {}; end it first", data.display());
        }
        if !asked {
            asked = true;
            tracing::info!(%pid, "ending the PostgreSQL that a crash left behind");
            if let Err(error) = kill(pid, Signal::SIGINT) {
                tracing::debug!(%pid, %error, "it is gone already");
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Whether a live process of this id is a PostgreSQL, not another that got the id since.
fn is_postgres(pid: Pid) -> bool {
    if kill(pid, None).is_err() {
        return false;
    }
    match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(command) => String::from_utf8_lossy(&command).contains("postgres"),
        // No /proc: a live process is enough.
        Err(_) => true,
    }
}

/// What PostgreSQL says of itself in `postmaster.pid`.
struct PidFile {
    pid: i32,
    port: u16,
    ready: bool,
}

impl PidFile {
    fn read(path: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(path).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        Some(Self {
            pid: lines.first()?.parse().ok()?,
            port: lines.get(3).and_then(|port| port.parse().ok()).unwrap_or(0),
            ready: lines.get(7).is_some_and(|status| *status == "ready"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_tells_whether_the_server_is_ready() {
        let text = "4711\n/data\n1800000000\n5433\n\n127.0.0.1\n  123  0\nready   \n";
        let file = PidFile::parse(text).unwrap();
        assert_eq!((file.pid, file.port, file.ready), (4711, 5433, true));
        let starting = PidFile::parse("4711\n/data\n").unwrap();
        assert_eq!((starting.port, starting.ready), (0, false));
        assert!(PidFile::parse("").is_none());
    }
}
