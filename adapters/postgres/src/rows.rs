//! From columns to domain types, where more than one area needs it.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use colloquy_domain::{
    accounts::{Role, Tenant},
    conversations::{ConversationKind, revisions::RevisionKind},
    events::Stage,
    jobs::{JobState, Queue},
    language::Language,
    ports::store::PageBy,
    time::Millis,
};
use diesel::{
    QueryableByName,
    pg::Pg,
    sql_types::{BigInt, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    errors::{self, Step},
    pool::Connection,
    statement::Prepare,
};

#[derive(diesel::QueryableByName)]
pub(crate) struct Count {
    #[diesel(sql_type = BigInt)]
    pub(crate) count: i64,
}

/// Until the transaction ends nobody else counts what the organization has, so that two do not pass a limit together.
pub(crate) async fn hold(conn: &mut Connection, tenant: Tenant) -> Step<()> {
    diesel::sql_query("SELECT FROM organizations WHERE id = $1 FOR NO KEY UPDATE")
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) fn role(text: &str) -> Step<Role> {
    let found = Role::ALL.into_iter().find(|role| role.as_str() == text);
    Ok(found.ok_or_else(|| errors::unreadable("role", text))?)
}

pub(crate) fn conversation_kind(text: &str) -> Step<ConversationKind> {
    let found = ConversationKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    Ok(found.ok_or_else(|| errors::unreadable("kind", text))?)
}

pub(crate) fn revision_kind(text: &str) -> Step<RevisionKind> {
    let found = RevisionKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    Ok(found.ok_or_else(|| errors::unreadable("revision kind", text))?)
}

pub(crate) fn language(code: Option<String>) -> Step<Option<Language>> {
    let read = |code: String| code.parse().map_err(|_no| errors::unreadable("language", &code));
    Ok(code.map(read).transpose()?)
}

pub(crate) fn job_state(text: &str) -> Step<JobState> {
    let found = JobState::ALL.into_iter().find(|state| state.as_str() == text);
    Ok(found.ok_or_else(|| errors::unreadable("state", text))?)
}

pub(crate) fn queue(text: &str) -> Step<Queue> {
    let found = Queue::ALL.into_iter().find(|queue| queue.as_str() == text);
    Ok(found.ok_or_else(|| errors::unreadable("queue", text))?)
}

pub(crate) fn stage(text: &str) -> Option<Stage> {
    Stage::ALL.into_iter().find(|stage| stage.as_str() == text)
}

pub(crate) fn hash(bytes: &[u8]) -> Step<[u8; 32]> {
    Ok(bytes.try_into().map_err(|_wrong_length| errors::unreadable("hash", &hex::encode(bytes)))?)
}

pub(crate) fn to_ms(ms: Option<Millis>) -> Option<i64> {
    ms.map(|ms| i64::try_from(ms.0).unwrap_or(i64::MAX))
}

pub(crate) fn from_ms(ms: Option<i64>) -> Option<Millis> {
    ms.map(|ms| Millis(ms.unsigned_abs()))
}

/// What [`page`] reads of `$from`: forward, and backward.
macro_rules! pages {
    ($columns:expr, $from:literal) => {
        (
            concat!(
                "SELECT ",
                $columns,
                " FROM ",
                $from,
                " WHERE organization_id = $1 AND id < $2 AND id > $3 ORDER BY id DESC LIMIT $4"
            ),
            concat!(
                "SELECT ",
                $columns,
                " FROM ",
                $from,
                " WHERE organization_id = $1 AND id < $2 AND id > $3 ORDER BY id LIMIT $4"
            ),
        )
    };
}
pub(crate) use pages;

/// A page of an organization's rows, newest first.
pub(crate) async fn page<R: QueryableByName<Pg> + Send + 'static>(
    conn: &mut Connection,
    tenant: Tenant,
    by: PageBy<impl Into<Uuid>>,
    (forward, backward): (&'static str, &'static str),
) -> Step<Vec<R>> {
    let mut found: Vec<R> = diesel::sql_query(if by.backward { backward } else { forward })
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<SqlUuid, _>(by.after.map_or(Uuid::max(), Into::into))
        .bind::<SqlUuid, _>(by.before.map_or(Uuid::nil(), Into::into))
        .bind::<BigInt, _>(limit(by.limit))
        .prepared()
        .load(conn)
        .await?;
    if by.backward {
        found.reverse();
    }
    Ok(found)
}

/// Those of the rows that this release can read. The others are left to one that can, and told of once a process:
/// whoever reads them for every organization does it each second.
pub(crate) fn readable<R, T>(
    what: &'static str,
    found: Vec<R>,
    id: impl Fn(&R) -> Uuid,
    read: impl Fn(R) -> Step<T>,
) -> Vec<T> {
    static TOLD: Mutex<BTreeSet<Uuid>> = Mutex::new(BTreeSet::new());
    let read = |row: R| {
        let id = id(&row);
        match read(row) {
            Ok(row) => Some(row),
            Err(failure) => {
                if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
                    let error = failure.told("read a row").chain();
                    tracing::warn!(what, %id, error, "a row is passed over that this release cannot read");
                }
                None
            }
        }
    };
    found.into_iter().filter_map(read).collect()
}

/// For `LIMIT`.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub(crate) fn json<T: serde::Serialize>(value: &T) -> Step<serde_json::Value> {
    let value = serde_json::to_value(value);
    Ok(value.map_err(|source| colloquy_domain::Error::internal("write a row as JSON", source))?)
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Step<T> {
    let value = serde_json::from_value(value);
    Ok(value.map_err(|source| colloquy_domain::Error::internal("read a row's JSON", source))?)
}
