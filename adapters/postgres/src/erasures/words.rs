//! Every column that could hold a name or speech, and what becomes of it when somebody is erased. A test compares this
//! with the database, so that no column is added without an answer.

/// What becomes of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Names and speech are redacted in the conversations of whoever is erased.
    Redacted,
    /// Its row goes, and is made anew of what is redacted.
    MadeAnew,
    /// The row is the person's own, and goes.
    Gone,
    /// What the organization keeps beside conversations: redacted, or gone where it makes no sense without the name.
    Kept,
    /// Ids, hashes, numbers, and names of ours.
    Ours,
    /// Of those who sign in, and of secrets of theirs: an account is no person who speaks.
    Account,
}

use Fate::{Account, Gone, Kept, MadeAnew, Ours, Redacted};

/// By table and column.
pub const COLUMNS: &[(&str, &[(&str, Fate)])] = &[
    ("analyses", &[("analyzer", Ours), ("key", Ours), ("measures", MadeAnew)]),
    ("api_keys", &[("name", Account), ("role", Ours), ("hash", Account)]),
    ("archive_entries", &[("name", Redacted), ("outcome", Ours), ("report", Kept), ("problem", Kept)]),
    ("archive_imports", &[("file_name", Kept), ("object_key", Ours), ("options", Kept), ("problem", Kept)]),
    (
        "audit_entries",
        &[
            ("action", Ours),
            ("subject", Ours),
            ("detail", Ours),
            ("remote_address", Account),
            ("request_id", Ours),
            ("outcome", Ours),
        ],
    ),
    (
        "batches",
        &[
            ("kind", Ours),
            ("filter", Kept),
            ("options", Kept),
            ("state", Ours),
            ("plan", Kept),
            ("told", Ours),
            ("reason", Kept),
            ("report", Kept),
        ],
    ),
    (
        "conversations",
        &[
            ("kind", Ours),
            ("title", Redacted),
            ("external_id", Redacted),
            ("file_name", Redacted),
            ("content_hash", Ours),
            ("object_key", Ours),
            ("report", Redacted),
            ("language", Ours),
        ],
    ),
    ("dispatches", &[("queue", Ours), ("providers", Ours)]),
    ("erasure_conversations", &[("text_hashes", Ours)]),
    ("erasures", &[("kind", Ours), ("state", Ours), ("names", Gone), ("report", Ours)]),
    ("event_log", &[("cluster", Ours)]),
    ("events", &[("kind", Ours), ("detail", Ours)]),
    ("insights", &[("kind", MadeAnew), ("body", MadeAnew)]),
    ("invitations", &[("email", Account), ("role", Ours)]),
    ("job_rates", &[("name", Ours)]),
    (
        "jobs",
        &[
            ("queue", Ours),
            ("kind", Ours),
            ("payload", Ours),
            ("state", Ours),
            ("worker", Ours),
            ("errors", Redacted),
            ("traceparent", Ours),
            ("provider", Ours),
            ("unique_key", Ours),
        ],
    ),
    ("memberships", &[("role", Ours)]),
    ("organizations", &[("name", Account)]),
    ("participant_history", &[("label", Redacted)]),
    ("participants", &[("label", Redacted)]),
    ("passages", &[("text", MadeAnew), ("text_hash", MadeAnew), ("speakers", MadeAnew)]),
    ("paused_queues", &[("queue", Ours)]),
    ("people", &[("name", Gone), ("name_key", Gone)]),
    ("queue_samples", &[("queue", Ours)]),
    ("queue_totals", &[("queue", Ours)]),
    ("refresh_tokens", &[("hash", Account)]),
    ("remembered_people", &[("label_key", Gone)]),
    ("revisions", &[("reason", Redacted), ("kind", Ours)]),
    (
        "saved_searches",
        &[
            ("name", Kept),
            ("query", Kept),
            ("filter", Kept),
            ("mode", Ours),
            ("vector_model", Ours),
            ("vector", Kept),
        ],
    ),
    (
        "schedules",
        &[
            ("name", Kept),
            ("cron", Ours),
            ("time_zone", Ours),
            ("missed", Ours),
            ("work", Kept),
            ("last_outcome", Ours),
            ("last_reason", Kept),
        ],
    ),
    ("search_generation", &[("abandoned_because", Ours)]),
    ("search_matches", &[("text_hash", Ours)]),
    ("segments", &[("text", Redacted)]),
    ("synonyms", &[("groups", Kept)]),
    ("tags", &[("name", Kept)]),
    ("users", &[("email", Account), ("name", Account), ("password_hash", Account)]),
    ("vectors", &[("model", Ours), ("text_hash", Gone), ("vector", Gone)]),
    ("workers", &[("name", Ours), ("queues", Ours)]),
];
