//! A ranked list put into another order on request: near-duplicates and hits of one conversation behind the best of
//! them, and variety among the first. Each step looks at a bounded part of the list.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use tokio::task::spawn_blocking;
use unicode_segmentation::UnicodeSegmentation;

use super::{fusion::FusedHit, kept::Placed};
use crate::{
    Error, Problem, Result,
    accounts::Tenant,
    ids::ConversationId,
    passages::text_hash,
    ports::{Ports, store::passages::FoundPassage},
};

/// Hits among which near-duplicates are looked for.
const COMPARED: usize = 200;
/// Hits that variety is chosen from.
const VARIED: usize = 100;
/// Words of a shingle, and shingles of a text at most.
const SHINGLE: usize = 3;
const MOST_SHINGLES: usize = 500;
/// The share of all their shingles that near-duplicates have in common.
const NEAR: f32 = 0.7;

/// What is asked for beyond the order of scores.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Arrangement {
    /// Of each conversation the best hit alone.
    pub by_conversation: bool,
    /// Of texts that are almost the same the best hit alone.
    pub without_duplicates: bool,
    /// From 0 to 1, how much a hit loses by being like one before it.
    pub diversity: Option<f32>,
}

impl Arrangement {
    pub(super) fn is_asked_for(&self) -> bool {
        *self != Self::default()
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        match self.diversity {
            Some(share) if !(0.0..=1.0).contains(&share) => {
                let message = format!("`diversity` is from 0 to 1; this is {share}");
                Err(Problem::new("DIVERSITY_OUT_OF_RANGE", message).at("diversity"))
            }
            _ => Ok(()),
        }
    }
}

type Standing = (FusedHit, FoundPassage);

pub(super) async fn arrange(
    ports: &Ports,
    tenant: Tenant,
    arrangement: Arrangement,
    hits: Vec<Standing>,
) -> Result<Vec<Placed>> {
    let work = move || {
        let mut kept: Vec<(Placed, FoundPassage)> =
            hits.into_iter().map(|(fused, row)| (Placed::from(fused), row)).collect();
        if arrangement.without_duplicates {
            kept = collapse_duplicates(kept);
        }
        if arrangement.by_conversation {
            kept = collapse_conversations(kept);
        }
        kept
    };
    let mut kept = aside(work).await?;
    if let Some(share) = arrangement.diversity {
        let vectors = vectors(ports, tenant, &kept[..kept.len().min(VARIED)]).await?;
        let work = move || {
            vary(&mut kept, share, &vectors);
            kept
        };
        kept = aside(work).await?;
    }
    Ok(kept.into_iter().map(|(placed, _)| placed).collect())
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(|error| Error::internal("arrange a list of hits", error))
}

/// Stored vectors by text; a text without one is compared by its words.
async fn vectors(
    ports: &Ports,
    tenant: Tenant,
    hits: &[(Placed, FoundPassage)],
) -> Result<HashMap<[u8; 32], Vec<f32>>> {
    let Some(embedder) = &ports.search.embedder else {
        return Ok(HashMap::new());
    };
    let hashes: Vec<[u8; 32]> = hits.iter().map(|(_, row)| text_hash(&row.passage.text)).collect();
    let found = ports.passages.vectors(tenant, &embedder.model().name, &hashes).await?;
    Ok(hashes.into_iter().zip(found).filter_map(|(hash, vector)| Some((hash, vector?))).collect())
}

fn collapse_duplicates(hits: Vec<(Placed, FoundPassage)>) -> Vec<(Placed, FoundPassage)> {
    let mut kept: Vec<(Placed, FoundPassage)> = Vec::with_capacity(hits.len());
    let mut seen: Vec<HashSet<u64>> = Vec::new();
    for (place, hit) in hits.into_iter().enumerate() {
        if place >= COMPARED {
            kept.push(hit);
            continue;
        }
        let of = shingles(&hit.1.passage.text);
        match seen.iter().position(|other| likeness(other, &of) >= NEAR) {
            Some(at) => kept[at].0.duplicates = kept[at].0.duplicates.saturating_add(1),
            None => {
                seen.push(of);
                kept.push(hit);
            }
        }
    }
    kept
}

fn collapse_conversations(hits: Vec<(Placed, FoundPassage)>) -> Vec<(Placed, FoundPassage)> {
    let mut first: HashMap<ConversationId, usize> = HashMap::new();
    let mut kept: Vec<(Placed, FoundPassage)> = Vec::new();
    for hit in hits {
        match first.get(&hit.1.passage.conversation_id) {
            Some(at) => kept[*at].0.further = kept[*at].0.further.saturating_add(1),
            None => {
                first.insert(hit.1.passage.conversation_id, kept.len());
                kept.push(hit);
            }
        }
    }
    kept
}

/// Maximal marginal relevance: the next is the one that is best after what it has in common with the likest of those
/// that were chosen before it.
fn vary(hits: &mut [(Placed, FoundPassage)], share: f32, vectors: &HashMap<[u8; 32], Vec<f32>>) {
    let pool = hits.len().min(VARIED);
    let hits = &mut hits[..pool];
    let looks: Vec<Look<'_>> = hits.iter().map(|(_, row)| Look::of(&row.passage.text, vectors)).collect();
    let scores = || hits.iter().map(|(placed, _)| placed.fused.score);
    let (low, high) = (scores().fold(f32::INFINITY, f32::min), scores().fold(f32::NEG_INFINITY, f32::max));
    let worth = |score: f32| if high > low { (score - low) / (high - low) } else { 1.0 };
    let worths: Vec<f32> = scores().map(worth).collect();
    let mut likest = vec![0.0_f32; pool];
    let mut left: Vec<usize> = (0..pool).collect();
    let mut order = Vec::with_capacity(pool);
    while !left.is_empty() {
        let marginal = |at: &usize| (1.0 - share) * worths[*at] - share * likest[*at];
        // Of equals the one that was ranked before.
        let best = (0..left.len()).reduce(|a, b| if marginal(&left[b]) > marginal(&left[a]) { b } else { a });
        let chosen = left.remove(best.unwrap_or(0));
        for at in &left {
            likest[*at] = likest[*at].max(looks[chosen].likeness(&looks[*at]));
        }
        order.push(chosen);
    }
    drop(looks);
    let arranged: Vec<_> = order.into_iter().map(|at| hits[at].clone()).collect();
    hits.clone_from_slice(&arranged);
}

