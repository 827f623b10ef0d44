//! Search by word and by meaning: the query that all engines understand, fusion of their answers, and the
//! use cases that ask them and let PostgreSQL check each hit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub mod analysis;
pub mod arrange;
mod check;
pub mod cursor;
pub mod explain;
pub mod facets;
pub mod find;
pub mod fusion;
pub mod highlight;
mod kept;
pub mod language;
mod legs;
pub mod matching;
mod people;
pub mod query;
pub mod saved;
pub mod similar;
pub mod spelling;
pub mod suggest;
pub mod synonyms;
pub mod verify;
pub mod within;

/// What the operator decides about searches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchRules {
    /// How long HYBRID waits for each engine before it answers from the other alone, and facets for their counts.
    pub hybrid_deadline_ms: u64,
}

impl Default for SearchRules {
    fn default() -> Self {
        Self { hybrid_deadline_ms: 2_000 }
    }
}

impl SearchRules {
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.hybrid_deadline_ms)
    }
}
