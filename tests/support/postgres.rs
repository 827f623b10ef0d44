//! One PostgreSQL for all tests, and a database of its own for each, copied from a template that the binary
//! itself has migrated.

use std::{
    fs, io,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use tokio_postgres::{Client, NoTls};

use super::{PATIENCE, environment, ground::ground, process};

/// The URL of the server without a database's name; `None` where there is no PostgreSQL.
fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    SERVER.get_or_init(|| programs().map(|bin| start(&bin).expect("a private PostgreSQL starts"))).as_deref()
}

/// The URL of a new database: migrated, or empty.
pub(super) async fn database(migrated: bool) -> Option<String> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let server = server()?;
    let from = if migrated { template().await } else { "template1" };
    let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
    execute("postgres", &format!("CREATE DATABASE {name} TEMPLATE {from}")).await;
    Some(format!("{server}/{name}"))
}

async fn template() -> &'static str {
    static TEMPLATE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    const NAME: &str = "migrated";
    let make = || async {
        execute("postgres", &format!("CREATE DATABASE {NAME}")).await;
        let url = format!("{}/{NAME}", server().expect("there is a server"));
        let migrated = process::binary()
            .current_dir(&ground().folder)
            .arg("migrate")
            .env("COLLOQUY_DATABASE_URL", url)
            .output()
            .expect("the binary runs");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    };
    TEMPLATE.get_or_init(make).await;
    NAME
}

pub(super) async fn execute(database: &str, sql: &str) {
    let url = format!("{}/{database}", server().expect("there is a server"));
    connect(&url).await.batch_execute(sql).await.expect(sql);
}

pub(super) async fn connect(url: &str) -> Client {
    let (client, driver) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL answers");
    tokio::spawn(driver);
    client
}

/// The folder of `initdb` and `postgres`: on the PATH, as Debian puts it (the newest), or as set-up puts it.
fn programs() -> Option<PathBuf> {
    let path = environment::variable("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("postgres"));
    let real = |program: PathBuf| Some(fs::canonicalize(program).ok()?.parent()?.to_owned());
    let mut debian: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            Some((folder.file_name()?.to_str()?.parse().ok()?, folder.join("bin")))
        })
        .collect();
    debian.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let kept = [environment::cache(), PathBuf::from("/usr/local/lib/colloquy")];
    let mut folders = on_path
        .filter_map(real)
        .chain(debian.into_iter().map(|(_, folder)| folder))
        .chain(kept.map(|folder| folder.join("postgres/bin")));
    folders.find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

fn start(bin: &Path) -> io::Result<String> {
    let folder = ground().folder.join("postgres");
    fs::create_dir(&folder)?;
    // PostgreSQL refuses to run as root.
    let user = if fs::metadata("/proc/self")?.uid() == 0 { unprivileged() } else { None };
    let command = |program: &str| {
        let mut command = Command::new(bin.join(program));
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        if let Some((user, group)) = user {
            command.uid(user).gid(group);
        }
        command
    };
    if let Some((user, group)) = user {
        chown(&folder, Some(user), Some(group))?;
    }
    let data = folder.join("data");
    let made = command("initdb")
        .args(["--username=colloquy", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .arg("--pgdata")
        .arg(&data)
        .output()?;
    if !made.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()));
    }
    let log = folder.join("log");
    let mut server = command("postgres");
    server.arg("-D").arg(&data).arg("-k").arg(&folder);
    for setting in ["listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off"] {
        server.args(["-c", setting]);
    }
    server.args(["-c", "max_connections=600", "-c", "shared_buffers=64MB"]);
    let mut server = server.stderr(fs::File::create(&log)?).spawn()?;
    ground().watch(server.id(), "QUIT");
    let begun = Instant::now();
    // It says so itself, in the last line; its socket answers earlier, and only that it is starting up.
    let is_ready =
        || fs::read_to_string(data.join("postmaster.pid")).is_ok_and(|file| file.contains("\nready"));
    while !is_ready() {
        if begun.elapsed() > PATIENCE || server.try_wait()?.is_some() {
            return Err(io::Error::other(fs::read_to_string(log)?));
        }
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    // It is ended by the reaper, when this process is gone.
    drop(server);
    Ok(format!("postgres://colloquy@{}", folder.to_string_lossy().replace('/', "%2F")))
}

/// User and group of whoever owns nothing of worth.
fn unprivileged() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].into_iter().find_map(|wanted| {
        let line = users.lines().find(|line| line.split(':').next() == Some(wanted))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
