//! Batches: the same work on many conversations.

use async_graphql::{
    Context, Enum, ID, InputObject, InputValueError, InputValueResult, Object, Result, Scalar, ScalarType,
    SimpleObject, Value,
    connection::{Connection, EmptyFields, OpaqueCursor},
};
use colloquy_domain::{
    batches::{
        self, AnalyzerChoice as DomainAnalyzerChoice, BatchKind as DomainKind, BatchState as DomainState,
    },
    money,
    ports::store::{conversations as store, generations::Generations},
    time::Timestamp,
};
use uuid::Uuid;

use super::{ConversationKind, conversation::people, int, schedule::Schedule};
use crate::{Wired, errors::fault, global_id, guards::actor, loaders::ScheduleById};

/// Millionths of a US dollar, as a whole number: 1500000 is $1.50.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MicroDollars(pub(crate) money::MicroDollars);

#[Scalar]
impl ScalarType for MicroDollars {
    fn parse(value: Value) -> InputValueResult<Self> {
        let strange =
            || InputValueError::custom("millionths of a dollar are a whole number from 0 on, up to 2^53");
        let Value::Number(number) = &value else { return Err(InputValueError::expected_type(value)) };
        let micros = number.as_u64().filter(|micros| *micros <= 1 << 53).ok_or_else(strange)?;
        Ok(Self(money::MicroDollars(micros)))
    }

    fn to_value(&self) -> Value {
        Value::from(self.0.0)
    }
}

/// A whole number from 0 on, which may be beyond `Int`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Long(pub(crate) u64);

