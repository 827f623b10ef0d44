//! The store: PostgreSQL, the only source of truth. A method that writes is one transaction; tenant, the jobs
//! and events that follow, and (from a handler) the claim it runs under are arguments of it.

pub mod accounts;
pub mod analyses;
pub mod archives;
pub mod audit;
pub mod batches;
pub mod conversations;
pub mod erasures;
pub mod events;
pub mod generations;
pub mod passages;
pub mod people;
pub mod revisions;
pub mod saved_searches;
pub mod schedules;
pub mod suggestions;
pub mod synonyms;

/// A page of a list that is read by key: at most `limit` rows beyond `after` in the list's order, or before
/// `before` in reverse; rows come in the list's order either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageBy<K> {
    pub after: Option<K>,
    pub before: Option<K>,
    pub limit: usize,
    /// Read the last `limit` rows instead of the first.
    pub backward: bool,
}
