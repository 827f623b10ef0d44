//! A batch of a million conversations on a standalone: its plan, how quickly it is fed, what that takes of memory, and
//! how soon it stands still when it is told to.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_postgres::Client as Database;

use super::{Bench, ours::Servers};
use crate::{
    client::Client,
    figures::{Row, section},
    proc,
    process::Standalone,
};

const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(5);
/// Between two looks at memory.
const GLANCE: Duration = Duration::from_millis(250);
/// As many as a batch may have in the ledger at once could run together.
const AT_ONCE: usize = 16;

pub(super) async fn run(bench: &Bench) -> Result<String> {
    let size = bench.size;
    let servers = Servers::start(&bench.binary, bench.owner).await?;
    let at_once = format!("worker.concurrency.batch={AT_ONCE}");
    let standalone = servers.standalone(&["--set", &at_once]).await?;
    eprintln!("  writing {} conversations", size.conversations);
    write(&servers.database, size.conversations).await?;
    let run = Run { client: &standalone.client, database: &servers.database, standalone: &standalone };

    let before = run.resident()?;
    let (id, planned) = run.plan(size.conversations).await?;
    let started = run.steer("startBatch", &id).await?;
    let half = run.until_fed(&id, size.fed / 2).await?;
    let pause = run.until_still(&id, "pauseBatch", "READY").await?;
    run.steer("resumeBatch", &id).await?;
    let resumed = Instant::now();
    let from = run.fed(&id).await?;
    let all = run.until_fed(&id, size.fed).await?;
    let cancel = run.until_still(&id, "cancelBatch", "WAITING").await?;
    let peak = half.peak.max(all.peak).max(run.resident()?);
    let counts = run.counts(&id).await?;
    ensure!(counts.failed == 0, "{} conversations have failed", counts.failed);
    ensure!(counts.done + counts.cancelled == counts.fed, "{counts:?} do not add up");

    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    let rate = |fed: u64, time: Duration| format!("{:.0} a second", fed as f64 / time.as_secs_f64());
    let rows = [
        Row::new("`planBatch`", seconds(planned)),
        Row::new("`startBatch`, answered", seconds(started)),
        Row::new("fed, from the start to the pause", rate(half.fed, half.took)),
        Row::new(
            "fed, from then on to the cancellation",
            rate(all.fed.saturating_sub(from), all.at - resumed),
        ),
        Row::new("`pauseBatch`, until none of its jobs is to begin or runs", seconds(pause)),
        Row::new("`cancelBatch`, until it is CANCELLED", seconds(cancel)),
        Row::new("`standalone`, resident before the plan", format!("{before:.0} MB")),
        Row::new("`standalone`, growth from there to its highest", format!("{:.0} MB", peak - before)),
        Row::new("conversations done and cancelled", format!("{} and {}", counts.done, counts.cancelled)),
    ];
    let method = format!(
        "A standalone with {AT_ONCE} handlers of the queue `batch`, on the PostgreSQL and Redis of the other sections. {} \
        conversations of a single segment are written by SQL as an import leaves them. REANALYZE of all of them with the extractive \
        analyzer, to which so little text is next to nothing: it is planned, started, paused when {} are fed, \
        resumed, and cancelled when {} are. Resident memory is `VmRSS` of the one process, looked at every {} ms.",
        size.conversations,
        size.fed / 2,
        size.fed,
        GLANCE.as_millis(),
    );
    Ok(section("A batch of a million conversations", &method, &rows))
}

/// Conversation, revision, participant and segment each.
async fn write(database: &Database, conversations: u64) -> Result<()> {
    let row = database.query_one("SELECT id::text FROM organizations", &[]).await;
    let organization: String = row.context("there is not one organization")?.try_get(0)?;
    let id = |of: &str| format!("md5('{of} ' || n)::uuid");
    let (conversation, participant, segment) = (id("conversation"), id("participant"), id("segment"));
    let text = "'We agreed to send the offer number ' || n || ' by Friday.'";
    let numbers = format!("generate_series(1, {conversations}) AS n");
    database
        .batch_execute(&format!(
            "BEGIN; SET LOCAL synchronous_commit = off;
            INSERT INTO conversations (id, organization_id, kind, title, content_hash, object_key, revision, report,
                created_at, updated_at, segment_count, characters)
            SELECT {conversation}, '{organization}', 'MEETING', 'Talk ' || n, sha256(n::text::bytea), 'none/' || n, 1,
                '{{}}', now(), now(), 1, length({text}) FROM {numbers};
            INSERT INTO revisions (conversation_id, number, organization_id, reason, created_at, imported_at)
            SELECT {conversation}, 1, '{organization}', 'IMPORT', now(), now() FROM {numbers};
            INSERT INTO participants (id, organization_id, conversation_id, label, ordinal)
            SELECT {participant}, '{organization}', {conversation}, 'Ada', 0 FROM {numbers};
            INSERT INTO segments (id, organization_id, conversation_id, participant_id, sequence, text, valid_from)
            SELECT {segment}, '{organization}', {conversation}, {participant}, 0, {text}, 1 FROM {numbers};
            COMMIT"
        ))
        .await?;
    database.batch_execute("VACUUM ANALYZE conversations, revisions, participants, segments").await?;
    Ok(())
}

