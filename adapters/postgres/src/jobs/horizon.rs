//! Where jobs wait, from memory, for as long as looking is dear.
//!
//! An index keeps the entries of what has long been done until they are vacuumed, and while anybody's transaction is
//! open they are not: then whoever looks for the first job of a stream passes all that were there since. So where a
//! look takes long, it is taken seldom, and in between dispatch begins where the last one found something. What
//! appears before that (a transaction that took long to commit, a job given back) is found by the next look, and so
//! is the first job of a stream that nobody knew.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use colloquy_domain::jobs::Queue;
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    errors::Step,
    jobs::dispatch::{no_streams, running, streams},
    pool::Connection,
    statement::Prepare,
};

/// A dispatch that takes longer is a reason to find out what a look takes.
const SLOW_DISPATCH: Duration = Duration::from_millis(5);
/// But no more often than this.
const BETWEEN: Duration = Duration::from_millis(500);
/// A look that takes longer is dear, and so many in a row are no accident.
const DEAR: Duration = Duration::from_millis(3);
const IN_A_ROW: u32 = 2;
/// Of the time, looks take one part in so many, and one is at most so old.
const SHARE: u32 = 20;
const OLDEST: Duration = Duration::from_secs(60);
/// A job's time is that of its transaction's begin: one that commits within this is not overlooked.
const MARGIN: Duration = Duration::from_millis(500);
/// A dispatch is made when its transaction begins: one that took no longer than this was seen, or is not overlooked.
const UNSEEN: Duration = Duration::from_secs(5);
/// A stream in which nothing waits is remembered so long.
const KEPT: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, PartialEq, Eq, Hash, QueryableByName)]
struct Stream {
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = SmallInt)]
    priority: i16,
    #[diesel(sql_type = SqlUuid)]
    lane: Uuid,
    #[diesel(sql_type = Text)]
    provider: String,
}

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(embed)]
    stream: Stream,
    #[diesel(sql_type = Timestamptz)]
    run_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Running {
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = SqlUuid)]
    lane: Uuid,
    #[diesel(sql_type = BigInt)]
    jobs: i64,
}

#[derive(QueryableByName)]
struct Standing {
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    first: Option<DateTime<Utc>>,
}

/// What a look has found.
pub(super) struct Seen {
    standing: Standing,
    waiting: Vec<Waiting>,
    running: Vec<Running>,
}

/// What dispatch goes by, a column an array.
#[derive(Debug)]
pub(super) struct Known {
    /// Nothing is known: dispatch looks for itself.
    pub(super) is_nothing: bool,
    /// No dispatch that stands was made earlier.
    pub(super) standing_from: DateTime<Utc>,
    pub(super) streams: Streams,
    pub(super) running: Counts,
}

#[derive(Debug, Default)]
pub(super) struct Streams {
    pub(super) queues: Vec<String>,
    pub(super) priorities: Vec<i16>,
    pub(super) lanes: Vec<Uuid>,
    pub(super) providers: Vec<String>,
    /// No job of the stream is due earlier.
    pub(super) from: Vec<DateTime<Utc>>,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) queues: Vec<String>,
    pub(super) lanes: Vec<Uuid>,
    pub(super) jobs: Vec<i64>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            is_nothing: true,
            standing_from: DateTime::UNIX_EPOCH,
            streams: Streams::default(),
            running: Counts::default(),
        }
    }
}

/// When dispatch goes by what it remembers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Remembering {
    /// Where looks turn out to be dear.
    #[default]
    WhereDear,
    Never,
    /// From the first look to the next, which is this much later and waited for: for tests.
    For(Duration),
}

#[derive(Debug, Default)]
pub(crate) struct Horizon {
    remembering: Remembering,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Arc<Known>,
    /// When something was last seen in a stream.
    last_seen: HashMap<Stream, Instant>,
    looked_at: Option<Instant>,
    look_at: Option<Instant>,
    is_looking: bool,
    dear_in_a_row: u32,
}

/// What a dispatch does first.
pub(super) enum Next {
    Go,
    LookFirst,
    /// It goes by what is known while somebody looks.
    LookMeanwhile,
}

/// While somebody looks, nobody else does.
pub(super) struct Looking<'a> {
    horizon: &'a Horizon,
    begun: Instant,
}

