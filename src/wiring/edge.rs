//! What the HTTP edge asks of the product.

use std::{borrow::Cow, sync::Arc, time::Duration};

use async_trait::async_trait;
use colloquy_api::{Authenticated, Check, Edge, QueueLoad, Readiness};
use colloquy_domain::{
    Error,
    accounts::{SystemScope, authenticate::authenticate},
    jobs::Queue,
    ports::{
        Ports,
        jobs::{Dispatcher, Ledger, QueueStats},
    },
};
use colloquy_postgres::Postgres;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{sync::Mutex, time::Instant};

use super::Core;

pub(super) struct Product {
    ports: Ports,
    postgres: Postgres,
    dispatcher: Arc<dyn Dispatcher>,
    metrics: PrometheusHandle,
    counted: Mutex<Option<(Instant, Vec<QueueStats>)>>,
}

/// Anybody may ask how loaded a queue is, as often as they like: PostgreSQL is asked so often at most.
const COUNTS_HOLD: Duration = Duration::from_secs(1);

impl Product {
    pub(super) fn new(core: &Core, metrics: PrometheusHandle) -> Self {
        Self {
            ports: core.ports.clone(),
            postgres: core.postgres.clone(),
            dispatcher: core.dispatcher.clone(),
            metrics,
            counted: Mutex::default(),
        }
    }
}

#[async_trait]
impl Edge for Product {
    async fn authenticate(&self, credential: &str) -> Result<Authenticated, Error> {
        let known = authenticate(&self.ports, credential).await?;
        Ok(Authenticated { actor: known.actor, expires_at: known.expires_at })
    }

    async fn ready(&self) -> Readiness {
        let database = match self.postgres.pending_migrations().await {
            Ok(pending) if pending.is_empty() => check("database", true, "answers, the schema is current"),
            Ok(_) => check("database", false, "the schema is behind: run `colloquy migrate`"),
            Err(_) => check("database", false, "does not answer"),
        };
        // Without Redis jobs go through PostgreSQL and everything is served: it is told, not required.
        let dispatch = match self.dispatcher.ping().await {
            Ok(()) => check("redis", true, "answers"),
            Err(_) => check("redis", true, "does not answer; jobs go through PostgreSQL"),
        };
        Readiness { checks: vec![database, dispatch] }
    }

    async fn queue(&self, name: &str) -> Result<Option<QueueLoad>, Error> {
        let Ok(queue) = name.parse::<Queue>() else { return Ok(None) };
        let mut counted = self.counted.lock().await;
        if counted.as_ref().is_none_or(|(at, _)| at.elapsed() >= COUNTS_HOLD) {
            let scope = SystemScope::because("whoever scales workers sees counts only");
            *counted = Some((Instant::now(), self.postgres.queue_stats(scope).await?));
        }
        let stats = counted.iter().flat_map(|(_, stats)| stats).find(|stats| stats.queue == queue);
        Ok(stats.map(|stats| QueueLoad {
            queue: queue.as_str(),
            value: stats.ready + stats.running,
            ready: stats.ready,
            running: stats.running,
            oldest_ready_seconds: stats.oldest_ready_ms.unwrap_or(0) / 1000,
        }))
    }

    fn metrics(&self) -> String {
        self.metrics.run_upkeep();
        self.metrics.render()
    }
}

fn check(name: &'static str, ok: bool, detail: &'static str) -> Check {
    Check { name: Cow::Borrowed(name), ok, detail: Cow::Borrowed(detail) }
}
