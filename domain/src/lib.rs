//! What conversations, search and jobs mean: types, rules, use cases and the ports they need. No I/O here,
//! no database and no web framework; nothing here knows which product stands behind a port.

pub mod accounts;
pub mod analysis;
pub mod archives;
pub mod audit;
pub mod batches;
pub mod bulk;
pub mod conversations;
pub mod erasure;
pub mod error;
pub mod events;
pub mod ids;
pub mod jobs;
pub mod language;
pub mod money;
pub mod passages;
pub mod people;
pub mod ports;
pub mod schedules;
pub mod search;
pub mod time;
pub mod transcripts;

pub use error::{Error, Problem, Result};
