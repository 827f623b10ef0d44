//! The sections `worker` and `steward` of the configuration.

use std::{net::SocketAddr, time::Duration};

use colloquy_domain::jobs::Queue;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerSettings {
    /// Handlers that run at once, by queue.
    pub concurrency: Concurrency,
    /// After this without a heartbeat a worker's jobs are given to others. Heartbeats come three times as
    /// often.
    pub lease_ms: u64,
    /// A queue whose oldest job has been due for so long, while nothing was received, is read from PostgreSQL
    /// directly until dispatch serves again.
    pub stuck_after_ms: u64,
    /// After a signal to end, handlers may go on for so long; the rest is handed back.
    pub grace_ms: u64,
    /// Whether `worker` runs its handlers in a process of their own and watches that.
    pub supervised: bool,
    /// A process of handlers that takes more memory is ended; 0 is no limit.
    pub memory_limit_mb: u64,
    /// Where a `worker` process serves `/livez`, `/readyz` and `/metrics`; nowhere unless it is given.
    pub health_bind: Option<SocketAddr>,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            concurrency: Concurrency::default(),
            lease_ms: 9_000,
            stuck_after_ms: 20_000,
            grace_ms: 20_000,
            supervised: true,
            memory_limit_mb: 2_048,
            health_bind: None,
        }
    }
}

impl WorkerSettings {
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms.max(1_000))
    }

    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }

    /// In bytes.
    pub fn memory_limit(&self) -> Option<u64> {
        (self.memory_limit_mb > 0).then(|| self.memory_limit_mb.saturating_mul(1 << 20))
    }

    pub(crate) fn stuck_after(&self) -> Duration {
        Duration::from_millis(self.stuck_after_ms)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Concurrency {
    pub ingest: usize,
    pub index: usize,
    pub embed: usize,
    pub analyze: usize,
    pub mail: usize,
    pub batch: usize,
    pub default: usize,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { ingest: 4, index: 4, embed: 1, analyze: 2, mail: 2, batch: 2, default: 8 }
    }
}

impl Concurrency {
    /// The same for every queue.
    pub fn all(handlers: usize) -> Self {
        Self {
            ingest: handlers,
            index: handlers,
            embed: handlers,
            analyze: handlers,
            mail: handlers,
            batch: handlers,
            default: handlers,
        }
    }

    /// At least one.
    pub fn of(&self, queue: Queue) -> usize {
        let handlers = match queue {
            Queue::Ingest => self.ingest,
            Queue::Index => self.index,
            Queue::Embed => self.embed,
            Queue::Analyze => self.analyze,
            Queue::Mail => self.mail,
            Queue::Batch => self.batch,
            Queue::Default => self.default,
        };
        handlers.max(1)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StewardSettings {
    /// A dispatch that no worker has claimed after this is made again.
    pub dispatch_deadline_ms: u64,
    /// How often leases and deadlines are looked through.
    pub reconcile_every_ms: u64,
    /// Finished jobs are kept for so many days; dead ones until somebody deletes them.
    pub keep_jobs_days: u32,
    /// Events are kept for so many days; a subscription cannot resume from before.
    pub keep_events_days: u32,
}

impl Default for StewardSettings {
    fn default() -> Self {
        Self {
            dispatch_deadline_ms: 15_000,
            reconcile_every_ms: 2_000,
            keep_jobs_days: 7,
            keep_events_days: 7,
        }
    }
}

impl StewardSettings {
    pub(crate) fn dispatch_deadline(&self) -> Duration {
        Duration::from_millis(self.dispatch_deadline_ms.max(1_000))
    }

    pub(crate) fn reconcile_every(&self) -> Duration {
        Duration::from_millis(self.reconcile_every_ms.max(100))
    }
}
