//! Passages and their vectors.

use async_trait::async_trait;

use crate::{
    Result,
    accounts::Tenant,
    conversations::RevisionNumber,
    ids::{ConversationId, PassageId},
    jobs::Claim,
    passages::Passage,
    ports::{
        jobs::Follow,
        search::{ConversationFacets, Standing, Version},
    },
    search::within::Outline,
    time::Timestamp,
};

/// All that search engines are told about one conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Indexable {
    pub version: Version,
    pub facets: ConversationFacets,
    /// By ordinal.
    pub passages: Vec<Passage>,
    /// When the text of each came to the conversation, however often it has been cut since.
    pub created_at: Vec<Timestamp>,
    /// Whether they are those of the current revision: otherwise there are none yet, and the job that cuts it has what
    /// writes them follow. Only an import waits for that.
    pub is_cut: bool,
}

/// A passage as a hit needs it, with what filters look at.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundPassage {
    pub passage: Passage,
    pub facets: ConversationFacets,
    /// The model of the vector that stands for this text, where there is one.
    pub embedding_model: Option<String>,
}

#[async_trait]
pub trait PassageStore: Send + Sync {
    /// Makes these the passages of the revision, under the claim, which it completes. Others go; a text that stays keeps
    /// the time at which it came. A claim that is lost, or a revision that is not the current one any more, writes nothing
    /// and is a CONFLICT.
    async fn replace(
        &self,
        tenant: Tenant,
        claim: Claim,
        conversation_id: ConversationId,
        revision: RevisionNumber,
        passages: &[Passage],
        follow: Follow,
    ) -> Result<()>;

    /// `None` where the conversation is gone. The generations that stood at that very moment come with it: what is
    /// written to all of them is in each that becomes live later.
    async fn find_indexable(
        &self,
        tenant: Tenant,
        id: ConversationId,
    ) -> Result<(Standing, Option<Indexable>)>;

    /// By ordinal; none where the revision is not the current one, or is not cut yet.
    async fn of_revision(
        &self,
        tenant: Tenant,
        id: ConversationId,
        revision: RevisionNumber,
    ) -> Result<Vec<Passage>>;

    /// Those that still stand, in any order.
    async fn find(&self, tenant: Tenant, ids: &[PassageId]) -> Result<Vec<FoundPassage>>;

    /// Who speaks in which passage of the current revision; empty where the conversation is gone.
    async fn outline(&self, tenant: Tenant, id: ConversationId) -> Result<Outline>;

    /// Vectors of the texts with these hashes, in their order; `None` where there is none yet.
    async fn vectors(
        &self,
        tenant: Tenant,
        model: &str,
        hashes: &[[u8; 32]],
    ) -> Result<Vec<Option<Vec<f32>>>>;

    /// Keeps vectors by model and text hash; those that stand there already stay.
    async fn insert_vectors(
        &self,
        tenant: Tenant,
        model: &str,
        vectors: &[([u8; 32], Vec<f32>)],
    ) -> Result<()>;

    /// The same, and those that stand there already give way.
    async fn replace_vectors(
        &self,
        tenant: Tenant,
        model: &str,
        vectors: &[([u8; 32], Vec<f32>)],
    ) -> Result<()>;
}
