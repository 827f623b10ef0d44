//! The event log. Writers insert events without a position; the steward numbers what has been committed, in
//! insert order and without gaps, so that one that commits late is numbered late and never skipped. A log has
//! lives: where the cluster says it is another one (a restore, a promotion), the log gets a new id.

pub(crate) mod number;

use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use colloquy_domain::{
    Result,
    accounts::{SystemScope, Tenant},
    events::{Event, EventKind, LogBounds, Topic},
    ids::{AnalysisId, BatchId, ConversationId, JobId, LogId, OrganizationId, SavedSearchId, SearchMatchId},
    jobs::JobKind,
    ports::{jobs::Signal, store::events::EventLog},
    time::Timestamp,
};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, sql_types, sql_types::BigInt};
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Postgres,
    errors::Step,
    events::number::head,
    follow::kinds,
    pool::Connection,
    rows,
    schema::{event_log, events},
    statement::Prepare,
};

type Row =
    (Option<i64>, Uuid, String, Option<Uuid>, Option<Uuid>, Option<Uuid>, Option<Uuid>, Value, DateTime<Utc>);

const COLUMNS: (
    events::position,
    events::organization_id,
    events::kind,
    events::conversation_id,
    events::job_id,
    events::batch_id,
    events::saved_search_id,
    events::detail,
    events::at,
) = (
    events::position,
    events::organization_id,
    events::kind,
    events::conversation_id,
    events::job_id,
    events::batch_id,
    events::saved_search_id,
    events::detail,
    events::at,
);

const UNKNOWN: &str = "unknown";

#[async_trait]
impl EventLog for Postgres {
    async fn bounds(&self) -> Result<LogBounds> {
        self.run("read the bounds of the event log", async |conn| {
            let sql = concat!("SELECT log_id, trimmed, ", head!(), " AS head FROM event_log");
            let bounds: Bounds = diesel::sql_query(sql).prepared().get_result(conn).await?;
            Ok(LogBounds {
                log_id: LogId(bounds.log_id),
                trimmed: bounds.trimmed as u64,
                head: bounds.head as u64,
            })
        })
        .await
    }

    async fn number(&self, _scope: SystemScope, limit: usize) -> Result<usize> {
        let begun = Instant::now();
        let from = self.numbering.from(begun);
        let number = async |conn: &mut Connection| {
            number::lock(conn).await?;
            number::number(conn, from, limit).await
        };
        let passed = self.transaction("number events", number).await?;
        self.numbering.note(from, begun, &passed);
        let numbered = passed.count as usize;
        if numbered > 0 {
            self.bells.ring(Signal::Numbered);
        }
        Ok(numbered)
    }

    async fn read(&self, _scope: SystemScope, position: u64, limit: usize) -> Result<Vec<Event>> {
        self.run("read events", async |conn| {
            let mut position = position as i64;
            loop {
                let found: Vec<Row> = events::table
                    .filter(events::position.gt(position))
                    .order(events::position)
                    .limit(rows::limit(limit))
                    .select(COLUMNS)
                    .load(conn)
                    .await?;
                let (full, last) = (found.len() == limit, found.last().and_then(|row| row.0));
                let events: Vec<_> = found.into_iter().filter_map(event).collect();
                match last {
                    // Nothing that this release knows on a whole page: whatever it knows comes later.
                    Some(last) if full && events.is_empty() => position = last,
                    _ => return Ok(events),
                }
            }
        })
        .await
    }

    async fn replay(
        &self,
        tenant: Tenant,
        topic: Topic,
        position: u64,
        until: u64,
        limit: usize,
    ) -> Result<Vec<Event>> {
        self.run("replay events", async |conn| {
            let mut query = events::table
                .filter(events::organization_id.eq(tenant.0.0))
                .filter(events::position.gt(position as i64))
                .filter(events::position.le(until as i64))
                .order(events::position)
                .limit(rows::limit(limit))
                .select(COLUMNS)
                .into_boxed();
            query = match topic {
                Topic::Conversation(id) => {
                    query.filter(events::conversation_id.eq(id.0)).filter(events::kind.ne(kinds::JOB_CHANGED))
                }
                Topic::Conversations => {
                    let others = [kinds::JOB_CHANGED, kinds::BATCH_CHANGED, kinds::SEARCH_MATCHED];
                    query.filter(events::kind.ne_all(others))
                }
                Topic::Job(id) => {
                    query.filter(events::job_id.eq(id.0)).filter(events::kind.eq(kinds::JOB_CHANGED))
                }
                Topic::Jobs => query.filter(events::kind.eq(kinds::JOB_CHANGED)),
                Topic::Batch(id) => query.filter(events::batch_id.eq(id.0)),
                Topic::SavedSearch(id) => query.filter(events::saved_search_id.eq(id.0)),
            };
            let found: Vec<Row> = query.load(conn).await?;
            Ok(found.into_iter().filter_map(event).collect())
        })
        .await
    }

