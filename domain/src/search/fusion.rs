//! Fusion of two rankings: a convex combination of what they score. Each leg's scores are stretched to 0…1 over
//! what it returned, and a passage that a leg did not return has 0 there. Stretching makes the best of a poor list
//! as good as the best of a rich one; so the words' leg counts in full only where its best hit has most of the
//! query, and ever less where a paraphrase shares but a common word with what is meant. `just bench-search`
//! measures it; what it was chosen over is in BENCHMARKS.md. What stands behind the first of a leg adds nothing to
//! a score: such hits follow, by the better of their ranks, so that the first places do not hang on how far a leg is read.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    ids::PassageId,
    ports::search::{EngineHit, TextHits},
};

/// Weight of meaning against words; from 0.4 to 0.6 measured alike.
pub const SEMANTIC_WEIGHT: f32 = 0.5;

/// The share of the whole query that the best hit by words must have for that leg to count in full; below it the
/// leg counts by the square of what it reaches of it.
const ENOUGH: f32 = 2.0 / 3.0;

/// Of a leg's hits, those that scores are stretched over.
pub const STRETCHED: usize = 200;

/// A passage with where and how high each leg had it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FusedHit {
    pub passage_id: PassageId,
    /// 0 to 1 in HYBRID; the engine's own score where one leg was asked.
    pub score: f32,
    pub text: Option<Place>,
    pub semantic: Option<Place>,
}

/// A hit's place in one leg.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// From 1.
    pub rank: u32,
    /// BM25 or cosine.
    pub score: f32,
    /// From 0 to 1, what goes into the fusion; `None` where one leg was asked.
    pub stretched: Option<f32>,
}

/// One leg's hits as a fused list, as they are; the first has the rank `from`.
pub fn single(hits: &[EngineHit], is_semantic: bool, from: u32) -> Vec<FusedHit> {
    let fused = (from..).zip(hits).map(|(rank, hit)| {
        let place = Some(Place { rank, score: hit.score, stretched: None });
        let (text, semantic) = if is_semantic { (None, place) } else { (place, None) };
        FusedHit { passage_id: hit.passage_id, score: hit.score, text, semantic }
    });
    fused.collect()
}

/// Best first; ties by rank and id, so that pages agree.
pub fn fuse(text: &TextHits, semantic: &[EngineHit]) -> Vec<FusedHit> {
    let mut fused: HashMap<PassageId, FusedHit> = HashMap::with_capacity(text.hits.len() + semantic.len());
    let legs =
        [(&text.hits[..], (1.0 - SEMANTIC_WEIGHT) * trust(text), false), (semantic, SEMANTIC_WEIGHT, true)];
    for (hits, weight, is_semantic) in legs {
        let stretch = Stretch::over(hits).unwrap_or(Stretch { low: 0.0, span: 0.0 });
        for (rank, hit) in (1..).zip(hits) {
            let entry = fused.entry(hit.passage_id).or_insert(FusedHit {
                passage_id: hit.passage_id,
                score: 0.0,
                text: None,
                semantic: None,
            });
            let stretched = stretch.apply(hit.score);
            let place = Some(Place { rank, score: hit.score, stretched: Some(stretched) });
            if is_semantic {
                entry.semantic = place;
            } else {
                entry.text = place;
            }
            entry.score += weight * stretched;
        }
    }
    let mut fused: Vec<_> = fused.into_values().collect();
    let rank = |hit: &FusedHit| {
        let behind = |place: Place| place.rank.max(STRETCHED as u32);
        hit.text.into_iter().chain(hit.semantic).map(behind).min()
    };
    let id = |hit: &FusedHit| (rank(hit), hit.passage_id);
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| id(a).cmp(&id(b))));
    fused
}

/// From 0 to 1, how much of what was asked for the words' leg has found.
pub fn trust(text: &TextHits) -> f32 {
    let best = text.hits.iter().map(|hit| hit.score).fold(0.0, f32::max);
    let enough = ENOUGH * text.whole;
    if best < enough { (best / enough).powi(2) } else { 1.0 }
}

/// A leg's scores on their way to 0…1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    pub low: f32,
    pub span: f32,
}

