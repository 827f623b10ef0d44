//! How an answer came about, for whoever asks: engines, what they took, and what was made of their scores. Why an
//! engine failed is for the log.

use serde::{Deserialize, Serialize};

use super::fusion::Stretch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Answered,
    /// Not before its deadline.
    Late,
    Failed,
}

/// One engine's part in a ranking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LegReport {
    /// By meaning; by word otherwise.
    pub is_semantic: bool,
    pub engine: String,
    pub outcome: Outcome,
    /// Hits that it was asked for.
    pub asked: usize,
    pub hits: usize,
    pub deadline_ms: u64,
    pub took_ms: u64,
    /// In the fusion, before `trust`.
    pub weight: Option<f32>,
    /// What the weight of words is multiplied by.
    pub trust: Option<f32>,
    /// What a passage scores that holds every word once.
    pub whole: Option<f32>,
    pub stretch: Option<Stretch>,
}

/// How an answer came about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Explanation {
    pub legs: Vec<LegReport>,
    /// The ranking is that of an earlier page.
    pub kept: bool,
    /// Places of the ranking; `None` where it is read as deep as it goes.
    pub ranked: Option<usize>,
    /// Hits that were held against PostgreSQL for this page …
    pub checked: usize,
    /// … and those that did not stand there, or not under the filter, the quotes and the minus.
    pub dropped: usize,
    pub took_ms: u64,
}
