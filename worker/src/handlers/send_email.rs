//! Sends the mail of an invitation, at least once, under a key that is the same each time.

use async_trait::async_trait;
use colloquy_domain::{
    accounts::members,
    jobs::{ClaimedJob, Payload, retry::JobError},
};

use crate::handler::{Handler, JobContext, Outcome, wrong_payload};

pub(crate) struct SendEmail;

#[async_trait]
impl Handler for SendEmail {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let Payload::Invitation { invitation_id } = job.payload else {
            return Err(wrong_payload(job));
        };
        if let Some(email) = members::invitation_email(&ctx.ports, invitation_id).await? {
            ctx.ports.mailer.send(email).await?;
        }
        Ok(Outcome::nothing())
    }
}