impl Stretch {
    /// Over the first hits of a leg; `None` where it has none.
    pub fn over(hits: &[EngineHit]) -> Option<Self> {
        let hits = &hits[..hits.len().min(STRETCHED)];
        let low = hits.iter().map(|hit| hit.score).reduce(f32::min)?;
        let high = hits.iter().map(|hit| hit.score).reduce(f32::max)?;
        Some(Self { low, span: high - low })
    }

    /// All of one score counts as 1: each was found.
    pub fn apply(&self, score: f32) -> f32 {
        if self.span > 0.0 {
            ((score - self.low) / self.span).clamp(0.0, 1.0)
        } else {
            f32::from(u8::from(score >= self.low))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ConversationId;
    use uuid::Uuid;

    fn hits(list: &[(u128, f32)]) -> Vec<EngineHit> {
        let hit = |&(id, score): &(u128, f32)| EngineHit {
            passage_id: PassageId(Uuid::from_u128(id)),
            conversation_id: ConversationId(Uuid::nil()),
            score,
        };
        list.iter().map(hit).collect()
    }

    /// A list whose best hit has every word of the query.
    fn words(list: &[(u128, f32)]) -> TextHits {
        TextHits { hits: hits(list), whole: list.first().map_or(0.0, |first| first.1) }
    }

    fn order(fused: &[FusedHit]) -> Vec<u128> {
        fused.iter().map(|hit| hit.passage_id.0.as_u128()).collect()
    }

    #[test]
    fn what_both_legs_like_comes_first() {
        let fused = fuse(&words(&[(1, 12.0), (2, 11.0), (3, 1.0)]), &hits(&[(2, 0.9), (4, 0.8), (3, 0.2)]));
        assert_eq!(order(&fused)[0], 2);
        assert_eq!(fused[0].text.map(|place| place.rank), Some(2));
        assert_eq!(fused[0].semantic.map(|place| place.rank), Some(1));
        assert!(fused.iter().all(|hit| (0.0..=1.0).contains(&hit.score)));
    }

    #[test]
    fn one_empty_leg_leaves_the_other_in_its_order() {
        let list = [(5, 3.0), (6, 2.0), (7, 1.0)];
        assert_eq!(order(&fuse(&words(&list), &[])), [5, 6, 7]);
        assert_eq!(order(&fuse(&TextHits::default(), &hits(&list))), [5, 6, 7]);
    }

    #[test]
    fn a_list_that_found_little_of_the_query_does_not_outvote_meaning() {
        let (list, near) = (words(&[(1, 2.0), (2, 1.9)]), hits(&[(3, 0.7), (1, 0.5), (4, 0.2)]));
        assert_eq!(order(&fuse(&list, &near))[..2], [1, 3], "every word stands in the first");
        let little = TextHits { whole: 12.0, ..list };
        assert_eq!(order(&fuse(&little, &near))[..2], [3, 1], "one common word of many does");
    }

    #[test]
    fn how_far_a_leg_is_read_changes_nothing_of_the_first_places() {
        let scores = |from: u128, n: u16| -> Vec<(u128, f32)> {
            (0..n).map(|at| (from + u128::from(at), 100.0 - f32::from(at) / 20.0)).collect()
        };
        let (near, far) = (scores(0, 200), scores(0, 1_000));
        let (other_near, other_far) = (scores(150, 200), scores(150, 1_000));
        let short = fuse(&words(&near), &hits(&other_near));
        let long = fuse(&words(&far), &hits(&other_far));
        let scored = short.iter().filter(|hit| hit.score > 0.0).count();
        assert!(scored > 300);
        assert_eq!(order(&short)[..scored], order(&long)[..scored]);
        assert!(long[scored + 2..].iter().all(|hit| hit.score == 0.0), "what follows adds nothing");
        let best = |hit: &FusedHit| hit.text.into_iter().chain(hit.semantic).map(|place| place.rank).min();
        assert!(long[scored + 2..].is_sorted_by_key(best), "and stands by the better of its ranks");
    }

    #[test]
    fn equal_scores_are_ordered_by_id() {
        assert_eq!(order(&fuse(&words(&[(9, 1.0), (8, 1.0)]), &[])), [8, 9]);
    }
}
