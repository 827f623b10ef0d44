//! Background work, as administrators and importers see it.

use async_graphql::{
    Context, ID, InputObject, Json, Object, Result, SimpleObject,
    connection::{Connection, EmptyFields, OpaqueCursor},
};
use colloquy_domain::{
    accounts::{Role, SystemScope, Tenant},
    jobs,
    ports::{Ports, jobs as ports},
    time::Timestamp,
};
use uuid::Uuid;

use super::{JobState, Queue, conversation::Conversation, int};
use crate::{
    Wired,
    errors::fault,
    global_id,
    guards::{actor, actor_with},
    loaders::ConversationById,
};

/// One unit of background work.
#[derive(Clone)]
pub(crate) struct Job(pub(crate) jobs::Job);

pub(crate) type JobConnection = Connection<OpaqueCursor<Uuid>, Job, EmptyFields, EmptyFields>;

#[Object]
impl Job {
    pub(crate) async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    /// What it does, such as `index_passages`.
    async fn kind(&self) -> &'static str {
        self.0.kind.as_str()
    }

    async fn queue(&self) -> Queue {
        self.0.queue.into()
    }

    async fn state(&self) -> JobState {
        self.0.state.into()
    }

    /// Runs that counted so far.
    async fn attempts(&self) -> i32 {
        int(self.0.attempts.into())
    }

    async fn max_attempts(&self) -> i32 {
        int(self.0.max_attempts.into())
    }

    /// When it may run next, while it waits.
    async fn run_at(&self) -> Timestamp {
        self.0.run_at
    }

    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    async fn started_at(&self) -> Option<Timestamp> {
        self.0.started_at
    }

    async fn finished_at(&self) -> Option<Timestamp> {
        self.0.finished_at
    }

    /// The conversation it is about, while that is there.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        let Some(id) = self.0.conversation_id else {
            return Ok(None);
        };
        let key = ConversationById(actor(ctx)?.tenant(), id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Conversation))
    }

    /// Higher goes first.
    async fn priority(&self) -> i32 {
        self.0.priority.into()
    }

    /// How many jobs it still waits for.
    async fn waits_for(&self) -> i32 {
        int(self.0.waits_for.into())
    }

    /// When somebody asked for it to be cancelled while it ran: it stops soon.
    async fn cancel_requested_at(&self) -> Option<Timestamp> {
        self.0.cancel_requested_at
    }

    /// The trace of the request that caused it, for whoever keeps traces.
    async fn trace_id(&self) -> Option<&str> {
        self.0.trace_id()
    }

    /// Its arguments: ids and numbers. For administrators.
    async fn payload(&self, ctx: &Context<'_>) -> Result<Json<&serde_json::Value>> {
        actor_with(ctx, Role::Admin)?;
        Ok(Json(&self.0.payload))
    }

    /// What went wrong, oldest first. For administrators: it may quote internals.
    async fn errors(&self, ctx: &Context<'_>) -> Result<Vec<AttemptError>> {
        actor_with(ctx, Role::Admin)?;
        Ok(self.0.errors.iter().cloned().map(AttemptError::from).collect())
    }
}

/// Why one attempt failed.
#[derive(SimpleObject)]
pub(crate) struct AttemptError {
    attempt: i32,
    at: Timestamp,
    message: String,
}

impl From<jobs::AttemptError> for AttemptError {
    fn from(error: jobs::AttemptError) -> Self {
        Self { attempt: int(error.attempt.into()), at: error.at, message: error.message }
    }
}

/// Narrows the list of jobs. Within a list any value will do; between fields all must hold.
#[derive(InputObject, Default)]
pub(crate) struct JobFilter {
    ids: Option<Vec<ID>>,
    /// Such as `index_passages`.
    kinds: Option<Vec<String>>,
    queues: Option<Vec<Queue>>,
    states: Option<Vec<JobState>>,
    conversation_id: Option<ID>,
    batch_id: Option<ID>,
    /// Words that stand next to each other in the message of one of its errors.
    error: Option<String>,
    created_from: Option<Timestamp>,
    created_before: Option<Timestamp>,
}

