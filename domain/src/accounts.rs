//! Who may do what: organizations, users, roles and the credentials that name them.

pub mod api_keys;
pub mod authenticate;
pub mod local;
pub mod members;
pub mod passwords;
pub mod sign_in;
pub mod sign_up;
pub mod throttle;
pub mod tokens;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    ids::{ApiKeyId, OrganizationId, SessionId, UserId},
    time::Timestamp,
};

/// The organization whose data a call may touch. Every port method on tenant data takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(pub OrganizationId);

/// Leave to work across tenants; only jobs, rebuilds and sweeps hold one.
#[derive(Debug, Clone, Copy)]
pub struct SystemScope(());

impl SystemScope {
    /// `reason` is for the reader of the calling code.
    pub const fn because(_reason: &'static str) -> Self {
        Self(())
    }
}

/// What a member may do, each role all that the one before may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Reads and searches.
    Viewer,
    /// Also imports, edits, tags and deletes conversations.
    Member,
    /// Also sees to members, keys, jobs and queues.
    Admin,
    /// Also makes and unmakes owners and administrators.
    Owner,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Owner];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "VIEWER",
            Self::Member => "MEMBER",
            Self::Admin => "ADMIN",
            Self::Owner => "OWNER",
        }
    }
}

/// By what means somebody is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    Session(SessionId),
    ApiKey(ApiKeyId),
}

/// Who calls, in which organization, with what rights. Made only from a credential that was checked against
/// the store in this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub user_id: UserId,
    pub organization_id: OrganizationId,
    pub role: Role,
    pub credential: Credential,
}

impl Actor {
    pub fn tenant(&self) -> Tenant {
        Tenant(self.organization_id)
    }

    /// Refuses whoever has less than `role`.
    pub fn require(&self, role: Role) -> Result<()> {
        if self.role >= role {
            return Ok(());
        }
        let (need, have) = (role.as_str(), self.role.as_str());
        Err(Error::forbidden(format!("this needs the role {need}; you have {have}")))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    pub id: OrganizationId,
    pub name: String,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// As given; unique without regard to case.
    pub email: String,
    pub name: String,
    pub created_at: Timestamp,
}

/// What the operator decides about accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountRules {
    /// Whether anybody may make an organization; the invited always may join theirs.
    pub sign_up: SignUp,
    pub access_token_minutes: u32,
    pub refresh_token_days: u32,
    pub invitation_days: u32,
    /// Where invitations point to: the page that takes the token, which is appended.
    pub invitation_url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignUp {
    Open,
    Closed,
}

impl Default for AccountRules {
    fn default() -> Self {
        Self {
            sign_up: SignUp::Open,
            access_token_minutes: 15,
            refresh_token_days: 30,
            invitation_days: 7,
            invitation_url: None,
        }
    }
}

impl AccountRules {
    pub(crate) fn access_lifetime(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.access_token_minutes))
    }

    pub(crate) fn refresh_lifetime(&self) -> TimeDelta {
        TimeDelta::days(i64::from(self.refresh_token_days))
    }
}

/// All that makes and checks credentials in this process.
pub struct Credentials {
    pub passwords: passwords::Passwords,
    pub tokens: tokens::TokenSigner,
    pub throttle: throttle::Throttle,
}

impl Credentials {
    /// `signing_key`: at least 32 random bytes, the same in every process.
    pub fn new(signing_key: &[u8]) -> Result<Self> {
        Ok(Self {
            passwords: passwords::Passwords::new()?,
            tokens: tokens::TokenSigner::new(signing_key)?,
            throttle: throttle::Throttle::default(),
        })
    }
}

/// What a sign-in gives: the secrets are shown once.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub actor: Actor,
    pub access_token: String,
    pub access_expires_at: Timestamp,
    pub refresh_token: String,
    pub refresh_expires_at: Timestamp,
}
