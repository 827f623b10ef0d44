//! One queue in Redis: its keys, its wake-up channel and how apalis is to treat it.

use std::time::Duration;

use apalis_redis::Config;
use colloquy_domain::jobs::Queue;
use redis::aio::ConnectionManager;

const HEARTBEAT: Duration = Duration::from_secs(5);
/// A worker silent for so many heartbeats has its messages given to others.
const MISSED_HEARTBEATS: usize = 6;

#[derive(Clone)]
pub(crate) struct Lane {
    pub(crate) queue: Queue,
    pub(crate) connection: ConnectionManager,
    pub(crate) config: Config,
    pub(crate) channel: String,
}

impl Lane {
    pub(crate) fn new(prefix: &str, queue: Queue, connection: ConnectionManager) -> Self {
        let config = Config::default()
            .queue(format!("{prefix}:{}", queue.as_str()))
            // More would be fetched ahead of free handlers, and starve heartbeats while they wait.
            .batch_size(1)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            .lock_tasks(false)
            .emit_events(false)
            // Acknowledgements are ours: see `upkeep::finish`.
            .persist_results(false);
        Self { queue, connection, config, channel: channel(prefix, queue) }
    }

    pub(crate) fn inflight_key(&self, worker: &str) -> String {
        format!("{}:{worker}", self.config.inflight_jobs_set())
    }

    pub(crate) fn metadata_key(&self, worker: &str) -> String {
        format!("{}:workers:metadata:{worker}", self.config.queue.as_ref())
    }
}

pub(crate) fn channel(prefix: &str, queue: Queue) -> String {
    format!("{prefix}:{}:wake", queue.as_str())
}
