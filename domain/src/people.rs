//! Who speaks, known across conversations: a participant's label is one conversation's, a person is the organization's.
//! Participants are tied to people by hand; names need not be unique, and are compared as people write them.

pub mod manage;

use crate::{
    ids::{OrganizationId, PersonId},
    search::analysis,
    time::Timestamp,
};

/// An organization's at most.
pub const MAX_PEOPLE: usize = 100_000;
/// People that may be meant by one label, told at most.
pub const MAX_SUGGESTED: usize = 5;
/// Of a name as it is compared.
const MAX_KEY_CHARS: usize = 300;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    pub organization_id: OrganizationId,
    pub name: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Somebody who speaks in a passage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub id: PersonId,
    /// Their name's [`key`].
    pub key: String,
}

/// A name as names are compared: without case, accents, width and surplus white space.
pub fn key(name: &str) -> String {
    let words = name.split(|c: char| c.is_whitespace() || c.is_control()).map(analysis::folded);
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(MAX_KEY_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_accents_width_and_surplus_space() {
        for name in ["Ana López", "  ana\u{a0} LOPEZ ", "ANA LO\u{301}PEZ", "Ａｎａ\tLopez"] {
            assert_eq!(key(name), "ana lopez", "{name:?}");
        }
        assert_eq!(key("O'Brien-Straße"), "o'brien-strasse");
        assert_eq!(key("李 小龙"), "李 小龙");
        assert_ne!(key("Ana Lopez"), key("Lopez Ana"));
        assert_eq!(key("a\0b"), "a b");
        assert_eq!(key(" \u{301} "), "");
        assert_eq!(key(&"ß".repeat(200)).len(), MAX_KEY_CHARS);
    }
}
