//! Looks again for what an organization has erased. Where it does not end, whoever leads has it run again.

use async_trait::async_trait;
use colloquy_domain::{
    erasure::sweep,
    jobs::{ClaimedJob, retry::JobError},
};

use super::of_engine;
use crate::handler::{Handler, JobContext, Outcome, tenant};

pub(crate) struct SweepErasures;

#[async_trait]
impl Handler for SweepErasures {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        match of_engine(ctx, job, sweep::run(&ctx.ports, tenant(job)?).await)? {
            0 => Ok(Outcome::skipped()),
            _ => Ok(Outcome::nothing()),
        }
    }
}