#[Scalar]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::Number(number) = &value else { return Err(InputValueError::expected_type(value)) };
        let strange = || InputValueError::custom("a whole number from 0 on");
        number.as_u64().map(Self).ok_or_else(strange)
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// What a batch does to each of its conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainKind")]
pub(crate) enum BatchKind {
    /// Analyses anew, beside the analyses of before.
    Reanalyze,
    /// Reads the kept bytes again; another transcript is a new revision. What was changed by hand since is skipped, unless
    /// `overwriteEdits` says otherwise.
    Reimport,
    /// Writes the transcript as JSON into the object store, at `exports/ORGANIZATION/CONVERSATION/BATCH.json`.
    Export,
    /// Deletes, for good.
    Purge,
    /// Writes what the search indexes hold of each conversation anew; vectors come from PostgreSQL. In place, or with
    /// `everywhere` into a new generation beside the live one. A language that is not known is found where the
    /// text tells it.
    Reindex,
    /// The same, with every vector made anew.
    Reembed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainState")]
pub(crate) enum BatchState {
    /// Counted and priced; nothing is done.
    Planned,
    Running,
    Paused,
    /// Its cap does not hold the next conversation: resume it with a higher one. Or it is a rebuild of which conversations
    /// failed or were cancelled: retry them. `reason` says which.
    Stopped,
    /// Cancelled, and the last of its jobs are ending.
    Cancelling,
    Cancelled,
    /// Every conversation has ended, well or not.
    Done,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainAnalyzerChoice", name = "Analyzer")]
pub(crate) enum AnalyzerChoice {
    /// By rules, without a model and without a price.
    #[default]
    Extractive,
    /// Finds the same for a price, where the operator has switched it on: to try caps.
    TestPriced,
}

/// Which conversations. Within a list any value will do; between fields all must hold.
#[derive(InputObject, Default)]
pub(crate) struct BatchFilter {
    /// At most 1,000.
    conversation_ids: Option<Vec<ID>>,
    kinds: Option<Vec<ConversationKind>>,
    /// Names, compared without case.
    tags: Option<Vec<String>>,
    /// Inclusive. A conversation without a time is outside every span.
    occurred_from: Option<Timestamp>,
    /// Exclusive.
    occurred_before: Option<Timestamp>,
    /// When it was imported; inclusive.
    created_from: Option<Timestamp>,
    /// Exclusive.
    created_before: Option<Timestamp>,
    /// Part of the title, compared without case.
    #[graphql(validator(max_length = 300))]
    title_contains: Option<String>,
    /// Who speaks. At most 100.
    #[graphql(validator(max_items = 100))]
    person_ids: Option<Vec<ID>>,
}

impl BatchFilter {
    pub(crate) fn read(self) -> colloquy_domain::Result<store::ConversationFilter> {
        let ids = |ids: Vec<ID>| ids.iter().map(global_id::require).collect::<Result<_, _>>();
        Ok(store::ConversationFilter {
            ids: self.conversation_ids.map(ids).transpose()?,
            kinds: self.kinds.unwrap_or_default().into_iter().map(Into::into).collect(),
            tags: self.tags.unwrap_or_default(),
            occurred_from: self.occurred_from,
            occurred_before: self.occurred_before,
            created_from: self.created_from,
            created_before: self.created_before,
            title_contains: self.title_contains,
            person_ids: people(self.person_ids)?,
        })
    }
}

#[derive(InputObject, Default)]
pub(crate) struct BatchOptions {
    /// For REANALYZE.
    #[graphql(default_with = "AnalyzerChoice::Extractive")]
    analyzer: AnalyzerChoice,
    /// For REIMPORT: also conversations that were changed by hand since they were read, which are skipped otherwise. Those
    /// changes are of past revisions then, and `revertConversation` brings them back.
    #[graphql(default)]
    overwrite_edits: bool,
}

impl BatchOptions {
    pub(crate) fn read(self, everywhere: bool) -> batches::BatchOptions {
        batches::BatchOptions {
            analyzer: self.analyzer.into(),
            overwrite_edits: self.overwrite_edits,
            everywhere,
        }
    }
}

/// The generations of the search indexes, which are of the whole installation.
#[derive(SimpleObject)]
pub(crate) struct SearchIndex {
    /// That searches read.
    live: i32,
    /// That a batch is building, beside it.
    building: Option<i32>,
    /// The batch.
    building_batch_id: Option<ID>,
    /// That was live before, and can be again by `rollBackSearchIndex`. It is kept after a rebuild, has every change,
    /// and goes when the next one begins.
    previous: Option<i32>,
}

impl From<Generations> for SearchIndex {
    fn from(found: Generations) -> Self {
        let number = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
        Self {
            live: number(found.standing.live),
            building: found.standing.building.map(number),
            building_batch_id: found.building_batch.map(global_id::encode),
            previous: found.standing.previous.map(number),
        }
    }
}

/// What a batch touches and costs, as it was counted. Counting costs nothing.
#[derive(SimpleObject)]
pub(crate) struct BatchPlan {
    conversations: i32,
    segments: i32,
    /// Of text.
    characters: Long,
    /// Estimated: a quarter of the characters.
    tokens: Long,
    price: MicroDollars,
    price_per_1000_tokens: MicroDollars,
    duration_ms: Long,
    /// Where the duration comes from.
    duration_basis: String,
    /// What cannot be done, and why.
    impossible: Vec<Impossible>,
}

#[derive(SimpleObject)]
struct Impossible {
    reason: String,
    conversations: i32,
}

impl From<batches::Plan> for BatchPlan {
    fn from(plan: batches::Plan) -> Self {
        let impossible = plan.impossible.into_iter();
        Self {
            conversations: int(plan.conversations),
            segments: int(plan.segments),
            characters: Long(plan.characters),
            tokens: Long(plan.tokens),
            price: MicroDollars(plan.price),
            price_per_1000_tokens: MicroDollars(plan.price_per_1000_tokens),
            duration_ms: Long(plan.duration_ms),
            duration_basis: plan.duration_basis,
            impossible: impossible
                .map(|one| Impossible { reason: one.reason, conversations: int(one.conversations) })
                .collect(),
        }
    }
}

/// What became of a batch.
#[derive(SimpleObject)]
struct BatchReport {
    done: i32,
    failed: i32,
    skipped: i32,
    cancelled: i32,
    spent: MicroDollars,
    duration_ms: Long,
    /// The most frequent first; at most 10.
    failures: Vec<Failures>,
}

#[derive(SimpleObject)]
struct Failures {
    message: String,
    conversations: i32,
}

impl From<&batches::Report> for BatchReport {
    fn from(report: &batches::Report) -> Self {
        let failures = report.failures.iter();
        Self {
            done: int(report.counts.done),
            failed: int(report.counts.failed),
            skipped: int(report.counts.skipped),
            cancelled: int(report.counts.cancelled),
            spent: MicroDollars(report.spent),
            duration_ms: Long(report.duration_ms),
            failures: failures
                .map(|one| Failures { message: one.message.clone(), conversations: int(one.conversations) })
                .collect(),
        }
    }
}

/// The same work on many conversations. For administrators.
#[derive(Clone)]
pub(crate) struct Batch(Box<batches::Batch>);

impl From<batches::Batch> for Batch {
    fn from(batch: batches::Batch) -> Self {
        Self(Box::new(batch))
    }
}

pub(crate) type BatchConnection = Connection<OpaqueCursor<Uuid>, Batch, EmptyFields, EmptyFields>;

#[Object]
impl Batch {
    pub(crate) async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    /// Whose run it is, while that is there; null where somebody planned it.
    async fn schedule(&self, ctx: &Context<'_>) -> Result<Option<Schedule>> {
        let Some(id) = self.0.schedule_id else { return Ok(None) };
        let key = ScheduleById(actor(ctx)?.tenant(), id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Schedule::from))
    }

