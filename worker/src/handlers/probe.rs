//! Does nothing, through the whole path.

use async_trait::async_trait;
use colloquy_domain::jobs::{ClaimedJob, retry::JobError};

use crate::handler::{Handler, JobContext, Outcome};

pub(crate) struct Probe;

#[async_trait]
impl Handler for Probe {
    async fn run(&self, _: &JobContext, _: &ClaimedJob) -> Result<Outcome, JobError> {
        Ok(Outcome::nothing())
    }
}
