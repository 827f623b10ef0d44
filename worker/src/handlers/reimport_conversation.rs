//! Reads a conversation's kept bytes again for a batch. Where that gives another transcript it is a new revision,
//! which is cut, indexed, embedded and analysed as an import is. What was changed by hand is skipped.

use async_trait::async_trait;
use colloquy_domain::{
    batches::control,
    conversations::reimport::{self, Reimported},
    jobs::{ClaimedJob, retry::JobError},
};

use crate::handler::{Handler, JobContext, Outcome, item, tenant};

pub(crate) struct ReimportConversation;

#[async_trait]
impl Handler for ReimportConversation {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let tenant = tenant(job)?;
        let (batch_id, conversation_id) = item(job)?;
        let overwrite = control::get(&ctx.ports, tenant, batch_id).await?.options.overwrite_edits;
        match reimport::reimport(&ctx.ports, tenant, job.claim, conversation_id, overwrite).await? {
            Reimported::Committed => Ok(Outcome::Committed),
            Reimported::Same | Reimported::Edited | Reimported::Gone => Ok(Outcome::skipped()),
        }
    }
}
