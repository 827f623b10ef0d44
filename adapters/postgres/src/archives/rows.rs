//! Archives as rows. How far one is, its job says, until it has ended.

use chrono::{DateTime, Utc};
use colloquy_domain::{
    Error,
    accounts::Tenant,
    bulk::{ArchiveImport, ArchiveState, EntryCounts, EntryProblem},
    ids::{ArchiveImportId, JobId, OrganizationId, UserId},
    jobs::{Claim, JobState, NewJob},
    money::MicroDollars,
    ports::{jobs::Follow, store::PageBy},
    time::Timestamp,
};
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    errors::Step,
    follow::{self, Raised},
    jobs::complete_one,
    pool::Connection,
    rows::{self, Count},
    statement::Prepare,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    file_name: Option<String>,
    #[diesel(sql_type = Text)]
    object_key: String,
    #[diesel(sql_type = Jsonb)]
    options: Value,
    #[diesel(sql_type = SqlUuid)]
    job_id: Uuid,
    /// `None` where the job has been discarded.
    #[diesel(sql_type = Nullable<Text>)]
    job_state: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    entry_count: Option<i32>,
    #[diesel(sql_type = Integer)]
    created: i32,
    #[diesel(sql_type = Integer)]
    existing: i32,
    #[diesel(sql_type = Integer)]
    would_import: i32,
    #[diesel(sql_type = Integer)]
    failed: i32,
    #[diesel(sql_type = Integer)]
    passed_over: i32,
    #[diesel(sql_type = Nullable<Jsonb>)]
    problem: Option<Value>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    created_by: Option<Uuid>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    finished_at: Option<DateTime<Utc>>,
}

/// The columns of [`Row`].
macro_rules! columns {
    () => {
        "a.id, a.organization_id, a.file_name, a.object_key, a.options, a.job_id,
        (SELECT j.state FROM jobs j WHERE j.id = a.job_id) AS job_state, a.entry_count, a.created, a.existing,
        a.would_import, a.failed, a.passed_over, a.problem, a.created_by, a.created_at, a.finished_at"
    };
}

impl Row {
    fn import(self) -> Step<ArchiveImport> {
        let state = self.state()?;
        let count = |count: i32| count.unsigned_abs();
        Ok(ArchiveImport {
            id: ArchiveImportId(self.id),
            organization_id: OrganizationId(self.organization_id),
            file_name: self.file_name,
            object_key: self.object_key,
            options: rows::from_json(self.options)?,
            job_id: JobId(self.job_id),
            state,
            entry_count: self.entry_count.map(count),
            counts: EntryCounts {
                created: count(self.created),
                existing: count(self.existing),
                would_import: count(self.would_import),
                failed: count(self.failed),
                passed_over: count(self.passed_over),
            },
            problem: self.problem.map(rows::from_json).transpose()?,
            created_by: self.created_by.map(UserId),
            created_at: self.created_at,
            finished_at: self.finished_at,
        })
    }

    fn state(&self) -> Step<ArchiveState> {
        if self.finished_at.is_some() {
            return Ok(if self.problem.is_some() { ArchiveState::Failed } else { ArchiveState::Done });
        }
        let has_begun = self.created + self.existing + self.would_import + self.failed + self.passed_over > 0;
        let job = self.job_state.as_deref().map(rows::job_state).transpose()?;
        Ok(match job {
            Some(JobState::Running) => ArchiveState::Running,
            // Between two runs.
            Some(JobState::Waiting | JobState::Ready) if has_begun => ArchiveState::Running,
            Some(JobState::Waiting | JobState::Ready) => ArchiveState::Queued,
            Some(JobState::Cancelled) => ArchiveState::Cancelled,
            Some(JobState::Done | JobState::Dead) | None => ArchiveState::Failed,
        })
    }
}

fn read(found: Vec<Row>) -> Step<Vec<ArchiveImport>> {
    found.into_iter().map(Row::import).collect()
}

