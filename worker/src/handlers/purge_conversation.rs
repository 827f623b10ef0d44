//! Deletes a conversation for a batch, as `deleteConversation` does, if it still fits the batch's filter. A run that
//! comes again finds nothing.

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    batches::control,
    conversations::delete,
    jobs::{ClaimedJob, retry::JobError},
};

use crate::handler::{Handler, JobContext, Outcome, item, tenant};

pub(crate) struct PurgeConversation;

#[async_trait]
impl Handler for PurgeConversation {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let tenant = tenant(job)?;
        let (batch_id, conversation_id) = item(job)?;
        let batch = control::get(&ctx.ports, tenant, batch_id).await?;
        match delete::purge(&ctx.ports, tenant, conversation_id, &batch.filter).await {
            Ok(_) => Ok(Outcome::nothing()),
            Err(Error::NotFound { .. }) => Ok(Outcome::skipped()),
            Err(error) => Err(error.into()),
        }
    }
}
