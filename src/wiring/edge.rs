//! What the HTTP edge asks of the product.

use std::borrow::Cow;

use async_trait::async_trait;
use colloquy_api::{Authenticated, Check, Edge, Readiness};
use colloquy_domain::{
    Error,
    accounts::authenticate::authenticate,
    ports::{Ports, jobs::Dispatcher},
};
use colloquy_postgres::Postgres;
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;

use super::Core;

pub(super) struct Product {
    ports: Ports,
    postgres: Postgres,
    dispatcher: Arc<dyn Dispatcher>,
    metrics: PrometheusHandle,
}

impl Product {
    pub(super) fn new(core: &Core, metrics: PrometheusHandle) -> Self {
        Self {
            ports: core.ports.clone(),
            postgres: core.postgres.clone(),
            dispatcher: core.dispatcher.clone(),
            metrics,
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

    fn metrics(&self) -> String {
        self.metrics.run_upkeep();
        self.metrics.render()
    }
}

fn check(name: &'static str, ok: bool, detail: &'static str) -> Check {
    Check { name: Cow::Borrowed(name), ok, detail: Cow::Borrowed(detail) }
}
