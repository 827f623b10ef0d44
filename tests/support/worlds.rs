//! What belongs to one test: database, Redis prefix, folders, settings.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::io::AsyncWriteExt;
use tokio_postgres::Client;

use super::{Ended, Process, Redis, Server, environment::left_out, ground::ground, postgres, process};

pub(crate) struct World {
    folder: PathBuf,
    settings: Vec<(String, String)>,
    database_url: String,
    processes: AtomicU32,
}

impl World {
    /// `here` is a path of the test's function; `None` where the services are missing, which is said.
    pub(crate) async fn new(here: &str) -> Option<Self> {
        Self::make(here, true).await
    }

    /// As [`new`](Self::new), with an empty database.
    pub(crate) async fn unmigrated(here: &str) -> Option<Self> {
        Self::make(here, false).await
    }

    async fn make(here: &str, migrated: bool) -> Option<Self> {
        let name = here.trim_end_matches("::here").replace("::{{closure}}", "");
        let name = name.split_once("::").map_or(name.as_str(), |(_, name)| name).to_owned();
        let Some(database_url) = postgres::database(migrated).await else {
            left_out(&name, "PostgreSQL was not found");
            return None;
        };
        let Some(redis) = Redis::shared() else {
            left_out(&name, "Redis was not found");
            return None;
        };
        let folder = ground().folder.join(name.replace("::", "-"));
        fs::create_dir(&folder).expect("a folder of its own");
        let key = folder.join("signing.key");
        fs::write(&key, "5".repeat(64)).expect("a key");
        let mut world = Self { folder, settings: Vec::new(), database_url, processes: AtomicU32::new(0) };
        let (database, redis) = (world.database_url.clone(), redis.url());
        world.set("COLLOQUY_DATABASE_URL", &database);
        world.set("COLLOQUY_DATABASE_MAX_CONNECTIONS", "10");
        world.set("COLLOQUY_REDIS_URL", &redis);
        world.set("COLLOQUY_REDIS_PREFIX", &name);
        world.set("COLLOQUY_DATA_DIR", &world.data().display().to_string());
        world.set("COLLOQUY_HTTP_BIND", "127.0.0.1:0");
        world.set("COLLOQUY_EMBEDDING_MODEL", "hashing");
        world.set("COLLOQUY_SECRETS_SIGNING_KEY_FILE", &key.display().to_string());
        // A crash is noticed soon, once the leases have ended.
        world.set("COLLOQUY_STEWARD_RECONCILE_EVERY_MS", "250");
        Some(world)
    }

    /// For every process that is started from now on.
    pub(crate) fn set(&mut self, variable: &str, value: &str) {
        self.unset(variable);
        self.settings.push((variable.to_owned(), value.to_owned()));
    }

    pub(crate) fn unset(&mut self, variable: &str) {
        self.settings.retain(|(name, _)| name != variable);
    }

    pub(crate) fn variables(&self) -> Vec<String> {
        self.settings.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Where nothing is but what the test puts there.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The binary with this world's settings.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = process::binary();
        command.current_dir(&self.folder).args(args).envs(self.settings.iter().cloned());
        command.env("XDG_CONFIG_HOME", self.folder.join("config"));
        command
    }

    /// A command, run to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Ended {
        let mut command = tokio::process::Command::from(self.command(args));
        let output = tokio::time::timeout(super::PATIENCE, command.kill_on_drop(true).output());
        Ended::from(
            output.await.unwrap_or_else(|_| panic!("{args:?} takes too long")).expect("the binary runs"),
        )
    }

    /// A command on a terminal of its own, and what is typed there. All that it prints is in `stdout`.
    pub(crate) async fn on_terminal(&self, args: &[&str], typed: &str) -> Ended {
        let plain = self.command(args);
        let line: Vec<_> = std::iter::once(plain.get_program()).chain(plain.get_args()).collect();
        let line = line.join(std::ffi::OsStr::new(" "));
        let mut terminal = tokio::process::Command::new("script");
        terminal.args(["--quiet", "--return", "--command"]).arg(line).arg("/dev/null");
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => terminal.env(name, value),
                None => terminal.env_remove(name),
            };
        }
        terminal.current_dir(&self.folder).kill_on_drop(true);
        terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = terminal.spawn().expect("`script` gives a terminal");
        let mut keyboard = child.stdin.take().expect("a pipe");
        keyboard.write_all(typed.as_bytes()).await.expect("somebody reads");
        let output = tokio::time::timeout(super::PATIENCE, child.wait_with_output()).await;
        drop(keyboard);
        Ended::from(output.unwrap_or_else(|_| panic!("{args:?} takes too long")).expect("an end"))
    }

    /// A command that goes on.
    pub(crate) fn start(&self, args: &[&str]) -> Process {
        let number = self.processes.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.join(format!("{number}-{}.log", args[0]));
        Process::spawn(self.command(args), log)
    }

    pub(crate) async fn standalone(&self) -> Server {
        Server::standalone(self.start(&["standalone"]), &self.data()).await
    }

    /// An API without workers and engines. Tokens are those of a standalone, or of a sign-up.
    pub(crate) async fn api(&self) -> Server {
        Server::api(self.start(&["api"])).await
    }

    pub(crate) fn worker(&self, args: &[&str]) -> Process {
        self.start(&[&["worker"], args].concat())
    }

    pub(crate) async fn sql(&self) -> Client {
        postgres::connect(&self.database_url).await
    }

    /// The first column of the only row.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.sql().await.query_one(sql, &[]).await.expect(sql).get(0)
    }

    /// Files of the object store; the list of erasures apart.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        let mut objects = files_below(&self.data().join("objects"));
        objects.retain(|path| !path.starts_with(self.data().join("objects/erasures")));
        objects
    }

    /// All that is on disk beside the database.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files_below(&self.data())
    }

    /// The first line of Redis's answer.
    pub(crate) fn redis(&self, command: &str) -> String {
        Redis::shared().and_then(|redis| redis.ask(command)).expect("Redis answers")
    }

    /// Keeps the database as it is now. Nobody may use it meanwhile.
    pub(crate) async fn back_up(&self) {
        let name = self.database();
        postgres::execute("postgres", &format!("CREATE DATABASE {name}_kept TEMPLATE {name}")).await;
    }

    /// Puts the database back, as another life of the cluster.
    pub(crate) async fn restore(&self) {
        let name = self.database();
        postgres::execute("postgres", &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        postgres::execute("postgres", &format!("CREATE DATABASE {name} TEMPLATE {name}_kept")).await;
        self.sql().await.execute("UPDATE event_log SET cluster = 'another/1'", &[]).await.expect("a log");
    }

    fn database(&self) -> &str {
        self.database_url.rsplit('/').next().expect("a name")
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}
