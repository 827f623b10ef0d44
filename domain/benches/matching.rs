//! What 10,000 saved searches cost a new passage, by words and by meaning. `cargo bench -p colloquy-domain --bench matching`.

use std::{hint::black_box, sync::Arc};

use chrono::{DateTime, TimeDelta};
use colloquy_domain::{
    conversations::ConversationKind,
    ids::{ConversationId, PassageId, SavedSearchId},
    passages::Passage,
    ports::{search::ConversationFacets, store::passages::FoundPassage},
    search::{
        language::read,
        matching::{Came, Matcher, Watched},
        saved::Watch,
    },
};
use divan::Bencher;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use uuid::Uuid;

const SEARCHES: u128 = 10_000;
const DIMENSIONS: usize = 384;

fn main() {
    divan::main();
}

/// Few words are common and many are rare.
fn word(rng: &mut StdRng) -> String {
    let common: u32 = rng.random_range(0..14);
    format!("w{:x}ing", (1 << common) + rng.random_range(0..1_u32 << common))
}

fn words(rng: &mut StdRng, number: usize, between: &str) -> String {
    let words: Vec<String> = (0..number).map(|_| word(rng)).collect();
    words.join(between)
}

fn query(rng: &mut StdRng) -> String {
    match rng.random_range(0..4) {
        0 => words(rng, 3, " "),
        1 => format!("\"{}\" {}", words(rng, 2, " "), word(rng)),
        2 => format!("{} -{} \"{}\"", words(rng, 2, " OR "), word(rng), words(rng, 2, " ")),
        _ => format!("{} tag:q3", words(rng, 2, " ")),
    }
}

fn unit(rng: &mut StdRng) -> Vec<f32> {
    let numbers: Vec<f32> = (0..DIMENSIONS).map(|_| rng.random_range(-1.0..1.0_f32)).collect();
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
    numbers.into_iter().map(|number| number / length).collect()
}

fn matcher(watch: Watch) -> Matcher {
    let mut rng = StdRng::seed_from_u64(1);
    let mut watched = |number| {
        let asked = read(&query(&mut rng)).ok()?;
        let vector = (watch != Watch::Text).then(|| unit(&mut rng));
        let of = (SavedSearchId(Uuid::from_u128(number)), 1);
        Some(Arc::new(Watched::new(of, DateTime::UNIX_EPOCH, asked, watch, vector)))
    };
    Matcher::new((0..SEARCHES).filter_map(&mut watched).collect())
}

fn came() -> Came {
    let mut rng = StdRng::seed_from_u64(2);
    let conversation_id = ConversationId(Uuid::nil());
    let passage = Passage {
        id: PassageId::of(conversation_id, &[0; 32], 0),
        conversation_id,
        ordinal: 0,
        first_sequence: 0,
        last_sequence: 0,
        text: words(&mut rng, 180, " "),
        start_ms: None,
        end_ms: None,
        speakers: vec!["Ann Lee".to_owned()],
        people: Vec::new(),
    };
    let facets = ConversationFacets {
        conversation_id,
        revision: 1,
        kind: ConversationKind::Meeting,
        tags: vec!["Q3".to_owned()],
        occurred_at: None,
        language: None,
    };
    let found = FoundPassage { passage, facets, embedding_model: None };
    Came { found, at: DateTime::UNIX_EPOCH + TimeDelta::days(1), vector: None }
}

#[divan::bench]
fn by_words(bencher: Bencher<'_, '_>) {
    let (matcher, came) = (matcher(Watch::Text), came());
    bencher.bench_local(|| matcher.matches(black_box(&came)).len());
}

#[divan::bench]
fn by_meaning(bencher: Bencher<'_, '_>) {
    let vector = Some(unit(&mut StdRng::seed_from_u64(3)));
    let (matcher, came) = (matcher(Watch::Semantic { threshold: 0.5 }), Came { vector, ..came() });
    bencher.bench_local(|| matcher.matches(black_box(&came)).len());
}

/// What a change of one search costs who keeps them all.
#[divan::bench(sample_count = 10)]
fn making_them_ready(bencher: Bencher<'_, '_>) {
    let watched: Vec<Arc<Watched>> = matcher(Watch::Text).watched().to_vec();
    bencher.bench_local(|| Matcher::new(watched.clone()));
}
