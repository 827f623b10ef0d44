//! Writes a conversation's transcript into the object store, below its batch. The same run again writes the same
//! object.

use async_trait::async_trait;
use colloquy_domain::{
    conversations::export,
    jobs::{ClaimedJob, retry::JobError},
};

use crate::handler::{Handler, JobContext, Outcome, item, tenant};

pub(crate) struct ExportConversation;

#[async_trait]
impl Handler for ExportConversation {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let tenant = tenant(job)?;
        let (batch_id, conversation_id) = item(job)?;
        match export::export_into(&ctx.ports, tenant, batch_id, conversation_id).await? {
            Some(_) => Ok(Outcome::nothing()),
            // Deleted since.
            None => Ok(Outcome::skipped()),
        }
    }
}
