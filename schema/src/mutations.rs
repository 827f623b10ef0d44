//! Mutations by area.

pub(crate) mod accounts;
pub(crate) mod archives;
pub(crate) mod batches;
pub(crate) mod conversations;
pub(crate) mod erasures;
pub(crate) mod jobs;
pub(crate) mod people;
pub(crate) mod revisions;
pub(crate) mod saved_searches;
pub(crate) mod schedules;
pub(crate) mod synonyms;
pub(crate) mod verify;
