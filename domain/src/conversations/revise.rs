//! Changes of a transcript by hand. Each is made against a revision that the caller has seen, and is another revision; what
//! follows an import follows it. A past revision never changes, so that what is read of the expected one may be worked out at
//! leisure: the write is refused where another came first.

pub mod change;
#[cfg(test)]
mod tests;

use crate::{
    Error, Problem, Result,
    accounts::{Actor, Role, Tenant},
    audit::NewAuditEntry,
    conversations::{Conversation, RevisionNumber, Talk, revisions::no_such, update},
    events::{EventKind, LogPosition, NewEvent, Stage},
    ids::{ConversationId, JobId, ParticipantId, PersonId, SegmentId},
    jobs::{JobKind, NewJob, Payload},
    passages::{Passage, recut},
    ports::{
        Ports,
        jobs::{Follow, Signal},
        store::revisions::NewEdit,
    },
};
use change::{Base, Delta};
use tokio::task::spawn_blocking;

pub const MAX_REASON_CHARS: usize = 500;
pub const MAX_TEXT_CHARS: usize = 50_000;
pub const MAX_LABEL_CHARS: usize = 200;
/// Segments or participants of one change.
pub const MAX_AT_ONCE: usize = 5_000;

/// What somebody who gives an old revision is told; the API shows what has changed since.
pub const CONFLICT: &str = "REVISION_CONFLICT";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    EditSegment {
        id: SegmentId,
        text: String,
    },
    RemoveSegments {
        ids: Vec<SegmentId>,
    },
    Rename {
        id: ParticipantId,
        label: String,
    },
    Merge {
        others: Vec<ParticipantId>,
        into: ParticipantId,
    },
    /// Some segments of one become another's, who is new.
    Split {
        id: ParticipantId,
        segments: Vec<SegmentId>,
        label: String,
    },
    Reassign {
        segments: Vec<SegmentId>,
        /// `None` for nobody in particular.
        to: Option<ParticipantId>,
    },
    Tie {
        id: ParticipantId,
        person: Option<PersonId>,
    },
    Revert {
        to: RevisionNumber,
    },
}

#[derive(Debug, Clone)]
pub struct Revise {
    pub conversation_id: ConversationId,
    /// The current revision as the caller knows it.
    pub expected: RevisionNumber,
    pub reason: Option<String>,
    pub change: Change,
}

#[derive(Debug, Clone)]
pub struct Revised {
    /// As it is now.
    pub conversation: Conversation,
    /// The revision that was made; `None` where all stood so already.
    pub made: Option<RevisionNumber>,
    pub jobs: Vec<JobId>,
    /// The log as it was before: what follows comes after this.
    pub cursor: LogPosition,
}

/// Where `expected` is not the current revision nothing is written, and it is a CONFLICT ([`CONFLICT`]).
pub async fn revise(ports: &Ports, actor: &Actor, input: Revise) -> Result<Revised> {
    actor.require(Role::Member)?;
    make(ports, actor, input, None).await
}

/// With an entry for the audit log, which is written with the revision.
pub(crate) async fn make(
    ports: &Ports,
    actor: &Actor,
    input: Revise,
    audit: Option<NewAuditEntry>,
) -> Result<Revised> {
    let Revise { conversation_id: id, expected, reason, change } = input;
    let (reason, change) = (check_reason(reason)?, change::check(change)?);
    let cursor = ports.events.bounds().await?.position();
    let tenant = actor.tenant();
    let conversation = find(ports, tenant, id).await?;
    check_expected(expected, conversation.revision)?;
    let base = read(ports, tenant, id, expected, &change).await?;
    let delta = change::delta(&base, &change, || ParticipantId(ports.ids.next()))?;
    if delta.is_empty() {
        if let Some(entry) = audit {
            ports.audit.insert(entry.changed(false)).await?;
        }
        return Ok(Revised { conversation, made: None, jobs: Vec::new(), cursor });
    }
    let number = expected + 1;
    let passages = passages(ports, tenant, id, base, &change, &delta, expected).await?;
    let edit = NewEdit { passages, ..edit(ports, actor, id, number, reason, &change, delta) };
    let follow = follow(ports, tenant, id, number);
    let jobs = follow.jobs.iter().map(|job| job.id).collect();
    match ports.revisions.write(tenant, &edit, follow, audit.map(|entry| entry.changed(true))).await {
        Err(error) if error.code() == CONFLICT => {
            let now = find(ports, tenant, id).await?;
            return Err(conflict(expected, now.revision));
        }
        written => written?,
    }
    ports.signals.raise(Signal::Jobs);
    ports.signals.raise(Signal::Events);
    let conversation = find(ports, tenant, id).await?;
    Ok(Revised { conversation, made: Some(number), jobs, cursor })
}

