//! The search engines. Everything in them can be built again from PostgreSQL, and PostgreSQL has the last
//! word on each hit: an engine may hold what is gone, never what it was not given.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    Result,
    accounts::Tenant,
    conversations::{ConversationKind, RevisionNumber},
    ids::{ConversationId, PassageId, PersonId},
    language::Language,
    passages::Passage,
    ports::verify::{Inspect, Leg},
    search::{
        facets::{Facet, ValueCount},
        query::{SearchFilter, TextQuery},
    },
    time::Timestamp,
};

/// The write's version: later versions of a conversation win, late writes of earlier ones change nothing.
/// It grows with every change that search can see: text, tags, kind, time, who speaks.
pub type Version = i64;

/// A passage as a full-text engine keeps it. Its id says what its text is: PostgreSQL has that text, or no such passage.
#[derive(Debug, Clone, PartialEq)]
pub struct PassageDocument {
    pub id: PassageId,
    pub text: String,
    /// Labels of those who speak in it.
    pub speakers: Vec<String>,
    /// Who of the organization's people speaks in it, in the order of ids.
    pub people: Vec<PersonId>,
}

impl From<Passage> for PassageDocument {
    fn from(passage: Passage) -> Self {
        let people = passage.people.iter().map(|known| known.id).collect();
        Self { id: passage.id, text: passage.text, speakers: passage.speakers, people }
    }
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
    pub score: f32,
}

/// Where a list by words goes on: behind this hit, which need not stand any more. Hits of equal scores stand in the
/// order of their ids.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct After {
    pub score: f32,
    pub passage_id: PassageId,
}

/// What a full-text engine found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TextHits {
    pub hits: Vec<EngineHit>,
    /// In the hits' scores, what a passage of average length has that holds every word of the query once. A
    /// list whose best is far below it has found only part of what was asked for.
    pub whole: f32,
}

/// What a full-text engine counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// Passages that match with every filter.
    pub matching: u64,
    /// For each facet asked, from the value of the most passages to that of the fewest; equals by their names.
    pub values: Vec<Vec<ValueCount>>,
    /// The first and the last time of a passage that matches, filters on time apart.
    pub span: Option<(Timestamp, Timestamp)>,
}

/// Which words are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WordsLike {
    /// Those that begin so; itself is one of them.
    Beginning(String),
    /// Those that differ from it in so many letters at most, one or two: left out, put in, another one, or two that have
    /// changed places. The nearest first, and itself is none of them.
    Near { word: String, distance: u8 },
}

#[async_trait]
pub trait TextIndex: Send + Sync {
    /// The product, for whoever wants to know how an answer came about.
    fn name(&self) -> &'static str;

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
    ) -> Result<TextHits> {
        self.page(tenant, query, filter, None, limit).await
    }

    /// The list from a hit on, at a cost that does not grow with how deep that is. While nothing is written, pages
    /// neither repeat a hit nor leave one out.
    async fn page(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        after: Option<After>,
        limit: usize,
    ) -> Result<TextHits>;

    /// Passages that match the query, or all where it is empty, by the values that they have: `limit` at most of each
    /// facet, whose own filter does not count for it.
    async fn count(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        facets: &[Facet],
        limit: usize,
    ) -> Result<Counts>;

    /// How many of them have a time between each two bounds, which ascend; the first of the two is inclusive.
    async fn spread(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        bounds: &[Timestamp],
    ) -> Result<Vec<u64>>;

    /// Words of the organization's passages that are like it, as [`analysis::exact`](crate::search::analysis::exact)
    /// has them, with how many of its passages hold each: those of the most first, equals by name. It is bounded work:
    /// among very many, rare words may be missing, and counts be too small.
    async fn words(&self, tenant: Tenant, like: &WordsLike, limit: usize) -> Result<Vec<ValueCount>>;

    /// Writes anew what holds passages that are gone: until then their words may stand in its files, though nobody finds
    /// them.
    async fn expunge(&self) -> Result<()>;
}

#[async_trait]
pub trait VectorIndex: Send + Sync {
    /// As [`TextIndex::name`].
    fn name(&self) -> &'static str {
        "embedded"
    }

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

/// Rankings, kept for the pages to come: for ten minutes, or for less. Any may be lost at any time.
#[async_trait]
pub trait Rankings: Send + Sync {
    async fn keep(&self, key: [u8; 32], ranking: Vec<u8>) -> Result<()>;

    async fn find(&self, key: [u8; 32]) -> Result<Option<Vec<u8>>>;
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
    /// `None` where this process has no engine for it.
    pub text: Option<Arc<dyn TextIndex>>,
    pub vectors: Option<Arc<dyn VectorIndex>>,
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
    /// moment on. Of two calls the later change counts, whichever comes first. Whoever needs one engine alone is not
    /// held up by another that is away.
    async fn align(&self, standing: Standing, leg: Option<Leg>) -> Result<()>;

    /// `None` where it does not stand here.
    fn only(&self, number: i64) -> Option<OneGeneration>;

    /// An engine of it, to be compared; `None` where it does not stand here.
    fn inspect(&self, number: i64, leg: Leg) -> Option<Arc<dyn Inspect>>;

    /// In the order asked.
    async fn held(&self, number: i64, of: Vec<(Tenant, ConversationId)>) -> Result<Vec<Held>>;
}
