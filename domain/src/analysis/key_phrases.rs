//! Key phrases: what a talk keeps coming back to. Runs of up to three words that carry a subject, weighed by
//! how often they are said and over how much of the talk they are spread; a phrase beats the words in it.

use std::collections::HashMap;

use rust_stemmers::{Algorithm, Stemmer};

use super::{Details, Insight, InsightKind, reading::Reading, vocabulary};

const MOST: usize = 15;
const PLACES: usize = 5;
const LONGEST_WORDS: usize = 3;
/// Of a language whose grammar words are not known: words in a larger share of the sentences are grammar.
const GRAMMAR_SHARE: f64 = 0.04;
const FOREIGN_SHORTEST: usize = 5;
const FOREIGN_MOST: usize = 8;

#[derive(Default)]
struct Candidate {
    count: u32,
    /// Sentences, in order.
    sentences: Vec<usize>,
    /// Surface forms as they stand, with how often.
    forms: HashMap<String, u32>,
    words: usize,
    turns: u32,
    last_turn: Option<usize>,
}

pub(super) fn find(reading: &Reading<'_>) -> Vec<Insight> {
    let candidates = if reading.english { english(reading) } else { foreign(reading) };
    let mut scored: Vec<(f64, String, Candidate)> = weigh(candidates, reading);
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.truncate(if reading.english { MOST } else { FOREIGN_MOST });
    let heaviest = scored.first().map_or(1.0, |(score, ..)| *score);
    scored.into_iter().map(|(score, _, candidate)| insight(reading, score / heaviest, &candidate)).collect()
}

fn insight(reading: &Reading<'_>, score: f64, candidate: &Candidate) -> Insight {
    let form = candidate
        .forms
        .iter()
        .max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)))
        .map(|(form, _)| form.clone());
    let mut places = candidate.sentences.clone();
    places.dedup();
    // Spread over the talk rather than the first few.
    let step = places.len().div_ceil(PLACES).max(1);
    Insight {
        kind: InsightKind::KeyPhrase,
        text: form.unwrap_or_default(),
        participant_id: None,
        score: Some(score as f32),
        details: Details::KeyPhrase { occurrences: candidate.count },
        evidence: places
            .into_iter()
            .step_by(step)
            .map(|place| reading.evidence(&reading.sentences[place]))
            .collect(),
    }
}

/// By stems, parted by spaces.
type Candidates = HashMap<String, Candidate>;

fn english(reading: &Reading<'_>) -> Candidates {
    let stemmer = Stemmer::create(Algorithm::English);
    let mut stems: HashMap<String, String> = HashMap::new();
    let mut candidates = Candidates::new();
    let names: Vec<String> = reading
        .talk
        .participants
        .iter()
        .flat_map(|participant| {
            super::text::words(&participant.label)
                .into_iter()
                .map(|word| super::text::fold(&participant.label[word.start..word.end]))
        })
        .collect();
    let names: std::collections::HashSet<String> = names.into_iter().collect();
    for (place, sentence) in reading.quotable() {
        let words = reading.words(sentence);
        let mut start = 0;
        while start < words.len() {
            let mut end = start;
            while end < words.len()
                && is_candidate(words[end], &names)
                && (end == start || reading.before_word(sentence, end).trim().is_empty())
            {
                end += 1;
            }
            let run = start..end;
            start = end.max(start + 1);
            for length in 1..=LONGEST_WORDS.min(run.len()) {
                for from in run.start..=run.end - length {
                    let phrase = &words[from..from + length];
                    let key: Vec<&str> = phrase.to_vec();
                    let mut stemmed = String::new();
                    for word in key {
                        if !stems.contains_key(word) {
                            stems.insert(
                                word.to_owned(),
                                stemmer.stem(word.strip_suffix("'s").unwrap_or(word)).into_owned(),
                            );
                        }
                        if !stemmed.is_empty() {
                            stemmed.push(' ');
                        }
                        stemmed.push_str(&stems[word]);
                    }
                    note(
                        &mut candidates,
                        stemmed,
                        length,
                        place,
                        reading,
                        reading.phrase(sentence, from..from + length),
                    );
                }
            }
        }
    }
    candidates
}

