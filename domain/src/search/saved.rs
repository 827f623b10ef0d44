//! Saved searches: what an organization looks for in whatever comes. A passage that comes later and matches is told of
//! within a second of its indexing, once a search and text; what was there before is not.

pub mod fire;
pub mod manage;
pub mod watch;

use crate::{
    Error, Problem, Result,
    ids::{OrganizationId, SavedSearchId, UserId},
    search::{
        language::{self, Asked},
        query::SearchFilter,
    },
    time::Timestamp,
};

/// An organization's at most.
pub const MAX_SAVED_SEARCHES: usize = 10_000;
/// Words and phrases of one query at most: each costs every new passage a little.
const MAX_CLAUSES: usize = 50;
/// Of a filter as JSON.
const MAX_FILTER_BYTES: usize = 10_000;

/// Grows with each change of what a search looks for.
pub type SearchVersion = i32;

/// How passages are held against it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Watch {
    Text,
    /// Passages whose cosine to the query is at least that. Quotes, OR and minus hold as well.
    Semantic {
        threshold: f32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchMode {
    Text,
    Semantic,
}

/// The threshold of a search by meaning that names none.
const USUAL_THRESHOLD: f32 = 0.5;

impl Watch {
    pub fn of(mode: WatchMode, threshold: Option<f32>) -> Result<Self> {
        match (mode, threshold) {
            (WatchMode::Text, None) => Ok(Self::Text),
            (WatchMode::Text, Some(_)) => {
                let message = "words have no threshold; leave it out, or look for meaning (SEMANTIC)";
                Err(Error::invalid("threshold", "INVALID_THRESHOLD", message))
            }
            (WatchMode::Semantic, threshold) => {
                Ok(Self::Semantic { threshold: threshold.unwrap_or(USUAL_THRESHOLD) })
            }
        }
    }

    pub fn mode(self) -> WatchMode {
        match self {
            Self::Text => WatchMode::Text,
            Self::Semantic { .. } => WatchMode::Semantic,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Semantic { .. } => "SEMANTIC",
        }
    }

    pub fn threshold(self) -> Option<f32> {
        match self {
            Self::Text => None,
            Self::Semantic { threshold } => Some(threshold),
        }
    }
}

/// What is looked for, as it was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub query: String,
    pub filter: SearchFilter,
    pub watch: Watch,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SavedSearch {
    pub id: SavedSearchId,
    pub organization_id: OrganizationId,
    /// `None` where their account is gone.
    pub created_by: Option<UserId>,
    pub name: String,
    pub question: Question,
    pub version: SearchVersion,
    /// What came before has no match.
    pub since: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Question {
    /// The query and filters as search reads them. A question that this release cannot read, or to which nothing can
    /// be an answer, is refused.
    pub fn read(&self) -> Result<Asked> {
        let nul = |text: &str| text.chars().position(|c| c == '\0');
        if let Some(at) = nul(&self.query) {
            let problem = Problem::new("INVALID_CHARACTER", "a query has no NUL characters");
            return Err(Error::Invalid(problem.at("query").at_character(at as u32 + 1)));
        }
        let Asked { text, filter } = language::read(&self.query).map_err(Error::Invalid)?;
        let clauses = text.wanted().count() + text.not.len();
        if clauses > MAX_CLAUSES {
            let message =
                format!("the query has {clauses} words and phrases, a saved one may have {MAX_CLAUSES}");
            return Err(Error::invalid("query", "QUERY_TOO_LONG", message));
        }
        let given = &self.filter;
        if given.tags.iter().chain(&given.speakers).any(|value| nul(value).is_some()) {
            return Err(Error::invalid("filter", "INVALID_CHARACTER", "a filter has no NUL characters"));
        }
        let size = serde_json::to_vec(given).map_or(usize::MAX, |json| json.len());
        if size > MAX_FILTER_BYTES {
            let message = format!("the filter has {size} bytes as JSON, at most {MAX_FILTER_BYTES} are kept");
            return Err(Error::invalid("filter", "FILTER_TOO_LONG", message));
        }
        if let Watch::Semantic { threshold } = self.watch
            && !(threshold > 0.0 && threshold <= 1.0)
        {
            let message = format!("a threshold is above 0 and at most 1; this is {threshold}");
            return Err(Error::invalid("threshold", "INVALID_THRESHOLD", message));
        }
        let nothing = || {
            let message = "the query and the filter exclude each other: nothing can match";
            Error::invalid("filter", "NOTHING_CAN_MATCH", message)
        };
        Ok(Asked { text, filter: given.clone().and(filter).ok_or_else(nothing)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(question: &Question) -> (&'static str, Option<u32>) {
        let problem = question.read().unwrap_err().problem().unwrap();
        (problem.code, problem.character)
    }

    #[test]
    fn a_question_is_read_as_a_search_is_and_has_bounds() {
        let question = |query: &str| Question {
            query: query.to_owned(),
            filter: SearchFilter::default(),
            watch: Watch::Text,
        };
        let tagged = SearchFilter { tags: vec!["q3".to_owned()], ..SearchFilter::default() };
        let asked = Question { filter: tagged.clone(), ..question("pay kind:meeting") }.read().unwrap();
        assert_eq!((asked.filter.tags.len(), asked.filter.kinds.len()), (1, 1));
        assert_eq!(refused(&question("pay OR")), ("MISPLACED_OR", Some(5)));
        assert_eq!(refused(&question("a\0b")), ("INVALID_CHARACTER", Some(2)));
        assert_eq!(refused(&question(&"x ".repeat(51))).0, "QUERY_TOO_LONG");
        assert!(question(&"x ".repeat(50)).read().is_ok());
        assert_eq!(refused(&Question { filter: tagged, ..question("pay tag:q4") }).0, "NOTHING_CAN_MATCH");
        for threshold in [0.0, -0.5, 1.1, f32::NAN] {
            let question = Question { watch: Watch::Semantic { threshold }, ..question("pay") };
            assert_eq!(refused(&question).0, "INVALID_THRESHOLD");
        }
    }
}