    async fn trim(&self, _scope: SystemScope, before: Timestamp, limit: usize) -> Result<usize> {
        self.transaction("trim the event log", async |conn| {
            number::lock(conn).await?;
            // A prefix of the log goes, up to the first event that is young enough.
            let removed: Trimmed = diesel::sql_query(
                "WITH oldest AS (
                    SELECT position, at FROM events WHERE position IS NOT NULL ORDER BY position LIMIT $2
                ), removed AS (
                    DELETE FROM events WHERE position <= coalesce(
                        (SELECT min(position) - 1 FROM oldest WHERE at >= $1),
                        (SELECT max(position) FROM oldest))
                    RETURNING position
                )
                SELECT count(*) AS count, max(position) AS last FROM removed",
            )
            .bind::<sql_types::Timestamptz, _>(before)
            .bind::<BigInt, _>(rows::limit(limit))
            .prepared()
            .get_result(conn)
            .await?;
            if let Some(last) = removed.last {
                diesel::update(event_log::table).set(event_log::trimmed.eq(last)).execute(conn).await?;
            }
            Ok(removed.count as usize)
        })
        .await
    }
}

#[derive(diesel::QueryableByName)]
struct Trimmed {
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = sql_types::Nullable<BigInt>)]
    last: Option<i64>,
}

#[derive(diesel::QueryableByName)]
struct Bounds {
    #[diesel(sql_type = sql_types::Uuid)]
    log_id: Uuid,
    #[diesel(sql_type = BigInt)]
    trimmed: i64,
    #[diesel(sql_type = BigInt)]
    head: i64,
}

#[derive(diesel::QueryableByName)]
struct Cluster {
    #[diesel(sql_type = sql_types::Text)]
    cluster: String,
}

impl Postgres {
    /// Makes the log's row, and begins another life where the cluster is another one. What has been numbered
    /// in the old life cannot be resumed from.
    pub(crate) async fn begin_log(&self) -> Result<()> {
        self.run("begin the event log", async |conn| begin_log(conn).await).await
    }
}

pub(crate) async fn begin_log(conn: &mut Connection) -> Step<()> {
    let asked: std::result::Result<Cluster, _> = diesel::sql_query(
        "SELECT s.system_identifier || '/' || c.timeline_id AS cluster
        FROM pg_control_system() AS s, pg_control_checkpoint() AS c",
    )
    .prepared()
    .get_result(conn)
    .await;
    let cluster = asked.map_or_else(|_not_allowed| UNKNOWN.to_owned(), |row| row.cluster);
    let known: Option<String> = event_log::table.select(event_log::cluster).first(conn).await.optional()?;
    // No lock is taken where nothing is to be done, which is nearly always.
    if known.is_some_and(|known| known == cluster || cluster == UNKNOWN) {
        return Ok(());
    }
    diesel::sql_query(concat!(
        "INSERT INTO event_log AS log (log_id, cluster) VALUES (gen_random_uuid(), $1)
        ON CONFLICT (singleton) DO UPDATE SET
            log_id = CASE WHEN log.cluster = 'unknown' THEN log.log_id ELSE excluded.log_id END,
            trimmed = CASE WHEN log.cluster = 'unknown' THEN log.trimmed
                ELSE (SELECT ",
        head!(),
        " FROM event_log) END,
            cluster = excluded.cluster
        WHERE log.cluster <> excluded.cluster AND excluded.cluster <> 'unknown'",
    ))
    .bind::<sql_types::Text, _>(cluster)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(Deserialize)]
struct ProgressDetail {
    revision: i32,
    stage: String,
    analysis_id: Option<AnalysisId>,
}

#[derive(Deserialize)]
struct JobDetail {
    kind: String,
    state: String,
}

#[derive(Deserialize)]
struct MatchDetail {
    match_id: SearchMatchId,
}

/// `None` for an event of a release to come.
fn event(
    (position, organization_id, kind, conversation_id, job_id, batch_id, saved_search_id, detail, at): Row,
) -> Option<Event> {
    let conversation_id = conversation_id.map(ConversationId);
    let kind = match kind.as_str() {
        kinds::PROGRESS => {
            let detail: ProgressDetail = serde_json::from_value(detail).ok()?;
            EventKind::Progress {
                conversation_id: conversation_id?,
                revision: detail.revision,
                stage: rows::stage(&detail.stage)?,
                job_id: job_id.map(JobId),
                analysis_id: detail.analysis_id,
            }
        }
        kinds::CONVERSATION_UPDATED => EventKind::ConversationUpdated { conversation_id: conversation_id? },
        kinds::CONVERSATION_DELETED => EventKind::ConversationDeleted { conversation_id: conversation_id? },
        kinds::JOB_CHANGED => {
            let detail: JobDetail = serde_json::from_value(detail).ok()?;
            EventKind::JobChanged {
                job_id: JobId(job_id?),
                kind: JobKind::from_name(&detail.kind)?,
                state: rows::job_state(&detail.state).ok()?,
                conversation_id,
            }
        }
        kinds::BATCH_CHANGED => EventKind::BatchChanged {
            batch_id: BatchId(batch_id?),
            progress: serde_json::from_value(detail).ok()?,
        },
        kinds::SEARCH_MATCHED => {
            let detail: MatchDetail = serde_json::from_value(detail).ok()?;
            EventKind::SearchMatched {
                saved_search_id: SavedSearchId(saved_search_id?),
                match_id: detail.match_id,
            }
        }
        _ => return None,
    };
    let position = u64::try_from(position?).ok()?;
    Some(Event { position, organization_id: OrganizationId(organization_id), kind, at })
}
