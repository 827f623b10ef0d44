//! What the domain needs from outside, as object-safe traits that speak domain types and return
//! [`Error`](crate::Error). Adapters implement them; `src/` of the binary wires them into one [`Ports`], which
//! reaches resolvers and job handlers.

pub mod jobs;
pub mod mail;
pub mod models;
pub mod objects;
pub mod search;
pub mod store;
pub mod trace;
pub mod verify;

use std::sync::Arc;

use crate::{
    accounts::{AccountRules, Credentials},
    analysis::AnalysisRules,
    conversations::ImportRules,
    ids::OrganizationId,
    jobs::{JobKind, NewJob, Payload, rules::JobRules},
    search::SearchRules,
    time::{Clock, IdGen},
};

#[derive(Clone)]
pub struct Ports {
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGen>,
    pub credentials: Arc<Credentials>,
    pub account_rules: AccountRules,
    pub import_rules: ImportRules,
    pub analysis_rules: AnalysisRules,
    pub job_rules: JobRules,
    pub accounts: Arc<dyn store::accounts::AccountStore>,
    pub conversations: Arc<dyn store::conversations::ConversationStore>,
    pub revisions: Arc<dyn store::revisions::RevisionStore>,
    pub passages: Arc<dyn store::passages::PassageStore>,
    pub people: Arc<dyn store::people::PersonStore>,
    pub erasures: Arc<dyn store::erasures::ErasureStore>,
    pub analyses: Arc<dyn store::analyses::AnalysisStore>,
    pub batches: Arc<dyn store::batches::BatchStore>,
    pub archives: Arc<dyn store::archives::ArchiveStore>,
    pub schedules: Arc<dyn store::schedules::ScheduleStore>,
    pub saved_searches: Arc<dyn store::saved_searches::SavedSearchStore>,
    pub generations: Arc<dyn store::generations::GenerationStore>,
    pub suggestions: Arc<dyn store::suggestions::SuggestionStore>,
    pub synonyms: Arc<dyn store::synonyms::SynonymStore>,
    pub events: Arc<dyn store::events::EventLog>,
    pub audit: Arc<dyn store::audit::AuditLog>,
    pub ledger: Arc<dyn jobs::Ledger>,
    pub signals: Arc<dyn jobs::Signals>,
    pub objects: Arc<dyn objects::ObjectStore>,
    pub mailer: Arc<dyn mail::Mailer>,
    pub search: SearchPorts,
    pub search_rules: SearchRules,
    pub rankings: Arc<dyn search::Rankings>,
    pub trace: Arc<dyn trace::TraceContext>,
}

impl Ports {
    /// A job with a new id, in the trace of what causes it, with the attempts that are set for its kind.
    pub fn new_job(&self, kind: JobKind, organization: Option<OrganizationId>, payload: Payload) -> NewJob {
        let mut job = NewJob::new(self.ids.next(), kind, organization, payload);
        job.max_attempts = self.job_rules.of(kind).attempts;
        job.traceparent = self.trace.current();
        job
    }
}

/// The engines, where this process has any: an `api` without them answers searches with UNAVAILABLE.
#[derive(Clone, Default)]
pub struct SearchPorts {
    pub embedder: Option<Arc<dyn models::Embedder>>,
    pub text: Option<Arc<dyn search::TextIndex>>,
    pub vectors: Option<Arc<dyn search::VectorIndex>>,
    pub generations: Option<Arc<dyn search::IndexGenerations>>,
}
