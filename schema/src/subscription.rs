//! What can be watched. Every subscription to events takes `after`: it replays what was missed, then goes live, without
//! gap or duplicate; without it, the present state comes first. A client that is too slow gets `Lagged` with
//! the cursor to resume from, and the subscription ends.

mod searches;

use std::time::Duration;

use async_graphql::{Context, ID, Result, SimpleObject, Subscription as GraphqlSubscription, Union};
use colloquy_domain::{
    Error,
    accounts::{Role, Tenant},
    batches::progress as batch_progress,
    conversations::progress::{self, Told},
    events::{Event, EventKind, LogPosition, Topic, feed::FeedItem},
    ids::{BatchId, ConversationId, JobId},
    ports::Ports,
    time::Timestamp,
};
use futures::{Stream, StreamExt, stream};
use tokio::time::MissedTickBehavior;

use crate::{
    Wired,
    cursor::Cursor,
    errors::fault,
    global_id,
    guards::{actor, actor_with},
    loaders::{ConversationById, JobById},
    page::refuse,
    types::{
        self,
        batch::{Batch, BatchState, MicroDollars},
        conversation::Conversation,
        int,
        job::{Job, QueueStats, Queues},
        saved_search::WatchMode,
        search::SearchFilter,
    },
};

use searches::{Asked, SearchMatchedEvent};

pub struct Subscription;

/// The client was too slow, or the server too busy, to tell every event. Subscribe again with this cursor.
#[derive(SimpleObject, Clone)]
struct Lagged {
    cursor: Cursor,
}

/// A stage that a conversation's revision has reached.
struct ConversationProgress {
    tenant: Tenant,
    conversation_id: ConversationId,
    reached: progress::Reached,
}

#[async_graphql::Object]
impl ConversationProgress {
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        let key = ConversationById(self.tenant, self.conversation_id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Conversation))
    }

    async fn revision(&self) -> i32 {
        self.reached.revision
    }

    async fn stage(&self) -> types::Stage {
        self.reached.stage.into()
    }

    async fn at(&self) -> Timestamp {
        self.reached.at
    }

    /// The job that died, for FAILED: its kind says which stage will not come.
    async fn failed_job(&self, ctx: &Context<'_>) -> Result<Option<Job>> {
        let Some(id) = self.reached.failed_job else {
            return Ok(None);
        };
        Ok(ctx.loader().load_one(JobById(self.tenant, id)).await.map_err(fault)?.map(Job))
    }

    async fn cursor(&self) -> Cursor {
        Cursor(self.reached.cursor)
    }
}

#[derive(Union)]
enum ConversationProgressEvent {
    ConversationProgress(ConversationProgress),
    Lagged(Lagged),
}

/// A job's new state.
struct JobChange {
    tenant: Tenant,
    job_id: JobId,
    kind: colloquy_domain::jobs::JobKind,
    state: colloquy_domain::jobs::JobState,
    at: Timestamp,
    cursor: LogPosition,
}

#[async_graphql::Object]
impl JobChange {
    async fn id(&self) -> ID {
        global_id::encode(self.job_id)
    }

    async fn kind(&self) -> &'static str {
        self.kind.as_str()
    }

    /// The state that the job changed to.
    async fn state(&self) -> types::JobState {
        self.state.into()
    }

    async fn at(&self) -> Timestamp {
        self.at
    }

    /// The job as it is now, which may be further on; null once it is no longer kept.
    async fn job(&self, ctx: &Context<'_>) -> Result<Option<Job>> {
        Ok(ctx.loader().load_one(JobById(self.tenant, self.job_id)).await.map_err(fault)?.map(Job))
    }

    async fn cursor(&self) -> Cursor {
        Cursor(self.cursor)
    }
}

#[derive(Union)]
enum JobEvent {
    JobChange(JobChange),
    Lagged(Lagged),
}

/// How far a batch had come.
struct BatchProgress {
    tenant: Tenant,
    batch_id: BatchId,
    progress: batch_progress::Progress,
    at: Timestamp,
    cursor: LogPosition,
}

#[async_graphql::Object]
impl BatchProgress {
    async fn state(&self) -> BatchState {
        self.progress.state.into()
    }

