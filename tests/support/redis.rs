//! A private Redis: one for all tests, and one of its own for a test that takes it away.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use super::{PATIENCE, environment, ground::ground};

pub(crate) struct Redis {
    program: PathBuf,
    port: u16,
    /// Options besides those that every one has.
    options: Vec<String>,
    child: Option<Child>,
}

impl Redis {
    /// The one that tests share by prefix; `None` where there is no Redis.
    pub(super) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Redis>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[])).as_ref()
    }

    /// Another one.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let program = program()?;
        // Between looking for a free port and using it somebody else may take it.
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
            let port = port.expect("a free port").port();
            let options = options.iter().map(|option| (*option).to_owned()).collect();
            let mut redis = Self { program: program.clone(), port, options, child: None };
            if redis.run() {
                return Some(redis);
            }
        }
        panic!("a private Redis does not start; {} has its log", ground().folder.display());
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Begins to run, without what it held.
    pub(crate) fn run(&mut self) -> bool {
        let log = fs::File::create(ground().folder.join(format!("redis-{}.log", self.port))).expect("a log");
        let child = Command::new(&self.program)
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--port",
                &self.port.to_string(),
            ])
            .args(&self.options)
            .current_dir("/")
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a log"))
            .stdout(log)
            .process_group(0)
            .spawn();
        let mut child = child.expect("redis-server starts");
        ground().watch(child.id(), "KILL");
        let begun = Instant::now();
        while self.ask("PING").is_none_or(|answer| answer != "+PONG") {
            if child.try_wait().expect("a child").is_some() || begun.elapsed() > PATIENCE {
                ground().forget(child.id());
                return false;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        self.child = Some(child);
        true
    }

    /// Ends it at once.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("Redis is killed");
            child.wait().expect("Redis is waited for");
            ground().forget(child.id());
        }
    }

    /// The first line of the answer to an inline command.
    pub(crate) fn ask(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n") {
            stream.read_exact(&mut byte).ok()?;
            answer.push(byte[0]);
        }
        Some(String::from_utf8_lossy(&answer).trim_end().to_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

fn program() -> Option<PathBuf> {
    let path = environment::variable("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push(environment::cache().join("bin"));
    folders.into_iter().map(|folder| folder.join("redis-server")).find(|program| program.is_file())
}
