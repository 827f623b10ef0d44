//! What became of an archive's entries. The archive's row counts them, in the statement that writes them.

use colloquy_domain::{
    accounts::Tenant,
    archives::Start,
    bulk::{EntryOutcome, ImportedEntry},
    ids::{ArchiveImportId, ConversationId},
};
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    errors::{self, Step},
    pool::Connection,
    rows,
    statement::Prepare,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Integer)]
    place: i32,
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
    #[diesel(sql_type = Text)]
    outcome: String,
    #[diesel(sql_type = BigInt)]
    unpacked: i64,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    conversation_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    report: Option<Value>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    problem: Option<Value>,
}

impl Row {
    fn entry(self) -> Step<ImportedEntry> {
        let outcome = EntryOutcome::ALL.into_iter().find(|outcome| outcome.as_str() == self.outcome);
        Ok(ImportedEntry {
            place: self.place.unsigned_abs(),
            name: self.name,
            outcome: outcome.ok_or_else(|| errors::unreadable("outcome", &self.outcome))?,
            unpacked: self.unpacked.unsigned_abs(),
            conversation_id: self.conversation_id.map(ConversationId),
            report: self.report.map(rows::from_json).transpose()?,
            problem: self.problem.map(rows::from_json).transpose()?,
        })
    }
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    id: ArchiveImportId,
    outcome: Option<EntryOutcome>,
    after: Option<u32>,
    limit: usize,
) -> Step<Vec<ImportedEntry>> {
    let sql = match outcome {
        None => {
            "SELECT place, name, outcome, unpacked, conversation_id, report, problem FROM archive_entries
            WHERE archive_import_id = $1 AND organization_id = $2 AND place > $3 AND $5::text IS NULL
            ORDER BY place LIMIT $4"
        }
        Some(_) => {
            "SELECT place, name, outcome, unpacked, conversation_id, report, problem FROM archive_entries
            WHERE archive_import_id = $1 AND organization_id = $2 AND place > $3 AND outcome = $5
            ORDER BY place LIMIT $4"
        }
    };
    let found: Vec<Row> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<Integer, _>(after.map_or(-1, number))
        .bind::<BigInt, _>(rows::limit(limit))
        .bind::<Nullable<Text>, _>(outcome.map(EntryOutcome::as_str))
        .prepared()
        .load(conn)
        .await?;
    found.into_iter().map(Row::entry).collect()
}

#[derive(QueryableByName)]
struct Reached {
    #[diesel(sql_type = Integer)]
    place: i32,
    #[diesel(sql_type = BigInt)]
    unpacked: i64,
}

pub(super) async fn reached(conn: &mut Connection, tenant: Tenant, id: ArchiveImportId) -> Step<Start> {
    let reached: Reached = diesel::sql_query(
        "SELECT coalesce(max(place) + 1, 0) AS place, coalesce(sum(unpacked), 0)::bigint AS unpacked
        FROM archive_entries WHERE archive_import_id = $1 AND organization_id = $2",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .get_result(conn)
    .await?;
    Ok(Start { place: reached.place.unsigned_abs(), unpacked: reached.unpacked.unsigned_abs() })
}

pub(super) async fn record(
    conn: &mut Connection,
    tenant: Tenant,
    id: ArchiveImportId,
    entries: &[ImportedEntry],
) -> Step<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let (mut reports, mut problems) = (Vec::new(), Vec::new());
    for entry in entries {
        reports.push(entry.report.as_ref().map(rows::json).transpose()?);
        problems.push(entry.problem.as_ref().map(rows::json).transpose()?);
    }
    // A conversation that has gone since leaves nothing of its name. One that goes at this moment waits for the end
    // of this transaction, and takes the name with it.
    diesel::sql_query(
        "WITH new AS (
            SELECT * FROM unnest($3, $4, $5, $6, $7, $8, $9)
                AS new (place, name, outcome, unpacked, conversation_id, report, problem)
        ), there AS MATERIALIZED (
            SELECT id FROM conversations
            WHERE id = ANY($7) AND organization_id = $2 ORDER BY id FOR KEY SHARE
        ), added AS (
            INSERT INTO archive_entries (archive_import_id, organization_id, place, name, outcome, unpacked,
                conversation_id, report, problem)
            SELECT $1, $2, n.place, CASE WHEN n.conversation_id IS NULL OR t.id IS NOT NULL THEN n.name END,
                n.outcome, n.unpacked, t.id, n.report, n.problem
            FROM new n LEFT JOIN there t ON t.id = n.conversation_id
            WHERE EXISTS (SELECT FROM archive_imports WHERE id = $1 AND organization_id = $2)
            ON CONFLICT (archive_import_id, place) DO NOTHING
            RETURNING outcome
        )
        UPDATE archive_imports a SET created = a.created + c.created, existing = a.existing + c.existing,
            would_import = a.would_import + c.would_import, failed = a.failed + c.failed,
            passed_over = a.passed_over + c.passed_over
        FROM (SELECT count(*) FILTER (WHERE outcome = 'CREATED')::int AS created,
            count(*) FILTER (WHERE outcome = 'EXISTING')::int AS existing,
            count(*) FILTER (WHERE outcome = 'WOULD_IMPORT')::int AS would_import,
            count(*) FILTER (WHERE outcome = 'FAILED')::int AS failed,
            count(*) FILTER (WHERE outcome = 'PASSED_OVER')::int AS passed_over FROM added) c
        WHERE a.id = $1 AND a.organization_id = $2",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Array<Integer>, _>(entries.iter().map(|entry| number(entry.place)).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(entries.iter().map(|entry| entry.name.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(entries.iter().map(|entry| entry.outcome.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(entries.iter().map(|entry| bytes(entry.unpacked)).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(
        entries.iter().map(|entry| entry.conversation_id.map(Uuid::from)).collect::<Vec<_>>(),
    )
    .bind::<Array<Nullable<Jsonb>>, _>(reports)
    .bind::<Array<Nullable<Jsonb>>, _>(problems)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

/// What entries tell of a conversation that is about to be deleted in this transaction. It is held first, so that none
/// is written meanwhile.
pub(crate) async fn forget(conn: &mut Connection, tenant: Tenant, id: ConversationId) -> Step<()> {
    diesel::sql_query("SELECT FROM conversations WHERE id = $1 AND organization_id = $2 FOR UPDATE")
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .execute(conn)
        .await?;
    diesel::sql_query(
        "UPDATE archive_entries SET name = NULL, conversation_id = NULL
        WHERE conversation_id = $1 AND organization_id = $2",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

fn number(place: u32) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
