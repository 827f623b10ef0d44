//! Deletes a conversation for a batch, as `deleteConversation` does. A run that comes again finds nothing.

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    conversations::delete,
    jobs::{ClaimedJob, retry::JobError},
};

use crate::handler::{Handler, JobContext, Outcome, item, tenant};

pub(crate) struct PurgeConversation;

#[async_trait]
impl Handler for PurgeConversation {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let tenant = tenant(job)?;
        let (_, conversation_id) = item(ctx, tenant, job).await?;
        match delete::delete_of(&ctx.ports, tenant, conversation_id).await {
            Ok(_) => Ok(Outcome::nothing()),
            Err(Error::NotFound { .. }) => Ok(Outcome::skipped()),
            Err(error) => Err(error.into()),
        }
    }
}
