//! What saved searches find in a passage that has come, for all engines alike: the analysis is that of search, and of
//! each text it says what the embedded engine would. A passage is held only against those queries of which it has a
//! term that they cannot do without; each of them is then looked at exactly. Meaning is one pass over the vectors of all
//! queries.

mod places;
mod reading;
pub mod registry;
mod strict;

use std::{cell::OnceCell, collections::HashMap, sync::Arc};

pub(super) use self::strict::Strict;
use self::{
    places::{Places, Vocabulary},
    reading::{Reading, Term},
};
use super::{
    find::HitFacets,
    language::Asked,
    query::SearchFilter,
    saved::{SearchVersion, Watch},
};
use crate::{
    ids::SavedSearchId,
    ports::store::passages::{FoundPassage, Indexable},
    time::Timestamp,
};

/// What is looked for, read once.
#[derive(Debug, Clone)]
pub struct Watched {
    pub id: SavedSearchId,
    pub version: SearchVersion,
    /// What came before does not match.
    pub since: Timestamp,
    reading: Reading<Term>,
    filter: SearchFilter,
    meaning: Option<Meaning>,
}

#[derive(Debug, Clone)]
struct Meaning {
    vector: Vec<f32>,
    threshold: f32,
}

impl Watched {
    /// `vector` is the query's, of unit length; a question by meaning without one has no answer.
    pub fn new(
        (id, version): (SavedSearchId, SearchVersion),
        since: Timestamp,
        asked: Asked,
        watch: Watch,
        vector: Option<Vec<f32>>,
    ) -> Self {
        let text = asked.text.without_frame();
        let (reading, meaning) = match watch {
            Watch::Text => (Reading::of(&text), None),
            Watch::Semantic { threshold } => {
                let vector = vector.unwrap_or_default();
                (Reading::strict(&text), Some(Meaning { vector, threshold }))
            }
        };
        Self { id, version, since, reading, filter: asked.filter, meaning }
    }
}

/// A passage, and when its text came.
#[derive(Debug, Clone)]
pub struct Came {
    pub found: FoundPassage,
    pub at: Timestamp,
    /// Only where meaning is looked for.
    pub vector: Option<Vec<f32>>,
}

/// Passages of a conversation that came after `since`. `vectors` is one a passage, or none at all.
pub fn came_since(since: Timestamp, of: &Indexable, vectors: &[Vec<f32>]) -> Vec<Came> {
    let came = of.passages.iter().zip(&of.created_at).enumerate().filter(|(_, (_, at))| **at > since);
    came.map(|(place, (passage, at))| Came {
        found: FoundPassage { passage: passage.clone(), facets: of.facets.clone(), embedding_model: None },
        at: *at,
        vector: vectors.get(place).cloned(),
    })
    .collect()
}

/// A search that matches, and the cosine where meaning was looked for.
#[derive(Debug, Clone)]
pub struct Match {
    pub watched: Arc<Watched>,
    pub similarity: Option<f32>,
}

/// Many searches, by words or by meaning, to hold passages against.
#[derive(Debug)]
pub struct Matcher {
    watched: Vec<Arc<Watched>>,
    readings: Vec<Reading<u32>>,
    vocabulary: Vocabulary,
    /// Those that look for words, by a term without which they cannot match.
    asks: HashMap<u32, Vec<u32>>,
    /// Those that look for meaning, and their vectors behind each other.
    meanings: Vec<u32>,
    matrix: Vec<f32>,
    dimensions: usize,
}

/// A passage, and its terms once somebody wants them.
struct Text<'a> {
    came: &'a Came,
    facets: HitFacets<'a>,
    places: OnceCell<Places>,
}

impl Matcher {
    pub fn new(watched: Vec<Arc<Watched>>) -> Self {
        let mut vocabulary = Vocabulary::default();
        let readings = watched.iter().map(|one| one.reading.map(&mut |term| vocabulary.add(term))).collect();
        let mut made = Self {
            watched: Vec::with_capacity(watched.len()),
            readings,
            vocabulary,
            asks: HashMap::new(),
            meanings: Vec::new(),
            matrix: Vec::new(),
            dimensions: 0,
        };
        watched.into_iter().for_each(|one| made.add(one));
        made
    }

    fn add(&mut self, watched: Arc<Watched>) {
        let number = self.watched.len() as u32;
        match &watched.meaning {
            None => {
                for term in self.readings[self.watched.len()].needed(|term| self.vocabulary.length(*term)) {
                    self.asks.entry(term).or_default().push(number);
                }
            }
            Some(Meaning { vector, .. }) => {
                if self.dimensions == 0 {
                    self.dimensions = vector.len();
                }
                if !vector.is_empty() && vector.len() == self.dimensions {
                    self.meanings.push(number);
                    self.matrix.extend_from_slice(vector);
                }
            }
        }
        self.watched.push(watched);
    }

    pub fn watched(&self) -> &[Arc<Watched>] {
        &self.watched
    }

    /// What came before matches nothing; `None` where nothing is looked for.
    pub fn since(&self) -> Option<Timestamp> {
        self.watched.iter().map(|one| one.since).min()
    }

    /// In the order of what is watched: words, then meaning.
    pub fn matches(&self, came: &Came) -> Vec<Match> {
        let text = Text { came, facets: HitFacets::from(&came.found), places: OnceCell::new() };
        let mut found = if self.asks.is_empty() { Vec::new() } else { self.by_words(&text) };
        if let Some(vector) = &came.vector {
            found.extend(self.by_meaning(vector, &text));
        }
        found
    }

    fn by_words(&self, text: &Text<'_>) -> Vec<Match> {
        let terms = self.places(text).terms();
        let mut asked: Vec<u32> = terms.filter_map(|term| self.asks.get(&term)).flatten().copied().collect();
        asked.sort_unstable();
        asked.dedup();
        let matching = asked.into_iter().filter(|number| self.holds(text, *number));
        matching.map(|number| self.matched(number, None)).collect()
    }

    fn by_meaning(&self, vector: &[f32], text: &Text<'_>) -> Vec<Match> {
        if vector.is_empty() || vector.len() != self.dimensions {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (row, number) in self.matrix.chunks_exact(self.dimensions).zip(&self.meanings) {
            let similarity = dot(row, vector);
            let meaning = self.watched[*number as usize].meaning.as_ref();
            if meaning.is_some_and(|meaning| similarity >= meaning.threshold) && self.holds(text, *number) {
                found.push(self.matched(*number, Some(similarity)));
            }
        }
        found
    }

    /// All that is asked of words, filters and time.
    fn holds(&self, text: &Text<'_>, number: u32) -> bool {
        let (watched, reading) = (&self.watched[number as usize], &self.readings[number as usize]);
        text.came.at > watched.since
            && (reading.is_empty() || self.places(text).hold(reading))
            && (watched.filter.is_empty() || watched.filter.matches(&text.facets))
    }

    fn matched(&self, number: u32, similarity: Option<f32>) -> Match {
        Match { watched: self.watched[number as usize].clone(), similarity }
    }

    fn places<'a>(&self, text: &'a Text<'_>) -> &'a Places {
        text.places.get_or_init(|| Places::of(&text.came.found, &self.vocabulary))
    }
}

/// In eight sums at once, which compilers make good use of.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests;
