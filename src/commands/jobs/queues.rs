//! `colloquy jobs queues`: the queues in numbers, once or for as long as somebody looks.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    cli::{Common, ShowQueues},
    client::{self, Client, QueueStats, QueueWatch},
    commands::{Outcome, text},
    output::{self, bad, faint, odd, plain},
};

pub(super) async fn run(common: &Common, args: ShowQueues) -> Result<Outcome> {
    let connection = client::connect(common, &args.target).await?;
    let every = Duration::from_secs(u64::from(args.every));
    let ended = match args.watch {
        true => Box::pin(watch(common, connection.client.clone(), every)).await,
        false => once(common, &connection.client).await,
    };
    connection.close().await;
    ended
}

async fn once(common: &Common, client: &Client) -> Result<Outcome> {
    let queues = client.queues().await?;
    match common.json {
        true => output::json(&queues)?,
        false => output::line(table(&read(&queues)?))?,
    }
    Ok(Outcome::Done)
}

/// On a terminal each table takes the place of the one before; for programs each is a line.
async fn watch(common: &Common, client: Client, every: Duration) -> Result<Outcome> {
    let mut watch = QueueWatch::new(client, every);
    let in_place = io::stdout().is_terminal();
    let mut shown = 0;
    loop {
        let queues = tokio::select! {
            queues = watch.next() => queues?,
            _ = tokio::signal::ctrl_c() => return Ok(Outcome::Interrupted),
        };
        if common.json {
            output::json(&queues)?;
            continue;
        }
        let table = table(&read(&queues)?);
        let back = if in_place && shown > 0 { format!("\x1b[{shown}A\x1b[J") } else { String::new() };
        shown = table.lines().count();
        output::line(format_args!("{back}{table}"))?;
    }
}

fn read(queues: &[Value]) -> Result<Vec<QueueStats>> {
    let queues: Result<Vec<_>, _> = queues.iter().map(QueueStats::deserialize).collect();
    queues.context("the server answers differently from what this version expects; are both of one version?")
}

const NUMBERS: [&str; 10] =
    ["READY", "RUNNING", "DELAYED", "WAITING", "DEAD", "OLDEST", "WORKERS", "IN/S", "OUT/S", "DRAINS"];

fn table(queues: &[QueueStats]) -> String {
    let mut lines =
        vec![faint(format_args!("{:<8}{}", "QUEUE", NUMBERS.map(|name| format!("{name:>9}")).concat()))];
    for queue in queues {
        let rate = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.1}"));
        let drain = queue.drain_seconds.map_or_else(|| "–".to_owned(), duration);
        let numbers = [
            queue.ready.to_string(),
            queue.running.to_string(),
            queue.delayed.to_string(),
            queue.waiting.to_string(),
            queue.dead.to_string(),
            queue.oldest_ready_ms.map_or_else(|| "–".to_owned(), |ms| duration(ms / 1000)),
            queue.workers.to_string(),
            rate(queue.rate_in),
            rate(queue.rate_out),
            drain,
        ];
        let painted = numbers.iter().zip(NUMBERS).map(|(number, name)| match name {
            "DEAD" if queue.dead > 0 => bad(format_args!("{number:>9}")),
            _ => format!("{number:>9}"),
        });
        let state = match (queue.is_paused, queue.is_paused_here) {
            (true, _) => format!("  {}", odd("paused for every organization")),
            (false, true) => format!("  {}", odd("paused")),
            (false, false) => String::new(),
        };
        let name = plain(&text::word(&queue.name));
        lines.push(format!("{name:<8}{}{state}", painted.collect::<String>()));
    }
    lines.join("\n")
}

/// `42s`, `3m`, `2h`, `5d`: the greatest unit of which there are two, or seconds.
fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn queues_are_a_table_that_says_which_are_paused() {
        let queue = |name: &str, here: bool, everywhere: bool| {
            json!({ "name": name, "ready": 1200, "delayed": 3, "waiting": 0, "running": 4, "dead": 2,
                "oldestReadyMs": 125_000, "workers": 2, "isPaused": everywhere, "isPausedHere": here,
                "rateIn": 0.25, "rateOut": null, "drainSeconds": 90_000 })
        };
        let queues = [queue("INGEST", false, false), queue("EMBED", true, false), queue("MAIL", true, true)];
        let shown = table(&read(&queues).unwrap());
        assert_snapshot!(anstream::adapter::strip_str(&shown), @r"
        QUEUE       READY  RUNNING  DELAYED  WAITING     DEAD   OLDEST  WORKERS     IN/S    OUT/S   DRAINS
        ingest       1200        4        3        0        2       2m        2      0.2        –      25h
        embed        1200        4        3        0        2       2m        2      0.2        –      25h  paused
        mail         1200        4        3        0        2       2m        2      0.2        –      25h  paused for every organization
        ");
    }
}
