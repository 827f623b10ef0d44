//! The query that every engine is given: words and phrases, what must not stand there, and filters.

use crate::{
    Problem, conversations::ConversationKind, ids::ConversationId, search::find::HitFacets, time::Timestamp,
};

/// Longest query text, in bytes.
pub const MAX_QUERY_BYTES: usize = 1_000;

/// English words that a question is made of and an answer is not found by. They are passed over where other
/// words remain; in a phrase and after a minus they count.
const FRAME: &str = "a about am an and any are as at be been but by can could did do does doing for from had has have \
    he her him his how i if in into is it its many me much my of on or our she should so some than that the their them \
    then there these they this those to us was we were what when where which who whom whose why will with would you your";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SearchMode {
    Text,
    Semantic,
    Hybrid,
}

impl SearchMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Semantic => "semantic",
            Self::Hybrid => "hybrid",
        }
    }
}

/// One thing to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// Any form of the word; the engine analyses it.
    Word(String),
    /// The words next to each other in this order.
    Phrase(String),
}

impl Clause {
    pub fn text(&self) -> &str {
        match self {
            Self::Word(text) | Self::Phrase(text) => text,
        }
    }
}

/// A passage matches when it holds every phrase, none of `not`, and (where there is a word) at least one of
/// the words; more and rarer words rank higher.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextQuery {
    pub clauses: Vec<Clause>,
    pub not: Vec<Clause>,
}

impl TextQuery {
    /// Reads `word "a phrase" -word -"a phrase"`. A quote that is not closed runs to the end.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > MAX_QUERY_BYTES {
            let message =
                format!("the query has {} bytes, at most {MAX_QUERY_BYTES} are allowed", text.len());
            return Err(Problem::new("QUERY_TOO_LONG", message).at("query"));
        }
        let mut query = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let negated = rest.starts_with('-') && rest[1..].starts_with(|c: char| !c.is_whitespace());
            if negated {
                rest = &rest[1..];
            }
            let clause;
            (clause, rest) = next_clause(rest);
            rest = rest.trim_start();
            if clause.text().chars().any(char::is_alphanumeric) {
                if negated { &mut query.not } else { &mut query.clauses }.push(clause);
            }
        }
        if query.clauses.is_empty() {
            let message = "the query has no word to look for; give at least one word or \"phrase\"";
            return Err(Problem::new("EMPTY_QUERY", message).at("query"));
        }
        Ok(query)
    }

    /// What engines of words look for: without the question's frame, where something remains.
    pub fn without_frame(&self) -> Self {
        let bears = |clause: &&Clause| match clause {
            Clause::Word(word) => {
                let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
                !FRAME.split_ascii_whitespace().any(|frame| frame == word)
            }
            Clause::Phrase(_) => true,
        };
        let clauses: Vec<Clause> = self.clauses.iter().filter(bears).cloned().collect();
        let clauses = if clauses.is_empty() { self.clauses.clone() } else { clauses };
        Self { clauses, not: self.not.clone() }
    }

    /// What is asked for in plain words, for engines of meaning.
    pub fn plain(&self) -> String {
        let words: Vec<&str> = self.clauses.iter().map(Clause::text).collect();
        words.join(" ")
    }
}

fn next_clause(rest: &str) -> (Clause, &str) {
    if let Some(quoted) = rest.strip_prefix('"') {
        let (phrase, after) = quoted.split_once('"').unwrap_or((quoted, ""));
        return (Clause::Phrase(phrase.trim().to_owned()), after);
    }
    let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
    (Clause::Word(rest[..end].to_owned()), &rest[end..])
}

/// Narrows a search. An empty list does not narrow; within a list any value will do, between lists all must
/// hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchFilter {
    pub kinds: Vec<ConversationKind>,
    /// Names, compared without case.
    pub tags: Vec<String>,
    /// Labels, compared without case.
    pub speakers: Vec<String>,
    /// Inclusive. A conversation without a time is outside every span.
    pub occurred_from: Option<Timestamp>,
    /// Exclusive.
    pub occurred_before: Option<Timestamp>,
    pub conversation_ids: Vec<ConversationId>,
}

impl SearchFilter {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same rule that engines apply, for PostgreSQL's last word.
    pub fn matches(&self, facets: &HitFacets<'_>) -> bool {
        let any_of = |wanted: &[String], have: &[&str]| {
            wanted.is_empty() || wanted.iter().any(|w| have.iter().any(|h| fold(w) == fold(h)))
        };
        let at = facets.occurred_at;
        (self.kinds.is_empty() || self.kinds.contains(&facets.kind))
            && any_of(&self.tags, &facets.tags)
            && any_of(&self.speakers, &facets.speakers)
            && self.occurred_from.is_none_or(|from| at.is_some_and(|at| at >= from))
            && self.occurred_before.is_none_or(|before| at.is_some_and(|at| at < before))
            && (self.conversation_ids.is_empty() || self.conversation_ids.contains(&facets.conversation_id))
    }
}

/// How labels and tags are compared: without case and outer white space.
pub fn fold(label: &str) -> String {
    label.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> TextQuery {
        TextQuery::parse(text).unwrap()
    }

    #[test]
    fn words_phrases_and_negations_are_told_apart() {
        let query = parse(r#"salary "notice period" -bonus -"stock options" e-mail"#);
        assert_eq!(
            query.clauses,
            [
                Clause::Word("salary".into()),
                Clause::Phrase("notice period".into()),
                Clause::Word("e-mail".into())
            ]
        );
        assert_eq!(query.not, [Clause::Word("bonus".into()), Clause::Phrase("stock options".into())]);
        assert_eq!(query.plain(), "salary notice period e-mail");
    }

    #[test]
    fn the_frame_of_a_question_is_passed_over_unless_it_is_all_there_is() {
        let words = |text: &str| -> Vec<String> {
            parse(text).without_frame().clauses.iter().map(|clause| clause.text().to_owned()).collect()
        };
        assert_eq!(words("how much pay does the candidate want?"), ["pay", "candidate", "want?"]);
        assert_eq!(words("to be or to be"), ["to", "be", "or", "to", "be"]);
        assert_eq!(words(r#"who said "to be""#), ["said", "to be"]);
    }

    #[test]
    fn an_open_quote_runs_to_the_end() {
        assert_eq!(parse(r#"say "open end"#).clauses[1], Clause::Phrase("open end".into()));
    }

    #[test]
    fn a_query_without_a_word_is_refused() {
        for text in ["", "  ", "\"\"", "-", "--", "-only", "?!"] {
            assert_eq!(TextQuery::parse(text).unwrap_err().code, "EMPTY_QUERY", "{text:?}");
        }
        assert_eq!(TextQuery::parse(&"x".repeat(1_001)).unwrap_err().code, "QUERY_TOO_LONG");
    }
}