fn is_candidate(word: &str, names: &std::collections::HashSet<String>) -> bool {
    vocabulary::is_content(word)
        && !word.ends_with("ly")
        && !names.contains(word.strip_suffix("'s").unwrap_or(word))
        && !word.contains('\'')
}

fn foreign(reading: &Reading<'_>) -> Candidates {
    let mut candidates = Candidates::new();
    for (place, sentence) in reading.quotable() {
        for (at, word) in reading.words(sentence).into_iter().enumerate() {
            if word.chars().filter(|c| c.is_alphabetic()).count() >= FOREIGN_SHORTEST {
                note(
                    &mut candidates,
                    word.to_owned(),
                    1,
                    place,
                    reading,
                    reading.phrase(sentence, at..at + 1),
                );
            }
        }
    }
    let most = (reading.sentences.len() as f64 * GRAMMAR_SHARE).max(4.0);
    candidates.retain(|_, candidate| {
        f64::from(candidate.turns) <= most || (candidate.sentences.len() as f64) <= most
    });
    candidates
}

fn note(
    candidates: &mut Candidates,
    key: String,
    words: usize,
    place: usize,
    reading: &Reading<'_>,
    form: &str,
) {
    let candidate = candidates.entry(key).or_default();
    let turn = reading.sentences[place].turn;
    candidate.count += 1;
    candidate.words = words;
    candidate.sentences.push(place);
    candidate.turns += u32::from(candidate.last_turn != Some(turn));
    candidate.last_turn = Some(turn);
    match candidate.forms.get_mut(form) {
        Some(count) => *count += 1,
        None => {
            candidate.forms.insert(form.to_owned(), 1);
        }
    }
}

/// Drops what is too rare, and what hardly ever stands outside a longer phrase that is kept.
fn weigh(mut candidates: Candidates, reading: &Reading<'_>) -> Vec<(f64, String, Candidate)> {
    let least = |words: usize| match (words, reading.word_count()) {
        (1, ..1_000) => 2,
        (1, ..5_000) => 3,
        (1, _) => 4,
        (_, _) => 2,
    };
    candidates.retain(|_, candidate| candidate.count >= least(candidate.words));
    let mut inside: HashMap<String, u32> = HashMap::new();
    for (key, candidate) in candidates.iter().filter(|(_, candidate)| candidate.words > 1) {
        let words: Vec<&str> = key.split(' ').collect();
        for length in 1..words.len() {
            for part in words.windows(length) {
                let most = inside.entry(part.join(" ")).or_default();
                *most = (*most).max(candidate.count);
            }
        }
    }
    candidates
        .into_iter()
        .filter_map(|(key, candidate)| {
            let own = candidate.count - inside.get(&key).copied().unwrap_or_default().min(candidate.count);
            let alone = f64::from(own) >= f64::from(candidate.count) * 0.4 && own > 0;
            let spread = f64::from(candidate.turns).ln_1p();
            let length = [0.0, 1.0, 2.2, 2.8][candidate.words];
            let named = if is_capitalized(&candidate) { 1.3 } else { 1.0 };
            alone.then(|| ((1.0 + f64::from(own).ln()) * spread * length * named, key, candidate))
        })
        .collect()
}

/// Names of products, places and methods are written with capitals wherever they stand.
fn is_capitalized(candidate: &Candidate) -> bool {
    let capitals: u32 = candidate
        .forms
        .iter()
        .filter(|(form, _)| form.starts_with(char::is_uppercase))
        .map(|(_, count)| *count)
        .sum();
    capitals * 5 >= candidate.count * 4
}
