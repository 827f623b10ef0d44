//! `colloquy worker` as two processes: one runs handlers, and this one watches it. A handler that neither ends nor can
//! be stopped, or takes all memory, ends its process and no more: what else ran there is given back at once, and each
//! of those jobs runs with nothing beside it from then on, so that the one that did it is found.
//!
//! The child tells by lines on its standard output: that it lives, from its start on, its name once it takes jobs, and
//! then which handler is overdue.
//! It lives no longer than this process: its standard input ends with it.

use std::{
    ffi::OsString,
    io::Read,
    process::Stdio,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use colloquy_domain::{accounts::SystemScope, ports::jobs::Ledger};
use colloquy_worker::{Watch, WorkerSettings};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::oneshot,
    time::{Instant, interval, sleep, timeout},
};

use crate::{
    config::Config,
    environment, output,
    wiring::{self, signalled},
};

const SCOPE: SystemScope = SystemScope::because("a supervisor gives back the jobs of its own child");
const LOOK: Duration = Duration::from_millis(200);
/// Without a word from the child. Its words come from a thread of their own.
const SILENCE: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A child that lived so long did not fail at its start.
const HEALTHY: Duration = Duration::from_secs(30);
/// Beyond the child's own grace.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Why a child has ended.
enum End {
    /// By itself, though nobody asked.
    Itself(String),
    /// It was ended, and why.
    Ended(String),
    /// It was asked to.
    Asked,
}

/// Runs a child until a signal comes, another one after each that ends.
pub(crate) async fn run(config: Config) -> Result<()> {
    let mut pause = FIRST_PAUSE;
    let mut signal = std::pin::pin!(signalled());
    loop {
        let began = Instant::now();
        let mut child = Supervised::start().context("could not start the process of handlers")?;
        let end = child.watch(&config.worker, signal.as_mut()).await?;
        let reason = match end {
            End::Asked => return Ok(()),
            End::Itself(reason) if child.name.is_none() => {
                bail!("the process of handlers ended at its start: {reason}; its log says why")
            }
            End::Itself(reason) | End::Ended(reason) => reason,
        };
        tracing::error!(reason, worker = child.name, "the process of handlers has ended, another one begins");
        if let Some(name) = &child.name {
            // A PostgreSQL that is away may take its time to refuse.
            tokio::select! {
                () = signal.as_mut() => return Ok(()),
                () = abandon(&config, name) => {}
            }
        }
        if began.elapsed() >= HEALTHY {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = signal.as_mut() => return Ok(()),
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What it held runs again at once, and not when the leases end, where PostgreSQL answers.
async fn abandon(config: &Config, worker: &str) {
    let given_back = async {
        let postgres = wiring::database(config).await?;
        anyhow::Ok(postgres.abandon(SCOPE, worker).await?)
    };
    match given_back.await {
        Ok(jobs) => tracing::warn!(jobs, worker, "its jobs were given back"),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "its jobs come back when their leases end")
        }
    }
}

struct Supervised {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// The child lives while this is open.
    _leash: ChildStdin,
    name: Option<String>,
}

impl Supervised {
    /// The same command, told that it is watched.
    fn start() -> Result<Self> {
        let mut arguments: Vec<OsString> = environment::arguments();
        arguments.push("--supervised".into());
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn()?;
        let lines = process.stdout.take().context("it has no output")?;
        // Taken out: to wait for the process would close it.
        let leash = process.stdin.take().context("it has no input")?;
        Ok(Self { process, lines: BufReader::new(lines).lines(), _leash: leash, name: None })
    }

    async fn watch(
        &mut self,
        settings: &WorkerSettings,
        mut signal: impl Future<Output = ()> + Unpin,
    ) -> Result<End> {
        let mut looks = interval(LOOK);
        let mut heard = Instant::now();
        loop {
            let end = tokio::select! {
                () = &mut signal => {
                    self.stop(settings.grace() + LAST_WORDS).await?;
                    return Ok(End::Asked);
                }
                status = self.process.wait() => return Ok(End::Itself(status?.to_string())),
                line = self.lines.next_line() => {
                    heard = Instant::now();
                    match line?.as_deref().and_then(|line| line.split_once(' ')) {
                        Some(("name", name)) => {
                            self.name = Some(name.to_owned());
                            None
                        }
                        Some(("overdue", job)) => Some(format!("the handler of {job} holds its thread beyond its time")),
                        Some(_) => None,
                        // Its end follows.
                        None => {
                            sleep(LOOK).await;
                            None
                        }
                    }
                }
                _ = looks.tick() => self.too_large(settings).or_else(|| {
                    let silent = heard.elapsed() >= SILENCE;
                    silent.then(|| format!("nothing was heard of it for {} s", SILENCE.as_secs()))
                }),
            };
            if let Some(reason) = end {
                self.process.kill().await.context("could not end the process of handlers")?;
                return Ok(End::Ended(reason));
            }
        }
    }

    fn too_large(&self, settings: &WorkerSettings) -> Option<String> {
        let limit = settings.memory_limit()?;
        let resident = resident(self.process.id()?)?;
        (resident > limit).then(|| {
            format!("it takes {} MB of memory, and may take {}", resident >> 20, settings.memory_limit_mb)
        })
    }

    async fn stop(&mut self, grace: Duration) -> Result<()> {
        if let Some(pid) = self.process.id().and_then(|pid| i32::try_from(pid).ok()) {
            // An error: it has ended already, by a signal of its own.
            let _gone = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        match timeout(grace, self.process.wait()).await {
            Ok(status) => tracing::debug!(status = %status?, "the process of handlers has ended"),
            Err(_elapsed) => self.process.kill().await?,
        }
        Ok(())
    }
}

/// Bytes of memory that are the process's; `None` where the system does not tell.
fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = resident.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// In the child: tells how it is, from a thread that no handler can hold.
pub(crate) struct Teller(Arc<OnceLock<Watch>>);

impl Teller {
    /// Tells that it lives, also while it waits for its database.
    pub(crate) fn start() -> Result<Self> {
        let watched = Arc::new(OnceLock::<Watch>::new());
        let watch = watched.clone();
        std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
            loop {
                let told = match watch.get().and_then(Watch::overdue) {
                    Some(job) => output::line(format_args!("overdue {job}")),
                    None => output::line("alive "),
                };
                if told.is_err() {
                    return;
                }
                std::thread::park_timeout(LOOK);
            }
        })?;
        Ok(Self(watched))
    }

    /// Handlers run from now on, and are told of.
    pub(crate) fn tell_of(self, name: &str, watch: Watch) -> Result<()> {
        let _first = self.0.set(watch);
        output::line(format_args!("name {name}"))
    }
}

/// In the child: until the supervisor is no more.
pub(crate) async fn orphaned() {
    let (gone, ended) = oneshot::channel();
    // A thread that waits for input holds up no runtime.
    let waiting = std::thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
        // Nothing is ever written there.
        let _ended = std::io::stdin().read(&mut [0]);
        gone.send(())
    });
    if let Err(error) = waiting {
        tracing::warn!(%error, "could not watch for the end of the supervisor");
        return std::future::pending().await;
    }
    let _ended = ended.await;
    tracing::warn!("the supervisor is gone");
}
