//! Sentiment by lexicon: of each participant and over the course of the talk. A number for tendencies; it
//! knows negation and emphasis, but no irony.

use std::collections::BTreeMap;

use super::{
    Details, Insight, InsightKind,
    lexicon::{self, Weight},
    reading::Reading,
    vocabulary::NEGATIONS,
};

/// Parts of the talk, equal in segments.
const PARTS: usize = 10;
/// Whoever says less with feeling is not judged.
const FEWEST_SENTENCES: u32 = 5;
/// Sentences quoted from either end of the scale.
const QUOTES: usize = 2;
/// Words back in which a negation turns a word round.
const REACH: usize = 3;
/// "Not good" is less bad than "bad".
const TURNED: f32 = -0.7;

struct Felt {
    place: usize,
    value: f32,
}

pub(super) fn find(reading: &Reading<'_>) -> Vec<Insight> {
    if !reading.english {
        return Vec::new();
    }
    let mut felt: Vec<Felt> = Vec::new();
    for (place, sentence) in reading.quotable() {
        let value = of_words(&reading.words(sentence));
        if value != 0.0 {
            felt.push(Felt { place, value });
        }
    }
    let mut by_speaker: BTreeMap<usize, Vec<&Felt>> = BTreeMap::new();
    for one in &felt {
        if let Some(speaker) = reading.sentences[one.place].speaker {
            by_speaker.entry(speaker).or_default().push(one);
        }
    }
    let everybody: Vec<&Felt> = felt.iter().collect();
    let mut insights: Vec<Insight> = insight(reading, None, &everybody).into_iter().collect();
    insights.extend(by_speaker.iter().filter_map(|(speaker, felt)| insight(reading, Some(*speaker), felt)));
    insights
}

fn insight(reading: &Reading<'_>, speaker: Option<usize>, felt: &[&Felt]) -> Option<Insight> {
    let count = felt.len() as u32;
    if count < FEWEST_SENTENCES {
        return None;
    }
    let mean = felt.iter().map(|one| one.value).sum::<f32>() / count as f32;
    let who = reading.participant(speaker).map_or("The talk", |participant| participant.label.as_str());
    Some(Insight {
        kind: InsightKind::Sentiment,
        text: format!("{who}: {} ({mean:+.2} from {count} sentences with feeling)", in_words(mean)),
        participant_id: reading.participant_id(speaker),
        score: Some(rounded(mean)),
        details: Details::Sentiment { sentences: count, course: course(reading, felt) },
        evidence: telling(felt)
            .into_iter()
            .map(|place| reading.evidence(&reading.sentences[place]))
            .collect(),
    })
}

fn in_words(mean: f32) -> &'static str {
    match mean {
        ..-0.35 => "mostly negative",
        ..-0.1 => "rather negative",
        ..0.1 => "balanced",
        ..0.35 => "rather positive",
        _ => "mostly positive",
    }
}

fn course(reading: &Reading<'_>, felt: &[&Felt]) -> Vec<Option<f32>> {
    let segments = reading.talk.segments.len().max(1);
    let mut parts = [(0.0_f32, 0_u32); PARTS];
    for one in felt {
        let segment = reading.first_segment(&reading.sentences[one.place]);
        let part = &mut parts[(segment * PARTS / segments).min(PARTS - 1)];
        *part = (part.0 + one.value, part.1 + 1);
    }
    parts.iter().map(|(sum, count)| (*count > 0).then(|| rounded(sum / *count as f32))).collect()
}

/// To hundredths: more would be pretence.
fn rounded(value: f32) -> f32 {
    (value * 100.0).round() / 100.0 + 0.0
}

/// The strongest sentences of both signs, in the order of the talk.
fn telling(felt: &[&Felt]) -> Vec<usize> {
    let mut sorted: Vec<&&Felt> = felt.iter().collect();
    sorted.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.place.cmp(&b.place)));
    let positive = sorted.iter().take(QUOTES).filter(|one| one.value > 0.0);
    let negative = sorted.iter().rev().take(QUOTES).filter(|one| one.value < 0.0);
    let mut places: Vec<usize> = positive.chain(negative).map(|one| one.place).collect();
    places.sort_unstable();
    places
}

/// From -1 to 1: the sum of the words' weights, bent so that one word does not already say all.
fn of_words(words: &[&str]) -> f32 {
    let mut sum = 0.0;
    for (place, word) in words.iter().enumerate() {
        let Some(Weight(weight)) = lexicon::weight(word) else {
            continue;
        };
        let before = &words[place.saturating_sub(REACH)..place];
        let turned = before.iter().any(|word| NEGATIONS.contains(word));
        let emphasis: f32 = before.iter().rev().take(2).map(|word| lexicon::emphasis(word)).product();
        sum += weight * emphasis * if turned { TURNED } else { 1.0 };
    }
    (sum / 4.0).tanh()
}

#[cfg(test)]
mod tests {
    use super::of_words;

    fn value(sentence: &str) -> f32 {
        of_words(&sentence.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn negation_turns_and_emphasis_strengthens() {
        assert!(value("that was excellent") > value("that was good"));
        assert!(value("that was very good") > value("that was good"));
        assert!(value("it was slightly disappointing") > value("it was disappointing"));
        assert!(value("it was not good") < 0.0);
        assert!(value("i'm not worried") > 0.0);
        assert!(value("it was not good") > value("it was terrible"));
        assert_eq!(value("the table has four legs"), 0.0);
    }

    #[test]
    fn no_sentence_leaves_the_scale() {
        let praise = "excellent ".repeat(400);
        assert!(value(praise.trim()) <= 1.0);
    }
}
