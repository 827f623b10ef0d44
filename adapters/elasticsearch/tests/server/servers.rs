//! Real servers for this process of tests or of a benchmark, each started once by its script below `ops/servers`. A small watchdog ends one
//! and removes its folder when this process is gone, however it goes: it waits for the end of a pipe that only this
//! process holds.

use std::{
    fs,
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use colloquy_elasticsearch::ElasticsearchSettings;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Product {
    OpenSearch,
    Elasticsearch,
}

impl Product {
    fn name(self) -> &'static str {
        match self {
            Self::OpenSearch => "opensearch",
            Self::Elasticsearch => "elasticsearch",
        }
    }
}

/// For a test's own indexes; `None` where there is no such server, which is told once.
pub(crate) fn settings(product: Product, test: &str) -> Option<ElasticsearchSettings> {
    let url = url(product)?;
    Some(ElasticsearchSettings {
        url: Some(url.to_owned()),
        index_prefix: test.to_owned(),
        timeout_ms: 60_000,
        ..ElasticsearchSettings::default()
    })
}

/// The first start downloads the server.
const PATIENCE: Duration = Duration::from_secs(300);

fn url(product: Product) -> Option<&'static str> {
    static SERVERS: [OnceLock<Option<Server>>; 2] = [OnceLock::new(), OnceLock::new()];
    let server = SERVERS[product as usize].get_or_init(|| {
        let started = start(product);
        if let Err(why) = &started {
            let (name, what) = (product.name(), crate::left_out());
            assert!(!strict(), "no test may be left out, and {name} does not start: {why}");
            // Past the harness, which keeps what passing tests print.
            let _ = writeln!(std::io::stderr(), "left out: {what} ({name} does not start: {why})");
        }
        started.ok()
    });
    server.as_ref().map(|server| server.url.as_str())
}

struct Server {
    url: String,
    /// Its standard input is the pipe.
    _watchdog: Child,
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment what they may leave out")]
fn strict() -> bool {
    std::env::var("COLLOQUY_TEST_STRICT").is_ok_and(|value| value == "1")
}

/// `$1` is the script, `$2` the folder.
const WATCHDOG: &str = r#"
exec 3<&0 </dev/null
"$1" "$2/home" >"$2/log" 2>&1 3<&- &
server=$!
(read -r _ <&3; grep -q '^ended$' "$2/log" || kill -KILL $server) &
exec 3<&-
wait $server
echo ended >>"$2/log"
wait
rm -rf "$2"
"#;

fn start(product: Product) -> Result<Server, String> {
    let mut above =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("ops/servers"));
    let scripts = above.find(|folder| folder.is_dir()).ok_or("there is no ops/servers")?;
    let script = scripts.join(product.name()).join("start");
    let folder =
        tempfile::Builder::new().prefix("colloquy-search-").tempdir().map_err(|e| e.to_string())?.keep();
    let watchdog = Command::new("/bin/sh")
        .args(["-c", WATCHDOG, "watchdog"])
        .args([&script, &folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|e| e.to_string())?;
    let begun = Instant::now();
    loop {
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        let last = || log.lines().rev().take(4).collect::<Vec<_>>().join("; ");
        if let Some(url) = log.lines().find_map(|line| line.trim().strip_prefix("ready on ")) {
            return Ok(Server { url: url.to_owned(), _watchdog: watchdog });
        }
        if log.lines().any(|line| line == "ended") || begun.elapsed() > PATIENCE {
            return Err(last());
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
