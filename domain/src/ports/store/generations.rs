//! Which builds of the search indexes stand. The one row that says so is the switch: whatever crashes, searches read
//! the generation that it names.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    ids::{BatchId, ConversationId, OrganizationId},
    jobs::{Claim, NewJob},
    ports::search::{Standing, Version},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generations {
    pub standing: Standing,
    /// The event log's life: after a restore, indexes of another life are not to be trusted.
    pub log_id: Uuid,
    /// Which batch builds `standing.building`.
    pub building_batch: Option<BatchId>,
    /// Whose generation became live last.
    pub switched_batch: Option<BatchId>,
    /// Whose generation was dropped last, and why, in words for people.
    pub abandoned_because: Option<(BatchId, String)>,
}

/// What an index must have of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub organization_id: OrganizationId,
    pub conversation_id: ConversationId,
    pub version: Version,
    /// Of the current revision.
    pub passages: u64,
}

#[async_trait]
pub trait GenerationStore: Send + Sync {
    /// The first call makes the first generation.
    async fn find(&self, scope: SystemScope) -> Result<Generations>;

    /// Makes what the batch has built the live generation, under the claim, which it completes; `keep` leaves a way
    /// back to the one before. Where the batch builds none any more nothing is written, and it is a CONFLICT.
    async fn switch(
        &self,
        scope: SystemScope,
        tenant: Tenant,
        claim: Claim,
        batch: BatchId,
        keep: bool,
    ) -> Result<Standing>;

    /// Drops what the batch has built, and says why. `false` where it builds none.
    async fn abandon(&self, scope: SystemScope, batch: BatchId, because: Option<&str>) -> Result<bool>;

    /// Makes `number` live again where it is the previous one; the present one becomes that. `None`, and no audit
    /// entry, where it is not.
    async fn roll_back(
        &self,
        scope: SystemScope,
        number: i64,
        audit: NewAuditEntry,
    ) -> Result<Option<Standing>>;

    /// There is no way back any more.
    async fn forget_previous(&self, scope: SystemScope, number: i64) -> Result<()>;

    /// Of every organization, in the order of ids.
    async fn expected(
        &self,
        scope: SystemScope,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Expected>>;

    /// Those of `ids` that still stand, in any order.
    async fn expected_of(&self, scope: SystemScope, ids: &[ConversationId]) -> Result<Vec<Expected>>;

    /// Of one organization, in the order of ids.
    async fn expected_in(
        &self,
        tenant: Tenant,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Expected>>;

    /// Those of `ids` that jobs are yet to bring to the indexes; those of dead jobs are not.
    async fn under_way(&self, scope: SystemScope, ids: &[ConversationId]) -> Result<Vec<ConversationId>>;

    /// Has the conversations written to the indexes anew, under a version that is later than the given ones and their own,
    /// by these jobs. One that is gone has jobs all the same.
    async fn mend(
        &self,
        tenant: Tenant,
        conversations: &[(ConversationId, Version)],
        jobs: Vec<NewJob>,
        audit: NewAuditEntry,
    ) -> Result<()>;

    /// Those of `ids` that jobs have yet to bring to the indexes, or could not.
    async fn lagging(&self, scope: SystemScope, ids: &[ConversationId]) -> Result<Vec<ConversationId>>;
}