    /// Conversations that it is about, as far as is known.
    async fn total(&self) -> i32 {
        int(self.progress.total)
    }

    async fn done(&self) -> i32 {
        int(self.progress.counts.done)
    }

    async fn failed(&self) -> i32 {
        int(self.progress.counts.failed)
    }

    async fn skipped(&self) -> i32 {
        int(self.progress.counts.skipped)
    }

    async fn cancelled(&self) -> i32 {
        int(self.progress.counts.cancelled)
    }

    async fn spent(&self) -> MicroDollars {
        MicroDollars(self.progress.spent)
    }

    /// Conversations a second, lately.
    async fn rate(&self) -> f64 {
        self.progress.rate
    }

    /// Until all have ended, if the rate stays; null where it does not move.
    async fn seconds_left(&self) -> Option<i32> {
        self.progress.seconds_left.map(int)
    }

    async fn at(&self) -> Timestamp {
        self.at
    }

    /// The batch as it is now, which may be further on.
    async fn batch(&self, ctx: &Context<'_>) -> Result<Option<Batch>> {
        let found = ctx.ports().batches.find(self.tenant, &[self.batch_id]).await.map_err(fault)?;
        Ok(found.into_iter().next().map(Batch::from))
    }

    async fn cursor(&self) -> Cursor {
        Cursor(self.cursor)
    }
}

#[derive(Union)]
enum BatchProgressEvent {
    BatchProgress(BatchProgress),
    Lagged(Lagged),
}

