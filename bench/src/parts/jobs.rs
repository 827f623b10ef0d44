//! Jobs that do nothing, through the whole path: ledger, relay, Redis, claim, handler, completion. They are
//! written by SQL, as a mutation's transaction would write them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use tokio::time::{interval, sleep};
use tokio_postgres::Client;

use crate::{
    figures::{Row, Times, median, milliseconds, section},
    proc,
    process::{Binary, Standalone},
};

const ROUNDS: usize = 3;
const JOBS: i64 = 20_000;
const ROUND_PATIENCE: Duration = Duration::from_secs(120);

const STEADY: Duration = Duration::from_secs(20);
const RATE: u32 = 200;
const WRITERS: u32 = 4;

/// What a process that waits for jobs listens for.
pub(crate) const WAKE: &str = "pg_notify('colloquy', 'jobs colloquy-bench')";

pub(super) async fn run(binary: &Binary) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let standalone = Standalone::start(binary, folder.path()).await?;
    let database = standalone.database().await?;
    sleep(Duration::from_secs(2)).await;
    let (mut rates, mut costs, mut own_shares, mut whole) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let round = throughput(&standalone, &database).await?;
        rates.push(round.rate);
        whole.push(round.whole_s);
        costs.push(round.cpu.as_secs_f64() * 1e6 / JOBS as f64);
        own_shares.push(round.own_cpu.as_secs_f64() * 1e6 / JOBS as f64);
        sleep(Duration::from_secs(1)).await;
    }
    let steady = pick_up(&standalone, &database).await?;
    let method = format!(
        "`probe` jobs on a standalone. Throughput: {JOBS} rows written at once, jobs a second from the \
        first `finished_at` to the last, median of {ROUNDS} rounds; processor time is that of the \
        process tree (colloquy, PostgreSQL, Redis) without the connection that wrote. Pick-up: {RATE} \
        jobs a second for {} s, each written in a transaction of its own over {WRITERS} connections \
        ({:.0} a second were reached, {} jobs), from `created_at` to `started_at` by PostgreSQL's clock. \
        `created_at` is when the writing transaction began, so the writer's own commit, with its wait \
        for the disk, is in it; the second line leaves out what the writer waited for its commit.",
        STEADY.as_secs(),
        steady.rate,
        steady.from_creation.len(),
    );
    let both = |times: &Times| format!("p50 {}, p99 {}", times.p50(), times.p99());
    let rows = [
        Row::new("no-op jobs", format!("{:.0} a second", median(rates))),
        Row::new("from writing the first to finishing the last", format!("{:.2} s", median(whole))),
        Row::new("processor time a thousand jobs", format!("{:.0} ms", median(costs))),
        Row::new("of which colloquy itself", format!("{:.0} ms", median(own_shares))),
        Row::new("pick-up, from the writer's begin", both(&steady.from_creation)).aim("2 ms, 10 ms"),
        Row::new("pick-up, from the writer's commit", both(&steady.from_commit)).aim("2 ms, 10 ms"),
        Row::new("the writer's statement and commit", both(&steady.commits)),
        Row::new(
            "processor at that rate",
            format!("{:.0} % of one core, {} a job", steady.load * 100.0, milliseconds(steady.cpu_a_job)),
        ),
    ];
    Ok(section("Jobs", &method, &rows))
}

struct Round {
    rate: f64,
    whole_s: f64,
    cpu: Duration,
    own_cpu: Duration,
}

