//! Taking a person out of every conversation in which they are or were somebody. They are out of sight at once; then one
//! conversation after another is redacted, each in one transaction, so that none is ever seen half redacted.

use uuid::Uuid;

use super::{Erasure, ErasureKind, NewErasure, list, settled_after};
use crate::{
    Error, Result,
    accounts::{Actor, Role, Tenant},
    audit::{self, NewAuditEntry, Origin},
    conversations::{objects::delete_objects, update::changed},
    ids::{ConversationId, ErasureId, PersonId},
    jobs::{Claim, JobKind, NewJob, Payload},
    ports::{
        Ports,
        jobs::{Follow, Signal},
    },
};

/// Conversations that are read at once, and that one run of the job redacts at most.
const PAGE: usize = 50;
const ONE_RUN: usize = 500;
const MAX_REASON_CHARS: usize = 500;

/// The reason is checked and not kept: it may name them.
pub async fn erase(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    id: PersonId,
    reason: Option<&str>,
) -> Result<Erasure> {
    let entry = NewAuditEntry::new(ports, actor, origin, "people.erase").on(id);
    let new = NewErasure::new(ports, ErasureKind::Person, id.0, Some(actor.user_id));
    let begun = async {
        actor.require(Role::Admin)?;
        check_reason(reason)?;
        begin(ports, actor.tenant(), new, entry.again(ports)).await
    };
    let begun = begun.await;
    audit::settle(ports, entry, begun).await?;
    list::publish(ports, actor.tenant(), new).await;
    let missing = || Error::not_found("erasure", new.id);
    ports.erasures.find(actor.tenant(), &[new.id]).await?.pop().ok_or_else(missing)
}

fn check_reason(reason: Option<&str>) -> Result<()> {
    if reason.is_some_and(|reason| reason.chars().count() > MAX_REASON_CHARS) {
        let message = format!("a reason has at most {MAX_REASON_CHARS} characters");
        return Err(Error::invalid("reason", "INVALID_REASON", message));
    }
    Ok(())
}

pub(crate) async fn begin(
    ports: &Ports,
    tenant: Tenant,
    new: NewErasure,
    entry: NewAuditEntry,
) -> Result<()> {
    let entry = entry.with("erasure", Some(new.id.to_string()));
    let follow = Follow { jobs: vec![job(ports, tenant, new.id)], events: Vec::new() };
    ports.erasures.begin(tenant, new, PersonId(new.subject_id), follow, entry).await?;
    ports.signals.raise(Signal::Jobs);
    Ok(())
}

/// One at a time stands for an erasure.
pub(crate) fn job(ports: &Ports, tenant: Tenant, id: ErasureId) -> NewJob {
    let payload = Payload::Erasure { erasure_id: id };
    let job = ports.new_job(JobKind::ErasePerson, Some(tenant.0), payload);
    NewJob { unique_key: Some(Uuid::from(id).to_string()), ..job }
}

/// What is left to do after one run of the job.
#[derive(Debug)]
pub enum Left {
    /// The claim is completed.
    Nothing,
    /// A job for the rest.
    More(Box<NewJob>),
}

/// Goes on where an earlier run has ended.
pub async fn run(ports: &Ports, tenant: Tenant, claim: Claim, id: ErasureId) -> Result<Left> {
    let mut redacted = 0;
    loop {
        let page = ports.erasures.unredacted(tenant, id, PAGE).await?;
        if page.is_empty() {
            ports.erasures.settle(tenant, id, claim, settled_after(&ports.job_rules)).await?;
            return Ok(Left::Nothing);
        }
        if redacted >= ONE_RUN {
            return Ok(Left::More(Box::new(job(ports, tenant, id))));
        }
        redacted += page.len();
        for conversation in page {
            // The bytes first: where this run ends here, the next one finds the conversation still to be redacted.
            delete_objects(ports, tenant, conversation).await?;
            let follow = follow(ports, tenant, conversation).await?;
            ports.erasures.redact(tenant, id, conversation, follow).await?;
            ports.signals.raise(Signal::Jobs);
            ports.signals.raise(Signal::Events);
        }
    }
}

/// Engines and analyses are brought to the redacted text.
pub(super) async fn follow(ports: &Ports, tenant: Tenant, id: ConversationId) -> Result<Follow> {
    let Some(found) = ports.conversations.find(tenant, &[id]).await?.pop() else {
        return Ok(Follow::default());
    };
    let mut follow = changed(ports, tenant, id);
    let payload = Payload::Revision { conversation_id: id, revision: found.revision };
    follow.jobs.push(ports.new_job(JobKind::AnalyzeConversation, Some(tenant.0), payload));
    Ok(follow)
}