#[GraphqlSubscription]
impl Subscription {
    /// The stages of a conversation's current revision, each once, until all have been reached or one has
    /// failed. Without `after` the stages reached so far come first.
    async fn conversation_progress(
        &self,
        ctx: &Context<'_>,
        conversation_id: ID,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<ConversationProgressEvent>> + use<>> {
        let tenant = actor(ctx)?.tenant();
        let id: ConversationId = global_id::require(&conversation_id).map_err(fault)?;
        let progress = progress::watch(ctx.ports(), ctx.feed(), tenant, id, after.map(|after| after.0));
        let watched = progress.await.map_err(fault)?;
        Ok(watched.map(move |told| match told {
            Ok(Told::Stage(reached)) => {
                let progress = ConversationProgress { tenant, conversation_id: id, reached };
                Ok(ConversationProgressEvent::ConversationProgress(progress))
            }
            Ok(Told::Lagged(at)) => Ok(ConversationProgressEvent::Lagged(Lagged { cursor: Cursor(at) })),
            Err(error) => Err(fault(error)),
        }))
    }

    /// How far a batch has come, about once a second while it moves, until it is over. Without `after` its present
    /// state comes first. For administrators.
    async fn batch_progress(
        &self,
        ctx: &Context<'_>,
        batch_id: ID,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<BatchProgressEvent>> + use<>> {
        let tenant = actor_with(ctx, Role::Admin)?.tenant();
        let id: BatchId = global_id::require(&batch_id).map_err(fault)?;
        let watched = batch_progress::watch(ctx.ports(), ctx.feed(), tenant, id, after.map(|after| after.0));
        Ok(watched.await.map_err(fault)?.map(move |told| match told {
            Ok(batch_progress::Told::Progress { progress, at, cursor }) => {
                let event = BatchProgress { tenant, batch_id: id, progress, at, cursor };
                Ok(BatchProgressEvent::BatchProgress(event))
            }
            Ok(batch_progress::Told::Lagged(at)) => {
                Ok(BatchProgressEvent::Lagged(Lagged { cursor: Cursor(at) }))
            }
            Err(error) => Err(fault(error)),
        }))
    }

    /// Passages as they come that match a saved search, or a query that is not saved, within a second of their indexing;
    /// each text once, and none that was there before. Give `savedSearchId`, or `query` with its filter, mode (TEXT where
    /// none is given) and threshold. With `after` a saved search goes on from there; a query has no past. `Lagged` ends
    /// it: a saved search goes on from its cursor, a query begins anew.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn search_matched(
        &self,
        ctx: &Context<'_>,
        saved_search_id: Option<ID>,
        query: Option<String>,
        filter: Option<SearchFilter>,
        mode: Option<WatchMode>,
        #[graphql(desc = "As in `saveSearch`.")] threshold: Option<f32>,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<SearchMatchedEvent>> + use<>> {
        let asked = Asked { saved_search_id, query, filter, mode, threshold, after };
        searches::follow(ctx.ports(), ctx.feed(), actor(ctx)?, asked).await
    }

    /// The states of a job from now on, the present one first; without `id` those of every job of the
    /// organization as they change, for administrators.
    async fn job_changed(
        &self,
        ctx: &Context<'_>,
        id: Option<ID>,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<JobEvent>> + use<>> {
        let now = ctx.feed().now().await.map_err(fault)?;
        let mut first = Vec::new();
        let (tenant, topic) = match id {
            None => (actor_with(ctx, Role::Admin)?.tenant(), Topic::Jobs),
            Some(id) => {
                let tenant = actor(ctx)?.tenant();
                let id: JobId = global_id::require(&id).map_err(fault)?;
                let found = ctx.ports().ledger.find(tenant, &[id]).await.map_err(fault)?;
                let job = found.into_iter().next().ok_or_else(|| fault(Error::not_found("job", id)))?;
                if after.is_none() {
                    first.push(Ok(JobEvent::JobChange(JobChange {
                        tenant,
                        job_id: job.id,
                        kind: job.kind,
                        state: job.state,
                        at: job.finished_at.or(job.started_at).unwrap_or(job.created_at),
                        cursor: now,
                    })));
                }
                (tenant, Topic::Job(id))
            }
        };
        let items =
            ctx.feed().follow(tenant, topic, after.map_or(now, |after| after.0)).await.map_err(fault)?;
        let feed = ctx.feed().clone();
        let live = items.filter_map(move |item| {
            let told = match item {
                Err(error) => Some(Err(fault(error))),
                Ok(FeedItem::Lagged(at)) => Some(Ok(JobEvent::Lagged(Lagged { cursor: Cursor(at) }))),
                Ok(FeedItem::Event(event)) => job_change(tenant, &event, feed.position(&event)).map(Ok),
            };
            async move { told }
        });
        Ok(stream::iter(first).chain(live))
    }

    /// Every queue in numbers, at once and then as they change; they are looked at so often. It has no cursor: what
    /// was missed is of no use. For administrators.
    async fn queue_stats(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 2000, desc = "1000 to 60000.")] interval_ms: i32,
    ) -> Result<impl Stream<Item = Result<Vec<QueueStats>>> + use<>> {
        let tenant = actor_with(ctx, Role::Admin)?.tenant();
        if !(1_000..=60_000).contains(&interval_ms) {
            return Err(refuse(format!("`intervalMs` is 1000 to 60000; this is {interval_ms}")));
        }
        let every = Duration::from_millis(u64::from(interval_ms.unsigned_abs()));
        Ok(queue_stats(ctx.ports().clone(), tenant, every))
    }
}

/// Stats at once, then whenever a look at them finds others. A fault ends it.
fn queue_stats(ports: Ports, tenant: Tenant, every: Duration) -> impl Stream<Item = Result<Vec<QueueStats>>> {
    let mut looks = tokio::time::interval(every);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold(Some((looks, None)), move |state| {
        let ports = ports.clone();
        async move {
            let (mut looks, mut told) = state?;
            loop {
                looks.tick().await;
                match Queues::read(&ports, tenant).await {
                    Err(error) => return Some((Err(fault(error)), None)),
                    Ok(queues) if told.as_ref() == Some(&queues) => {}
                    Ok(queues) => {
                        let shown = queues.shown();
                        told = Some(queues);
                        return Some((Ok(shown), Some((looks, told))));
                    }
                }
            }
        }
    })
}

fn job_change(tenant: Tenant, event: &Event, cursor: LogPosition) -> Option<JobEvent> {
    match event.kind {
        EventKind::JobChanged { job_id, kind, state, .. } => {
            Some(JobEvent::JobChange(JobChange { tenant, job_id, kind, state, at: event.at, cursor }))
        }
        _ => None,
    }
}
