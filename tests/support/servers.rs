//! A real Elasticsearch of a test's own, which can be taken away and comes back with what it held.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{
    environment::{left_out, workspace},
    ground::ground,
};

pub(crate) struct Elasticsearch {
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

/// The first start downloads the server.
const PATIENCE: Duration = Duration::from_secs(300);

impl Elasticsearch {
    /// `None` where it cannot be had, which is said.
    pub(crate) fn start(test: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = ground().folder.join(format!("elasticsearch-{number}"));
        let mut server = Self { folder, port: 0, child: None };
        match server.run() {
            Ok(()) => Some(server),
            Err(why) => {
                left_out(test, &format!("Elasticsearch does not start: {why}"));
                None
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it at once.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("Elasticsearch is killed");
            child.wait().expect("Elasticsearch is waited for");
            ground().forget(child.id());
        }
    }

    /// Runs again, at the same address.
    pub(crate) fn go_on(&mut self) {
        self.stop();
        // For a moment somebody else may have the port.
        for _ in 0..3 {
            if self.run().is_ok() {
                return;
            }
            self.stop();
        }
        self.run().expect("Elasticsearch starts again");
    }

    /// It answers nothing, and connections stay open.
    pub(crate) fn suspend(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let group = self.child.as_ref().expect("it runs").id().cast_signed();
        killpg(Pid::from_raw(group), signal).expect("it is there");
    }

    fn run(&mut self) -> Result<(), String> {
        fs::create_dir_all(&self.folder).map_err(|e| e.to_string())?;
        let path = self.folder.join("log");
        let log = fs::File::create(&path).map_err(|e| e.to_string())?;
        let mut child = Command::new(workspace().join("ops/servers/elasticsearch/start"))
            .arg(self.folder.join("home"))
            .arg(self.port.to_string())
            .stdin(Stdio::null())
            .stderr(log.try_clone().map_err(|e| e.to_string())?)
            .stdout(log)
            .process_group(0)
            .spawn()
            .map_err(|e| e.to_string())?;
        ground().watch(child.id(), "KILL");
        let begun = Instant::now();
        loop {
            let log = fs::read_to_string(&path).unwrap_or_default();
            let ready = log.lines().find_map(|line| line.trim().strip_prefix("ready on http://127.0.0.1:"));
            if let Some(port) = ready.and_then(|port| port.trim_end_matches('/').parse().ok()) {
                self.port = port;
                self.child = Some(child);
                return Ok(());
            }
            if child.try_wait().is_ok_and(|ended| ended.is_some()) || begun.elapsed() > PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                ground().forget(child.id());
                return Err(log.lines().rev().take(4).collect::<Vec<_>>().join("; "));
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

impl Drop for Elasticsearch {
    fn drop(&mut self) {
        self.stop();
    }
}
