//! Any number of passages for benchmarks: words as frequent as those of a language, vectors in bunches. The same in
//! every run.

use colloquy_domain::{
    accounts::Tenant,
    conversations::ConversationKind,
    ids::{ConversationId, OrganizationId, PassageId},
    ports::search::{ConversationFacets, PassageDocument, TextIndex},
    search::{
        facets::Facet,
        highlight::{SpokenText, highlight},
        query::{SearchFilter, TextQuery},
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use uuid::Uuid;

pub const TENANT: Tenant = Tenant(OrganizationId(Uuid::from_u128(1)));
pub const DIMENSIONS: usize = 384;
/// Passages of a conversation.
pub const PER_CONVERSATION: u32 = 60;

/// Words of a passage.
const WORDS: usize = 150;
/// Different words that there are.
const VOCABULARY: f64 = 20_000.0;

pub struct Source {
    rng: StdRng,
    centres: Vec<Vec<f32>>,
}

impl Default for Source {
    fn default() -> Self {
        let mut source = Self { rng: StdRng::seed_from_u64(1), centres: Vec::new() };
        source.centres = (0..200).map(|_| source.noise()).collect();
        source
    }
}

impl Source {
    pub fn word(&mut self) -> String {
        let rank = (VOCABULARY.powf(self.rng.random::<f64>())) as u32;
        let mut word = String::new();
        let mut rest = rank.wrapping_mul(2_654_435_761);
        for _ in 0..4 {
            word.push(char::from(b'a' + (rest % 26) as u8));
            word.push(char::from(b"aeiou"[(rest / 26 % 5) as usize]));
            rest /= 130;
        }
        word
    }

    pub fn words(&mut self, count: usize) -> String {
        (0..count).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    /// Passages to be marked.
    pub fn texts(&mut self, count: usize) -> Vec<SpokenText> {
        (0..count).map(|_| SpokenText { text: self.words(WORDS), language: None }).collect()
    }

    fn noise(&mut self) -> Vec<f32> {
        (0..DIMENSIONS).map(|_| self.rng.random_range(-1.0..1.0_f32)).collect()
    }

    /// Of unit length.
    pub fn vector(&mut self) -> Vec<f32> {
        let centre = self.rng.random_range(0..self.centres.len());
        let noise = self.noise();
        let vector: Vec<f32> = self.centres[centre].iter().zip(noise).map(|(c, n)| c + 0.7 * n).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.into_iter().map(|x| x / length).collect()
    }

    /// A quarter of all is of each kind, and a tenth has each tag.
    pub fn conversation(&mut self, n: u32) -> (ConversationFacets, Vec<PassageDocument>) {
        let conversation_id = ConversationId(Uuid::from_u128(1_000 + u128::from(n)));
        let facets = ConversationFacets {
            conversation_id,
            revision: 1,
            kind: ConversationKind::ALL[(n % 4) as usize],
            tags: vec![format!("tag {}", n % 10)],
            occurred_at: None,
            language: None,
        };
        let passage = |ordinal| PassageDocument {
            id: PassageId::of(conversation_id, &[0; 32], ordinal),
            text: self.words(WORDS),
            speakers: vec!["Coach".to_owned(), format!("Client {n}")],
            people: Vec::new(),
        };
        (facets, (0..PER_CONVERSATION).map(passage).collect())
    }
}

/// A page as a screen shows it: hits, facets beside them, and marks in as many texts.
pub async fn whole_page(
    text: &dyn TextIndex,
    query: &TextQuery,
    filter: &SearchFilter,
    texts: &[SpokenText],
) {
    const FACETS: [Facet; 3] = [Facet::Kind, Facet::Tag, Facet::Speaker];
    let hits = text.search(TENANT, query, filter, texts.len());
    let (hits, counts) = futures::join!(hits, text.count(TENANT, query, filter, &FACETS, 10));
    let marks = highlight(query, texts);
    assert!(hits.unwrap().hits.len() <= texts.len() && counts.unwrap().values.len() == FACETS.len());
    assert_eq!(marks.len(), texts.len());
}
