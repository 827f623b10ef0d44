//! Whether a new generation finds what the live one finds.

use std::collections::HashSet;

use colloquy_domain::{
    Result,
    accounts::Tenant,
    ports::search::{EngineHit, OneGeneration},
    search::query::{SearchFilter, TextQuery},
};

/// Of the live generation these many hits are looked for …
const FIRST: usize = 10;
/// … among so many of the new one, which may have more passages, and weigh them otherwise.
const AMONG: usize = 100;
/// The share that has to be found.
const ENOUGH: f64 = 0.8;
/// By how much engines may differ in what is the same cosine.
const NEARLY: f32 = 0.001;
/// Fewer hits than these say nothing: what has changed meanwhile would outweigh them.
const FEWEST: usize = 20;

/// Searches of the same thing in both, summed up.
pub(super) struct Recall<'a> {
    live: &'a OneGeneration,
    built: &'a OneGeneration,
    words: Share,
    meaning: Share,
}

#[derive(Debug, Default)]
struct Share {
    of: usize,
    found: usize,
}

impl<'a> Recall<'a> {
    pub(super) fn new(live: &'a OneGeneration, built: &'a OneGeneration) -> Self {
        Self { live, built, words: Share::default(), meaning: Share::default() }
    }

    pub(super) async fn of_words(&mut self, tenant: Tenant, query: &TextQuery) -> Result<()> {
        let (Some(live), Some(built)) = (&self.live.text, &self.built.text) else { return Ok(()) };
        let everything = SearchFilter::default();
        let Some(first) = told(live.search(tenant, query, &everything, FIRST).await) else { return Ok(()) };
        let found = built.search(tenant, query, &everything, AMONG).await?;
        self.words.add(&first.hits, &found.hits, None);
        Ok(())
    }

    /// Vectors of different models have nothing in common, and a lapsed generation lacks some.
    pub(super) async fn of_meaning(&mut self, tenant: Tenant, vector: &[f32]) -> Result<()> {
        let (Some(live), Some(built)) = (&self.live.vectors, &self.built.vectors) else { return Ok(()) };
        if self.live.model != self.built.model || self.live.lapsed {
            return Ok(());
        }
        let everything = SearchFilter::default();
        let Some(first) = told(live.search(tenant, vector, &everything, FIRST).await) else { return Ok(()) };
        let found = built.search(tenant, vector, &everything, AMONG).await?;
        // Of passages that are alike an engine may tell any.
        let last = found.get(AMONG - 1).map(|hit| hit.score + NEARLY);
        self.meaning.add(&first, &found, last);
        Ok(())
    }

    /// What does not hold, in words for people.
    pub(super) fn problem(&self) -> Option<String> {
        self.words.problem("words").or_else(|| self.meaning.problem("meaning"))
    }
}

/// A live generation that does not answer may be the reason for the new one.
fn told<T>(answer: Result<T>) -> Option<T> {
    answer
        .inspect_err(|error| {
            tracing::warn!(error = error.chain(), "the live search generation does not answer")
        })
        .ok()
}

impl Share {
    /// A hit that scores no better than `last` may as well stand behind those that are told.
    fn add(&mut self, first: &[EngineHit], among: &[EngineHit], last: Option<f32>) {
        let among: HashSet<_> = among.iter().map(|hit| hit.passage_id).collect();
        let is_found =
            |hit: &EngineHit| among.contains(&hit.passage_id) || last.is_some_and(|last| hit.score <= last);
        self.of += first.len();
        self.found += first.iter().filter(|hit| is_found(hit)).count();
    }

    fn problem(&self, by: &str) -> Option<String> {
        let Self { of, found } = *self;
        let lacks = of >= FEWEST && (found as f64) < ENOUGH * of as f64;
        lacks.then(|| format!("of {of} passages that searches by {by} find first today it finds {found}"))
    }
}

#[cfg(test)]
mod tests {
    use colloquy_domain::ids::{ConversationId, PassageId};
    use uuid::Uuid;

    use super::*;

    fn hits(ids: std::ops::Range<u128>) -> Vec<EngineHit> {
        let hit = |id| EngineHit {
            passage_id: PassageId(Uuid::from_u128(id)),
            conversation_id: ConversationId(Uuid::nil()),
            score: 1.0,
        };
        ids.map(hit).collect()
    }

    #[test]
    fn four_in_five_have_to_be_found_wherever_they_stand() {
        let mut share = Share::default();
        share.add(&hits(0..10), &hits(0..100), None);
        share.add(&hits(0..10), &hits(4..50), None);
        assert_eq!(share.problem("words"), None);
        share.add(&hits(0..10), &hits(9..50), None);
        let problem = share.problem("words").unwrap();
        assert_eq!(problem, "of 30 passages that searches by words find first today it finds 17");
    }

    #[test]
    fn a_few_hits_say_nothing() {
        let mut share = Share::default();
        share.add(&hits(0..10), &[], None);
        assert_eq!(share.problem("meaning"), None);
        share.add(&hits(0..10), &[], None);
        assert!(share.problem("meaning").is_some());
    }

    #[test]
    fn what_is_as_near_as_the_last_that_is_told_is_found() {
        let mut share = Share::default();
        (0..3).for_each(|_| share.add(&hits(0..10), &hits(10..110), Some(1.0)));
        assert_eq!(share.problem("meaning"), None);
        (0..3).for_each(|_| share.add(&hits(0..10), &hits(10..110), Some(0.9)));
        assert!(share.problem("meaning").is_some());
    }
}