pub(crate) async fn find(ports: &Ports, tenant: Tenant, id: ConversationId) -> Result<Conversation> {
    let found = ports.conversations.find(tenant, &[id]).await?.pop();
    found.ok_or_else(|| Error::not_found("conversation", id))
}

fn check_reason(reason: Option<String>) -> Result<Option<String>> {
    let Some(reason) = reason else { return Ok(None) };
    let reason = reason.trim();
    let chars = reason.chars().count();
    if chars > MAX_REASON_CHARS || reason.chars().any(char::is_control) {
        let message =
            format!("a reason has at most {MAX_REASON_CHARS} characters and no line breaks; it has {chars}");
        return Err(Error::invalid("reason", "INVALID_REASON", message));
    }
    Ok(Some(reason.to_owned()).filter(|reason| !reason.is_empty()))
}

fn check_expected(expected: RevisionNumber, current: RevisionNumber) -> Result<()> {
    if !(1..=current).contains(&expected) {
        return Err(no_such("expectedRevision", expected, current));
    }
    if expected == current { Ok(()) } else { Err(conflict(expected, current)) }
}

fn conflict(expected: RevisionNumber, current: RevisionNumber) -> Error {
    let message = format!(
        "the conversation is at revision {current} by now, not at {expected}; look at what has changed, and try again with that"
    );
    Error::Conflict(Problem::new(CONFLICT, message).at("expectedRevision"))
}

/// As much of the expected revision as the change needs.
async fn read(
    ports: &Ports,
    tenant: Tenant,
    id: ConversationId,
    expected: RevisionNumber,
    change: &Change,
) -> Result<Base> {
    let known = ports.conversations.known_participants(tenant, id).await?;
    let talk = async |number| {
        let talk = ports.revisions.talk(tenant, id, number).await?;
        talk.ok_or_else(|| Error::not_found("conversation", id))
    };
    let target = match change {
        Change::Revert { to } if (1..=expected).contains(to) => Some(talk(*to).await?),
        Change::Revert { to } => return Err(no_such("revision", *to, expected)),
        _ => None,
    };
    let Talk { participants: speaking, segments, .. } = talk(expected).await?;
    Ok(Base { known, speaking, segments, target })
}

/// What the transcript is cut into when the change is made. They are written with it, so that search knows the
/// conversation at every moment: what is not said any more is found no more, and all else is found on. `None` where no
/// word and no label is another.
async fn passages(
    ports: &Ports,
    tenant: Tenant,
    id: ConversationId,
    base: Base,
    change: &Change,
    delta: &Delta,
    expected: RevisionNumber,
) -> Result<Option<Vec<Passage>>> {
    let stand = ports.passages.of_revision(tenant, id, expected).await?;
    if matches!(change, Change::Tie { .. }) && !stand.is_empty() {
        return Ok(None);
    }
    let after = Talk {
        conversation_id: id,
        revision: expected + 1,
        participants: delta.participants(&base),
        segments: delta.talk(&base),
    };
    let cut = spawn_blocking(move || recut(&base.segments, &stand, &after)).await;
    cut.map(Some).map_err(|error| Error::internal("cut passages", error))
}

fn edit(
    ports: &Ports,
    actor: &Actor,
    conversation_id: ConversationId,
    number: RevisionNumber,
    reason: Option<String>,
    change: &Change,
    delta: Delta,
) -> NewEdit {
    NewEdit {
        conversation_id,
        number,
        kind: change.kind(),
        reason,
        author_id: Some(actor.user_id),
        reverted_to: match change {
            Change::Revert { to } => Some(*to),
            _ => None,
        },
        created_at: ports.clock.now(),
        ended: delta.ended,
        segments: delta.segments,
        characters: delta.characters,
        added: delta.added,
        changed: delta.changed,
        memory: delta.memory,
        passages: None,
    }
}

fn follow(ports: &Ports, tenant: Tenant, id: ConversationId, revision: RevisionNumber) -> Follow {
    let updated = EventKind::ConversationUpdated { conversation_id: id };
    let events = vec![
        NewEvent { organization_id: tenant.0, kind: updated },
        NewEvent::progress(tenant.0, id, revision, Stage::Imported),
    ];
    Follow { jobs: jobs(ports, tenant, id, revision), events }
}

/// What is made of a revision whose passages are written with it.
pub(crate) fn jobs(
    ports: &Ports,
    tenant: Tenant,
    id: ConversationId,
    revision: RevisionNumber,
) -> Vec<NewJob> {
    let analyze = Payload::Revision { conversation_id: id, revision };
    let mut jobs = update::reindex(ports, tenant, id);
    jobs.push(ports.new_job(JobKind::AnalyzeConversation, Some(tenant.0), analyze));
    jobs
}
