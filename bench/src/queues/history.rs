//! A ledger of long ago: finished jobs of hundreds of organizations over six days, written by SQL. Which of them the
//! asking organization has is known by number, so that what lists and mutations say can be checked.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use tokio_postgres::Client;

use super::servers::Postgres;

/// Of so many jobs one is the asking organization's; of so many of those one is of each kind of failure.
const SHARE: u64 = 5;
const FAILURE: u64 = 20;
/// The same error of few jobs.
pub(super) const FEW: u64 = 20;
const WRITERS: u64 = 2;

/// Jobs of the asking organization that died of one cause, all over the six days.
pub(super) struct Failed {
    pub(super) kind: &'static str,
    queue: &'static str,
    pub(super) error: &'static str,
}

pub(super) const FAILED: [Failed; 4] = [
    Failed {
        kind: "analyze_conversation",
        queue: "analyze",
        error: "the analyzer did not answer within its deadline",
    },
    Failed { kind: "export_conversation", queue: "batch", error: "the object store refused the request" },
    Failed { kind: "index_passages", queue: "index", error: "the index is locked by another process" },
    Failed { kind: "ingest_conversation", queue: "ingest", error: "the transcript could not be read" },
];
pub(super) const RARE_ERROR: &str = "the quota of the organization is used up";
/// Of jobs that ended well at their second attempt.
const PASSING_ERROR: &str = "the connection was closed before the answer came";

/// What is asked for.
pub(super) struct History {
    pub(super) organization: String,
    pub(super) jobs: u64,
    /// As clients know them.
    pub(super) batch: String,
    pub(super) conversation: String,
    /// From its middle on.
    pub(super) half_day: (String, String),
    pub(super) middle_of_batch: String,
}

/// One in the middle of what the organization has.
const CONVERSATION: &str = "md5('conversation ' || $1::bigint)::uuid";
const BATCH: &str = "md5('batch')::uuid";

impl History {
    pub(super) fn owned(&self) -> u64 {
        self.jobs / SHARE
    }

    pub(super) fn failed(&self) -> u64 {
        self.owned() / FAILURE
    }

    /// A tenth of what the organization has, together, in the third part of the six days.
    pub(super) fn batched(&self) -> u64 {
        self.owned() / 10
    }

    pub(super) async fn write(postgres: &Postgres, database: &Client, jobs: u64) -> Result<Self> {
        let row = database.query_one("SELECT id::text FROM organizations", &[]).await;
        let organization: String = row.context("there is not one organization")?.try_get(0)?;
        // One moment for all writers.
        let row = database.query_one("SELECT (now() - interval '6 days')::text", &[]).await?;
        let from: String = row.try_get(0)?;
        let each = jobs.div_ceil(WRITERS);
        let parts = (0..WRITERS).map(|part| (part * each, ((part + 1) * each).min(jobs)));
        let write = |(first, end)| write(postgres, insert(&organization, &from, jobs, first, end));
        try_join_all(parts.map(write)).await?;
        database.batch_execute("VACUUM ANALYZE jobs").await?;
        let client_id = |letter: char, id: &str| {
            format!(
                "translate(rtrim(encode('{letter}'::bytea || uuid_send({id}), 'base64'), '='), '+/', '-_')"
            )
        };
        let time =
            |time: &str| format!("to_char(({time}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");
        let ids = format!(
            "SELECT {}, {}, {}, {}, {}",
            client_id('b', BATCH),
            client_id('c', CONVERSATION),
            time("$2::text::timestamptz + interval '3 days'"),
            time("$2::text::timestamptz + interval '3 days 12 hours'"),
            time("$2::text::timestamptz + interval '6 days' * 0.37"),
        );
        let middle = i64::try_from(jobs / SHARE / 2 / 8)?;
        let row = database.query_one(&ids, &[&middle, &from]).await?;
        Ok(Self {
            organization,
            jobs,
            batch: row.try_get(0)?,
            conversation: row.try_get(1)?,
            half_day: (row.try_get(2)?, row.try_get(3)?),
            middle_of_batch: row.try_get(4)?,
        })
    }
}

