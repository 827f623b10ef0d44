//! The binary under measurement, and the processes of it that run: each is ended when it is dropped.

use std::{
    fs::{self, File},
    io::Write,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::time::sleep;

use crate::client::Client;

/// For a start, and for an end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what is awaited.
const LOOK: Duration = Duration::from_millis(2);

pub(crate) struct Binary(PathBuf);

impl Binary {
    pub(crate) fn find(file: &Path) -> Result<Self> {
        let path = file.canonicalize().with_context(|| {
            format!("there is no {}; `cargo build --release --package colloquy` makes it", file.display())
        })?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn version(&self) -> Result<String> {
        let output = Command::new(&self.0).arg("--version").output().context("the binary does not run")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// On the data folder, which is also where it works, so that no settings but our own are found.
    fn spawn(&self, data: &Path, arguments: &[&str]) -> Result<Process> {
        let name = arguments.first().copied().unwrap_or("colloquy");
        let log = data.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("could not write {}", log.display()))?;
        let mut command = Command::new(&self.0);
        for setting in settings_of_others() {
            command.env_remove(setting);
        }
        command.args(arguments).arg("--data-dir").arg(data).current_dir(data);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("could not start {}", self.0.display()))?;
        Ok(Process { child, log, end: Signal::SIGTERM })
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, data: &Path, arguments: &[&str]) -> Result<()> {
        self.spawn(data, arguments)?.finish(&arguments.join(" "), PATIENCE).await
    }
}

#[expect(clippy::disallowed_methods, reason = "what is measured must not depend on who measures")]
fn settings_of_others() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with("COLLOQUY_") && name != "COLLOQUY_CACHE").collect()
}

pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    /// Asks it to end.
    end: Signal,
}

impl Process {
    /// Any program, with its output in `log` and its input from here.
    pub(crate) fn start(mut command: Command, log: PathBuf, end: Signal) -> Result<Self> {
        let output = File::create(&log).with_context(|| format!("could not write {}", log.display()))?;
        command.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output);
        let child =
            command.spawn().with_context(|| format!("could not start {:?}", command.get_program()))?;
        Ok(Self { child, log, end })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A line for its input.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("the process has no input")?;
        writeln!(input, "{line}").context("the process takes no input")
    }

    /// Waits for its output to hold `words`.
    pub(crate) async fn says(&mut self, words: &str) -> Result<()> {
        let log = self.log.clone();
        let says = async || fs::read_to_string(&log).ok()?.contains(words).then_some(());
        self.until(&format!("it says `{words}`"), says).await
    }

    /// Waits for its end, which must be a good one.
    pub(crate) async fn finish(&mut self, what: &str, patience: Duration) -> Result<()> {
        let started = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("{what} failed ({status}):\n{}", self.said()),
                None if started.elapsed() > patience => {
                    bail!("{what} does not end within {} s:\n{}", patience.as_secs(), self.said())
                }
                None => sleep(LOOK).await,
            }
        }
    }

    /// Fails where it has ended.
    pub(crate) fn lives(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("the process ended ({status}):\n{}", self.said()),
            None => Ok(()),
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What `look` finds, once it is there.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut look: impl AsyncFnMut() -> Option<T>,
    ) -> Result<T> {
        let started = Instant::now();
        loop {
            if let Some(found) = look().await {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the process ended ({status}) before {what}:\n{}", self.said());
            }
            if started.elapsed() > PATIENCE {
                bail!("{what}: not within {} s:\n{}", PATIENCE.as_secs(), self.said());
            }
            sleep(LOOK).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Ok(pid) = i32::try_from(self.child.id()) else { return };
        let started = Instant::now();
        // An error: it has ended already.
        if kill(Pid::from_raw(pid), self.end).is_ok() {
            while matches!(self.child.try_wait(), Ok(None)) && started.elapsed() < PATIENCE {
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// A standalone that is ready.
pub(crate) struct Standalone {
    process: Process,
    pub(crate) client: Client,
    data: PathBuf,
    /// From the start of the process to the first readiness.
    pub(crate) start: Duration,
}

impl Standalone {
    pub(crate) async fn start(binary: &Binary, data: &Path) -> Result<Self> {
        Self::start_with(binary, data, &[]).await
    }

    pub(crate) async fn start_with(binary: &Binary, data: &Path, arguments: &[&str]) -> Result<Self> {
        let started = Instant::now();
        let arguments = [&["standalone", "--bind", "127.0.0.1:0"], arguments].concat();
        let mut process = binary.spawn(data, &arguments)?;
        let pid = process.pid();
        let file = data.join("server.json");
        let left = process.until("standalone is there", async || {
            let left: Value = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            (left["pid"] == pid).then_some(left)
        });
        let left = left.await?;
        let text = |key: &str| left[key].as_str().with_context(|| format!("server.json has no {key}"));
        let client = Client::new(text("url")?, text("token")?)?;
        process.until("standalone is ready", async || client.is_ready().await.then_some(())).await?;
        Ok(Self { process, client, data: data.to_owned(), start: started.elapsed() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// A connection to its private PostgreSQL.
    pub(crate) async fn database(&self) -> Result<tokio_postgres::Client> {
        let left = fs::read(self.data.join("services.json")).context("standalone left no services.json")?;
        let left: Value = serde_json::from_slice(&left)?;
        let url = left["database_url"].as_str().context("services.json has no database_url")?;
        let (client, driver) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(driver);
        Ok(client)
    }
}

/// An `api` or a `worker` beside a standalone, of whose database, Redis and key it makes use.
pub(crate) struct Role {
    process: Process,
    pub(crate) start: Duration,
}

impl Role {
    pub(crate) async fn api(binary: &Binary, data: &Path) -> Result<Self> {
        Ok(Self::api_with(binary, data, &[]).await?.0)
    }

    /// Also its URL, with a slash at its end.
    pub(crate) async fn api_with(binary: &Binary, data: &Path, arguments: &[&str]) -> Result<(Self, String)> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string();
        let started = Instant::now();
        let mut process = binary.spawn(data, &[&["api", "--bind", &address], arguments].concat())?;
        let url = format!("http://{address}/");
        let client = Client::new(&url, "")?;
        process.until("the API is ready", async || client.is_ready().await.then_some(())).await?;
        Ok((Self { process, start: started.elapsed() }, url))
    }

    pub(crate) async fn worker(binary: &Binary, data: &Path) -> Result<Self> {
        Self::worker_with(binary, data, &[]).await
    }

    pub(crate) async fn worker_with(binary: &Binary, data: &Path, arguments: &[&str]) -> Result<Self> {
        let started = Instant::now();
        let mut process = binary.spawn(data, &[&["worker"], arguments].concat())?;
        process.says("jobs are taken").await?;
        Ok(Self { process, start: started.elapsed() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}
