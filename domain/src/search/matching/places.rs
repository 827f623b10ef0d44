//! A passage by the terms that anybody looks for, and where each stands.

use std::collections::HashMap;

use super::reading::{Reading, Term};
use crate::{ports::store::passages::FoundPassage, search::analysis};

/// The terms of all queries, by number.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    exact: HashMap<String, u32>,
    stems: HashMap<String, u32>,
    /// In bytes, by number.
    lengths: Vec<u32>,
}

impl Vocabulary {
    pub(super) fn add(&mut self, term: &Term) -> u32 {
        let (known, text) = match term {
            Term::Exact(text) => (&mut self.exact, text),
            Term::Stem(text) => (&mut self.stems, text),
        };
        if let Some(number) = known.get(text) {
            return *number;
        }
        let number = self.lengths.len() as u32;
        known.insert(text.clone(), number);
        self.lengths.push(text.len() as u32);
        number
    }

    pub(super) fn length(&self, term: u32) -> usize {
        self.lengths[term as usize] as usize
    }
}

#[derive(Debug)]
pub(super) struct Places {
    /// Term and position, in that order.
    entries: Vec<(u32, u32)>,
    /// By term: 1 + where its entries begin; 0 for what does not stand here.
    begins: Vec<u32>,
}

impl Places {
    pub(super) fn of(found: &FoundPassage, vocabulary: &Vocabulary) -> Self {
        let text = &found.passage.text;
        let exact = terms(&vocabulary.exact, analysis::exact(text));
        let stems = terms(&vocabulary.stems, analysis::stemmed(text, found.facets.language));
        let mut entries: Vec<(u32, u32)> = exact.chain(stems).collect();
        entries.sort_unstable();
        let mut begins = vec![0; vocabulary.lengths.len()];
        for (at, (term, _)) in entries.iter().enumerate().rev() {
            begins[*term as usize] = at as u32 + 1;
        }
        Self { entries, begins }
    }

    /// Each once.
    pub(super) fn terms(&self) -> impl Iterator<Item = u32> {
        self.entries.chunk_by(|a, b| a.0 == b.0).map(|of_one| of_one[0].0)
    }

    pub(super) fn hold(&self, reading: &Reading<u32>) -> bool {
        reading.holds(|sequence| self.stands(sequence))
    }

    fn stands(&self, sequence: &[(u32, u32)]) -> bool {
        let Some(((first, _), rest)) = sequence.split_first() else {
            return false;
        };
        let follows = |from: u32, (term, after): &(u32, u32)| {
            self.entries.binary_search(&(*term, from + after)).is_ok()
        };
        self.positions(*first).any(|from| rest.iter().all(|one| follows(from, one)))
    }

    fn positions(&self, term: u32) -> impl Iterator<Item = u32> {
        let begin = match self.begins[term as usize] {
            0 => self.entries.len(),
            begin => begin as usize - 1,
        };
        self.entries[begin..]
            .iter()
            .take_while(move |(other, _)| *other == term)
            .map(|(_, position)| *position)
    }
}

fn terms(known: &HashMap<String, u32>, tokens: Vec<analysis::Token>) -> impl Iterator<Item = (u32, u32)> {
    tokens.into_iter().filter_map(|token| Some((*known.get(&token.text)?, token.position as u32)))
}
