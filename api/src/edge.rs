//! What the product gives to the edge: who a credential is, whether it is ready, its metrics.

use std::borrow::Cow;

use async_trait::async_trait;
use colloquy_domain::{Error, accounts::Actor, time::Timestamp};
use serde::Serialize;

#[async_trait]
pub trait Edge: Send + Sync {
    /// Who holds this access token or API key.
    async fn authenticate(&self, credential: &str) -> Result<Authenticated, Error>;

    /// Whether what a request needs is there.
    async fn ready(&self) -> Readiness;

    /// How loaded a queue is; `None` where there is none of this name.
    async fn queue(&self, name: &str) -> Result<Option<QueueLoad>, Error>;

    /// All metrics as Prometheus' text format has them.
    fn metrics(&self) -> String;
}

/// One queue as autoscalers read it: counts over all organizations, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueLoad {
    pub queue: &'static str,
    /// What there is to do: ready and running.
    pub value: u64,
    pub ready: u64,
    pub running: u64,
    /// Age of the oldest job that is due and not running; 0 where none is.
    pub oldest_ready_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    pub actor: Actor,
    /// When the credential ends by itself, and with it what was opened by it.
    pub expires_at: Option<Timestamp>,
}

/// Ready when every check is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    pub checks: Vec<Check>,
}

impl Readiness {
    pub fn ok(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }
}

/// One thing that must be well. Anybody may read it: no addresses, no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: Cow<'static, str>,
    pub ok: bool,
    pub detail: Cow<'static, str>,
}
