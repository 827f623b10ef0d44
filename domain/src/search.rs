//! Search by word and by meaning: the query that all engines understand, fusion of their answers, and the
//! use case that asks them and lets PostgreSQL check each hit.

pub mod analysis;
pub mod find;
pub mod fusion;
pub mod highlight;
pub mod language;
pub mod matching;
pub mod query;
pub mod saved;
