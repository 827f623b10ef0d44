//! Does nothing, through the whole path; or, told by its payload, what a handler should never do, so that it can be
//! seen what becomes of the others. Nothing but a row written by hand says so.

use std::{process::abort, time::Duration};

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    jobs::{ClaimedJob, Misdeed, Payload, retry::JobError},
};
use tokio::time::sleep;

use crate::handler::{Handler, JobContext, Outcome};

const HOG: usize = 2 << 30;

pub(crate) struct Probe;

#[async_trait]
impl Handler for Probe {
    async fn run(&self, _: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let Payload::Misdeed { misdeed } = &job.payload else {
            return Ok(Outcome::nothing());
        };
        match misdeed {
            Misdeed::Fail => {
                return Err(JobError::retry(Error::unavailable("do as told", "it was told to fail")));
            }
            Misdeed::Panic => std::panic::resume_unwind(Box::new("as told")),
            Misdeed::Abort => abort(),
            Misdeed::Spin => loop {
                std::hint::spin_loop();
            },
            Misdeed::Hog => {
                // Written to, so that it is really taken.
                let memory = vec![1_u8; HOG];
                sleep(Duration::from_secs(60)).await;
                drop(memory);
            }
            Misdeed::Sleep => sleep(Duration::from_secs(60)).await,
        }
        Ok(Outcome::nothing())
    }
}
