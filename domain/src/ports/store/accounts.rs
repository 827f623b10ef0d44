//! Organizations, users, memberships and credentials. Secrets come and are kept as hashes.

use async_trait::async_trait;

use crate::{
    Result,
    accounts::{Actor, Organization, Role, Tenant, User},
    audit::NewAuditEntry,
    ids::{ApiKeyId, InvitationId, OrganizationId, SessionId, UserId},
    ports::jobs::Follow,
    time::Timestamp,
};

/// BLAKE3 of a token that nobody can guess.
pub type TokenHash = [u8; 32];

#[derive(Debug, Clone)]
pub struct NewUser {
    pub user: User,
    /// A PHC string.
    pub password_hash: String,
}

/// A sign-in; refresh tokens of one family follow each other.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub id: SessionId,
    pub user_id: UserId,
    pub organization_id: OrganizationId,
    pub refresh_hash: TokenHash,
    pub refresh_expires_at: Timestamp,
}

/// What became of a refresh token that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    Rotated {
        session_id: SessionId,
        user_id: UserId,
        organization_id: OrganizationId,
    },
    /// It was used before: somebody has a copy. The whole session has been revoked.
    Reused,
    /// Never issued, expired, or of a session that is revoked.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user: User,
    pub role: Role,
    pub since: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub organization_id: OrganizationId,
    /// Who made it; it may do what they may, up to `role`.
    pub user_id: UserId,
    pub name: String,
    /// The most that the key may do, whatever its maker may.
    pub role: Role,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub id: InvitationId,
    pub organization_id: OrganizationId,
    pub email: String,
    pub role: Role,
    pub invited_by: UserId,
    pub expires_at: Timestamp,
    pub accepted_at: Option<Timestamp>,
}

/// What became of a change of role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleChange {
    Changed(Member),
    NotAMember,
    /// The organization would have no owner left.
    LastOwner,
    /// The member is an owner, and `by` is not.
    AboveYou,
}

#[async_trait]
pub trait AccountStore: Send + Sync {
    /// `false` where the e-mail is taken; then nothing is written.
    async fn insert_organization(
        &self,
        organization: Organization,
        owner: NewUser,
        session: NewSession,
    ) -> Result<bool>;

    /// With the password's hash.
    async fn find_user_by_email(&self, email: &str) -> Result<Option<(User, String)>>;

    /// The organizations of a user, the longest membership first.
    async fn memberships(&self, user_id: UserId) -> Result<Vec<(Organization, Role)>>;

    async fn insert_session(&self, session: NewSession) -> Result<()>;

    /// Spends one refresh token and issues the next, unless it was spent before.
    async fn rotate_refresh(
        &self,
        shown: TokenHash,
        next: TokenHash,
        next_expires_at: Timestamp,
    ) -> Result<Rotation>;

    async fn revoke_session(&self, session_id: SessionId) -> Result<()>;

    /// The actor behind an access token, if the session stands and the user is still a member.
    async fn find_session_actor(&self, session_id: SessionId) -> Result<Option<Actor>>;

    /// The actor behind a key that is neither revoked nor expired; notes that it was used.
    async fn find_api_key_actor(&self, hash: TokenHash) -> Result<Option<Actor>>;

    async fn insert_api_key(
        &self,
        tenant: Tenant,
        key: ApiKey,
        hash: TokenHash,
        audit: NewAuditEntry,
    ) -> Result<()>;

    /// `None` where there is no such key, or it is not of the user; a revoked one is given back unchanged.
    async fn revoke_api_key(
        &self,
        tenant: Tenant,
        of: Option<UserId>,
        id: ApiKeyId,
        audit: NewAuditEntry,
    ) -> Result<Option<ApiKey>>;

    /// Newest first: everybody's, or the user's.
    async fn list_api_keys(
        &self,
        tenant: Tenant,
        of: Option<UserId>,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>>;

    async fn find_organization(&self, tenant: Tenant) -> Result<Option<Organization>>;

    /// Members of the tenant among `ids`.
    async fn find_members(&self, tenant: Tenant, ids: &[UserId]) -> Result<Vec<Member>>;

    /// In the order of joining; the key is when somebody joined, and who.
    async fn list_members(
        &self,
        tenant: Tenant,
        after: Option<(Timestamp, UserId)>,
        limit: usize,
    ) -> Result<Vec<Member>>;

    /// Sets the role in one transaction with its rules. Where they refuse it, the audit entry is not written.
    async fn set_role(
        &self,
        tenant: Tenant,
        by: &Actor,
        user_id: UserId,
        role: Role,
        audit: NewAuditEntry,
    ) -> Result<RoleChange>;

    /// A later invitation of the same address replaces an open one.
    async fn insert_invitation(
        &self,
        tenant: Tenant,
        invitation: Invitation,
        follow: Follow,
        audit: NewAuditEntry,
    ) -> Result<()>;

    /// Crosses tenants: whoever shows the token does not know its organization.
    async fn find_invitation(&self, id: InvitationId) -> Result<Option<Invitation>>;

    /// Makes the invited a member (and a user, where `user` is new) and signs them in. `false` where the
    /// invitation was accepted or replaced meanwhile, or the address was taken.
    async fn accept_invitation(
        &self,
        invitation: InvitationId,
        user: Result<UserId, NewUser>,
        session: NewSession,
        at: Timestamp,
        audit: NewAuditEntry,
    ) -> Result<bool>;
}