/// `None` where so many are under way; the organization's row is held, so that two at once do not pass the limit.
pub(super) async fn insert(
    conn: &mut Connection,
    tenant: Tenant,
    new: &ArchiveImport,
    job: &NewJob,
    at_most: usize,
) -> Step<Option<Raised>> {
    rows::hold(conn, tenant).await?;
    let there: Count = diesel::sql_query(
        "SELECT count(*) AS count FROM archive_imports a JOIN jobs j ON j.id = a.job_id
        WHERE a.organization_id = $1 AND a.finished_at IS NULL AND j.state IN ('WAITING', 'READY', 'RUNNING')",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .get_result(conn)
    .await?;
    if there.count >= rows::limit(at_most) {
        return Ok(None);
    }
    diesel::sql_query(
        "INSERT INTO archive_imports (id, organization_id, file_name, object_key, options, job_id, entry_count,
            created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind::<SqlUuid, _>(new.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Nullable<Text>, _>(new.file_name.as_deref())
    .bind::<Text, _>(&new.object_key)
    .bind::<Jsonb, _>(rows::json(&new.options)?)
    .bind::<SqlUuid, _>(new.job_id.0)
    .bind::<Nullable<Integer>, _>(new.entry_count.map(|count| i32::try_from(count).unwrap_or(i32::MAX)))
    .bind::<Nullable<SqlUuid>, _>(new.created_by.map(Uuid::from))
    .bind::<Timestamptz, _>(new.created_at)
    .prepared()
    .execute(conn)
    .await?;
    let follow = Follow { jobs: vec![job.clone()], events: Vec::new() };
    follow::write(conn, &follow).await.map(Some)
}

pub(super) async fn find(
    conn: &mut Connection,
    tenant: Tenant,
    ids: &[ArchiveImportId],
) -> Step<Vec<ArchiveImport>> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM archive_imports a WHERE a.id = ANY($1) AND a.organization_id = $2"
    );
    let found = diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared();
    read(found.load(conn).await?)
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    page: PageBy<ArchiveImportId>,
) -> Step<Vec<ArchiveImport>> {
    read(rows::page(conn, tenant, page, rows::pages!(columns!(), "archive_imports a")).await?)
}

pub(super) async fn finish(
    conn: &mut Connection,
    tenant: Tenant,
    claim: Claim,
    id: ArchiveImportId,
    at: Timestamp,
    problem: Option<&EntryProblem>,
) -> Step<Raised> {
    let finished = diesel::sql_query(
        "UPDATE archive_imports SET finished_at = $3, problem = $4
        WHERE id = $1 AND organization_id = $2 AND finished_at IS NULL",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Timestamptz, _>(at)
    .bind::<Nullable<Jsonb>, _>(problem.map(rows::json).transpose()?)
    .prepared()
    .execute(conn)
    .await?;
    if finished == 0 {
        return Err(Error::conflict("ARCHIVE_ENDED", format!("the import {id} has ended already")).into());
    }
    complete_one(conn, tenant, claim, &Follow::default(), MicroDollars::ZERO).await
}

#[derive(QueryableByName)]
struct Needed {
    #[diesel(sql_type = Text)]
    object_key: String,
}

pub(super) async fn needed_objects(conn: &mut Connection, keys: &[String]) -> Step<Vec<String>> {
    let found: Vec<Needed> = diesel::sql_query(
        "SELECT object_key FROM archive_imports a WHERE object_key = ANY($1) AND finished_at IS NULL
            AND EXISTS (SELECT FROM jobs j WHERE j.id = a.job_id AND j.state <> 'CANCELLED')",
    )
    .bind::<Array<Text>, _>(keys)
    .prepared()
    .load(conn)
    .await?;
    Ok(found.into_iter().map(|needed| needed.object_key).collect())
}

/// One that is under way after all that time stays until it has ended.
pub(super) async fn prune(conn: &mut Connection, before: Timestamp, limit: usize) -> Step<usize> {
    let deleted = diesel::sql_query(
        "DELETE FROM archive_imports WHERE id = ANY(ARRAY(
            SELECT a.id FROM archive_imports a WHERE a.created_at < $1
                AND (a.finished_at IS NOT NULL OR NOT EXISTS (SELECT FROM jobs j WHERE j.id = a.job_id
                    AND j.state IN ('WAITING', 'READY', 'RUNNING')))
            ORDER BY a.created_at LIMIT $2))",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .execute(conn)
    .await?;
    Ok(deleted)
}
