//! Cuts what was imported into passages; indexing, embedding and analysis follow. Later revisions come with theirs.

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    jobs::{ClaimedJob, JobKind, Payload, retry::JobError},
    passages,
    ports::jobs::Follow,
};

use crate::handler::{Handler, JobContext, Outcome, tenant, wrong_payload};

pub(crate) struct IngestConversation;

#[async_trait]
impl Handler for IngestConversation {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let Payload::Revision { conversation_id, revision } = job.payload else {
            return Err(wrong_payload(job));
        };
        let tenant = tenant(job)?;
        let Some(talk) = ctx.ports.conversations.find_talk(tenant, conversation_id).await? else {
            return Ok(Outcome::nothing());
        };
        if talk.revision != revision {
            // The newer revision has a job of its own.
            return Ok(Outcome::nothing());
        }
        let cut = tokio::task::spawn_blocking(move || passages::cut(&talk)).await;
        let cut = cut.map_err(|error| Error::internal("cut passages", error))?;
        let whole = Payload::Conversation { conversation_id };
        let follow = Follow {
            jobs: vec![
                ctx.next_job(job, JobKind::IndexPassages, whole.clone()),
                ctx.next_job(job, JobKind::EmbedPassages, whole),
                ctx.next_job(job, JobKind::AnalyzeConversation, job.payload.clone()),
            ],
            events: Vec::new(),
        };
        let replaced =
            ctx.ports.passages.replace(tenant, job.claim, conversation_id, revision, &cut, follow).await;
        match replaced {
            Ok(()) => Ok(Outcome::Committed),
            // Overtaken by a newer revision, or deleted. Where the claim was lost instead, this is refused too.
            Err(Error::Conflict(_) | Error::NotFound { .. }) => Ok(Outcome::nothing()),
            Err(error) => Err(error.into()),
        }
    }
}