struct Run<'a> {
    client: &'a Client,
    database: &'a Database,
    standalone: &'a Standalone,
}

/// How far feeding came, when, and the most memory meanwhile.
struct Fed {
    fed: u64,
    took: Duration,
    at: Instant,
    peak: f64,
}

#[derive(Debug)]
struct Counts {
    fed: u64,
    done: u64,
    failed: u64,
    cancelled: u64,
}

impl Run<'_> {
    /// In MB.
    fn resident(&self) -> Result<f64> {
        Ok(proc::memory(self.standalone.pid())?.resident)
    }

    async fn plan(&self, conversations: u64) -> Result<(String, Duration)> {
        let document = "mutation Plan($input: PlanBatchInput!) {
            planBatch(input: $input) { batch { id plan { conversations } } userErrors { message } }
        }";
        let asked = Instant::now();
        let data =
            self.client.ask(document, json!({ "input": { "kind": "REANALYZE", "all": true } })).await?;
        let took = asked.elapsed();
        let batch = &data["planBatch"]["batch"];
        ensure!(batch["plan"]["conversations"] == conversations, "planned: {data}");
        Ok((batch["id"].as_str().context("a batch without an id")?.to_owned(), took))
    }

    async fn steer(&self, mutation: &str, id: &str) -> Result<Duration> {
        let input = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let document = format!(
            "mutation Steer($input: {input}!) {{ {mutation}(input: $input) {{ batch {{ state }} userErrors {{ message }} }} }}"
        );
        let asked = Instant::now();
        let data = self.client.ask(&document, json!({ "input": { "batchId": id } })).await?;
        ensure!(data[mutation]["userErrors"] == json!([]), "{mutation}: {data}");
        Ok(asked.elapsed())
    }

    async fn batch(&self, id: &str) -> Result<Value> {
        let document = "query Batch($id: ID!) { batch(id: $id) { state fed done failed skipped cancelled } }";
        let mut data = self.client.ask(document, json!({ "id": id })).await?;
        Ok(data["batch"].take())
    }

    async fn fed(&self, id: &str) -> Result<u64> {
        Ok(self.counts(id).await?.fed)
    }

    async fn counts(&self, id: &str) -> Result<Counts> {
        let batch = self.batch(id).await?;
        let number = |name: &str| batch[name].as_u64().with_context(|| format!("no {name}: {batch}"));
        Ok(Counts {
            fed: number("fed")?,
            done: number("done")? + number("skipped")?,
            failed: number("failed")?,
            cancelled: number("cancelled")?,
        })
    }

    async fn until_fed(&self, id: &str, conversations: u64) -> Result<Fed> {
        let started = Instant::now();
        let mut peak = self.resident()?;
        loop {
            let fed = self.fed(id).await?;
            let at = Instant::now();
            peak = peak.max(self.resident()?);
            if fed >= conversations {
                return Ok(Fed { fed, took: at - started, at, peak });
            }
            if started.elapsed() > PATIENCE {
                bail!("{fed} of {conversations} conversations are fed after {} s", PATIENCE.as_secs());
            }
            sleep(GLANCE).await;
        }
    }

    /// From the request until no job of the batch runs, and none is left in `idle` either.
    async fn until_still(&self, id: &str, mutation: &str, idle: &str) -> Result<Duration> {
        let asked = Instant::now();
        self.steer(mutation, id).await?;
        let moving = "SELECT EXISTS (SELECT FROM jobs WHERE batch_id IS NOT NULL AND state IN ('READY', 'RUNNING', $1))";
        let moving = self.database.prepare(moving).await?;
        loop {
            let moves: bool = self.database.query_one(&moving, &[&idle]).await?.try_get(0)?;
            let state = self.batch(id).await?["state"].take();
            if !moves && state != "CANCELLING" {
                return Ok(asked.elapsed());
            }
            if asked.elapsed() > PATIENCE {
                bail!("{mutation} has no effect after {} s: {state}", PATIENCE.as_secs());
            }
            sleep(LOOK).await;
        }
    }
}
