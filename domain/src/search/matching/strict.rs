//! What a query asks for to the letter (quotes, OR and minus), held against texts that were found by meaning.

use super::{
    places::{Places, Vocabulary},
    reading::Reading,
};
use crate::{ports::store::passages::FoundPassage, search::query::TextQuery};

#[derive(Debug)]
pub(in crate::search) struct Strict {
    vocabulary: Vocabulary,
    reading: Reading<u32>,
}

impl Strict {
    /// `None` where any text will do.
    pub(in crate::search) fn of(query: &TextQuery) -> Option<Self> {
        let mut vocabulary = Vocabulary::default();
        let reading = Reading::strict(query).map(&mut |term| vocabulary.add(term));
        (!reading.is_empty()).then_some(Self { vocabulary, reading })
    }

    pub(in crate::search) fn holds(&self, found: &FoundPassage) -> bool {
        Places::of(found, &self.vocabulary).hold(&self.reading)
    }
}