    async fn kind(&self) -> BatchKind {
        self.0.kind.into()
    }

    async fn state(&self) -> BatchState {
        self.0.state.into()
    }

    /// Whether it is over every organization, and builds a generation of the search indexes.
    async fn everywhere(&self) -> bool {
        self.0.is_rebuild()
    }

    /// As it was planned.
    async fn plan(&self) -> BatchPlan {
        self.0.plan.clone().into()
    }

    /// What it may cost; null where there is no cap.
    async fn cap(&self) -> Option<MicroDollars> {
        self.0.cap.map(MicroDollars)
    }

    /// Held back for conversations under way. Together with `spent` it is never more than `cap`.
    async fn reserved(&self) -> MicroDollars {
        MicroDollars(self.0.reserved)
    }

    async fn spent(&self) -> MicroDollars {
        MicroDollars(self.0.spent)
    }

    /// How many are begun a minute at most.
    async fn per_minute(&self) -> Option<i32> {
        self.0.per_minute.map(|rate| int(rate.into()))
    }

    /// Conversations that it is about, as far as is known.
    async fn total(&self) -> i32 {
        int(self.0.total())
    }

    /// Conversations that have or had a job.
    async fn fed(&self) -> i32 {
        int(self.0.counts.fed)
    }

    async fn done(&self) -> i32 {
        int(self.0.counts.done)
    }

    async fn failed(&self) -> i32 {
        int(self.0.counts.failed)
    }

    /// There was nothing to do: the analysis stands already, the transcript is the same, it is gone. Also what failed and
    /// was discarded, once the other failures have been retried.
    async fn skipped(&self) -> i32 {
        int(self.0.counts.skipped)
    }

    async fn cancelled(&self) -> i32 {
        int(self.0.counts.cancelled)
    }

    /// Conversations a second, lately.
    async fn rate(&self) -> f64 {
        self.0.rate
    }

    /// Until all have ended, if the rate stays; null where it does not move.
    async fn seconds_left(&self) -> Option<i32> {
        self.0.seconds_left().map(int)
    }

    /// Why it stands still.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Once it is over.
    async fn report(&self) -> Option<BatchReport> {
        self.0.report.as_ref().map(BatchReport::from)
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
}
