//! Saved searches, and the passages that matched them as they came. Whether a passage came before or after is
//! PostgreSQL's clock.

use async_trait::async_trait;

use crate::{
    Result,
    accounts::Tenant,
    audit::NewAuditEntry,
    ids::{ConversationId, SavedSearchId, SearchMatchId},
    jobs::Claim,
    ports::{
        jobs::Follow,
        store::{PageBy, passages::FoundPassage},
    },
    search::saved::{SavedSearch, SearchVersion},
    time::Timestamp,
};

/// A passage's text that matches.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMatch {
    pub id: SearchMatchId,
    pub saved_search_id: SavedSearchId,
    /// Of the search that it was held against.
    pub version: SearchVersion,
    pub text_hash: [u8; 32],
    /// Where meaning was looked for.
    pub similarity: Option<f32>,
}

/// As it is told; the passage stands.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchMatch {
    pub id: SearchMatchId,
    pub saved_search_id: SavedSearchId,
    pub similarity: Option<f32>,
    pub at: Timestamp,
    pub found: FoundPassage,
}

#[async_trait]
pub trait SavedSearchStore: Send + Sync {
    /// The clock by which passages come.
    async fn clock(&self) -> Result<Timestamp>;

    /// Refused where the organization has `at_most` already (`TOO_MANY_SAVED_SEARCHES`). Its times are the store's.
    async fn insert(
        &self,
        tenant: Tenant,
        search: &SavedSearch,
        at_most: usize,
        audit: NewAuditEntry,
    ) -> Result<()>;

    /// Where it stands as it was read at `search.updated_at` (else `SAVED_SEARCH_CHANGED`). One that `looks_anew`
    /// loses its matches, and what came before has none.
    async fn update(
        &self,
        tenant: Tenant,
        search: &SavedSearch,
        looks_anew: bool,
        audit: NewAuditEntry,
    ) -> Result<()>;

    /// Whether it was there. Its matches go with it.
    async fn delete(&self, tenant: Tenant, id: SavedSearchId, audit: NewAuditEntry) -> Result<bool>;

    /// Those of the tenant among `ids`, in any order.
    async fn find(&self, tenant: Tenant, ids: &[SavedSearchId]) -> Result<Vec<SavedSearch>>;

    /// Newest first.
    async fn list(&self, tenant: Tenant, page: PageBy<SavedSearchId>) -> Result<Vec<SavedSearch>>;

    /// Grows with every change of the tenant's searches; 0 before the first.
    async fn change(&self, tenant: Tenant) -> Result<i64>;

    /// All of the tenant's searches by words, or all by meaning.
    async fn versions(&self, tenant: Tenant, by_meaning: bool)
    -> Result<Vec<(SavedSearchId, SearchVersion)>>;

    /// Vectors that the model made of the searches' queries as they are; those without one are left out.
    async fn query_vectors(
        &self,
        tenant: Tenant,
        model: &str,
        ids: &[SavedSearchId],
    ) -> Result<Vec<(SavedSearchId, Vec<f32>)>>;

    /// In the place of another model's, if the search is of that version still.
    async fn keep_query_vector(
        &self,
        tenant: Tenant,
        of: (SavedSearchId, SearchVersion),
        model: &str,
        vector: &[f32],
    ) -> Result<()>;

    /// Writes the matches of a conversation's passages, and an event for each that is new: once a search and text. What
    /// matched an earlier version of a search, or came before the search, or stands no more is passed over.
    async fn record(
        &self,
        tenant: Tenant,
        conversation_id: ConversationId,
        matches: &[NewMatch],
    ) -> Result<()>;

    /// The same, together with the end of the claim's job and what follows. A claim that is lost writes nothing and is
    /// a CONFLICT.
    async fn record_and_complete(
        &self,
        tenant: Tenant,
        claim: Claim,
        conversation_id: ConversationId,
        matches: &[NewMatch],
        follow: Follow,
    ) -> Result<()>;

    /// Those among `ids` whose passage stands, in any order.
    async fn find_matches(
        &self,
        tenant: Tenant,
        of: SavedSearchId,
        ids: &[SearchMatchId],
    ) -> Result<Vec<SearchMatch>>;

    /// Those whose passage stands, newest first.
    async fn list_matches(
        &self,
        tenant: Tenant,
        of: SavedSearchId,
        page: PageBy<SearchMatchId>,
    ) -> Result<Vec<SearchMatch>>;
}
