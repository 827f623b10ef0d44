//! A summary of three to seven sentences of the talk itself: those that carry most of what it is about, say
//! it on their own, do not repeat each other, and come from all parts of it.

use std::collections::{HashMap, HashSet};

use rust_stemmers::{Algorithm, Stemmer};

use super::{
    Details, Insight, InsightKind,
    reading::{Reading, Sentence},
    text, vocabulary,
};

/// Sentences that are compared with each other.
const CANDIDATES: usize = 400;
const FEWEST: usize = 3;
const MOST: usize = 7;
/// Turns of a talk for one more sentence.
const TURNS_A_SENTENCE: usize = 25;
const SHORTEST_WORDS: usize = 8;
const LONGEST_WORDS: usize = 45;
/// How much likeness to what is already chosen costs.
const REDUNDANCY: f64 = 0.8;
/// What the first sentence from a part of the talk is worth beside others.
const NEW_PART: f64 = 1.35;
/// What a decision or an action item is worth beside other sentences.
const SETTLED: f64 = 1.5;
const FEWEST_CONTENT_WORDS: usize = 3;
/// A sentence that begins so speaks of something said before.
const LEANS_ON_OTHERS: [&str; 16] = [
    "it", "it's", "that", "that's", "this", "they", "they're", "he", "he's", "she", "she's", "which",
    "these", "those", "then", "because",
];
const COURTESIES: [&str; 9] =
    ["thank", "thanks", "welcome", "sponsor", "sponsors", "podcast", "episode", "goodbye", "everyone's"];

struct Candidate {
    place: usize,
    weight: f64,
    part: usize,
    /// Sorted.
    stems: Vec<usize>,
}

pub(super) fn find<'i>(
    reading: &Reading<'_>,
    phrases: &[Insight],
    settled: impl Iterator<Item = &'i Insight>,
) -> Option<Insight> {
    if !reading.english {
        return None;
    }
    let settled: HashSet<&str> = settled
        .filter(|insight| insight.score.is_some_and(|score| score >= 0.8))
        .filter_map(|insight| insight.evidence.first())
        .map(|evidence| evidence.quote.as_str())
        .collect();
    let wanted = (FEWEST + reading.turns.len() / TURNS_A_SENTENCE).min(MOST);
    let mut chosen = choose(candidates(reading, phrases, &settled, wanted), wanted);
    if chosen.len() < FEWEST {
        return None;
    }
    chosen.sort_unstable();
    let sentences: Vec<&Sentence> = chosen.iter().map(|place| &reading.sentences[*place]).collect();
    let lines: Vec<String> = sentences
        .iter()
        .map(|sentence| match reading.participant(sentence.speaker) {
            Some(speaker) => format!("{}: {}", speaker.label, reading.readable(sentence)),
            None => reading.readable(sentence),
        })
        .collect();
    Some(Insight {
        kind: InsightKind::Summary,
        text: lines.join("\n"),
        participant_id: None,
        score: None,
        details: Details::None,
        evidence: sentences.into_iter().map(|sentence| reading.evidence(sentence)).collect(),
    })
}

