//! Who did what, from where, and what became of it. An entry is written in the transaction of what it tells of,
//! and neither changed nor deleted afterwards. It holds ids, numbers and names of ours; never the text of a
//! conversation, an address, a name that somebody gave, or a secret.

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
    /// Whose log it is in; `None` for what is done for the whole installation, which is in nobody's.
    pub organization_id: Option<OrganizationId>,
    /// `None` where nobody had signed in.
    pub user_id: Option<UserId>,
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
            organization_id: Some(actor.organization_id),
            user_id: Some(actor.user_id),
            api_key_id: match actor.credential {
                Credential::ApiKey(id) => Some(id),
                Credential::Session(_) => None,
            },
            origin: origin.clone(),
            ..Self::of_installation(AuditEntryId(ports.ids.next()), action)
        }
    }

    /// What somebody does for the whole installation, who has its settings and needs no account.
    pub fn of_installation(id: AuditEntryId, action: &'static str) -> Self {
        Self {
            id,
            organization_id: None,
            user_id: None,
            api_key_id: None,
            action,
            subject: None,
            detail: Map::new(),
            origin: Origin::default(),
            outcome: AuditOutcome::Done,
        }
    }

    pub(crate) fn on(self, subject: impl ToString) -> Self {
        Self { subject: Some(subject.to_string()), ..self }
    }

    /// With one more argument; one that was left out is not written down.
    pub(crate) fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.detail.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Whether anything is different now: what stands already may be asked for again.
    pub fn changed(self, changed: bool) -> Self {
        self.with("changed", Some(changed))
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

/// Passes on what came of it, and notes where that is a refusal.
pub(crate) async fn settle<T>(ports: &Ports, entry: NewAuditEntry, outcome: Result<T>) -> Result<T> {
    match outcome {
        Ok(value) => Ok(value),
        Err(error) => refuse(ports, entry, error).await,
    }
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
