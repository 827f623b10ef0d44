//! Ranking within one conversation, where more is known than over many. What answers a question there comes in runs of
//! talk, so a passage is ranked with its neighbours. A word that is a speaker's name means that they speak: who is
//! often spoken to by name would outweigh what is asked for. And words of asking ("summarize the discussion") say
//! nothing of a talk that is nothing but discussion. Measured by `just bench-search`.

use std::{
    collections::{HashMap, HashSet},
    mem,
};

use super::{
    analysis::stemmed,
    fusion::{FusedHit, Place},
    query::{Clause, TextQuery, fold},
};
use crate::{
    ids::PassageId,
    ports::search::{EngineHit, TextHits},
};

/// Weight of meaning against words.
pub const SEMANTIC_WEIGHT: f32 = 0.4;
/// How many neighbours on each side count, ever less with their distance.
const NEIGHBOURS: usize = 3;
/// What a passage gains where one speaks whom the question names, in words of average weight.
const NAMED: f32 = 1.5;
/// Words that a question about a talk begins with, and that what is meant does not.
const LEADING: &str = "summarize summarise what why how was were did the discussion discussions conversation about on of regarding";
/// Words of asking about a talk.
const ASKING: &str = "summarize summarise discussion discussions discuss discussed say said think thought";

/// The passages of a conversation, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    pub passages: Vec<Outlined>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlined {
    pub id: PassageId,
    /// Labels of those who speak in it.
    pub speakers: Vec<String>,
}

/// A question about one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    outline: Outline,
    /// What engines of words look for.
    pub words: TextQuery,
    /// What engines of meaning look for.
    pub plain: String,
    /// By passage: whether one speaks in it whom the question names.
    named: Vec<bool>,
}

impl Within {
    /// `query` is without its frame, `asked` as it was typed.
    pub fn new(query: &TextQuery, asked: &TextQuery, outline: Outline) -> Self {
        let labels = outline.passages.iter().flat_map(|passage| &passage.speakers);
        let names: HashSet<String> = labels.flat_map(|label| words_of(label)).collect();
        let is_name = |clause: &Clause| {
            let parts = name_in(clause);
            !parts.is_empty() && parts.iter().all(|part| names.contains(part))
        };
        let meant: HashSet<String> =
            query.clauses.iter().filter(|clause| is_name(clause)).flat_map(name_in).collect();
        let asks = |clause: &Clause| is_among(ASKING, clause);
        let clauses: Vec<_> =
            query.clauses.iter().filter(|clause| !is_name(clause) && !asks(clause)).cloned().collect();
        let remains = !clauses.is_empty() || !query.either.is_empty();
        let words = if remains { TextQuery { clauses, ..query.clone() } } else { query.clone() };
        let speaks = |passage: &Outlined| {
            passage.speakers.iter().any(|label| words_of(label).any(|part| meant.contains(&part)))
        };
        let named = outline.passages.iter().map(speaks).collect();
        Self { outline, words, plain: without_lead(asked), named }
    }

    /// Best first. Each leg's hits are all that it has in the conversation.
    pub fn fuse(&self, text: &TextHits, semantic: &[EngineHit]) -> Vec<FusedHit> {
        let places: HashMap<PassageId, usize> =
            self.outline.passages.iter().enumerate().map(|(at, passage)| (passage.id, at)).collect();
        let place = |hit: &EngineHit| places.get(&hit.passage_id).copied();
        let mut found: Vec<Found> = vec![Found::default(); places.len()];
        for (rank, hit) in (1..).zip(&text.hits) {
            if let Some(at) = place(hit) {
                found[at].text = Some(Place { rank, score: hit.score, stretched: None });
            }
        }
        for (rank, hit) in (1..).zip(semantic) {
            if let Some(at) = place(hit) {
                found[at].semantic = Some(Place { rank, score: hit.score, stretched: None });
            }
        }
        let gain = self.gain(text);
        let words: Vec<Option<f32>> = found
            .iter()
            .zip(&self.named)
            .map(|(found, named)| {
                let score = found.text.map_or(0.0, |place| place.score);
                found.is_some().then_some(score + if *named { gain } else { 0.0 })
            })
            .collect();
        let lowest = semantic.iter().map(|hit| hit.score).fold(f32::INFINITY, f32::min);
        let meaning: Vec<Option<f32>> = found
            .iter()
            .map(|found| {
                let far = || if lowest.is_finite() { lowest } else { 0.0 };
                found.is_some().then(|| found.semantic.map_or_else(far, |place| place.score))
            })
            .collect();
        let (words, meaning) = (stretched(smooth(&words)), stretched(smooth(&meaning)));
        let mut hits: Vec<(usize, FusedHit)> = Vec::new();
        for (at, found) in found.iter().enumerate().filter(|(_, found)| found.is_some()) {
            hits.push((
                at,
                FusedHit {
                    passage_id: self.outline.passages[at].id,
                    score: (1.0 - SEMANTIC_WEIGHT) * words[at] + SEMANTIC_WEIGHT * meaning[at],
                    text: found.text,
                    semantic: found.semantic,
                },
            ));
        }
        hits.sort_by(|a, b| b.1.score.total_cmp(&a.1.score).then(a.0.cmp(&b.0)));
        hits.into_iter().map(|(_, hit)| hit).collect()
    }

