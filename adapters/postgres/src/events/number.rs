//! Giving positions. Whoever does it holds one lock from the last position to the commit.
//!
//! Events that have their position leave an entry each in the index of those that have none, until it is vacuumed.
//! So a pass begins where it was half a second ago; what took longer to commit is found by the passes that begin
//! at the beginning, which take a small part of the time.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use diesel::sql_types::{BigInt, Nullable};
use diesel_async::RunQueryDsl;

use crate::{errors::Step, jobs::Remembering, pool::Connection, rows, statement::Prepare};

/// An advisory lock for as long as a transaction: "events".
const LOCK: i64 = 0x6576_656e_7473;
const MARGIN: Duration = Duration::from_millis(500);
/// How far it was is noted so often.
const NOTED: Duration = Duration::from_millis(50);
/// Of the time, whole passes take one part in so many, and one is at most so old.
const SHARE: u32 = 20;
const OLDEST: Duration = Duration::from_secs(60);

/// SQL for the last position that was given, beside a row of `event_log`. It is not kept in that row: a row that is
/// written with every event is slow to find as soon as its earlier versions cannot be vacuumed.
macro_rules! head {
    () => {
        "greatest(trimmed, coalesce((SELECT max(position) FROM events), 0))"
    };
}
pub(super) use head;

#[derive(Debug, Default)]
pub(crate) struct Numbering {
    remembering: Remembering,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The last event that had a position at a moment.
    marks: VecDeque<(Instant, i64)>,
    whole_pass_at: Option<Instant>,
}

#[derive(diesel::QueryableByName)]
pub(super) struct Numbered {
    #[diesel(sql_type = BigInt)]
    pub(super) count: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    last: Option<i64>,
}

impl Numbering {
    pub(crate) fn new(remembering: Remembering) -> Self {
        Self { remembering, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event after which to begin; 0 for a whole pass.
    pub(super) fn from(&self, now: Instant) -> i64 {
        let state = self.state();
        let is_due = state.whole_pass_at.is_none_or(|at| at <= now);
        let known = state.marks.front().filter(|(at, _)| now - *at >= MARGIN);
        match known {
            Some((_, sequence)) if !is_due && self.remembering != Remembering::Never => *sequence,
            _ => 0,
        }
    }

    pub(super) fn note(&self, from: i64, begun: Instant, numbered: &Numbered) {
        let mut state = self.state();
        let now = Instant::now();
        if from == 0 {
            state.whole_pass_at = Some(now + ((now - begun) * SHARE).min(OLDEST));
        }
        if let Some(last) = numbered.last
            && state.marks.back().is_none_or(|(at, _)| begun - *at >= NOTED)
        {
            state.marks.push_back((begun, last));
        }
        // Of those that are old enough, the newest.
        while state.marks.get(1).is_some_and(|(at, _)| now - *at >= MARGIN) {
            state.marks.pop_front();
        }
    }
}

pub(super) async fn lock(conn: &mut Connection) -> Step<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
        .bind::<BigInt, _>(LOCK)
        .prepared()
        .execute(conn)
        .await?;
    Ok(())
}

/// A statement of its own under the [`lock`]: it must not see the log as it was before.
pub(super) async fn number(conn: &mut Connection, from: i64, limit: usize) -> Step<Numbered> {
    Ok(diesel::sql_query(concat!(
        "WITH next AS (
            SELECT sequence, row_number() OVER (ORDER BY sequence) AS place FROM (
                SELECT sequence FROM events WHERE position IS NULL AND sequence > $1 ORDER BY sequence LIMIT $2
            ) AS waiting
        ), numbered AS (
            UPDATE events e SET position = (SELECT ",
        head!(),
        " FROM event_log) + n.place FROM next n
            WHERE e.sequence = n.sequence RETURNING e.sequence
        )
        SELECT count(*) AS count, max(sequence) AS last FROM numbered"
    ))
    .bind::<BigInt, _>(from)
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .get_result(conn)
    .await?)
}
