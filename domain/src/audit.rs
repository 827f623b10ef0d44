//! Who did what, from where, and what became of it. An entry is written in the transaction of what it tells of,
//! and neither changed nor deleted afterwards. It holds ids and numbers, never the text of a conversation.

use std::net::IpAddr;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    Error, Result,
    accounts::{Actor, Credential, Role},
    ids::{ApiKeyId, AuditEntryId, OrganizationId, UserId},
    ports::Ports,
    time::Timestamp,
};

/// Where a call comes from; empty for one that came by no network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    pub remote_address: Option<IpAddr>,
    /// Under which the log has more.
    pub request_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    Done,
    /// It was asked for, and not allowed or not understood: nothing has changed.
    Refused,
}

impl AuditOutcome {
    pub const ALL: [Self; 2] = [Self::Done, Self::Refused];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "DONE",
            Self::Refused => "REFUSED",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// To be written with the change that it tells of.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAuditEntry {
    pub id: AuditEntryId,
    pub organization_id: OrganizationId,
    pub user_id: UserId,
    pub api_key_id: Option<ApiKeyId>,
    /// Such as `jobs.cancel`; a name outlives releases.
    pub action: &'static str,
    /// What it was done to, where that is one thing.
    pub subject: Option<String>,
    /// Ids, numbers and names of ours.
    pub detail: Map<String, Value>,
    pub origin: Origin,
    pub outcome: AuditOutcome,
}

impl NewAuditEntry {
    pub fn new(ports: &Ports, actor: &Actor, origin: &Origin, action: &'static str) -> Self {
        Self {
            id: AuditEntryId(ports.ids.next()),
            organization_id: actor.organization_id,
            user_id: actor.user_id,
            api_key_id: match actor.credential {
                Credential::ApiKey(id) => Some(id),
                Credential::Session(_) => None,
            },
            action,
            subject: None,
            detail: Map::new(),
            origin: origin.clone(),
            outcome: AuditOutcome::Done,
        }
    }

    /// The same again, as an entry of its own.
    pub(crate) fn again(&self, ports: &Ports) -> Self {
        Self { id: AuditEntryId(ports.ids.next()), ..self.clone() }
    }
}

/// As the log has it. Actions and outcomes may be those of a later release.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    pub id: AuditEntryId,
    pub user_id: Option<UserId>,
    pub api_key_id: Option<ApiKeyId>,
    pub action: String,
    pub subject: Option<String>,
    pub detail: Value,
    pub remote_address: Option<String>,
    pub request_id: Option<String>,
    pub outcome: String,
    pub at: Timestamp,
}

/// Within a list any value will do; between fields all must hold.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub actions: Vec<String>,
    pub user_id: Option<UserId>,
    pub outcome: Option<AuditOutcome>,
    pub from: Option<Timestamp>,
    pub before: Option<Timestamp>,
}

/// Newest first; `after` is the last id of the page before.
pub async fn list(
    ports: &Ports,
    actor: &Actor,
    filter: &AuditFilter,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<AuditEntry>> {
    actor.require(Role::Admin)?;
    ports.audit.list(actor.tenant(), filter, after.map(AuditEntryId), limit).await
}

/// Notes that it was refused, and passes on why. A fault is no refusal.
pub(crate) async fn refuse<T>(ports: &Ports, mut entry: NewAuditEntry, error: Error) -> Result<T> {
    if error.problem().is_some() || matches!(error, Error::Forbidden(_)) {
        entry.outcome = AuditOutcome::Refused;
        entry.detail.insert("code".to_owned(), error.code().into());
        ports.audit.insert(entry).await?;
    }
    Err(error)
}