    /// In scores of the words' leg.
    fn gain(&self, text: &TextHits) -> f32 {
        let words = self.words.wanted().count().max(1) as f32;
        if text.whole > 0.0 { NAMED * text.whole / words } else { 1.0 }
    }
}

/// What the legs say of a passage.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    text: Option<Place>,
    semantic: Option<Place>,
}

impl Found {
    fn is_some(&self) -> bool {
        self.text.is_some() || self.semantic.is_some()
    }
}

/// The mean of each that was found with its neighbours, by a triangle that ends beyond [`NEIGHBOURS`]. What was not
/// found counts neither for nor against others.
fn smooth(scores: &[Option<f32>]) -> Vec<Option<f32>> {
    let around = |at: usize| {
        let from = at.saturating_sub(NEIGHBOURS);
        let to = (at + NEIGHBOURS + 1).min(scores.len());
        let weighed = (from..to).filter_map(|near| {
            let weight = (NEIGHBOURS + 1 - near.abs_diff(at)) as f32;
            Some((weight, scores[near]?))
        });
        let (weights, sum) =
            weighed.fold((0.0, 0.0), |(all, sum), (weight, score)| (all + weight, sum + weight * score));
        scores[at].map(|_| sum / weights)
    };
    (0..scores.len()).map(around).collect()
}

/// From 0 for the worst to 1 for the best; all of one score count as 1, and what was not found as 0.
fn stretched(scores: Vec<Option<f32>>) -> Vec<f32> {
    let low = scores.iter().flatten().copied().fold(f32::INFINITY, f32::min);
    let span = scores.iter().flatten().copied().fold(f32::NEG_INFINITY, f32::max) - low;
    let stretch = |score: f32| if span > 0.0 { (score - low) / span } else { 1.0 };
    scores.into_iter().map(|score| score.map_or(0.0, stretch)).collect()
}

fn without_lead(asked: &TextQuery) -> String {
    let wanted: Vec<&Clause> = asked.wanted().collect();
    let from = wanted.iter().position(|clause| !is_among(LEADING, clause)).unwrap_or(0);
    wanted[from..].iter().map(|clause| clause.text()).collect::<Vec<_>>().join(" ")
}

fn is_among(list: &str, clause: &Clause) -> bool {
    as_word(clause).is_some_and(|word| list.split_ascii_whitespace().any(|one| one == word))
}

fn as_word(clause: &Clause) -> Option<String> {
    match clause {
        Clause::Word(word) => Some(fold(word.trim_matches(|c: char| !c.is_alphanumeric()))),
        Clause::Phrase(_) | Clause::Alike(_) => None,
    }
}

/// The words of a name as it stands in a question: `Irranca-Davies`, `Ann's`.
fn name_in(clause: &Clause) -> Vec<String> {
    let Clause::Word(word) = clause else { return Vec::new() };
    let word = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word);
    words_of(word).collect()
}

fn words_of(label: &str) -> impl Iterator<Item = String> {
    label.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).map(in_any_form)
}

