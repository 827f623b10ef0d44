//! Dispatch over Redis by apalis: hints on their way from the relay to workers. The ledger in PostgreSQL is
//! the truth; whatever is lost here comes again when its deadline there has passed. Beside it, rankings are kept for the
//! next pages of searches ([`RedisRankings`]).
//!
//! apalis-redis has sharp edges, and each has its guard: a worker that any Redis error ends is begun again
//! under a new name ([`serve`]); a poll strategy that cannot lose its wake-up and a bell rung by pub/sub make
//! pick-up quick ([`bell`]); what apalis would leave behind, and what would break it, is taken away by scripts
//! of our own ([`upkeep`]).

mod bell;
mod lane;
mod listen;
mod push;
mod rankings;
mod serve;
mod settings;
mod upkeep;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    jobs::Queue,
    ports::jobs::{Dispatcher, OnDispatch},
};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

pub use rankings::RedisRankings;
pub use settings::RedisSettings;

use crate::{bell::Bells, lane::Lane};

/// The client's own default of half a second would end workers whenever Redis saves to a slow disk.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a push or a ping may take before dispatch counts as not serving.
const PATIENCE: Duration = Duration::from_secs(3);

pub struct RedisDispatcher {
    client: redis::Client,
    connection: ConnectionManager,
    prefix: String,
    worker: String,
    bells: Arc<Bells>,
    /// Set when the listener has been started, which the first `serve` does; ends it when dropped.
    listener: OnceLock<DropGuard>,
}

impl RedisDispatcher {
    /// Does not connect yet: [`Dispatcher::ping`] tells whether Redis answers. `worker` must be unique to this
    /// run of this process. Needs a Tokio runtime.
    pub fn new(settings: &RedisSettings, worker: impl Into<String>) -> Result<Self> {
        const DOING: &str = "open the connection to Redis";
        let url = settings.url.as_deref().ok_or_else(|| Error::internal(DOING, "redis.url is not set"))?;
        let client = redis::Client::open(url).map_err(|error| Error::internal(DOING, error))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(500))
            .set_number_of_retries(2);
        let connection =
            client.get_connection_manager_lazy(config).map_err(|error| Error::internal(DOING, error))?;
        Ok(Self {
            client,
            connection,
            prefix: settings.prefix.clone(),
            worker: worker.into(),
            bells: Arc::default(),
            listener: OnceLock::new(),
        })
    }

    fn lane(&self, queue: Queue) -> Lane {
        Lane::new(&self.prefix, queue, self.connection.clone())
    }

    fn listen(&self) {
        self.listener.get_or_init(|| {
            let stop = CancellationToken::new();
            tokio::spawn(listen::run(
                self.client.clone(),
                self.prefix.clone(),
                self.bells.clone(),
                stop.clone(),
            ));
            stop.drop_guard()
        });
    }
}

#[async_trait]
impl Dispatcher for RedisDispatcher {
    async fn push(&self, queue: Queue, dispatches: &[Uuid]) -> Result<()> {
        patiently("push to Redis", push::push(&self.lane(queue), dispatches)).await
    }

    async fn withdraw(&self, queue: Queue, dispatches: &[Uuid]) -> Result<()> {
        let lane = self.lane(queue);
        let ids: Vec<_> = dispatches.iter().map(Uuid::to_string).collect();
        let withdrawn = patiently("take back from Redis", upkeep::withdraw(&lane, &ids)).await?;
        tracing::debug!(queue = queue.as_str(), withdrawn, "missed dispatches were taken back from redis");
        Ok(())
    }

    async fn serve(
        &self,
        queue: Queue,
        concurrency: usize,
        handler: Arc<dyn OnDispatch>,
        stop: CancellationToken,
    ) {
        self.listen();
        let bell = self.bells.hang(queue);
        serve::Server::new(self.lane(queue), self.worker.clone(), concurrency, handler, bell).run(stop).await;
    }

    /// Writes a key, since a replica or a full Redis answers a mere PING too.
    async fn ping(&self) -> Result<()> {
        let mut connection = self.connection.clone();
        let key = format!("{}:ping", self.prefix);
        let write = async move {
            redis::cmd("SET").arg(key).arg(1).arg("PX").arg(1000).exec_async(&mut connection).await
        };
        patiently("write to Redis", write).await
    }
}

async fn patiently<T, E>(doing: &'static str, work: impl Future<Output = Result<T, E>>) -> Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(result) => result.map_err(|error| Error::unavailable(doing, error)),
        Err(elapsed) => Err(Error::unavailable(doing, elapsed)),
    }
}
