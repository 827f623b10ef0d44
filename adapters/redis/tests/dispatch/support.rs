//! A Redis of the test's own, killed with it, or the one that `COLLOQUY_TEST_REDIS_URL` names, under a prefix
//! of the test's own.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use colloquy_redis::RedisSettings;
use tokio::time::sleep;

pub(crate) struct Server {
    url: String,
    prefix: String,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// `None` where there is no Redis to be had; the test is left out then, by name.
    pub(crate) async fn start(test: &str) -> Option<Self> {
        let prefix = format!("test-{test}-{}", std::process::id());
        if let Some(url) = variable("COLLOQUY_TEST_REDIS_URL") {
            return Some(Self { url, prefix, port: 0, child: None });
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { url: format!("redis://127.0.0.1:{port}"), prefix, port, child: None };
        match spawn(port) {
            Ok(child) => server.child = Some(child),
            Err(error) => {
                assert!(
                    variable("COLLOQUY_TEST_STRICT").as_deref() != Some("1"),
                    "redis-server cannot be started: {error}"
                );
                eprintln!("left out: {test} (redis-server cannot be started: {error})");
                return None;
            }
        }
        server.answers().await;
        Some(server)
    }

    pub(crate) fn settings(&self) -> RedisSettings {
        RedisSettings { url: Some(self.url.clone()), prefix: self.prefix.clone() }
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.child.is_some()
    }

    pub(crate) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) async fn begin(&mut self) {
        self.child = Some(spawn(self.port).unwrap());
        self.answers().await;
    }

    async fn answers(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.try_command(&["PING"]).await.is_err() {
            assert!(Instant::now() < deadline, "redis-server does not answer");
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn command(&self, words: &[&str]) -> String {
        self.try_command(words).await.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    async fn try_command(&self, words: &[&str]) -> redis::RedisResult<String> {
        let client = redis::Client::open(self.url.as_str())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let value: redis::Value = command.query_async(&mut connection).await?;
        redis::from_redis_value::<String>(value).or_else(|_| Ok(String::new()))
    }

    /// What stands under the prefix, but for the key of `ping`.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let pattern = format!("{}:*", self.prefix);
        redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap()
    }

    /// All of an own Redis, or all under the prefix of one that is shared.
    pub(crate) async fn flush(&self) {
        if self.is_ours() {
            self.command(&["FLUSHALL"]).await;
            return;
        }
        for key in self.keys().await {
            self.command(&["DEL", &key]).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn spawn(port: u16) -> std::io::Result<Child> {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "how a test is told where services are")]
    std::env::var(name).ok()
}
