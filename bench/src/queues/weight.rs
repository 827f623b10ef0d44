//! What does not slow the queue down: a million jobs that wait, and a transaction that somebody left open.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    Bench,
    ours::{Servers, Waiting},
    speed::settled,
};
use crate::figures::{Row, Times, median, section};

const AT_ONCE: usize = 16;

pub(super) async fn waiting(bench: &Bench) -> Result<String> {
    let size = bench.size;
    let servers = Servers::start(&bench.binary, bench.owner).await?;
    let mut rows = Vec::new();
    for waiting in [size.few_waiting, size.many_waiting] {
        eprintln!("  with {waiting} waiting");
        let mut rates = Vec::new();
        for round in 0..size.rounds {
            // Those of few were worked off by the last round; of many, most still stand.
            if round == 0 || waiting == size.few_waiting {
                servers.clear().await?;
                servers.wait(waiting, Waiting::Low).await?;
            }
            eprintln!("  those that wait stand; round {}", round + 1);
            rates.push(servers.drain_among(AT_ONCE, size.set).await?.rate);
        }
        rows.push(Row::new(
            format!("{} jobs ahead of {waiting} of lower priority", size.set),
            format!("{:.0} a second ({})", median(rates.clone()), list(&rates)),
        ));
        servers.clear().await?;
        servers.wait(waiting, Waiting::Delayed).await?;
        let pick_up = pick_up(bench, &servers).await?;
        rows.push(Row::new(format!("pick-up with {waiting} delayed"), pick_up));
    }
    let method = format!(
        "Colloquy with {AT_ONCE} at once. Jobs a second of a set of {} beside others of a hundred organizations that \
        could run, too, but with a lower priority: all stand when the worker starts; from the first begin to the last \
        end of the set, median of {} rounds and each of them. Pick-up at {} a second for {} s beside as many that are \
        delayed until tomorrow, from the writer's confirmation to the claim. The table is vacuumed and analyzed after \
        those that wait were written.",
        size.set, size.rounds, size.rate, size.seconds,
    );
    Ok(section("A thousand and a million waiting", &method, &rows))
}

async fn pick_up(bench: &Bench, servers: &Servers) -> Result<String> {
    let worker = servers.worker("pick-up", AT_ONCE).await?;
    let jobs = bench.size.rate * (bench.size.seconds + 1);
    let (paced, _) = servers.steady(&worker, jobs, bench.size.rate).await?;
    Ok(both(&settled(paced, bench.size.rate).pick_up()))
}

pub(super) async fn open(bench: &Bench) -> Result<String> {
    let size = bench.size;
    let servers = Servers::start(&bench.binary, bench.owner).await?;
    let worker = servers.worker("worker", AT_ONCE).await?;
    let mut before = Vec::new();
    for _ in 0..size.rounds {
        before.push(servers.drain(&worker, size.set).await?.rate);
    }
    drop(worker);
    let before_pick_up = pick_up(bench, &servers).await?;
    let worker = servers.worker("worker", AT_ONCE).await?;

    let other = servers.postgres.connect().await?;
    other.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    other.query_one("SELECT count(*), pg_current_xact_id()::text FROM jobs", &[]).await?;
    let started = Instant::now();
    let mut beside = Vec::new();
    while beside.len() < size.rounds || started.elapsed() < Duration::from_secs(size.open_seconds) {
        beside.push(servers.drain(&worker, size.set).await?.rate);
    }
    drop(worker);
    let open_for = started.elapsed();
    let beside_pick_up = pick_up(bench, &servers).await?;
    other.batch_execute("ROLLBACK").await?;

    let last = beside.split_off(beside.len().saturating_sub(size.rounds));
    let rows = [
        Row::new("before", format!("{:.0} a second ({})", median(before.clone()), list(&before))),
        Row::new(
            format!("beside it, the last {} sets", last.len()),
            format!("{:.0} a second ({})", median(last.clone()), list(&last)),
        ),
        Row::new(
            "beside it, those in between",
            if beside.is_empty() { "–".to_owned() } else { list(&beside) },
        ),
        Row::new("pick-up before", before_pick_up),
        Row::new(format!("pick-up beside it, after {:.0} s", open_for.as_secs_f64()), beside_pick_up),
    ];
    let method = format!(
        "Colloquy with {AT_ONCE} at once, sets of {} jobs one after the other. Another connection begins a transaction \
        (REPEATABLE READ, with a snapshot and an id of its own) and leaves it open for {} s and longer: nothing that \
        dies meanwhile can be vacuumed. Then pick-up at {} a second for {} s, while it is still open.",
        size.set, size.open_seconds, size.rate, size.seconds,
    );
    Ok(section("Beside a transaction left open", &method, &rows))
}

fn both(times: &Times) -> String {
    format!("p50 {}, p99 {}", times.p50(), times.p99())
}

fn list(rates: &[f64]) -> String {
    rates.iter().map(|rate| format!("{rate:.0}")).collect::<Vec<_>>().join(", ")
}
