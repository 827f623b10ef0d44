//! Redacts the conversations of somebody who is erased. A run that is cut short leaves the rest to the next one.

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    erasure::person::{self, Left},
    jobs::{ClaimedJob, Payload, retry::JobError},
    ports::jobs::Follow,
};

use crate::handler::{Handler, JobContext, Outcome, tenant, wrong_payload};

pub(crate) struct ErasePerson;

#[async_trait]
impl Handler for ErasePerson {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let Payload::Erasure { erasure_id } = job.payload else {
            return Err(wrong_payload(job));
        };
        match person::run(&ctx.ports, tenant(job)?, job.claim, erasure_id).await {
            Ok(Left::Nothing) => Ok(Outcome::Committed),
            Ok(Left::More(next)) => Ok(Outcome::follow(Follow { jobs: vec![*next], events: Vec::new() })),
            // The claim is lost, and whoever has it goes on.
            Err(Error::Conflict(_)) => Ok(Outcome::nothing()),
            Err(error) => Err(error.into()),
        }
    }
}