async fn throughput(standalone: &Standalone, database: &Client) -> Result<Round> {
    let writer = backend(database).await?;
    let begun = now(database).await?;
    let cpu = || proc::cpu_of_tree(standalone.pid()).saturating_sub(proc::cpu(writer));
    let (before, own_before) = (cpu(), proc::cpu(standalone.pid()));
    let insert = "INSERT INTO jobs (id, queue, kind, payload, max_attempts)
        SELECT gen_random_uuid(), 'default', 'probe', '{}', 5 FROM generate_series(1, $1::bigint)";
    database.execute(insert, &[&JOBS]).await?;
    database.batch_execute(&format!("SELECT {WAKE}")).await?;
    until_done(database).await?;
    let (after, own_after) = (cpu(), proc::cpu(standalone.pid()));
    let spans = "SELECT count(*) FILTER (WHERE state = 'DONE'),
            extract(epoch FROM max(finished_at) - min(finished_at))::float8,
            extract(epoch FROM max(finished_at) - min(created_at))::float8
        FROM jobs WHERE kind = 'probe' AND created_at >= to_timestamp($1)";
    let row = database.query_one(spans, &[&begun]).await?;
    let (done, span_s, whole_s): (i64, f64, f64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if done != JOBS {
        bail!("{done} of {JOBS} jobs are done");
    }
    let rate = (JOBS - 1) as f64 / span_s;
    Ok(Round { rate, whole_s, cpu: after - before, own_cpu: own_after - own_before })
}

struct Steady {
    rate: f64,
    from_creation: Times,
    from_commit: Times,
    commits: Times,
    /// Share of one core.
    load: f64,
    cpu_a_job: Duration,
}

async fn pick_up(standalone: &Standalone, database: &Client) -> Result<Steady> {
    let mut writers = Vec::new();
    let mut backends = Vec::new();
    for _ in 0..WRITERS {
        let writer = standalone.database().await?;
        backends.push(backend(&writer).await?);
        writers.push(writer);
    }
    let begun = now(database).await?;
    let cpu = || {
        let written: Duration = backends.iter().map(|pid| proc::cpu(*pid)).sum();
        proc::cpu_of_tree(standalone.pid()).saturating_sub(written)
    };
    let (before, started) = (cpu(), Instant::now());
    let written = try_join_all(writers.iter().zip(0..).map(|(writer, number)| write(writer, number))).await?;
    let wall = started.elapsed();
    until_done(database).await?;
    let computed = cpu().saturating_sub(before);

    let commits: HashMap<String, Duration> = written.into_iter().flatten().collect();
    let waits = "SELECT id::text, (extract(epoch FROM started_at - created_at) * 1e6)::bigint
        FROM jobs WHERE kind = 'probe' AND created_at >= to_timestamp($1) AND started_at IS NOT NULL";
    let (mut from_creation, mut from_commit) = (Vec::new(), Vec::new());
    for row in database.query(waits, &[&begun]).await? {
        let (id, wait_us): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        let wait = Duration::from_micros(u64::try_from(wait_us).unwrap_or(0));
        let commit = commits.get(&id).with_context(|| format!("job {id} is not ours"))?;
        from_creation.push(wait);
        from_commit.push(wait.saturating_sub(*commit));
    }
    if from_creation.len() != commits.len() {
        bail!("{} of {} jobs were started", from_creation.len(), commits.len());
    }
    let jobs = u32::try_from(commits.len())?;
    Ok(Steady {
        rate: f64::from(jobs) / wall.as_secs_f64(),
        from_creation: Times::new(from_creation),
        from_commit: Times::new(from_commit),
        commits: Times::new(commits.into_values().collect()),
        load: computed.as_secs_f64() / wall.as_secs_f64(),
        cpu_a_job: computed / jobs.max(1),
    })
}

/// Jobs at the writer's share of the rate, and how long each statement took, commit and all.
async fn write(writer: &Client, number: u32) -> Result<Vec<(String, Duration)>> {
    let insert = format!(
        "WITH job AS (
            INSERT INTO jobs (id, queue, kind, payload, max_attempts)
            VALUES (gen_random_uuid(), 'default', 'probe', '{{}}', 5) RETURNING id
        ) SELECT job.id::text FROM job, {WAKE}"
    );
    let insert = writer.prepare(&insert).await?;
    sleep(Duration::from_secs(1) / RATE * number).await;
    let mut ticks = interval(Duration::from_secs(1) / RATE * WRITERS);
    let started = Instant::now();
    let mut written = Vec::new();
    while started.elapsed() < STEADY {
        ticks.tick().await;
        let begun = Instant::now();
        let row = writer.query_one(&insert, &[]).await?;
        written.push((row.try_get(0)?, begun.elapsed()));
    }
    Ok(written)
}

/// The process id of the connection's server side.
pub(crate) async fn backend(client: &Client) -> Result<u32> {
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
    Ok(u32::try_from(pid)?)
}

/// Seconds since 1970 by PostgreSQL's clock.
pub(crate) async fn now(client: &Client) -> Result<f64> {
    Ok(client.query_one("SELECT extract(epoch FROM clock_timestamp())::float8", &[]).await?.try_get(0)?)
}

async fn until_done(client: &Client) -> Result<()> {
    let left = "SELECT EXISTS (SELECT FROM jobs
        WHERE queue = 'default' AND state IN ('READY', 'RUNNING'))";
    let left = client.prepare(left).await?;
    let started = Instant::now();
    while client.query_one(&left, &[]).await?.try_get(0)? {
        if started.elapsed() > ROUND_PATIENCE {
            bail!("jobs are left after {} s", ROUND_PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
