//! How many jobs a second, and how soon one begins: ours, BullMQ's and Celery's by turns.

use std::time::Duration;

use anyhow::Result;

use super::{
    Bench,
    ours::Servers,
    peers::{Installed, Kind, Peer},
    records::{Drained, Paced},
};
use crate::figures::{Times, median, milliseconds};

/// Whom the figures are of, in a section's order.
struct Entrant<'a> {
    name: &'static str,
    peer: Option<&'a Installed>,
}

fn entrants(bench: &Bench) -> Vec<Entrant<'_>> {
    let peers = bench.peers.iter().map(|peer| Entrant { name: peer.kind.name(), peer: Some(peer) });
    [Entrant { name: "Colloquy", peer: None }].into_iter().chain(peers).collect()
}

const SYSTEMS: &str = "Colloquy is `colloquy worker` with a PostgreSQL and a Redis of its own. Its job is a row of \
PostgreSQL that is on the disk when its writer's commit is answered, and so is its end; its Redis keeps nothing. \
BullMQ and Celery have a Redis each, with an append-only file that reaches the disk once a second (what BullMQ's \
documents advise), so that a crash of the machine can lose a second of jobs and ends; Celery has the pool of \
processes and the early acknowledgement that are its defaults, and keeps no results. Jobs do nothing and carry the \
same 1,024 characters: for BullMQ and Celery an argument, for Colloquy, whose payloads are ids alone, the column \
`traceparent`, which comes to the worker with each claim. All is on the loopback, by turns in one run, one worker a \
system. Every job has a number, and had to run exactly once (Colloquy: DONE by its first attempt).";

/// Of one system at one number of handlers.
#[derive(Default)]
struct Cell {
    drained: Vec<Drained>,
    singles: Paced,
}

impl Cell {
    fn rate(&self) -> f64 {
        median(self.drained.iter().map(|round| round.rate).collect())
    }

    fn row(&self, name: &str, concurrency: usize) -> String {
        let rates = self.drained.iter().map(|round| round.rate);
        let waited = Times::new(self.drained.iter().flat_map(|round| round.waited.clone()).collect());
        format!(
            "| {name} | {concurrency} | {:.0} | {:.0} to {:.0} | {} | {:.0} ms | {:.0} | {} | {} |\n",
            self.rate(),
            rates.clone().fold(f64::INFINITY, f64::min),
            rates.fold(0.0, f64::max),
            both(&waited),
            median(self.drained.iter().map(Drained::cpu_ms_a_thousand).collect()),
            self.singles.rate(),
            both(&self.singles.pick_up()),
            both(&self.singles.whole()),
        )
    }
}

fn both(times: &Times) -> String {
    format!("{}, {}", times.p50(), times.p99())
}

/// The section, and the line of ratios where there is whom to compare with.
pub(super) async fn throughput(bench: &Bench) -> Result<(String, Option<String>)> {
    let size = bench.size;
    let entrants = entrants(bench);
    let servers = Servers::start(&bench.binary, bench.owner).await?;
    let mut cells: Vec<Vec<Cell>> = Vec::new();
    for concurrency in size.concurrency {
        let mut row: Vec<Cell> = entrants.iter().map(|_| Cell::default()).collect();
        for round in 0..size.rounds {
            for (entrant, cell) in entrants.iter().zip(&mut row) {
                eprintln!("  {} at once, round {}: {}", concurrency, round + 1, entrant.name);
                let (drained, singles) = match entrant.peer {
                    Some(peer) => theirs(bench, peer, *concurrency).await?,
                    None => ours(bench, &servers, *concurrency).await?,
                };
                cell.drained.push(drained);
                cell.singles.0.extend(singles.0);
            }
        }
        cells.push(row);
    }
    let mut text = format!(
        "### Throughput beside others\n\n{SYSTEMS}\n\n\
        Backlog: {} jobs (Celery: {}) stand before the worker may take the first; jobs a second are from the first \
        begin to the last end, the median of {} rounds with the least and the most. Waited: from the first begin to \
        each begin. Processor: of the worker and all servers while the backlog is worked off, without its writing, a \
        thousand jobs. One at a time: each job is written when the one before has ended, {} a round; jobs a second, \
        the time from its writer's confirmation to its begin, and from the begin of its writing to its end. For \
        Colloquy a job begins with the claim (`started_at`) and ends with the completion (`finished_at`), both before \
        their commits and by PostgreSQL's clock. Times are p50 and p99.\n\n\
        | system | at once | jobs a second, backlog | of rounds | waited | processor | jobs a second, one at a time | \
        pick-up | whole |\n|---|---|---|---|---|---|---|---|---|\n",
        size.backlog, size.celery_backlog, size.rounds, size.singles,
    );
    for (concurrency, row) in size.concurrency.iter().zip(&cells) {
        for (entrant, cell) in entrants.iter().zip(row) {
            text.push_str(&cell.row(entrant.name, *concurrency));
        }
    }
    let rate_of = |row: &[Cell], at: usize| row.get(at).map_or(0.0, Cell::rate);
    let best = size.concurrency.iter().zip(&cells).max_by(|a, b| rate_of(a.1, 0).total_cmp(&rate_of(b.1, 0)));
    let mut ratios = None;
    if let Some((concurrency, row)) = best.filter(|_| !bench.peers.is_empty()) {
        text.push_str(&format!(
            "\nThe ratios below are of the backlog's jobs a second with {concurrency} at once, where Colloquy is at \
            its best: Colloquy's over the other's.\n"
        ));
        let ratio = |(at, entrant): (usize, &Entrant<'_>)| {
            let ratio = rate_of(row, 0) / rate_of(row, at).max(f64::MIN_POSITIVE);
            format!("{} {ratio:.1}x", entrant.name.to_lowercase())
        };
        ratios = Some(entrants.iter().enumerate().skip(1).map(ratio).collect::<Vec<_>>().join(" "));
    }
    Ok((text, ratios))
}

