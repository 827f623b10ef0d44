//! The event log: numbering, reading, trimming.

use async_trait::async_trait;

use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    events::{Event, LogBounds, Topic},
    time::Timestamp,
};

#[async_trait]
pub trait EventLog: Send + Sync {
    async fn bounds(&self) -> Result<LogBounds>;

    /// Gives positions to committed events that have none, in insert order; how many. Only the steward calls
    /// it.
    async fn number(&self, scope: SystemScope, limit: usize) -> Result<usize>;

    /// Events of every tenant after `position`, in order.
    async fn read(&self, scope: SystemScope, position: u64, limit: usize) -> Result<Vec<Event>>;

    /// Events of one topic after `position` up to and with `until`, in order.
    async fn replay(
        &self,
        tenant: Tenant,
        topic: Topic,
        position: u64,
        until: u64,
        limit: usize,
    ) -> Result<Vec<Event>>;

    /// Deletes events older than `before`, at most `limit`.
    async fn trim(&self, scope: SystemScope, before: Timestamp, limit: usize) -> Result<usize>;
}
