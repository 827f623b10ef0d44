//! A schedule's run: plans and starts its batch. The batch stands once the job is done, and not before.

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    jobs::{ClaimedJob, Payload, retry::JobError},
    schedules::run,
};

use crate::handler::{Handler, JobContext, Outcome, tenant, wrong_payload};

pub(crate) struct StartBatch;

#[async_trait]
impl Handler for StartBatch {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let Payload::Run { schedule_id, due } = job.payload else {
            return Err(wrong_payload(job));
        };
        match run::run(&ctx.ports, tenant(job)?, job.claim, schedule_id, due).await {
            Ok(true) => Ok(Outcome::Committed),
            // The schedule was deleted, or the claim is lost.
            Ok(false) | Err(Error::Conflict(_)) => Ok(Outcome::skipped()),
            Err(error) => Err(error.into()),
        }
    }
}