impl Looking<'_> {
    pub(super) fn learn(self, seen: Seen) {
        let remembering = self.horizon.remembering;
        self.horizon.state().learn(remembering, seen, self.begun.elapsed(), Instant::now());
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.horizon.state().is_looking = false;
    }
}

/// In statements of their own, so that each sees what was committed before it.
pub(super) async fn look(conn: &mut Connection) -> Step<Seen> {
    let standing = diesel::sql_query("SELECT now() AS at, min(made_at) AS first FROM dispatches");
    let standing = standing.prepared().get_result(conn).await?;
    let waiting = diesel::sql_query(concat!(
        "WITH RECURSIVE ",
        streams!(no_streams!(), "true", "SELECT unnest($1) AS queue"),
        " SELECT * FROM streams"
    ));
    let queues: Vec<_> = Queue::ALL.iter().map(|queue| queue.as_str()).collect();
    let waiting = waiting.bind::<Array<Text>, _>(queues).prepared().load(conn).await?;
    let running = diesel::sql_query(running!("true")).prepared().load(conn).await?;
    Ok(Seen { standing, waiting, running })
}

impl Horizon {
    pub(crate) fn new(remembering: Remembering) -> Self {
        let look_at = matches!(remembering, Remembering::For(_)).then(Instant::now);
        Self { remembering, state: Mutex::new(State { look_at, ..State::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next(&self) -> Next {
        let mut state = self.state();
        if state.is_looking || state.look_at.is_none_or(|at| at > Instant::now()) {
            return Next::Go;
        }
        // Until the look has begun.
        state.is_looking = true;
        match self.remembering {
            Remembering::For(_) => Next::LookFirst,
            _ => Next::LookMeanwhile,
        }
    }

    pub(super) fn begin(&self) -> Looking<'_> {
        Looking { horizon: self, begun: Instant::now() }
    }

    pub(super) fn known(&self) -> Arc<Known> {
        self.state().known.clone()
    }

    /// A dispatch has ended.
    pub(super) fn took(&self, begun: Instant) {
        if self.remembering == Remembering::WhereDear {
            self.state().took(begun.elapsed(), Instant::now());
        }
    }
}

impl State {
    fn took(&mut self, took: Duration, now: Instant) {
        let lately = self.looked_at.is_some_and(|at| now - at < BETWEEN);
        if took > SLOW_DISPATCH && self.look_at.is_none() && !lately {
            self.look_at = Some(now);
        }
    }

    fn learn(&mut self, remembering: Remembering, seen: Seen, took: Duration, now: Instant) {
        self.looked_at = Some(now);
        self.dear_in_a_row = if took > DEAR { self.dear_in_a_row + 1 } else { 0 };
        let next = match remembering {
            Remembering::For(next) => next,
            _ if self.dear_in_a_row >= IN_A_ROW => (took * SHARE).min(OLDEST),
            _ => {
                self.look_at = None;
                self.last_seen.clear();
                self.known = Arc::default();
                return;
            }
        };
        self.look_at = Some(now + next);
        let recently = seen.standing.at - MARGIN;
        let mut from: HashMap<Stream, DateTime<Utc>> =
            seen.waiting.into_iter().map(|one| (one.stream, one.run_at.min(recently))).collect();
        self.last_seen.extend(from.keys().map(|stream| (stream.clone(), now)));
        self.last_seen.retain(|_, at| now - *at < KEPT);
        for stream in self.last_seen.keys() {
            from.entry(stream.clone()).or_insert(recently);
        }
        let mut known = Known {
            is_nothing: false,
            standing_from: seen.standing.first.unwrap_or(seen.standing.at).min(seen.standing.at) - UNSEEN,
            ..Known::default()
        };
        for (stream, from) in from {
            known.streams.queues.push(stream.queue);
            known.streams.priorities.push(stream.priority);
            known.streams.lanes.push(stream.lane);
            known.streams.providers.push(stream.provider);
            known.streams.from.push(from);
        }
        for one in seen.running {
            known.running.queues.push(one.queue);
            known.running.lanes.push(one.lane);
            known.running.jobs.push(one.jobs);
        }
        self.known = Arc::new(known);
    }
}