/// Labels are roles as often as names, and whoever asks about design may mean the designer. The same rules for both
/// sides, so that the language is all one; a word that is several terms is itself.
fn in_any_form(word: &str) -> String {
    match &mut stemmed(word, None)[..] {
        [one] => mem::take(&mut one.text),
        _ => fold(word),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ids::ConversationId;

    const CONVERSATION: ConversationId = ConversationId(Uuid::nil());

    fn id(at: u32) -> PassageId {
        PassageId::of(CONVERSATION, &[0; 32], at)
    }

    fn outline(speakers: &[&str]) -> Outline {
        let outlined =
            |(at, label): (u32, &&str)| Outlined { id: id(at), speakers: vec![(*label).to_owned()] };
        Outline { passages: (0..).zip(speakers).map(outlined).collect() }
    }

    fn hits(list: &[(u32, f32)]) -> Vec<EngineHit> {
        let hit = |&(at, score): &(u32, f32)| EngineHit {
            passage_id: id(at),
            conversation_id: CONVERSATION,
            score,
        };
        list.iter().map(hit).collect()
    }

    fn words(list: &[(u32, f32)], whole: f32) -> TextHits {
        TextHits { hits: hits(list), whole }
    }

    fn ask(question: &str, speakers: &[&str]) -> Within {
        let asked = TextQuery::parse(question).unwrap();
        Within::new(&asked.without_frame(), &asked, outline(speakers))
    }

    fn order(fused: &[FusedHit]) -> Vec<PassageId> {
        fused.iter().map(|hit| hit.passage_id).collect()
    }

    #[test]
    fn names_and_words_of_asking_are_not_looked_for_unless_they_are_all_there_is() {
        let looked_for = |question: &str| -> Vec<String> {
            ask(question, &["Ann Lee", "Ben"])
                .words
                .clauses
                .iter()
                .map(|clause| clause.text().to_owned())
                .collect()
        };
        assert_eq!(looked_for("What did Ann think about the remote?"), ["remote?"]);
        assert_eq!(looked_for("Summarize the discussion about \"the remote\""), ["the remote"]);
        assert_eq!(looked_for("Ann's plan, Ann-Lee?"), ["plan,"]);
        assert_eq!(looked_for("Ben"), ["Ben"]);
        let within = ask("Summarize the discussion about what Ann did", &["Ann"]);
        assert_eq!(within.plain, "Ann did");
        assert_eq!(ask("what about the", &["Ann"]).plain, "what about the");
    }

    #[test]
    fn of_equal_passages_the_one_among_good_neighbours_comes_first() {
        let within = ask("pay", &["A"; 12]);
        let near = hits(&(0..12).map(|at| (at, 0.5)).collect::<Vec<_>>());
        let fused = within.fuse(&words(&[(1, 3.0), (8, 3.0), (9, 2.0), (7, 2.0)], 3.0), &near);
        assert_eq!(fused[0].passage_id, id(8));
        assert_eq!(fused.len(), 12);
        assert!(fused.iter().all(|hit| (0.0..=1.0).contains(&hit.score)));
        let place = |at: u32| order(&fused).iter().position(|found| *found == id(at));
        assert!(place(1) > place(9) && place(1) < place(5), "{fused:?}");
    }

    #[test]
    fn who_is_named_is_one_who_speaks() {
        let mut speakers = ["Ann"; 16];
        speakers[8..12].fill("Ben");
        let near = hits(&(0..16).map(|at| (at, 0.5)).collect::<Vec<_>>());
        let fused =
            ask("what did Ben say of pay", &speakers).fuse(&words(&[(5, 1.0), (10, 1.0)], 1.0), &near);
        assert_eq!(fused[0].passage_id, id(10));
    }

    #[test]
    fn a_role_is_named_by_any_form_of_its_words() {
        let mut speakers = ["Ann"; 16];
        speakers[8..12].fill("Industrial Designer");
        let within = ask("why was the design of buttons changed", &speakers);
        let near = hits(&(0..16).map(|at| (at, 0.5)).collect::<Vec<_>>());
        let fused = within.fuse(&words(&[(5, 1.0), (10, 1.0)], 1.0), &near);
        assert_eq!(fused[0].passage_id, id(10));
        let looked_for: Vec<&str> = within.words.wanted().map(|clause| clause.text()).collect();
        assert_eq!(looked_for, ["buttons", "changed"]);
    }

    #[test]
    fn what_a_filter_leaves_out_or_no_passage_says_any_more_is_no_hit() {
        let within = ask("pay", &["A"; 4]);
        let fused = within.fuse(&words(&[(2, 1.0)], 1.0), &hits(&[(9, 0.9), (3, 0.8)]));
        assert_eq!(order(&fused), [id(2), id(3)]);
        assert!(within.fuse(&TextHits::default(), &[]).is_empty());
    }
}
