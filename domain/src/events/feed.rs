//! Live events for subscribers of this process: one reader follows the log and tells everybody. A subscriber
//! replays what it missed from the log, then goes live, without gap or duplicate; one that falls behind is
//! told so with the cursor from which it can resume.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{Stream, StreamExt, stream};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Result,
    accounts::{SystemScope, Tenant},
    events::{Event, LogPosition, Topic},
    ids::LogId,
    ports::{
        Ports,
        jobs::{Signal, Signals},
        store::events::EventLog,
    },
};

/// Events a subscriber may be behind before it lags.
const BUFFER: usize = 4_096;
const PAGE: usize = 500;
/// For a wake-up that was lost.
const POLL: Duration = Duration::from_secs(1);
const SCOPE: SystemScope = SystemScope::because("one reader serves the subscribers of every tenant");

#[derive(Clone)]
pub struct Feed {
    log: Arc<dyn EventLog>,
    live: broadcast::Sender<Arc<Event>>,
    /// The last position that has been or is just being told.
    told: Arc<AtomicU64>,
    log_id: LogId,
}

/// What a subscriber gets.
#[derive(Debug, Clone)]
pub enum FeedItem {
    Event(Arc<Event>),
    /// The subscriber was too slow; the feed ends here and can be resumed at the cursor.
    Lagged(LogPosition),
}

impl Feed {
    /// Follows the log from its present head until `stop`.
    pub async fn start(ports: &Ports, stop: CancellationToken) -> Result<Self> {
        let bounds = ports.events.bounds().await?;
        let feed = Self {
            log: ports.events.clone(),
            live: broadcast::Sender::new(BUFFER),
            told: Arc::new(AtomicU64::new(bounds.head)),
            log_id: bounds.log_id,
        };
        let (reader, signals) = (feed.clone(), ports.signals.clone());
        tokio::spawn(async move { stop.run_until_cancelled(reader.tell(signals)).await });
        Ok(feed)
    }

    async fn tell(self, signals: Arc<dyn Signals>) {
        let mut numbered = signals.subscribe(Signal::Numbered);
        let mut failing = false;
        loop {
            match self.tell_new().await {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(error = error.chain(), "live events wait for the database");
                }
                Err(_) => {}
            }
            // A closed channel is no reason to spin: then the poll alone goes on.
            let wake = async {
                if numbered.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = wake => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    async fn tell_new(&self) -> Result<()> {
        loop {
            let events = self.log.read(SCOPE, self.told.load(Ordering::Acquire), PAGE).await?;
            let full = events.len() == PAGE;
            for event in events {
                // Before it is sent: a subscriber that comes in between replays it from the log.
                self.told.store(event.position, Ordering::Release);
                // No receiver is no fault.
                let _receivers = self.live.send(Arc::new(event)).unwrap_or(0);
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// Events of the topic after `after`, first from the log, then live, without end.
    pub async fn follow(
        &self,
        tenant: Tenant,
        topic: Topic,
        after: LogPosition,
    ) -> Result<impl Stream<Item = Result<FeedItem>> + Send + 'static + use<>> {
        let live = self.live.subscribe();
        let told = self.told.load(Ordering::Acquire);
        let from = self.log.bounds().await?.resume_from(after).map_err(Error::Conflict)?;
        let replay = self.clone().replay(tenant, topic, from, told);
        let live = self.clone().live(tenant, topic, from.max(told), live);
        Ok(replay.chain(live))
    }

    /// Events of the topic from the log alone: after `after`, up to and with `until`.
    pub async fn past(
        &self,
        tenant: Tenant,
        topic: Topic,
        after: LogPosition,
        until: LogPosition,
    ) -> Result<impl Stream<Item = Result<FeedItem>> + Send + 'static + use<>> {
        let from = self.log.bounds().await?.resume_from(after).map_err(Error::Conflict)?;
        Ok(self.clone().replay(tenant, topic, from, until.position))
    }

    /// The first page of what is kept of a topic that is seldom, up to and with `until`.
    pub(crate) async fn kept_until(
        &self,
        tenant: Tenant,
        topic: Topic,
        until: LogPosition,
    ) -> Result<Vec<Event>> {
        let bounds = self.log.bounds().await?;
        let until = bounds.resume_from(until).map_err(Error::Conflict)?;
        self.log.replay(tenant, topic, bounds.trimmed, until, PAGE).await
    }

    fn replay(
        self,
        tenant: Tenant,
        topic: Topic,
        from: u64,
        until: u64,
    ) -> impl Stream<Item = Result<FeedItem>> + Send + 'static {
        let pages = stream::try_unfold((self, from), move |(feed, at)| async move {
            if at >= until {
                return Ok::<_, Error>(None);
            }
            let page = feed.log.replay(tenant, topic, at, until, PAGE).await?;
            let next = match page.last() {
                Some(last) if page.len() == PAGE => last.position,
                _ => until,
            };
            Ok(Some((page, (feed, next))))
        });
        pages.flat_map(|page| {
            let items: Vec<Result<FeedItem>> = match page {
                Ok(events) => events.into_iter().map(|event| Ok(FeedItem::Event(Arc::new(event)))).collect(),
                Err(error) => vec![Err(error)],
            };
            stream::iter(items)
        })
    }

    fn live(
        self,
        tenant: Tenant,
        topic: Topic,
        from: u64,
        receiver: broadcast::Receiver<Arc<Event>>,
    ) -> impl Stream<Item = Result<FeedItem>> + Send + 'static {
        let log_id = self.log_id;
        stream::unfold(Some((receiver, from)), move |state| async move {
            let (mut receiver, mut seen) = state?;
            loop {
                match receiver.recv().await {
                    Ok(event) if event.position <= seen => {}
                    Ok(event) => {
                        seen = event.position;
                        if event.organization_id == tenant.0 && topic.covers(&event.kind) {
                            return Some((Ok(FeedItem::Event(event)), Some((receiver, seen))));
                        }
                    }
                    Err(RecvError::Lagged(_)) => {
                        let position = LogPosition { log_id, position: seen };
                        return Some((Ok(FeedItem::Lagged(position)), None));
                    }
                    Err(RecvError::Closed) => return None,
                }
            }
        })
    }

    pub fn position(&self, event: &Event) -> LogPosition {
        LogPosition { log_id: self.log_id, position: event.position }
    }

    /// The log as it is now: a snapshot that is read after this call holds at this cursor.
    pub async fn now(&self) -> Result<LogPosition> {
        Ok(self.log.bounds().await?.position())
    }
}
