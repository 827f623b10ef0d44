//! The store against a real PostgreSQL, a database a test.
#![expect(unreachable_pub, reason = "the modules of a test binary have no outside")]
#![expect(clippy::unwrap_used, reason = "a test's helper fails with the test")]

mod accounts;
mod analyses;
mod archives;
mod audit;
mod batches;
mod caps;
mod conversations;
mod erasures;
mod events;
mod horizon;
mod jobs;
mod leaders;
mod ledger_model;
mod limits;
mod lives;
mod manage;
mod migrations;
mod passages;
mod people;
mod retired;
mod revision_model;
mod revisions;
mod saved_searches;
mod schedules;
mod support;
mod tenants;
mod tls;
mod turns;

/// To count the tests that are left out.
const SOURCES: [&str; 26] = [
    include_str!("accounts.rs"),
    include_str!("analyses.rs"),
    include_str!("archives.rs"),
    include_str!("audit.rs"),
    include_str!("batches.rs"),
    include_str!("caps.rs"),
    include_str!("conversations.rs"),
    include_str!("erasures.rs"),
    include_str!("events.rs"),
    include_str!("horizon.rs"),
    include_str!("jobs.rs"),
    include_str!("leaders.rs"),
    include_str!("ledger_model.rs"),
    include_str!("limits.rs"),
    include_str!("lives.rs"),
    include_str!("manage.rs"),
    include_str!("migrations.rs"),
    include_str!("passages.rs"),
    include_str!("people.rs"),
    include_str!("retired.rs"),
    include_str!("revision_model.rs"),
    include_str!("revisions.rs"),
    include_str!("saved_searches.rs"),
    include_str!("schedules.rs"),
    include_str!("tenants.rs"),
    include_str!("turns.rs"),
];