/// The sentences worth comparing, with the weight of what they say: the mean of log-frequency times inverse
/// sentence frequency of their words, more where they hold key phrases.
fn candidates(
    reading: &Reading<'_>,
    phrases: &[Insight],
    settled: &HashSet<&str>,
    parts: usize,
) -> Vec<Candidate> {
    let stemmer = Stemmer::create(Algorithm::English);
    let mut stem_ids: HashMap<String, usize> = HashMap::new();
    let mut words_to_stems: HashMap<&str, Option<usize>> = HashMap::new();
    let mut counts: Vec<u32> = Vec::new();
    let mut sentences: Vec<(usize, Vec<usize>)> = Vec::new();
    for (place, sentence) in reading.quotable() {
        let mut stems = HashSet::new();
        for word in reading.words(sentence) {
            let stem = *words_to_stems.entry(word).or_insert_with(|| {
                vocabulary::is_content(word).then(|| {
                    let next = stem_ids.len();
                    *stem_ids.entry(stemmer.stem(word).into_owned()).or_insert(next)
                })
            });
            stems.extend(stem);
        }
        counts.resize(stem_ids.len(), 0);
        stems.iter().for_each(|stem| counts[*stem] += 1);
        sentences.push((place, stems.into_iter().collect()));
    }
    let all = sentences.len().max(1) as f64;
    let weigh = |stem: &usize| {
        let count = f64::from(counts[*stem]);
        if count < 2.0 { 0.0 } else { count.ln_1p() * (all / count).ln() }
    };
    let last_turn = reading.turns.len().max(1);
    let mut candidates: Vec<Candidate> = sentences
        .into_iter()
        .filter_map(|(place, mut stems)| {
            let sentence = &reading.sentences[place];
            let form = form(reading, sentence)?;
            stems.sort_unstable();
            let content: f64 =
                stems.iter().map(weigh).sum::<f64>() / (sentence.word_count() as f64).powf(0.6);
            let part = sentence.turn * parts / last_turn;
            (content > 0.0 && stems.len() >= FEWEST_CONTENT_WORDS).then_some(Candidate {
                place,
                weight: content * form,
                part,
                stems,
            })
        })
        .collect();
    keep_heaviest(&mut candidates);
    let heavy: Vec<(String, f64)> = phrases
        .iter()
        .map(|phrase| (phrase.text.to_lowercase(), f64::from(phrase.score.unwrap_or_default())))
        .collect();
    for candidate in &mut candidates {
        let sentence = &reading.sentences[candidate.place];
        let said = reading.words(sentence).join(" ");
        let keys: f64 =
            heavy.iter().filter(|(phrase, _)| said.contains(phrase.as_str())).map(|(_, score)| score).sum();
        let settles = if settled.contains(reading.quote(sentence)) { SETTLED } else { 1.0 };
        candidate.weight *= (1.0 + 0.5 * keys) * settles;
    }
    keep_heaviest(&mut candidates);
    candidates
}

fn keep_heaviest(candidates: &mut Vec<Candidate>) {
    candidates.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.place.cmp(&b.place)));
    candidates.truncate(CANDIDATES);
}

/// How well a sentence stands on its own; `None` if it cannot.
fn form(reading: &Reading<'_>, sentence: &Sentence) -> Option<f64> {
    let words = reading.words(sentence);
    let quote = reading.quote(sentence);
    let said = &words[vocabulary::lead_length(&words)..];
    if !(SHORTEST_WORDS..=LONGEST_WORDS).contains(&said.len()) || text::ends_with_question_mark(quote) {
        return None;
    }
    let mut form = 1.0;
    if LEANS_ON_OTHERS.contains(&said[0]) {
        form *= 0.5;
    }
    if !text::is_whole(quote) || quote.contains('{') {
        form *= 0.4;
    }
    if quote.ends_with("...") || quote.ends_with('…') {
        form *= 0.6;
    }
    if quote.contains("--") || quote.contains('"') {
        form *= 0.7;
    }
    if words.iter().any(|word| COURTESIES.contains(word)) {
        form *= 0.3;
    }
    let hesitations = words.iter().filter(|word| vocabulary::HESITATIONS.contains(*word)).count();
    Some(form * 0.8_f64.powi(hesitations.min(10) as i32))
}

/// The best first, then always the one that adds most.
fn choose(mut candidates: Vec<Candidate>, wanted: usize) -> Vec<usize> {
    let mut chosen: Vec<Candidate> = Vec::new();
    while chosen.len() < wanted && !candidates.is_empty() {
        let worth = |candidate: &Candidate| {
            let like =
                chosen.iter().map(|other| likeness(&candidate.stems, &other.stems)).fold(0.0, f64::max);
            let new_part =
                if chosen.iter().all(|other| other.part != candidate.part) { NEW_PART } else { 1.0 };
            candidate.weight * (1.0 - REDUNDANCY * like) * new_part
        };
        let mut best = (0, f64::MIN);
        for (index, candidate) in candidates.iter().enumerate() {
            let worth = worth(candidate);
            if worth > best.1 {
                best = (index, worth);
            }
        }
        chosen.push(candidates.remove(best.0));
    }
    chosen.into_iter().map(|candidate| candidate.place).collect()
}

/// Cosine of the sets; both sorted.
fn likeness(a: &[usize], b: &[usize]) -> f64 {
    let common = a.iter().filter(|stem| b.binary_search(stem).is_ok()).count();
    common as f64 / ((a.len() * b.len()) as f64).sqrt().max(1.0)
}
