//! An embedder for tests: words and character trigrams hashed into 256 signed dimensions. Texts that share
//! words, or stems of words, are near each other; it knows nothing of meaning.

use std::time::Instant;

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    ports::models::{Embedder, EmbeddingModel},
};

use crate::telemetry;

const DIMENSIONS: usize = 256;

/// A word counts for more than any one of its trigrams, and about as much as all of them.
const WORD: f32 = 2.0;
const TRIGRAM: f32 = 1.0;

/// The same vectors in every run and on every platform.
pub struct HashingEmbedder {
    model: EmbeddingModel,
}

impl HashingEmbedder {
    pub fn new() -> Self {
        Self { model: EmbeddingModel { name: format!("hashing-{DIMENSIONS}"), dimensions: DIMENSIONS } }
    }
}

impl Default for HashingEmbedder {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Embedder for HashingEmbedder {
    fn model(&self) -> &EmbeddingModel {
        &self.model
    }

    async fn embed_passages(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        let started = Instant::now();
        let vectors: Vec<Vec<f32>> = texts.iter().map(|text| embed(text)).collect();
        telemetry::record("passages", vectors.len(), started);
        Ok(vectors)
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        let started = Instant::now();
        let vector = embed(text);
        telemetry::record("query", 1, started);
        Ok(vector)
    }
}

fn embed(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSIONS];
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        add(&mut vector, word, WORD);
        // The borders are part of the trigrams, so that a prefix tells more than a middle.
        let letters: Vec<char> = [' '].into_iter().chain(word.chars()).chain([' ']).collect();
        for trigram in letters.windows(3) {
            add(&mut vector, &trigram.iter().collect::<String>(), TRIGRAM);
        }
    }
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length == 0.0 {
        // No words, or all of them cancelled out: still a vector of unit length.
        vector[0] = 1.0;
        return vector;
    }
    vector.iter().map(|value| value / length).collect()
}

/// A feature goes to one dimension with one sign, both by its hash, so that collisions cancel on average.
fn add(vector: &mut [f32], feature: &str, weight: f32) {
    let [dimension, sign, ..] = *blake3::hash(feature.as_bytes()).as_bytes();
    vector[usize::from(dimension)] += if sign & 1 == 0 { weight } else { -weight };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        embed(a).iter().zip(embed(b)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn vectors_have_unit_length_whatever_the_text() {
        for text in ["", "   ", "?!", "a", "Salary talks are hard", "給料の交渉", "🦀"] {
            let vector = embed(text);
            let length: f32 = vector.iter().map(|value| value * value).sum();
            assert_eq!(vector.len(), DIMENSIONS);
            assert!((length - 1.0).abs() < 1e-5, "{text:?} has the squared length {length}");
        }
    }

    #[test]
    fn texts_that_share_words_or_stems_are_nearer_than_others() {
        let asked = "how to negotiate a salary";
        let same_words = cosine(asked, "They negotiate her salary.");
        let same_stems = cosine(asked, "Negotiating salaries");
        let other = cosine(asked, "The deployment failed on Friday night");
        assert!(same_words > same_stems && same_stems > other + 0.1, "{same_words} {same_stems} {other}");
    }

    #[test]
    fn case_and_punctuation_do_not_matter() {
        assert_eq!(embed("Feedback, please!"), embed("feedback please"));
    }

    #[test]
    fn vectors_are_the_same_in_every_run() {
        let fingerprint: Vec<(usize, i32)> = embed("ok")
            .iter()
            .enumerate()
            .filter(|(_, value)| **value != 0.0)
            .map(|(dimension, value)| (dimension, (value * 1000.0).round() as i32))
            .collect();
        assert_eq!(fingerprint, [(49, -408), (126, -408), (211, -816)]);
    }
}
