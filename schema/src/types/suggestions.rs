//! What a search box suggests.

use async_graphql::{Enum, SimpleObject};
use colloquy_domain::search::suggest;

use super::int;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "suggest::SuggestionKind")]
pub(crate) enum SearchSuggestionKind {
    /// The last word that was typed, completed by one that stands in a passage.
    Word,
    /// Of a conversation.
    Title,
    /// As `speaker:` takes it.
    Speaker,
    /// As `tag:` takes it.
    Tag,
    /// As `person:` takes it.
    Person,
}

#[derive(SimpleObject)]
pub(crate) struct SearchSuggestion {
    /// What to put into the box, all of it.
    text: String,
    kind: SearchSuggestionKind,
    /// Passages that hold the WORD; null for others.
    count: Option<i32>,
}

#[derive(SimpleObject)]
pub(crate) struct SearchSuggestions {
    /// Words first, those of the most passages at the head; then titles, speakers, tags and people, by name.
    suggestions: Vec<SearchSuggestion>,
    /// What is missing because an engine did not serve; null when nothing is missing.
    degraded: Option<String>,
}

impl From<suggest::Suggestions> for SearchSuggestions {
    fn from(of: suggest::Suggestions) -> Self {
        let one = |one: suggest::Suggestion| SearchSuggestion {
            text: one.text,
            kind: one.kind.into(),
            count: one.count.map(int),
        };
        Self { suggestions: of.suggestions.into_iter().map(one).collect(), degraded: of.degraded }
    }
}
