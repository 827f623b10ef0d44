//! How hits are ordered, where they go on, and how that came about.

use async_graphql::{Enum, SimpleObject, connection::CursorType};
use colloquy_domain::search::{
    cursor::Cursor,
    explain::{Explanation, LegReport, Outcome},
};

use super::int;

/// A place in the hits of one search.
pub(crate) struct SearchCursor(pub(crate) Cursor);

impl CursorType for SearchCursor {
    type Error = &'static str;

    fn decode_cursor(text: &str) -> Result<Self, &'static str> {
        Cursor::decode(text).map(Self).ok_or("this is not a cursor of a search")
    }

    fn encode_cursor(&self) -> String {
        self.0.encode()
    }
}

/// Hits that stand behind the best of their kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum SearchGrouping {
    /// Of each conversation its best hit alone; `furtherHits` counts the others.
    Conversation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Outcome")]
pub(crate) enum EngineOutcome {
    Answered,
    /// Not before its deadline.
    Late,
    Failed,
}

/// One engine's part in a ranking.
#[derive(SimpleObject)]
pub(crate) struct EngineReport {
    /// `TEXT` or `SEMANTIC`.
    leg: super::SearchMode,
    /// The product.
    engine: String,
    outcome: EngineOutcome,
    /// Hits that it was asked for.
    asked: i32,
    hits: i32,
    deadline_ms: i32,
    took_ms: i32,
    /// What its scores count for in HYBRID, before `trust`.
    weight: Option<f32>,
    /// What the weight of words is multiplied by: less than 1 where the best hit holds little of the query.
    trust: Option<f32>,
    /// What a passage of average length scores that holds every word once.
    whole: Option<f32>,
    /// The score that is stretched to 0 …
    lowest: Option<f32>,
    /// … and the one that is stretched to 1: of the first 200 hits.
    highest: Option<f32>,
}

impl From<LegReport> for EngineReport {
    fn from(report: LegReport) -> Self {
        let stretch = report.stretch;
        Self {
            leg: if report.is_semantic { super::SearchMode::Semantic } else { super::SearchMode::Text },
            engine: report.engine,
            outcome: report.outcome.into(),
            asked: int(report.asked as u64),
            hits: int(report.hits as u64),
            deadline_ms: int(report.deadline_ms),
            took_ms: int(report.took_ms),
            weight: report.weight,
            trust: report.trust,
            whole: report.whole,
            lowest: stretch.map(|stretch| stretch.low),
            highest: stretch.map(|stretch| stretch.low + stretch.span),
        }
    }
}

/// How an answer came about.
#[derive(SimpleObject)]
pub(crate) struct SearchExplanation {
    /// What each engine was asked and said, also where the ranking is that of an earlier page. TEXT may ask again where
    /// hits were dropped.
    engines: Vec<EngineReport>,
    /// The ranking is that of an earlier page.
    kept: bool,
    /// Places of the ranking; null where it is read as deep as it goes.
    ranked: Option<i32>,
    /// Hits that were checked against the database for this page …
    checked: i32,
    /// … and those that it did not bear out: deleted or changed since, outside the filter, or without what quotes, OR and
    /// minus ask for.
    dropped: i32,
    took_ms: i32,
}

impl From<Explanation> for SearchExplanation {
    fn from(of: Explanation) -> Self {
        Self {
            engines: of.legs.into_iter().map(EngineReport::from).collect(),
            kept: of.kept,
            ranked: of.ranked.map(|places| int(places as u64)),
            checked: int(of.checked as u64),
            dropped: int(of.dropped as u64),
            took_ms: int(of.took_ms),
        }
    }
}