/// What a text is compared by.
struct Look<'a> {
    vector: Option<&'a [f32]>,
    words: HashSet<u64>,
}

impl<'a> Look<'a> {
    fn of(text: &str, vectors: &'a HashMap<[u8; 32], Vec<f32>>) -> Self {
        let vector = vectors.get(&text_hash(text)).map(Vec::as_slice);
        Self { vector, words: words(text).take(MOST_SHINGLES).map(|word| hashed(&[word])).collect() }
    }

    fn likeness(&self, other: &Self) -> f32 {
        match (self.vector, other.vector) {
            (Some(a), Some(b)) => a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>().clamp(0.0, 1.0),
            _ => likeness(&self.words, &other.words),
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.unicode_words().map(str::to_lowercase)
}

fn shingles(text: &str) -> HashSet<u64> {
    let words: Vec<String> = words(text).take(MOST_SHINGLES + SHINGLE).collect();
    if words.len() <= SHINGLE {
        return HashSet::from([hashed(&words)]);
    }
    words.windows(SHINGLE).map(hashed).collect()
}

fn hashed(words: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}

/// Jaccard: what both have of all that either has.
fn likeness(a: &HashSet<u64>, b: &HashSet<u64>) -> f32 {
    let both = a.intersection(b).count();
    let either = a.len() + b.len() - both;
    if either == 0 { 0.0 } else { both as f32 / either as f32 }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        conversations::ConversationKind, ids::PassageId, passages::Passage, ports::search::ConversationFacets,
    };

    fn hit(conversation: u128, ordinal: u32, score: f32, text: &str) -> (Placed, FoundPassage) {
        let conversation_id = ConversationId(Uuid::from_u128(conversation));
        let passage_id = PassageId::of(conversation_id, &[0; 32], ordinal);
        let fused = FusedHit { passage_id, score, text: None, semantic: None };
        let passage = Passage {
            id: passage_id,
            conversation_id,
            ordinal,
            first_sequence: 0,
            last_sequence: 0,
            text: text.to_owned(),
            start_ms: None,
            end_ms: None,
            speakers: Vec::new(),
            people: Vec::new(),
        };
        let facets = ConversationFacets {
            conversation_id,
            revision: 1,
            kind: ConversationKind::Meeting,
            tags: Vec::new(),
            occurred_at: None,
            language: None,
        };
        (Placed::from(fused), FoundPassage { passage, facets, embedding_model: None })
    }

    fn texts(hits: &[(Placed, FoundPassage)]) -> Vec<&str> {
        hits.iter().map(|(_, row)| row.passage.text.as_str()).collect()
    }

    #[test]
    fn of_texts_that_are_almost_the_same_the_best_stays() {
        let long = "we shall move the quarterly review to the second week of march since half of us are away";
        let near = format!("{long} then");
        let hits = vec![
            hit(1, 0, 3.0, long),
            hit(2, 0, 2.0, &near),
            hit(3, 0, 1.0, "we shall move"),
            hit(4, 0, 0.5, "We shall MOVE!"),
        ];
        let kept = collapse_duplicates(hits);
        assert_eq!(texts(&kept), [long, "we shall move"]);
        assert_eq!(kept.iter().map(|(placed, _)| placed.duplicates).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn a_conversation_is_its_best_hit_and_a_number() {
        let hits = vec![hit(1, 0, 3.0, "a"), hit(2, 0, 2.0, "b"), hit(1, 1, 1.0, "c"), hit(1, 2, 0.5, "d")];
        let kept = collapse_conversations(hits);
        assert_eq!(texts(&kept), ["a", "b"]);
        assert_eq!(kept.iter().map(|(placed, _)| placed.further).collect::<Vec<_>>(), [2, 0]);
    }

    #[test]
    fn variety_lets_what_is_new_go_before_what_is_like_the_first() {
        let of = |share, vectors: &HashMap<_, _>| {
            let mut hits = vec![
                hit(1, 0, 1.0, "pay and notice"),
                hit(2, 0, 0.9, "notice and pay"),
                hit(3, 0, 0.6, "summer party"),
                hit(4, 0, 0.0, "rain"),
            ];
            vary(&mut hits, share, vectors);
            texts(&hits).iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()
        };
        let by_words = HashMap::new();
        assert_eq!(of(0.0, &by_words), ["pay and notice", "notice and pay", "summer party", "rain"]);
        assert_eq!(of(0.4, &by_words)[..2], ["pay and notice", "summer party"]);
        // By meaning the party is what is like the first.
        let vector = |text: &str, vector: [f32; 2]| (text_hash(text), vector.to_vec());
        let by_meaning = HashMap::from([
            vector("pay and notice", [1.0, 0.0]),
            vector("notice and pay", [0.0, 1.0]),
            vector("summer party", [1.0, 0.0]),
        ]);
        assert_eq!(of(0.4, &by_meaning)[..2], ["pay and notice", "notice and pay"]);
        assert_eq!(of(0.4, &by_meaning)[3], "summer party");
    }
}
