//! What the search engines have, to be compared with what they should have. Each engine compares for itself, since each
//! keeps something else of a passage; what differs is told in numbers, and never a text.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::{
    Result,
    accounts::Tenant,
    ids::{ConversationId, PassageId},
    passages::text_hash,
    ports::search::{ConversationFacets, PassageDocument, Version},
    search::query::fold,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leg {
    Text,
    Vectors,
}

/// A conversation as PostgreSQL has it. One that is gone has no passages.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub tenant: Tenant,
    pub version: Version,
    pub facets: ConversationFacets,
    pub passages: Vec<PassageDocument>,
    /// Of the passages, in their order; `None` where there is none to compare with, and empty where nobody makes any.
    pub vectors: Vec<Option<Vec<f32>>>,
}

/// How an engine's passages of one conversation differ, in number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    pub leg: Leg,
    /// Under which the engine has the conversation; `None` where it was never given it.
    pub version: Option<Version>,
    pub missing: u64,
    /// There, and otherwise than it should be.
    pub altered: u64,
    /// Of no passage that there is.
    pub extra: u64,
}

impl Difference {
    /// Compares what is found with what is wanted, passage by passage. `None` where all of it is as it should be, under
    /// the wanted version.
    pub fn of<W, F>(
        leg: Leg,
        (wanted_version, version): (Version, Option<Version>),
        wanted: HashMap<PassageId, W>,
        found: impl IntoIterator<Item = (PassageId, F)>,
        same: impl Fn(&W, &F) -> bool,
    ) -> Option<Self> {
        let mut wanted = wanted;
        let (mut altered, mut extra) = (0, 0);
        for (id, found) in found {
            match wanted.remove(&id) {
                None => extra += 1,
                Some(one) => altered += u64::from(!same(&one, &found)),
            }
        }
        let missing = wanted.len() as u64;
        let differs = missing + altered + extra > 0 || version != Some(wanted_version);
        differs.then_some(Self { leg, version, missing, altered, extra })
    }
}

/// Conversations that an engine has passages of. One may come twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    pub conversations: Vec<ConversationId>,
    /// Where the list goes on.
    pub next: Option<String>,
}

/// One generation of one engine.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// `None` where nothing differs.
    async fn compare(&self, wanted: &Wanted) -> Result<Option<Difference>>;

    /// What there is of an organization, about a page of it from where `after` says on.
    async fn list(&self, tenant: Tenant, after: Option<&str>) -> Result<Listed>;
}

/// Of all that a text engine is told of a passage, where it keeps no text itself.
pub fn digest(facets: &ConversationFacets, passage: &PassageDocument) -> u64 {
    let folded = |all: &[String]| {
        let mut all: Vec<String> = all.iter().map(|one| fold(one)).collect();
        all.sort();
        all.join("\u{1}")
    };
    let whole = [
        facets.kind.as_str().to_owned(),
        facets.language.map_or_else(String::new, |language| language.to_string()),
        facets.occurred_at.map_or_else(String::new, |at| at.timestamp_micros().to_string()),
        folded(&facets.tags),
        folded(&passage.speakers),
        passage.people.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        passage.text.clone(),
    ];
    let hash = text_hash(&whole.join("\u{0}"));
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(first)
}
