//! A PostgreSQL server for one test process: the one that `COLLOQUY_TEST_DATABASE_URL` names, else a private
//! one in a temporary folder, which a small watchdog ends and removes when this process is gone, however it
//! goes: the watchdog waits for the end of a pipe that only this process holds.

use std::{
    fs, io,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Where databases are made. `None` where there is no PostgreSQL.
pub fn url() -> Option<&'static str> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match variable("COLLOQUY_TEST_DATABASE_URL") {
        Some(url) => Some(Server { url, _watchdog: None }),
        None => binaries().map(|bin| start(&bin, |_| Ok(Vec::new())).expect("a private PostgreSQL starts")),
    });
    server.as_ref().map(|server| server.url.as_str())
}

/// Whether leaving tests out is a failure.
pub fn strict() -> bool {
    variable("COLLOQUY_TEST_STRICT").is_some_and(|value| value == "1")
}

/// A server of a test's own, by whose end it ends. `prepare` is given the folder that it can read, and gives
/// options of the program. `None` where there is no PostgreSQL.
pub fn own(prepare: impl FnOnce(&Path) -> io::Result<Vec<String>>) -> Option<Server> {
    binaries().map(|bin| start(&bin, prepare).expect("a private PostgreSQL starts"))
}

pub struct Server {
    pub url: String,
    /// Its standard input is the pipe.
    _watchdog: Option<Child>,
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where things are")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The folder of `initdb` and `postgres`: on the PATH, as Debian puts it (the newest), or as set-up puts it.
fn binaries() -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| fs::canonicalize(&folder).unwrap_or(folder));
    let mut debian: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    debian.sort_by_key(|folder| {
        let version = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        std::cmp::Reverse(version.unwrap_or(0_u32))
    });
    let cache = variable("COLLOQUY_CACHE").map(PathBuf::from);
    let home = variable("HOME").map(|home| Path::new(&home).join(".cache/colloquy"));
    let kept = [cache, home, Some(PathBuf::from("/usr/local/lib/colloquy"))];
    let mut folders = on_path
        .chain(debian.into_iter().map(|folder| folder.join("bin")))
        .chain(kept.into_iter().flatten().map(|folder| folder.join("postgres/bin")));
    folders.find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// `$1` is the folder of the programs, `$2` that of the data; what follows are options.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP
programs=$1 folder=$2
shift 2
"$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c max_connections=300 -c shared_buffers=64MB "$@" >"$folder/log" 2>&1 &
server=$!
read -r _
kill -QUIT $server
wait $server
rm -rf "$folder"
"#;

fn start(bin: &Path, prepare: impl FnOnce(&Path) -> io::Result<Vec<String>>) -> io::Result<Server> {
    let folder = tempfile::Builder::new().prefix("colloquy-pg-").tempdir()?.keep();
    // PostgreSQL refuses to run as root.
    let user = if fs::metadata("/proc/self").is_ok_and(|me| owner(&me) == 0) { unprivileged() } else { None };
    let run = |program: &Path| {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = user {
            command.uid(user).gid(group);
        }
        command
    };
    if let Some((user, group)) = user {
        chown(&folder, Some(user), Some(group))?;
    }
    let made = run(&bin.join("initdb"))
        .args(["--username=colloquy", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .arg("--pgdata")
        .arg(folder.join("data"))
        .output()?;
    if !made.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()));
    }
    let options = prepare(&folder)?;
    if let Some((user, group)) = user {
        for entry in fs::read_dir(&folder)? {
            chown(entry?.path(), Some(user), Some(group))?;
        }
    }
    let watchdog = run(Path::new("/bin/sh"))
        .args(["-c", WATCHDOG, "watchdog"])
        .args([bin, &folder])
        .args(options)
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let begun = Instant::now();
    // The server's own note: its socket is there before it takes connections.
    let ready =
        || fs::read_to_string(folder.join("data/postmaster.pid")).is_ok_and(|note| note.contains("ready"));
    while !ready() {
        if begun.elapsed() > Duration::from_secs(30) {
            return Err(io::Error::other(fs::read_to_string(folder.join("log"))?));
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let host = folder.to_string_lossy().replace('/', "%2F");
    Ok(Server { url: format!("postgres://colloquy@{host}/postgres"), _watchdog: Some(watchdog) })
}

fn owner(file: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(file)
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
