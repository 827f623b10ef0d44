//! Organizations, conversations and vectors to search.

use chrono::DateTime;
use colloquy_domain::{
    accounts::Tenant,
    conversations::ConversationKind,
    ids::{ConversationId, OrganizationId, PassageId, PersonId},
    language::Language,
    ports::search::{ConversationFacets, EngineHit, PassageDocument},
    search::highlight::SpokenText,
    time::Timestamp,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use uuid::Uuid;

pub const DIMENSIONS: usize = 32;

/// Ids that are the same in every run and differ from test to test.
pub struct World(Uuid);

impl World {
    pub fn new(name: &str) -> Self {
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
    }

    pub fn tenant(&self, n: u32) -> Tenant {
        Tenant(OrganizationId(Uuid::new_v5(&self.0, &n.to_le_bytes())))
    }

    pub fn conversation(&self, n: u32) -> ConversationId {
        ConversationId(Uuid::new_v5(&self.0, format!("conversation {n}").as_bytes()))
    }

    /// Ids in the order of numbers.
    pub fn person(&self, n: u32) -> PersonId {
        let mut id = Uuid::new_v5(&self.0, b"person").into_bytes();
        id[..4].copy_from_slice(&n.to_be_bytes());
        PersonId(Uuid::from_bytes(id))
    }

    pub fn facets(&self, n: u32) -> ConversationFacets {
        ConversationFacets {
            conversation_id: self.conversation(n),
            revision: 1,
            kind: ConversationKind::Coaching,
            tags: Vec::new(),
            occurred_at: None,
            language: None,
        }
    }

    pub fn passage(&self, n: u32, ordinal: u32, text: &str, speakers: &[&str]) -> PassageDocument {
        PassageDocument {
            id: PassageId::of(self.conversation(n), &[0; 32], ordinal),
            text: text.to_owned(),
            speakers: speakers.iter().map(|s| (*s).to_owned()).collect(),
            people: Vec::new(),
        }
    }

    pub fn passages(&self, n: u32, texts: &[&str]) -> Vec<PassageDocument> {
        (0..).zip(texts).map(|(ordinal, text)| self.passage(n, ordinal, text, &[])).collect()
    }

    /// The conversation and ordinal of each hit.
    pub fn places(&self, hits: &[EngineHit]) -> Vec<(u32, u32)> {
        let place = |hit: &EngineHit| {
            let of = |n: &u32| self.conversation(*n) == hit.conversation_id;
            let n = (0..1_000).find(of).expect("a conversation of this world");
            let at = |ordinal: &u32| PassageId::of(hit.conversation_id, &[0; 32], *ordinal) == hit.passage_id;
            (n, (0..1_000).find(at).expect("a passage of the conversation"))
        };
        hits.iter().map(place).collect()
    }
}

pub fn at(text: &str) -> Timestamp {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

pub fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

pub fn language(code: &str) -> Option<Language> {
    Some(code.parse().unwrap())
}

/// Texts whose language is not known.
pub fn spoken(texts: &[impl AsRef<str>]) -> Vec<SpokenText> {
    let of = |text: &str| SpokenText { text: text.to_owned(), language: None };
    texts.iter().map(|text| of(text.as_ref())).collect()
}

/// Vectors in bunches, as texts on few subjects have them.
pub struct Vectors {
    rng: StdRng,
    centres: Vec<Vec<f32>>,
}

impl Vectors {
    pub fn new(seed: u64) -> Self {
        let mut vectors = Self { rng: StdRng::seed_from_u64(seed), centres: Vec::new() };
        vectors.centres = (0..24).map(|_| vectors.noise()).collect();
        vectors
    }

    pub fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    pub fn draw(&mut self) -> Vec<f32> {
        let centre = self.rng.random_range(0..self.centres.len());
        let noise = self.noise();
        unit(self.centres[centre].iter().zip(noise).map(|(c, n)| c + 0.6 * n).collect())
    }

    fn noise(&mut self) -> Vec<f32> {
        (0..DIMENSIONS).map(|_| self.rng.random_range(-1.0..1.0_f32)).collect()
    }
}

pub fn unit(vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.into_iter().map(|x| x / length).collect()
}

/// A unit vector along one axis, leaning towards another.
pub fn axis(main: usize, lean: usize, by: f32) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSIONS];
    vector[main] = 1.0;
    vector[lean] += by;
    unit(vector)
}

pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
