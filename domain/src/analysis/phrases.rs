//! Finds any of many short phrases in a sentence's words, looking only at those that begin with the word
//! at hand.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    ops::Range,
};

pub(super) struct Phrases {
    /// By first word, longest first.
    by_first: HashMap<&'static str, Vec<Vec<&'static str>>, FixedHash>,
    /// What no phrase begins with need not be looked up.
    first_bytes: [bool; 256],
}

/// For tables whose keys we wrote ourselves, so that nobody can choose keys that collide.
pub(super) type FixedHash = BuildHasherDefault<Fnv>;

/// FNV-1a: for words, which are short, several times as fast as the default.
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Phrases {
    /// Phrases in lower case, parted by `|`. A hyphen parts words, as it does in a sentence.
    pub(super) fn new(phrases: &'static str) -> Self {
        let mut by_first: HashMap<&'static str, Vec<Vec<&'static str>>, FixedHash> = HashMap::default();
        let mut first_bytes = [false; 256];
        for phrase in phrases.split('|') {
            let words: Vec<&'static str> =
                phrase.split([' ', '-', '\n']).filter(|word| !word.is_empty()).collect();
            first_bytes[usize::from(words[0].as_bytes()[0])] = true;
            by_first.entry(words[0]).or_default().push(words);
        }
        for same_start in by_first.values_mut() {
            same_start.sort_by_key(|words| std::cmp::Reverse(words.len()));
        }
        Self { by_first, first_bytes }
    }

    /// How many words the longest phrase that stands at `place` has.
    pub(super) fn at(&self, words: &[&str], place: usize) -> Option<usize> {
        let rest = words.get(place..)?;
        let first = *rest.first()?;
        if !first.bytes().next().is_some_and(|byte| self.first_bytes[usize::from(byte)]) {
            return None;
        }
        let phrases = self.by_first.get(first)?;
        phrases.iter().find(|phrase| rest.starts_with(phrase)).map(Vec::len)
    }

    /// Where the first phrase stands.
    pub(super) fn find(&self, words: &[&str]) -> Option<Range<usize>> {
        self.find_from(words, 0)
    }

    pub(super) fn find_from(&self, words: &[&str], from: usize) -> Option<Range<usize>> {
        (from..words.len()).find_map(|place| self.at(words, place).map(|length| place..place + length))
    }

    pub(super) fn stand_in(&self, words: &[&str]) -> bool {
        self.find(words).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Phrases;

    #[test]
    fn the_longest_phrase_at_the_first_place_wins() {
        let phrases = Phrases::new("go | go with | with it");
        assert_eq!(phrases.find(&["we", "go", "with", "it"]), Some(1..3));
        assert_eq!(phrases.find(&["go"]), Some(0..1));
        assert_eq!(phrases.find(&["with", "them"]), None);
        assert_eq!(phrases.at(&[], 0), None);
    }
}
