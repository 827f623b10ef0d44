//! The handlers, one file a kind.

mod analyze_conversation;
mod embed_passages;
mod erase_person;
mod export_conversation;
mod index_passages;
mod ingest_conversation;
mod probe;
mod purge_conversation;
mod reanalyze_conversation;
mod reimport_conversation;
mod reindex_conversation;
mod send_email;
mod start_batch;
mod sweep_erasures;
mod switch_generation;
mod unpack_archive;

pub(crate) use self::{
    analyze_conversation::AnalyzeConversation,
    embed_passages::EmbedPassages,
    erase_person::ErasePerson,
    export_conversation::ExportConversation,
    index_passages::IndexPassages,
    ingest_conversation::IngestConversation,
    probe::Probe,
    purge_conversation::PurgeConversation,
    reanalyze_conversation::ReanalyzeConversation,
    reimport_conversation::ReimportConversation,
    reindex_conversation::{ReembedConversation, ReindexConversation},
    send_email::SendEmail,
    start_batch::StartBatch,
    sweep_erasures::SweepErasures,
    switch_generation::SwitchGeneration,
    unpack_archive::UnpackArchive,
};

use std::time::Duration;

use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    jobs::{ClaimedJob, retry::JobError},
    ports::{SearchPorts, jobs::Follow, search::Standing, verify::Leg},
    search::saved::fire::{self, Fresh},
};

use crate::{
    execute::jitter,
    handler::{JobContext, Outcome},
};

/// What is written from now on goes to every generation that stood when it was read.
async fn align(search: &SearchPorts, standing: Standing, leg: Option<Leg>) -> Result<()> {
    match &search.generations {
        Some(generations) => generations.align(standing, leg).await,
        None => Ok(()),
    }
}

/// How long a job waits for a search engine that is away: longer, the older it is.
const SOONEST: Duration = Duration::from_secs(2);
const LATEST: Duration = Duration::from_secs(30);

/// A search engine that is away is not the job's fault: it goes back without counting, so that however long an outage is
/// no write is lost. Whoever looks sees it as the age of the queue's oldest job.
fn of_engine<T>(ctx: &JobContext, job: &ClaimedJob, outcome: Result<T>) -> Result<T, JobError> {
    match outcome {
        Err(error) if may_pass(&error) => {
            let age = (ctx.ports.clock.now() - job.created_at).to_std().unwrap_or_default();
            let after = (age / 4).clamp(SOONEST, LATEST).mul_f64(0.5 + jitter() / 2.0);
            let retry_in_ms = after.as_millis() as u64;
            tracing::warn!(error = error.chain(), retry_in_ms, "the job waits for a search engine");
            Err(JobError::PutOff { after })
        }
        outcome => Ok(outcome?),
    }
}

/// What somebody can put right: a server that is away, or an index there that is another database's.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Unavailable { .. })
        || ["INDEX_OF_ANOTHER", "GENERATION_LOST"].contains(&error.code())
}

/// Ends a job that has brought passages to an engine, with what saved searches find in those that are fresh.
async fn end(
    ctx: &JobContext,
    tenant: Tenant,
    fresh: Option<Fresh>,
    follow: Follow,
) -> Result<Outcome, JobError> {
    let Some(fresh) = fresh else {
        return Ok(Outcome::follow(follow));
    };
    match fire::complete(&ctx.ports, tenant, ctx.claim, fresh, follow).await {
        Ok(Some(follow)) => Ok(Outcome::follow(follow)),
        Ok(None) => Ok(Outcome::Committed),
        // The claim was lost, so ending the job is refused too.
        Err(Error::Conflict(_)) => Ok(Outcome::nothing()),
        Err(error) => Err(error.into()),
    }
}
