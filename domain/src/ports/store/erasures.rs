//! Erasures, and the redaction that they ask for.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    erasure::{Erasure, ErasureKind, ErasureState, NewErasure},
    ids::{ConversationId, ErasureId, OrganizationId, PersonId},
    jobs::Claim,
    ports::{jobs::Follow, store::PageBy},
};

/// What the list outside the database says of one erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    pub erasure_id: ErasureId,
    pub organization_id: OrganizationId,
    pub kind: ErasureKind,
    pub subject_id: Uuid,
}

/// Something is left to do of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub erasure_id: ErasureId,
    pub organization_id: OrganizationId,
    pub state: ErasureState,
}

/// An erasure that is to be swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    pub erasure_id: ErasureId,
    pub kind: ErasureKind,
    /// Whatever ran when it was erased has ended.
    pub is_last: bool,
    /// How long ago the last conversation was redacted.
    pub age: Duration,
}

#[async_trait]
pub trait ErasureStore: Send + Sync {
    /// Takes the person out of sight, notes the conversations that are to be redacted, and writes down the erasure.
    /// Somebody who is not there is NOT_FOUND.
    async fn begin(
        &self,
        tenant: Tenant,
        new: NewErasure,
        person: PersonId,
        follow: Follow,
        audit: NewAuditEntry,
    ) -> Result<()>;

    /// Conversations that are yet to be redacted, in the order of ids.
    async fn unredacted(&self, tenant: Tenant, id: ErasureId, limit: usize) -> Result<Vec<ConversationId>>;

    /// Takes the person out of one conversation, in every revision. Jobs that run on it lose their claims and begin
    /// again. One that is gone, or redacted already, is passed over.
    async fn redact(
        &self,
        tenant: Tenant,
        id: ErasureId,
        conversation: ConversationId,
        follow: Follow,
    ) -> Result<()>;

    /// Once no conversation is left: takes the names out of what the organization keeps beside conversations, and forgets
    /// them. Under the claim, which it completes.
    async fn settle(
        &self,
        tenant: Tenant,
        id: ErasureId,
        claim: Claim,
        settled_after: Duration,
    ) -> Result<()>;

    async fn find(&self, tenant: Tenant, ids: &[ErasureId]) -> Result<Vec<Erasure>>;

    /// The newest of what had this id.
    async fn find_of(&self, tenant: Tenant, kind: ErasureKind, subject: Uuid) -> Result<Option<Erasure>>;

    /// Newest first.
    async fn list(&self, tenant: Tenant, page: PageBy<ErasureId>) -> Result<Vec<Erasure>>;

    /// Of which something is left to do now; they are not due again for a while.
    async fn due(&self, scope: SystemScope, limit: usize) -> Result<Vec<Due>>;

    /// Those to be swept now: for the first time once no job indexes their conversations any more, and for the last time
    /// `settled_after` they were redacted.
    async fn to_sweep(&self, tenant: Tenant, settled_after: Duration, limit: usize) -> Result<Vec<Sweep>>;

    /// Its conversations, in the order of ids.
    async fn conversations(
        &self,
        tenant: Tenant,
        id: ErasureId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>>;

    /// Removes what came back of one conversation since; whether anything had.
    async fn redact_again(
        &self,
        tenant: Tenant,
        id: ErasureId,
        conversation: ConversationId,
        follow: Follow,
    ) -> Result<bool>;

    /// A sweep has run.
    async fn swept(&self, tenant: Tenant, sweeps: &[Sweep], settled_after: Duration) -> Result<()>;

    /// Those that are not on the list outside yet.
    async fn unlisted(&self, scope: SystemScope, limit: usize) -> Result<Vec<Listed>>;

    async fn listed(&self, scope: SystemScope, ids: &[ErasureId]) -> Result<()>;

    /// Those of a list whose subject is there.
    async fn back(&self, scope: SystemScope, listed: &[Listed]) -> Result<Vec<Listed>>;
}
