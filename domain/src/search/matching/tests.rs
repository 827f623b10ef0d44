//! What matches, what does not, and that many searches cost a passage little.

use chrono::{DateTime, TimeDelta};
use std::time::{Duration, Instant};
use uuid::Uuid;

use super::*;
use crate::{
    conversations::ConversationKind,
    ids::{ConversationId, PassageId},
    passages::Passage,
    ports::search::ConversationFacets,
    search::saved::Question,
};

fn at(seconds: i64) -> Timestamp {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn watched(number: u128, query: &str, watch: Watch, vector: Option<Vec<f32>>) -> Arc<Watched> {
    let question = Question { query: query.to_owned(), filter: SearchFilter::default(), watch };
    let asked = question.read().unwrap();
    Arc::new(Watched::new((SavedSearchId(Uuid::from_u128(number)), 1), at(10), asked, watch, vector))
}

fn matcher(queries: &[&str]) -> Matcher {
    let watched = queries.iter().enumerate().map(|(n, query)| watched(n as u128, query, Watch::Text, None));
    Matcher::new(watched.collect())
}

fn came(text: &str) -> Came {
    let conversation_id = ConversationId(Uuid::from_u128(1));
    let facets = ConversationFacets {
        conversation_id,
        revision: 1,
        kind: ConversationKind::Meeting,
        tags: vec!["Q3".to_owned()],
        occurred_at: None,
        language: None,
    };
    let passage = Passage {
        id: PassageId::of(conversation_id, &[0; 32], 0),
        conversation_id,
        ordinal: 0,
        first_sequence: 0,
        last_sequence: 0,
        text: text.to_owned(),
        start_ms: None,
        end_ms: None,
        speakers: vec!["Ann Lee".to_owned()],
        people: Vec::new(),
    };
    Came { found: FoundPassage { passage, facets, embedding_model: None }, at: at(20), vector: None }
}

/// Numbers of those that match.
fn numbers(matcher: &Matcher, came: &Came) -> Vec<u128> {
    matcher.matches(came).iter().map(|one| one.watched.id.0.as_u128()).collect()
}

const QUERIES: [&str; 12] = [
    "negotiate",
    "\"notice period\"",
    "\"period notice\"",
    "salary bonus",
    "salary -bonus",
    "pension OR \"base pay\"",
    "pension OR \"base pay\" -notice",
    "how much is the notice?",
    "the",
    "negotiate speaker:\"ann lee\" tag:q3",
    "negotiate kind:interview",
    "-\"notice period\" negotiated",
];

#[test]
fn a_query_matches_what_search_would_find() {
    let matcher = matcher(&QUERIES);
    let found = |text: &str| numbers(&matcher, &came(text));
    assert_eq!(found("We negotiated."), [0, 9, 11]);
    assert_eq!(found("The notice: period, negotiating"), [0, 1, 7, 8, 9]);
    assert_eq!(found("A salary and base pay"), [3, 4, 5, 6]);
    assert_eq!(found("Bonuses, salaries"), [3]);
    assert_eq!(found("Notice the base pay"), [5, 7, 8]);
    assert!(found("Nothing of it").is_empty());
    assert!(found("").is_empty());
}

#[test]
fn what_came_before_does_not_match() {
    let matcher = matcher(&QUERIES);
    let before = Came { at: at(10), ..came("We negotiated.") };
    assert!(matcher.matches(&before).is_empty());
    assert_eq!(matcher.since(), Some(at(10)));
    assert_eq!(Matcher::new(Vec::new()).since(), None);
}

#[test]
fn meaning_matches_from_its_threshold_on_and_what_is_strict_holds() {
    let near = |threshold| Watch::Semantic { threshold };
    let query = Some(vec![0.6, 0.8]);
    let matcher = Matcher::new(vec![
        watched(0, "anything", near(0.6), query.clone()),
        watched(1, "anything", near(0.61), query.clone()),
        watched(2, "anything \"to the letter\"", near(0.1), query.clone()),
        watched(3, "anything -letters", near(0.1), query.clone()),
        watched(4, "a OR letter b", near(0.1), query),
        watched(5, "of another model", near(0.1), Some(vec![1.0, 0.0, 0.0])),
        watched(6, "not embedded", near(0.1), None),
    ]);
    let with = |text: &str, vector: Vec<f32>| Came { vector: Some(vector), ..came(text) };
    let to_the_letter = with("Take it to the letter.", vec![1.0, 0.0]);
    assert_eq!(numbers(&matcher, &to_the_letter), [0, 2, 4]);
    assert_eq!(matcher.matches(&to_the_letter)[0].similarity, Some(0.6));
    assert_eq!(numbers(&matcher, &with("Take it.", vec![1.0, 0.0])), [0, 3]);
    assert!(numbers(&matcher, &with("Take it.", vec![-1.0, 0.0])).is_empty());
    assert!(numbers(&matcher, &with("Take it.", vec![1.0])).is_empty());
    assert!(numbers(&matcher, &came("Take it.")).is_empty());
}

#[test]
fn a_product_of_any_length_is_that_of_all_numbers() {
    for length in [0_u16, 1, 7, 8, 9, 384] {
        let ones: Vec<f32> = vec![1.0; usize::from(length)];
        let numbers: Vec<f32> = (1..=length).map(f32::from).collect();
        assert_eq!(dot(&ones, &numbers), f32::from(length) * f32::from(length + 1) / 2.0, "{length}");
    }
}

/// Words of one or two in a hundred, as rare and as common as words of a language are.
fn word(seed: u64) -> String {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let rank = (1_u64 << (mixed % 14)) + (mixed >> 40) % (1 << (mixed % 14));
    format!("w{rank:x}ing")
}

/// The quickest of a few: the machine has other things to do.
fn quickest(mut work: impl FnMut()) -> Duration {
    let took = (0..5).map(|_| {
        let begun = Instant::now();
        work();
        begun.elapsed()
    });
    took.min().unwrap_or_default()
}

#[test]
fn ten_thousand_searches_cost_a_passage_little() {
    // Ten milliseconds are for a release; here the domain is not optimised.
    let bound = Duration::from_millis(if cfg!(debug_assertions) { 250 } else { 10 });
    let queries: Vec<String> = (0..10_000_u64)
        .map(|n| {
            let [a, b, c, d] = [0, 1, 2, 3].map(|part| word(4 * n + part));
            match n % 4 {
                0 => format!("{a} {b} {c}"),
                1 => format!("\"{a} {b}\" {c}"),
                2 => format!("{a} OR {b} -{c} \"{d}\""),
                _ => format!("{a} {b} tag:q3"),
            }
        })
        .collect();
    let matcher = matcher(&queries.iter().map(String::as_str).collect::<Vec<_>>());
    let text: Vec<String> = (0..180).map(|n| word(1_000_000 + n)).collect();
    let came = came(&text.join(" "));
    let found = matcher.matches(&came).len();
    assert!((100..10_000).contains(&found), "{found}");
    let took = quickest(|| assert_eq!(matcher.matches(&came).len(), found));
    assert!(took < bound, "{took:?} by words");

    let vector = |seed: u64| -> Vec<f32> {
        let numbers = (0..384).map(|n| ((seed * 31 + n) % 97) as f32 - 48.0);
        let numbers: Vec<f32> = numbers.collect();
        let length = dot(&numbers, &numbers).sqrt();
        numbers.iter().map(|number| number / length).collect()
    };
    let near = Watch::Semantic { threshold: 0.9 };
    let all = (0..10_000).map(|n| watched(n, "anything", near, Some(vector(n as u64)))).collect();
    let matcher = Matcher::new(all);
    let came = Came { vector: Some(vector(5)), ..came };
    assert!(numbers(&matcher, &came).contains(&5));
    let took = quickest(|| drop(matcher.matches(&came)));
    assert!(took < bound, "{took:?} by meaning");
}
