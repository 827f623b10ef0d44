//! The search engines. Everything in them can be built again from PostgreSQL, and PostgreSQL has the last
//! word on each hit: an engine may hold what is gone, never what it was not given.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    Result,
    accounts::Tenant,
    conversations::{ConversationKind, RevisionNumber},
    ids::{ConversationId, PassageId},
    language::Language,
    search::{
        highlight::SpokenText,
        query::{SearchFilter, TextQuery},
    },
    time::Timestamp,
};

/// The write's version: later versions of a conversation win, late writes of earlier ones change nothing.
/// It grows with every change that search can see: text, tags, kind, time.
pub type Version = i64;

/// A passage as a full-text engine keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct PassageDocument {
    pub id: PassageId,
    pub text: String,
    /// Labels of those who speak in it.
    pub speakers: Vec<String>,
}

/// What all passages of one conversation share.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationFacets {
    pub conversation_id: ConversationId,
    pub revision: RevisionNumber,
    pub kind: ConversationKind,
    pub tags: Vec<String>,
    pub occurred_at: Option<Timestamp>,
    /// Where it is known.
    pub language: Option<Language>,
}

/// A passage that an engine found, best first in a list. `score` compares within one answer only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineHit {
    pub passage_id: PassageId,
    pub conversation_id: ConversationId,
    /// Of the text that was indexed: PostgreSQL may have gone on since, and the passage's id says nothing of it.
    pub revision: RevisionNumber,
    pub score: f32,
}

/// What a full-text engine found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TextHits {
    pub hits: Vec<EngineHit>,
    /// In the hits' scores, what a passage of average length has that holds every word of the query once. A
    /// list whose best is far below it has found only part of what was asked for.
    pub whole: f32,
}

/// UTF-8 byte offsets into a passage's text.
pub type Highlight = std::ops::Range<usize>;

#[async_trait]
pub trait TextIndex: Send + Sync {
    /// Makes these the conversation's only passages, searchable when the call returns, unless a later
    /// version is there already.
    async fn replace(
        &self,
        tenant: Tenant,
        version: Version,
        facets: ConversationFacets,
        passages: Vec<PassageDocument>,
    ) -> Result<()>;

    /// Takes every passage of a deleted conversation out for good: a late `replace` does not bring them back.
    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()>;

    async fn search(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        limit: usize,
    ) -> Result<TextHits>;

    /// Where the query's words and phrases stand in each text, in ascending order without overlap.
    async fn highlight(&self, query: &TextQuery, texts: &[SpokenText]) -> Result<Vec<Vec<Highlight>>>;
}

#[async_trait]
pub trait VectorIndex: Send + Sync {
    /// As [`TextIndex::replace`]; the vectors have unit length. The facets are what filters see.
    async fn replace(
        &self,
        tenant: Tenant,
        version: Version,
        facets: ConversationFacets,
        passages: Vec<(PassageDocument, Vec<f32>)>,
    ) -> Result<()>;

    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()>;

    /// Nearest by cosine, which is the score. The filter is exact.
    async fn search(
        &self,
        tenant: Tenant,
        vector: &[f32],
        filter: &SearchFilter,
        limit: usize,
    ) -> Result<Vec<EngineHit>>;
}

/// Builds of the search indexes by number. Searches read the live one; what changes is written to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Grows with every change of what stands.
    pub change: i64,
    pub live: i64,
    pub building: Option<i64>,
    /// That was live before, and can be so again.
    pub previous: Option<i64>,
}

impl Standing {
    pub fn numbers(&self) -> impl Iterator<Item = i64> {
        [Some(self.live), self.building, self.previous].into_iter().flatten()
    }
}

/// One generation by itself.
#[derive(Clone)]
pub struct OneGeneration {
    /// The model that makes its vectors.
    pub model: String,
    /// It misses vectors since another model made them for a while: it is not to be searched by meaning again.
    pub lapsed: bool,
    pub text: Arc<dyn TextIndex>,
    pub vectors: Arc<dyn VectorIndex>,
}

/// What a generation has of a conversation; no version where it was never given it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    pub text: Option<Version>,
    pub passages: u64,
    pub vectors: Option<Version>,
}

#[async_trait]
pub trait IndexGenerations: Send + Sync {
    /// Opens, makes and drops generations until just these stand, and has both engines read the live one from one
    /// moment on. Of two calls the later change counts, whichever comes first.
    async fn align(&self, standing: Standing) -> Result<()>;

    /// `None` where it does not stand here.
    fn only(&self, number: i64) -> Option<OneGeneration>;

    /// In the order asked.
    async fn held(&self, number: i64, of: Vec<(Tenant, ConversationId)>) -> Result<Vec<Held>>;
}
