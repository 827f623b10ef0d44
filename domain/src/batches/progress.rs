//! Watching a batch: first how it stands (or, with a cursor, what was told since), then each change, about one
//! a second, until it is over.

use async_stream::try_stream;
use futures::{Stream, StreamExt, pin_mut};
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    accounts::Tenant,
    batches::{Batch, BatchState, Counts, control},
    events::{
        EventKind, LogPosition, Topic,
        feed::{Feed, FeedItem},
    },
    ids::BatchId,
    money::MicroDollars,
    ports::Ports,
    time::Timestamp,
};

/// How far a batch had come at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub state: BatchState,
    pub counts: Counts,
    pub total: u64,
    pub spent: MicroDollars,
    /// Conversations a second.
    pub rate: f64,
    pub seconds_left: Option<u64>,
}

impl From<&Batch> for Progress {
    fn from(batch: &Batch) -> Self {
        Self {
            state: batch.state,
            counts: batch.counts,
            total: batch.total(),
            spent: batch.spent,
            rate: batch.rate,
            seconds_left: batch.seconds_left(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Told {
    Progress {
        progress: Progress,
        at: Timestamp,
        cursor: LogPosition,
    },
    /// The watcher was too slow; it may go on from here.
    Lagged(LogPosition),
}

pub async fn watch(
    ports: &Ports,
    feed: &Feed,
    tenant: Tenant,
    id: BatchId,
    after: Option<LogPosition>,
) -> Result<impl Stream<Item = Result<Told>> + Send + 'static + use<>> {
    let now = feed.now().await?;
    let batch = control::get(ports, tenant, id).await?;
    let present = Told::Progress { progress: Progress::from(&batch), at: ports.clock.now(), cursor: now };
    let is_over = batch.state.is_final();
    let topic = Topic::Batch(id);
    let past = feed.past(tenant, topic, after.unwrap_or(now), now).await?;
    let live = feed.follow(tenant, topic, now.max(after.unwrap_or(now))).await?;
    let feed = feed.clone();
    Ok(try_stream! {
        let mut last = None;
        if after.is_none() {
            yield present;
            last = Some(batch.state);
        }
        pin_mut!(past, live);
        while let Some(item) = past.next().await {
            if let Some((told, state)) = read(&feed, item?) {
                yield told;
                last = Some(state);
            }
        }
        if is_over {
            // The event of its end may have no position yet.
            if last.is_some_and(|state| !state.is_final()) {
                yield present;
            }
            return;
        }
        while let Some(item) = live.next().await {
            let item = item?;
            let Some((told, state)) = read(&feed, item) else { continue };
            yield told;
            if state.is_final() || matches!(told, Told::Lagged(_)) {
                break;
            }
        }
    })
}

fn read(feed: &Feed, item: FeedItem) -> Option<(Told, BatchState)> {
    match item {
        FeedItem::Lagged(at) => Some((Told::Lagged(at), BatchState::Running)),
        FeedItem::Event(event) => match &event.kind {
            EventKind::BatchChanged { progress, .. } => {
                let cursor = feed.position(&event);
                Some((Told::Progress { progress: *progress, at: event.at, cursor }, progress.state))
            }
            _ => None,
        },
    }
}
