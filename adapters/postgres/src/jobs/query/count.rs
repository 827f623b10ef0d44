//! What an administrator's action would come to, in one statement that changes nothing. It must say what
//! `manage` does; a test does both and compares.

use colloquy_domain::{
    accounts::Tenant,
    ids::JobId,
    jobs::manage::{Changed, JobAction},
    ports::jobs::JobFilter,
};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{super::manage::batched, Named, kinds, named, newest, oldest, states};
use crate::{errors::Step, pool::Connection, rows};

#[derive(diesel::QueryableByName)]
struct Counts {
    #[diesel(sql_type = BigInt)]
    matched: i64,
    #[diesel(sql_type = BigInt)]
    changed: i64,
    #[diesel(sql_type = BigInt)]
    asked: i64,
    #[diesel(sql_type = BigInt)]
    left_to_batches: i64,
}

/// Of jobs with one unique key one comes back, and none where an unfinished job has the key. Those that cost money of a
/// batch, or whose batch was cancelled, are left to it.
macro_rules! retry {
    ($matching:expr) => {
        concat!(
            "WITH chosen AS (",
            $matching,
            ")
            SELECT count(*) AS matched, 0::bigint AS asked, count(*) FILTER (WHERE is_left) AS left_to_batches,
                count(DISTINCT (kind, coalesce(unique_key, id::text))) FILTER (
                    WHERE NOT is_left AND (unique_key IS NULL OR NOT EXISTS (
                        SELECT FROM jobs o
                        WHERE o.lane = c.lane AND o.kind = c.kind AND o.unique_key = c.unique_key
                            AND o.state IN ('WAITING', 'READY', 'RUNNING')))) AS changed
            FROM (SELECT chosen.*, ",
            batched!("chosen"),
            " AS is_left FROM chosen) AS c"
        )
    };
}

/// With all that wait for them, however far.
macro_rules! cancel {
    ($matching:expr) => {
        concat!(
            "WITH RECURSIVE chosen AS (",
            $matching,
            "), wanted (id) AS (
                SELECT id FROM chosen
                UNION
                SELECT d.job_id FROM job_dependencies d JOIN wanted w ON d.waits_for = w.id
            )
            SELECT (SELECT count(*) FROM chosen) AS matched, 0::bigint AS left_to_batches,
                count(*) FILTER (WHERE j.state <> 'RUNNING') AS changed,
                count(*) FILTER (WHERE j.state = 'RUNNING' AND j.cancel_requested_at IS NULL) AS asked
            FROM wanted w JOIN jobs j ON j.id = w.id
            WHERE j.organization_id = $3 AND j.state IN ('WAITING', 'READY', 'RUNNING')"
        )
    };
}

pub(crate) async fn count_changes(
    conn: &mut Connection,
    tenant: Tenant,
    action: JobAction,
    filter: &JobFilter,
) -> Step<Changed> {
    let states = states(filter, |state| action.touches(state));
    let (after, all): (Option<JobId>, _) = (None, usize::MAX);
    let is_retry = action == JobAction::Retry;
    let few = match is_retry {
        true => naming!(filter, retry, "j.id, j.kind, j.lane, j.unique_key, j.batch_id, j.reserved"),
        false => naming!(filter, cancel, "j.id"),
    };
    let counts: Counts = if let Some(sql) = few {
        of!(few sql, tenant, filter, states, after, all).get_result(conn).await?
    } else {
        let sql = match is_retry {
            true => retry!(matching!("j.id, j.kind, j.lane, j.unique_key, j.batch_id, j.reserved")),
            false => cancel!(matching!("j.id")),
        };
        of!(sql, tenant, filter, states, after, all).get_result(conn).await?
    };
    let number = i64::unsigned_abs;
    let none = Changed { matched: number(counts.matched), ..Changed::default() };
    let (changed, asked) = (number(counts.changed), number(counts.asked));
    Ok(match action {
        JobAction::Retry => {
            Changed { retried: changed, left_to_batches: number(counts.left_to_batches), ..none }
        }
        JobAction::Cancel => Changed { cancelled: changed, asked, ..none },
        JobAction::Discard => Changed { cancelled: changed, asked, discarded: none.matched, ..none },
    })
}
