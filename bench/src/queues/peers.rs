//! BullMQ and Celery, each with a Redis of its own, driven through the programs in `bench/peers`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::time::sleep;

use super::{
    records::{self, Drained, Job, Paced, Span},
    servers::Redis,
};
use crate::{proc, process::Process};

const PATIENCE: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(20);
/// For runs too many to show themselves.
const STRAY: Duration = Duration::from_millis(300);
/// Before jobs are written to a worker that has just been told to take them.
const SETTLE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bullmq,
    Celery,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Bullmq, Self::Celery];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bullmq => "BullMQ",
            Self::Celery => "Celery",
        }
    }
}

/// Where a peer is installed.
#[derive(Debug, Clone)]
pub(super) struct Installed {
    pub(super) kind: Kind,
    program: PathBuf,
    script: PathBuf,
}

impl Installed {
    pub(super) fn find(kind: Kind, folder: &Path) -> Result<Self> {
        let (program, script) = match kind {
            Kind::Bullmq => (PathBuf::from("node"), folder.join("bullmq/bullmq.mjs")),
            Kind::Celery => (folder.join("celery/bin/python"), folder.join("celery/celery_bench.py")),
        };
        let runs =
            Command::new(&program).arg("--version").output().is_ok_and(|output| output.status.success());
        if !runs {
            bail!("{} does not run", program.display());
        }
        if !script.exists() {
            bail!("there is no {}; `just bench-jobs` installs it", script.display());
        }
        Ok(Self { kind, program, script })
    }

    fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(&self.script).args(arguments).env("NODE_ENV", "production");
        command
    }
}

/// A worker, its Redis, and what was written to it so far.
pub(super) struct Peer {
    installed: Installed,
    worker: Process,
    redis: Redis,
    jobs: u64,
    // Last, so that it is removed when its users have ended.
    folder: TempDir,
}

impl Peer {
    /// The worker waits to be told to take jobs.
    pub(super) async fn start(installed: &Installed, concurrency: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let redis = Redis::lasting(folder.path()).await?;
        let records = folder.path().join("records");
        fs::create_dir(&records)?;
        let arguments =
            ["worker", &redis.port.to_string(), &concurrency.to_string(), &records.display().to_string()];
        let command = installed.command(&arguments.map(str::to_owned));
        let mut worker = Process::start(command, folder.path().join("worker.log"), Signal::SIGTERM)?;
        worker.says("ready").await?;
        Ok(Self { installed: installed.clone(), worker, redis, jobs: 0, folder })
    }

    fn records(&self) -> PathBuf {
        self.folder.path().join("records")
    }

    fn cpu(&self) -> Duration {
        proc::cpu_of_tree(self.worker.pid()) + proc::cpu_of_tree(self.redis.process.pid())
    }

    pub(super) async fn go(&mut self) -> Result<()> {
        self.worker.tell("go")?;
        sleep(SETTLE).await;
        Ok(())
    }

    /// Writes them, then tells the worker.
    pub(super) async fn drain(&mut self, jobs: u64) -> Result<Drained> {
        let from = self.write("backlog", jobs, &[]).await?;
        let before = self.cpu();
        self.worker.tell("go")?;
        self.until_run().await?;
        let cpu = self.cpu().saturating_sub(before);
        let ran = self.ran(from).await?;
        Drained::new(&ran.into_iter().map(|(_, span)| span).collect::<Vec<_>>(), cpu)
    }

    pub(super) async fn single(&mut self, jobs: u64) -> Result<Paced> {
        let records = self.records().display().to_string();
        let from = self.write("single", jobs, &[records]).await?;
        self.until_run().await?;
        self.paced(from).await
    }

    /// Also the processor time of a job.
    pub(super) async fn steady(&mut self, jobs: u64, rate: u64) -> Result<(Paced, Duration)> {
        let records = self.records().display().to_string();
        let before = self.cpu();
        let from = self.write("steady", jobs, &[rate.to_string(), records]).await?;
        self.until_run().await?;
        let cpu = self.cpu().saturating_sub(before);
        Ok((self.paced(from).await?, cpu / u32::try_from(jobs.max(1))?))
    }

    /// The number of the first of them.
    async fn write(&mut self, mode: &str, jobs: u64, more: &[String]) -> Result<u64> {
        let from = self.jobs;
        let mut arguments =
            vec![mode.to_owned(), self.redis.port.to_string(), from.to_string(), jobs.to_string()];
        arguments.extend_from_slice(more);
        let log = self.folder.path().join(format!("{mode}.log"));
        let mut writer = Process::start(self.installed.command(&arguments), log, Signal::SIGTERM)?;
        writer.finish(&format!("`{mode}` of {}", self.installed.kind.name()), PATIENCE).await?;
        self.jobs += jobs;
        Ok(from)
    }

    async fn until_run(&mut self) -> Result<()> {
        let started = Instant::now();
        let all = usize::try_from(self.jobs)?;
        loop {
            let ran = records::count(&self.records(), "ran-")?;
            if ran >= all {
                return Ok(());
            }
            self.worker.lives()?;
            if started.elapsed() > PATIENCE {
                bail!("{ran} of {all} jobs ran within {} s", PATIENCE.as_secs());
            }
            sleep(LOOK).await;
        }
    }

    /// Those from a number on, each of which must have run once, as all before.
    async fn ran(&self, from: u64) -> Result<Vec<(u64, Span)>> {
        sleep(STRAY).await;
        let records = records::read(&self.records(), "ran-")?;
        let ran = records::each_once(records, 0, self.jobs).context(self.installed.kind.name())?;
        Ok(ran.into_iter().filter(|(number, _)| *number >= from).collect())
    }

    async fn paced(&self, from: u64) -> Result<Paced> {
        let written = records::read(&self.records(), "added-")?;
        let written = records::each_once(written, from, self.jobs - from).context("of those written")?;
        let ran = self.ran(from).await?;
        let job = |(number, ran): (u64, Span)| Some(Job { written: *written.get(&number)?, ran });
        let mut jobs: Vec<Job> = ran.into_iter().filter_map(job).collect();
        jobs.sort_unstable_by_key(|job| job.written.begun);
        Ok(Paced(jobs))
    }
}