async fn ours(bench: &Bench, servers: &Servers, concurrency: usize) -> Result<(Drained, Paced)> {
    servers.clear().await?;
    let worker = servers.worker("worker", concurrency).await?;
    let drained = servers.drain(&worker, bench.size.backlog).await?;
    Ok((drained, servers.single(bench.size.singles).await?))
}

async fn theirs(bench: &Bench, peer: &Installed, concurrency: usize) -> Result<(Drained, Paced)> {
    let jobs = match peer.kind {
        Kind::Bullmq => bench.size.backlog,
        Kind::Celery => bench.size.celery_backlog,
    };
    let mut peer = Peer::start(peer, concurrency).await?;
    let drained = peer.drain(jobs).await?;
    Ok((drained, peer.single(bench.size.singles).await?))
}

pub(super) async fn pickup(bench: &Bench) -> Result<String> {
    let size = bench.size;
    let jobs = size.rate * (size.seconds + 1);
    let entrants = entrants(bench);
    let servers = Servers::start(&bench.binary, bench.owner).await?;
    let mut text = format!(
        "### Pick-up beside others\n\n{SYSTEMS}\n\n\
        {} jobs a second for {} s after one that does not count, {} rounds together; Colloquy's are written over four \
        connections, the others' by one process that does not wait (BullMQ) or waits (Celery) for the one before. From the \
        writer's confirmation to the begin of the job, from the begin of its writing to that, and to its end; p50 and \
        p99. Processor: of the worker and all servers, a job.\n\n\
        | system | at once | from the confirmation | from the writer's begin | to its end | processor |\n\
        |---|---|---|---|---|---|\n",
        size.rate, size.seconds, size.rounds,
    );
    for concurrency in size.concurrency {
        let mut row: Vec<(Paced, Vec<f64>)> = entrants.iter().map(|_| Default::default()).collect();
        for round in 0..size.rounds {
            for (entrant, (paced, cpu)) in entrants.iter().zip(&mut row) {
                eprintln!("  {} at once, round {}: {}", concurrency, round + 1, entrant.name);
                let (found, each) = match entrant.peer {
                    Some(peer) => {
                        let mut peer = Peer::start(peer, *concurrency).await?;
                        peer.go().await?;
                        peer.steady(jobs, size.rate).await?
                    }
                    None => {
                        servers.clear().await?;
                        let worker = servers.worker("worker", *concurrency).await?;
                        servers.steady(&worker, jobs, size.rate).await?
                    }
                };
                paced.0.extend(settled(found, size.rate).0);
                cpu.push(each.as_secs_f64());
            }
        }
        for (entrant, (paced, cpu)) in entrants.iter().zip(row) {
            text.push_str(&format!(
                "| {} | {concurrency} | {} | {} | {} | {} |\n",
                entrant.name,
                both(&paced.pick_up()),
                both(&paced.pick_up_from_begin()),
                both(&paced.whole()),
                milliseconds(Duration::from_secs_f64(median(cpu))),
            ));
        }
    }
    Ok(text)
}

/// Without its first second.
pub(super) fn settled(paced: Paced, rate: u64) -> Paced {
    Paced(paced.0.into_iter().skip(usize::try_from(rate).unwrap_or(0)).collect())
}