impl JobFilter {
    pub(crate) fn read(self) -> colloquy_domain::Result<ports::JobFilter> {
        let kind = |name: String| {
            jobs::JobKind::from_name(&name).ok_or_else(|| colloquy_domain::Error::not_found("job kind", name))
        };
        let conversation_id = self.conversation_id.as_ref().map(global_id::require).transpose()?;
        let batch_id = self.batch_id.as_ref().map(global_id::require).transpose()?;
        let ids = self.ids.unwrap_or_default();
        Ok(ports::JobFilter {
            ids: ids.iter().map(global_id::require).collect::<Result<_, _>>()?,
            kinds: self.kinds.unwrap_or_default().into_iter().map(kind).collect::<Result<_, _>>()?,
            queues: self.queues.unwrap_or_default().into_iter().map(Into::into).collect(),
            states: self.states.unwrap_or_default().into_iter().map(Into::into).collect(),
            conversation_id,
            batch_id,
            error: self.error,
            created_from: self.created_from,
            created_before: self.created_before,
        })
    }
}

/// One queue in numbers, over all organizations of the installation.
#[derive(SimpleObject)]
pub(crate) struct QueueStats {
    name: Queue,
    /// Due and waiting.
    ready: i32,
    /// Waiting for their time.
    delayed: i32,
    /// Waiting for other jobs.
    waiting: i32,
    running: i32,
    dead: i32,
    /// Age of the oldest job that is due and not running.
    oldest_ready_ms: Option<i32>,
    /// Workers seen lately that serve it.
    workers: i32,
    /// For every organization: nothing of it begins. Whoever runs the installation does that.
    is_paused: bool,
    /// By your organization, for its own jobs.
    is_paused_here: bool,
    /// Jobs a second over the last minute, that came and that ended; null until they have been watched for some
    /// seconds.
    rate_in: Option<f64>,
    rate_out: Option<f64>,
    /// When what is ready and running will be done if the rates stay; null where it does not become less.
    drain_seconds: Option<i32>,
}

impl QueueStats {
    fn new(stats: &ports::QueueStats, paused_here: &[jobs::Queue]) -> Self {
        Self {
            name: stats.queue.into(),
            ready: int(stats.ready),
            delayed: int(stats.delayed),
            waiting: int(stats.waiting),
            running: int(stats.running),
            dead: int(stats.dead),
            oldest_ready_ms: stats.oldest_ready_ms.map(int),
            workers: int(stats.workers),
            is_paused: stats.is_paused,
            is_paused_here: paused_here.contains(&stats.queue),
            rate_in: stats.rate_in,
            rate_out: stats.rate_out,
            drain_seconds: stats.drain_time().map(|time| int(time.as_secs_f64().ceil() as u64)),
        }
    }
}

/// Every queue, as an organization sees it.
#[derive(PartialEq)]
pub(crate) struct Queues {
    stats: Vec<ports::QueueStats>,
    paused_here: Vec<jobs::Queue>,
}

impl Queues {
    pub(crate) async fn read(ports: &Ports, tenant: Tenant) -> colloquy_domain::Result<Self> {
        let scope = SystemScope::because("queues serve every tenant; only counts are shown");
        let stats = ports.ledger.queue_stats(scope).await?;
        Ok(Self { stats, paused_here: ports.ledger.paused(tenant).await? })
    }

    pub(crate) fn shown(&self) -> Vec<QueueStats> {
        self.stats.iter().map(|stats| QueueStats::new(stats, &self.paused_here)).collect()
    }

    pub(crate) fn find(&self, queue: jobs::Queue) -> Option<QueueStats> {
        let stats = self.stats.iter().find(|stats| stats.queue == queue)?;
        Some(QueueStats::new(stats, &self.paused_here))
    }
}
