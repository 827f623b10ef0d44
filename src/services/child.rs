//! A server process that cannot outlive this one: a small shell stands between, which holds a pipe from here
//! and ends the server when the pipe closes, be it by intent or because this process is no more.

use std::{fs::File, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{
    process::{self, ChildStdin},
    time::{Instant, sleep, timeout},
};

use super::{find_program, owner::Owner};

/// `$1` is the signal that ends the server; what follows is the server's command.
const WATCH: &str = r#"
signal=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -s "$signal" "$server" 2>/dev/null; } &
watch=$!
exec 3<&-
wait "$server"; status=$?
kill "$watch" 2>/dev/null
exit "$status"
"#;

/// Servers that do not end by then are left to the kernel.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Child {
    name: &'static str,
    process: process::Child,
    pipe: Option<ChildStdin>,
}

impl Child {
    /// Starts `program` as `owner`, with its output in `log`.
    pub(super) fn start(
        name: &'static str,
        owner: &Owner,
        signal: &str,
        program: &Path,
        args: &[String],
        log: &Path,
    ) -> Result<Self> {
        let doing = || format!("could not start {name}");
        let output = File::create(log).with_context(|| format!("could not write {}", log.display()))?;
        let mut command = owner.command(&find_program("sh")?, log)?;
        command.args(["-c", WATCH, "watch", signal]).arg(program).args(args);
        command.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output);
        let mut process = process::Command::from(command).spawn().with_context(doing)?;
        let pipe = process.stdin.take();
        Ok(Self { name, process, pipe })
    }

    /// Waits until `ready` says so; fails with the log's end when the server ends or takes too long.
    pub(super) async fn wait_until(
        &mut self,
        limit: Duration,
        log: &Path,
        ready: impl AsyncFn() -> bool,
    ) -> Result<()> {
        let started = Instant::now();
        while !ready().await {
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended at its start ({status}); {}", self.name, last_lines(log));
            }
            if started.elapsed() > limit {
                bail!("{} did not answer within {} s; {}", self.name, limit.as_secs(), last_lines(log));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Ends the server in its own good order.
    pub(super) async fn stop(mut self) {
        drop(self.pipe.take());
        match timeout(PATIENCE, self.process.wait()).await {
            Ok(Ok(_)) => tracing::debug!(server = self.name, "ended"),
            Ok(Err(error)) => tracing::warn!(server = self.name, %error, "could not be waited for"),
            Err(_) => tracing::warn!(server = self.name, "does not end; it is left behind"),
        }
    }
}

fn last_lines(log: &Path) -> String {
    let text = match std::fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("its log {} cannot be read: {error}", log.display()),
    };
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    let lines: Vec<&str> = lines.into_iter().rev().collect();
    format!("the end of {} says:\n{}", log.display(), lines.join("\n"))
}