async fn write(postgres: &Postgres, insert: String) -> Result<()> {
    let writer = postgres.connect().await?;
    writer.batch_execute("SET synchronous_commit = off").await?;
    writer.batch_execute(&insert).await?;
    Ok(())
}

/// Numbers from `first` to before `end`. Of those that are the organization's `m` is its own number, of others -1.
fn insert(organization: &str, from: &str, jobs: u64, first: u64, end: u64) -> String {
    let owned = jobs / SHARE;
    let (batch_from, batch_to) = (owned * 3 / 10, owned * 3 / 10 + owned / 10);
    let conversation = CONVERSATION.replace("$1::bigint", "(m / 8)");
    let of_failed = |part: fn(&Failed) -> &'static str| {
        FAILED
            .iter()
            .zip(0..)
            .map(|(failed, at)| format!("WHEN {at} THEN '{}' ", part(failed)))
            .collect::<String>()
    };
    let (kinds, queues, errors) =
        (of_failed(|failed| failed.kind), of_failed(|failed| failed.queue), of_failed(|failed| failed.error));
    let few = owned / FEW;
    format!(
        "INSERT INTO jobs (id, organization_id, queue, kind, payload, conversation_id, state, attempts, max_attempts,
            run_at, errors, created_at, started_at, finished_at, batch_id, unique_key)
        SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
                || substr(gen_random_uuid()::text, 16))::uuid,
            organization, CASE failure {queues} ELSE queue END, CASE failure {kinds} ELSE kind END,
            jsonb_build_object('conversation_id', conversation), conversation, state,
            CASE WHEN state = 'DEAD' THEN 5 WHEN message IS NULL THEN 1 ELSE 2 END, 5, at,
            CASE WHEN message IS NULL THEN '[]'
                ELSE jsonb_build_array(jsonb_build_object('attempt', 1, 'at', at, 'message', message)) END,
            at, at + interval '20 milliseconds', at + interval '70 milliseconds', batch,
            CASE WHEN batch IS NOT NULL THEN 'batch:' || n END
        FROM (
            SELECT *,
                CASE WHEN state = 'DEAD' THEN CASE failure {errors} END
                    WHEN m % {few} = 7 THEN '{RARE_ERROR}'
                    WHEN random % 25 = 0 THEN '{PASSING_ERROR}' END AS message
            FROM (
                SELECT *, CASE WHEN failure >= 0 THEN 'DEAD' WHEN random % 50 = 1 THEN 'CANCELLED' ELSE 'DONE' END AS state,
                    CASE WHEN m >= 0 THEN {conversation} ELSE md5((n / 40)::text)::uuid END AS conversation,
                    CASE WHEN m >= {batch_from} AND m < {batch_to} THEN {BATCH} END AS batch
                FROM (
                    SELECT *, '{from}'::timestamptz + n * (interval '6 days' / {jobs}) AS at,
                        CASE WHEN m >= 0 THEN '{organization}'::uuid ELSE md5((random % 400)::text)::uuid END AS organization,
                        CASE WHEN m >= 0 AND m % {FAILURE} < {causes} THEN m % {FAILURE}
                            WHEN m < 0 AND random / 1024 % 400 < {causes} THEN random / 1024 % 400 ELSE -1 END AS failure,
                        (ARRAY['index', 'embed', 'analyze', 'ingest', 'index', 'embed', 'mail', 'batch'])[random / 64 % 8 + 1]
                            AS queue,
                        (ARRAY['index_passages', 'embed_passages', 'analyze_conversation', 'ingest_conversation',
                            'reindex_conversation', 'reembed_conversation', 'send_email', 'reanalyze_conversation'])
                            [random / 64 % 8 + 1] AS kind
                    FROM (
                        SELECT n, hashint8(n) & 2147483647 AS random,
                            CASE WHEN n % {SHARE} = 0 THEN n / {SHARE} ELSE -1 END AS m
                        FROM generate_series({first}::bigint, {end}::bigint - 1) AS n
                    ) AS numbers
                ) AS owned
            ) AS told
        ) AS ended",
        causes = FAILED.len(),
    )
}
