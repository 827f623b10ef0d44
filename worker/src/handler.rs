//! What a job kind's handler is, and which handler a kind has.

use std::sync::Arc;

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    accounts::Tenant,
    ids::{BatchId, ConversationId},
    jobs::{Claim, ClaimedJob, JobKind, NewJob, Payload, retry::JobError},
    money::MicroDollars,
    ports::{Ports, jobs::Follow},
    search::matching::registry::Registry,
};
use tokio_util::sync::CancellationToken;

use crate::handlers;

/// How a handler ended that did what it was to do.
#[derive(Debug)]
pub enum Outcome {
    /// The effect stands; the job is completed with what follows.
    Done(Done),
    /// The store wrote the completion together with the effect.
    Committed,
}

#[derive(Debug, Default)]
pub struct Done {
    pub follow: Follow,
    /// What the run cost.
    pub spent: MicroDollars,
    /// There was nothing to do.
    pub skipped: bool,
}

impl Outcome {
    /// Nothing follows.
    pub fn nothing() -> Self {
        Self::Done(Done::default())
    }

    /// There was nothing to do: a batch counts it as skipped.
    pub fn skipped() -> Self {
        Self::Done(Done { skipped: true, ..Done::default() })
    }

    pub fn follow(follow: Follow) -> Self {
        Self::Done(Done { follow, ..Done::default() })
    }
}

/// What a handler has at hand. A handler is dropped at its next await when its lease is lost, its time is over
/// or the process must end, so it leaves nothing half done that a second run would not mend.
pub struct JobContext {
    pub ports: Ports,
    /// What is looked for in what comes.
    pub searches: Arc<Registry>,
    pub claim: Claim,
    /// Cancelled together with the handler, for what it has spawned.
    pub cancel: CancellationToken,
}

#[async_trait]
pub trait Handler: Send + Sync {
    /// May run twice, also at once: its effect must be the same.
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError>;
}

/// The registration: one line a kind.
pub(crate) fn handler(kind: JobKind) -> &'static dyn Handler {
    match kind {
        JobKind::IngestConversation => &handlers::IngestConversation,
        JobKind::IndexPassages => &handlers::IndexPassages,
        JobKind::EmbedPassages => &handlers::EmbedPassages,
        JobKind::AnalyzeConversation => &handlers::AnalyzeConversation,
        JobKind::SendEmail => &handlers::SendEmail,
        JobKind::ReanalyzeConversation => &handlers::ReanalyzeConversation,
        JobKind::ReimportConversation => &handlers::ReimportConversation,
        JobKind::ExportConversation => &handlers::ExportConversation,
        JobKind::PurgeConversation => &handlers::PurgeConversation,
        JobKind::StartBatch => &handlers::StartBatch,
        JobKind::ReindexConversation => &handlers::ReindexConversation,
        JobKind::ReembedConversation => &handlers::ReembedConversation,
        JobKind::SwitchGeneration => &handlers::SwitchGeneration,
        JobKind::UnpackArchive => &handlers::UnpackArchive,
        JobKind::ErasePerson => &handlers::ErasePerson,
        JobKind::SweepErasures => &handlers::SweepErasures,
        JobKind::Probe => &handlers::Probe,
    }
}

impl JobContext {
    /// A job that this one causes, in the same organization and trace.
    pub(crate) fn next_job(&self, cause: &ClaimedJob, kind: JobKind, payload: Payload) -> NewJob {
        self.ports.new_job(kind, cause.organization_id, payload)
    }
}

pub(crate) fn tenant(job: &ClaimedJob) -> Result<Tenant, JobError> {
    job.organization_id.map(Tenant).ok_or_else(|| {
        JobError::fail(Error::internal(
            "tell whose job it is",
            format!("{} without an organization", job.kind),
        ))
    })
}

/// A payload that is not the kind's: a defect, which no attempt mends.
pub(crate) fn wrong_payload(job: &ClaimedJob) -> JobError {
    JobError::fail(Error::internal("read the job's payload", format!("not one of {}", job.kind)))
}

/// The batch that the job is of, and the conversation it is about. The batch's row may be large, and is read by those
/// kinds alone that go by it.
pub(crate) fn item(job: &ClaimedJob) -> Result<(BatchId, ConversationId), JobError> {
    let (Payload::Conversation { conversation_id }, Some(share)) = (&job.payload, job.batch) else {
        return Err(wrong_payload(job));
    };
    Ok((share.batch_id, *conversation_id))
}

pub(crate) fn no_engine(doing: &'static str) -> JobError {
    JobError::retry(Error::unavailable(doing, "this process has no search engine"))
}
