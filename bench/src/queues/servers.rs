//! A PostgreSQL and Redis of our own on free ports of the loopback, gone when they are dropped.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::Signal,
    unistd::{Uid, User},
};
use tokio_postgres::{Client, NoTls};

use crate::process::Process;

/// Those of the private server of a standalone; durability is PostgreSQL's default.
const SETTINGS: [&str; 6] = [
    "max_connections=60",
    "shared_buffers=64MB",
    "wal_compression=on",
    "max_wal_size=512MB",
    "autovacuum_naptime=15s",
    "log_checkpoints=off",
];
/// Our own, so that what we ask for is told from what Colloquy does.
const OURSELVES: &str = "bench";

pub(super) struct Postgres {
    pub(super) process: Process,
    port: u16,
    /// Whether it has `pg_stat_statements`, switched off until it is asked for.
    pub(super) counts_statements: bool,
}

impl Postgres {
    pub(super) async fn start(folder: &Path) -> Result<Self> {
        let folder = folder.join("postgres");
        fs::create_dir_all(&folder)?;
        let owner = owner()?;
        if let Some(owner) = &owner {
            chown(&folder, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))?;
        }
        let command = |name: &str| -> Result<Command> {
            let mut command = Command::new(program(name)?);
            if let Some(owner) = &owner {
                command.uid(owner.uid.as_raw()).gid(owner.gid.as_raw());
            }
            command.current_dir("/");
            Ok(command)
        };
        let data = folder.join("data");
        let mut init = command("initdb")?;
        init.arg("-D").arg(&data).args(["-U", OURSELVES, "--auth=trust", "--encoding=UTF8", "--no-locale"]);
        let output = init.output().context("could not run initdb")?;
        if !output.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let port = free_port()?;
        let counts_statements = has_statements()?;
        let mut server = command("postgres")?;
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-k", ""]);
        server.args(["-c", "listen_addresses=127.0.0.1"]);
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        if counts_statements {
            server.args(["-c", "shared_preload_libraries=pg_stat_statements"]);
        }
        // SIGINT: it does not wait for clients.
        let log = folder.join("log");
        let process = Process::start(server, log, Signal::SIGINT)?;
        let mut postgres = Self { process, port, counts_statements };
        let first = postgres.until_ready().await?;
        // As a setting of the server's, so that it can be changed while it runs.
        if counts_statements {
            first.batch_execute("ALTER SYSTEM SET pg_stat_statements.track = 'none'").await?;
            first.batch_execute("SELECT pg_reload_conf()").await?;
        }
        first.batch_execute("CREATE ROLE colloquy LOGIN SUPERUSER").await?;
        first.batch_execute("CREATE DATABASE colloquy OWNER colloquy").await?;
        Ok(postgres)
    }

    async fn until_ready(&mut self) -> Result<Client> {
        let port = self.port;
        self.process.until("PostgreSQL answers", async || connect(port, "postgres").await.ok()).await
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://colloquy@127.0.0.1:{}/colloquy", self.port)
    }

    /// A connection under a role of its own.
    pub(super) async fn connect(&self) -> Result<Client> {
        connect(self.port, "colloquy").await
    }
}

async fn connect(port: u16, database: &str) -> Result<Client> {
    let url = format!("postgres://{OURSELVES}@127.0.0.1:{port}/{database}");
    let (client, driver) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(driver);
    Ok(client)
}

pub(super) struct Redis {
    pub(super) process: Process,
    pub(super) port: u16,
}

impl Redis {
    /// As a standalone has it: what it carries is told again by the ledger.
    pub(super) async fn forgetful(folder: &Path) -> Result<Self> {
        Self::start(folder, &["--appendonly", "no"]).await
    }

    /// With an append-only file that reaches the disk each second.
    pub(super) async fn lasting(folder: &Path) -> Result<Self> {
        Self::start(folder, &["--appendonly", "yes", "--appendfsync", "everysec"]).await
    }

    async fn start(folder: &Path, settings: &[&str]) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(program("redis-server")?);
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
        command.args(["--maxmemory-policy", "noeviction", "--dir"]).arg(folder).args(settings);
        let mut process = Process::start(command, folder.join("redis.log"), Signal::SIGTERM)?;
        process.until("Redis answers", async || pong(port).ok()).await?;
        Ok(Self { process, port })
    }
}

fn pong(port: u16) -> Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    if &answer != b"+PONG\r\n" {
        bail!("it says {}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}

/// PostgreSQL refuses to run as root.
fn owner() -> Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(user));
        }
    }
    bail!("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as")
}

/// On the path, or where Debian keeps versions side by side.
#[expect(clippy::disallowed_methods, reason = "programs are looked up as a shell would")]
fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    versions.sort_unstable();
    folders.extend(versions.into_iter().rev());
    let is_program =
        |file: &PathBuf| fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0);
    let found = folders.into_iter().map(|folder| folder.join(name)).find(is_program);
    found.with_context(|| format!("the program `{name}` was not found; `./run` installs it"))
}

fn has_statements() -> Result<bool> {
    let server = program("postgres")?.canonicalize()?;
    let Some(root) = server.ancestors().nth(2) else { return Ok(false) };
    let file = "pg_stat_statements.so";
    Ok(["lib", "lib/postgresql"].iter().any(|folder| root.join(folder).join(file).exists()))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
