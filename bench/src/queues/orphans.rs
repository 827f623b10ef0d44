//! How soon a job of a killed worker runs again.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::sleep;

use super::{Bench, ours::Servers};
use crate::{
    figures::{Row, median, section},
    proc,
};

const JOBS: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(5);

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Both,
    Handlers,
}

pub(super) async fn run(bench: &Bench) -> Result<String> {
    let servers = Servers::start(&bench.binary, bench.owner).await?;
    let mut rows = Vec::new();
    for (victim, name) in
        [(Victim::Both, "worker, both processes"), (Victim::Handlers, "process of handlers alone")]
    {
        let mut seconds = Vec::new();
        for round in 0..bench.size.rounds {
            eprintln!("  {name}, round {}", round + 1);
            seconds.push(killed(&servers, victim).await?.as_secs_f64());
        }
        let all: Vec<String> = seconds.iter().map(|seconds| format!("{seconds:.2}")).collect();
        let figure = format!("{:.2} s ({})", median(seconds), all.join(", "));
        let aim = if victim == Victim::Both { "10 s" } else { "" };
        rows.push(Row::new(format!("{name}: one of its jobs runs again"), figure).aim(aim));
    }
    let method = format!(
        "Two workers with the default lease. {JOBS} jobs run in one of them, which is ended by SIGKILL; from then until \
        one of the jobs runs under another claim, median of {} rounds and each of them.",
        bench.size.rounds
    );
    Ok(section("Orphans of a killed worker", &method, &rows))
}

async fn killed(servers: &Servers, victim: Victim) -> Result<Duration> {
    servers.clear().await?;
    let first = servers.worker("first", usize::try_from(JOBS)?).await?;
    servers.hold(JOBS).await?;
    let running = "SELECT coalesce(array_agg(claim_token::text), '{}') FROM jobs WHERE state = 'RUNNING'";
    let started = Instant::now();
    let claims = loop {
        let claims: Vec<String> = servers.database.query_one(running, &[]).await?.try_get(0)?;
        if claims.len() as u64 == JOBS {
            break claims;
        }
        if started.elapsed() > PATIENCE {
            bail!("{} of {JOBS} jobs run after {} s", claims.len(), PATIENCE.as_secs());
        }
        sleep(LOOK).await;
    };
    let second = servers.worker("second", usize::try_from(JOBS)?).await?;

    let mut pids = proc::tree(first.pid());
    if victim == Victim::Handlers {
        pids.remove(0);
    }
    if pids.is_empty() {
        bail!("the worker has no process of handlers");
    }
    let killed = Instant::now();
    for pid in pids {
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGKILL)?;
    }
    let again = "SELECT EXISTS (SELECT FROM jobs WHERE state = 'RUNNING' AND claim_token::text <> ALL($1))";
    let again = servers.database.prepare(again).await?;
    while !servers.database.query_one(&again, &[&claims]).await?.try_get(0)? {
        if killed.elapsed() > PATIENCE {
            bail!("no job runs again after {} s", PATIENCE.as_secs());
        }
        sleep(LOOK).await;
    }
    let took = killed.elapsed();
    // Their handlers would hold up the end of both for as long as they may.
    servers.database.batch_execute("DELETE FROM jobs").await?;
    drop(first);
    drop(second);
    Ok(took)
}
