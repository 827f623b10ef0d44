//! The real binary: run to its end, or kept running, and ended in any case.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::{Client, environment, eventually, ground::ground};

/// The binary without any setting of the environment that the tests run in.
pub(super) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_colloquy"));
    for name in environment::foreign_settings() {
        command.env_remove(name);
    }
    command.env_remove("NO_COLOR").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// How a command ended that was run to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ended {
    /// What a command printed that went well.
    pub(crate) fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.stdout
    }

    /// The lines of JSON that it printed.
    pub(crate) fn json(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        self.stdout.lines().map(read).collect()
    }
}

/// A process that runs until it is told to end, or the test is over. What it writes goes to a log, which a
/// test that fails shows the end of.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    waited: bool,
}

impl Process {
    /// In a process group of its own, as a shell starts it.
    pub(super) fn spawn(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).expect("a log");
        command.stdout(file.try_clone().expect("a log")).stderr(file).process_group(0);
        let child = command.spawn().expect("the binary starts");
        ground().watch(child.id(), "KILL");
        Self { child, log, waited: false }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Lines of the log that are JSON.
    pub(crate) fn log_lines(&self) -> Vec<Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("a child");
        if status.is_some() && !self.waited {
            self.waited = true;
            ground().forget(self.child.id());
        }
        status
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.id(), signal).expect("it runs");
    }

    /// As Ctrl-C does.
    pub(crate) fn signal_group(&self, signal: Signal) {
        nix::sys::signal::killpg(self.id(), signal).expect("it runs");
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        eventually("a process ends", async || self.has_ended()).await
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        if !self.waited {
            let _gone = self.child.kill();
            self.child.wait().expect("a child");
            self.waited = true;
            ground().forget(self.child.id());
        }
    }

    fn id(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"))
    }

    /// What `look` finds in the log, once it is there.
    pub(crate) async fn says<T>(&mut self, what: &str, look: impl Fn(&Value) -> Option<T>) -> T {
        eventually(what, async || {
            let found = self.log_lines().iter().find_map(&look);
            if found.is_none() && self.has_ended().is_some() {
                panic!("ended before it said: {what}\n{}", self.log());
            }
            found
        })
        .await
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "a test that fails shows what its processes said")]
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(30)..].join("\n");
            eprintln!("--- the end of {}:\n{last}", self.log.display());
        }
    }
}

/// A process that serves the API.
pub(crate) struct Server {
    pub(crate) process: Process,
    /// With a slash at the end.
    pub(crate) url: String,
    /// Of the local organization's owner; empty where there is none.
    pub(crate) token: String,
}

impl Server {
    /// Once it has left its address in the data folder.
    pub(super) async fn standalone(mut process: Process, data: &Path) -> Self {
        let file = data.join("server.json");
        let left = eventually("standalone is ready", async || {
            if process.has_ended().is_some() {
                panic!("standalone ended at its start:\n{}", process.log());
            }
            let left: Value = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            (left["pid"] == process.pid()).then_some(left)
        })
        .await;
        let text = |key: &str| left[key].as_str().expect("a text").to_owned();
        Self { url: text("url"), token: text("token"), process }
    }

    /// Once it has said where it listens.
    pub(crate) async fn api(mut process: Process) -> Self {
        let address = process
            .says("the API is served", |line| {
                (line["message"] == "the API is served")
                    .then(|| line["address"].as_str().map(str::to_owned))?
            })
            .await;
        Self { url: format!("http://{address}/"), token: String::new(), process }
    }

    /// A client for the local organization's owner.
    pub(crate) fn owner(&self) -> Client {
        Client::new(&self.url, Some(&self.token))
    }

    pub(crate) fn anonymous(&self) -> Client {
        Client::new(&self.url, None)
    }

    pub(crate) fn with(&self, token: &str) -> Client {
        Client::new(&self.url, Some(token))
    }

    /// What an operator's HTTP client gets.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }

    /// The sum of a metric's samples whose labels hold all of `labels`.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, text) = self.get("metrics").await;
        let wanted = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        };
        let value = |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok());
        text.lines().filter(wanted).filter_map(value).sum()
    }
}

/// Whether a process of this id runs, other than as a zombie.
pub(crate) fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// The descendants of a process, as the kernel knows them now.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let pids = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let tree: Vec<(u32, u32)> = pids.filter_map(|pid: u32| Some((pid, parent(pid)?))).collect();
    let mut found = vec![pid];
    let mut at = 0;
    while at < found.len() {
        let of = found[at];
        found.extend(tree.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}
