//! The audit log, as administrators read it.

use async_graphql::{
    Context, ID, InputObject, Json, Object, Result,
    connection::{Connection, EmptyFields, OpaqueCursor},
};
use colloquy_domain::{audit, time::Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::{
    AuditOutcome,
    accounts::{User, find_user},
};
use crate::{global_id, guards::actor};

/// What somebody did, or was refused.
pub(crate) struct AuditEntry(pub(crate) audit::AuditEntry);

pub(crate) type AuditConnection = Connection<OpaqueCursor<Uuid>, AuditEntry, EmptyFields, EmptyFields>;

#[Object]
impl AuditEntry {
    async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    /// Such as `jobs.cancel`, `queues.pause` or `members.setRole`.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// What it was done to, where that is one thing, such as a queue's name.
    async fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// With which arguments, and what came of it: ids and numbers.
    async fn detail(&self) -> Json<&Value> {
        Json(&self.0.detail)
    }

    /// Null for outcomes of a later release.
    async fn outcome(&self) -> Option<AuditOutcome> {
        audit::AuditOutcome::from_name(&self.0.outcome).map(AuditOutcome::from)
    }

    /// Null where nobody had signed in: an invitation was shown that is no good.
    async fn user_id(&self) -> Option<ID> {
        self.0.user_id.map(global_id::encode)
    }

    /// Null where they are no member any more.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.user_id {
            Some(id) => find_user(ctx, actor(ctx)?.tenant(), id).await,
            None => Ok(None),
        }
    }

    /// Null where it was no API key.
    async fn api_key_id(&self) -> Option<ID> {
        self.0.api_key_id.map(global_id::encode)
    }

    /// Null for what the server did by itself under somebody's credential.
    async fn remote_address(&self) -> Option<&str> {
        self.0.remote_address.as_deref()
    }

    /// Under which the server's log has more.
    async fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    async fn at(&self) -> Timestamp {
        self.0.at
    }
}

/// Narrows the audit log. Within a list any value will do; between fields all must hold.
#[derive(InputObject, Default)]
pub(crate) struct AuditFilter {
    /// Such as `jobs.cancel`.
    actions: Option<Vec<String>>,
    user_id: Option<ID>,
    outcome: Option<AuditOutcome>,
    from: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl AuditFilter {
    pub(crate) fn read(self) -> colloquy_domain::Result<audit::AuditFilter> {
        Ok(audit::AuditFilter {
            actions: self.actions.unwrap_or_default(),
            user_id: self.user_id.as_ref().map(global_id::require).transpose()?,
            outcome: self.outcome.map(Into::into),
            from: self.from,
            before: self.before,
        })
    }
}
