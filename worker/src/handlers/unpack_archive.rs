//! Imports the files of an archive, each as a conversation of its own. A run is short and is then put off,
//! so that other jobs of the queue get their turn; the next one goes on behind what has been written.

use std::time::Duration;

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    bulk::unpack::{self, Unpacked},
    jobs::{ClaimedJob, Payload, retry::JobError},
};

use crate::handler::{Handler, JobContext, Outcome, tenant, wrong_payload};

pub(crate) struct UnpackArchive;

#[async_trait]
impl Handler for UnpackArchive {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let Payload::Archive { archive_import_id } = job.payload else {
            return Err(wrong_payload(job));
        };
        let was_tried = job.attempt > 1;
        match unpack::unpack(&ctx.ports, tenant(job)?, job.claim, archive_import_id, was_tried).await {
            Ok(Unpacked::Committed) => Ok(Outcome::Committed),
            Ok(Unpacked::GoesOn) => Err(JobError::PutOff { after: Duration::ZERO }),
            // It has ended already, or the claim is lost.
            Ok(Unpacked::Gone) | Err(Error::Conflict(_)) => Ok(Outcome::nothing()),
            Err(error) => Err(error.into()),
        }
    }
}
