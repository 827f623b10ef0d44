//! Organizations, conversations and jobs that tests begin with.

use std::{collections::BTreeMap, time::Duration};

use chrono::TimeDelta;
use colloquy_domain::{
    accounts::{Organization, Role, SystemScope, Tenant, User},
    audit::NewAuditEntry,
    conversations::{
        ContentHash, Conversation, ConversationKind, Participant, Segment, Tag, revisions::RevisionKind,
    },
    erasure::{ErasureKind, NewErasure},
    events::{EventKind, NewEvent, Stage},
    ids::{
        AuditEntryId, ConversationId, ErasureId, JobId, OrganizationId, ParticipantId, SegmentId, SessionId,
        TagId, UserId,
    },
    jobs::{
        ClaimedJob, Job, JobKind, NewJob, Payload, Queue,
        limits::{JobLimits, Limit},
    },
    passages::Passage,
    ports::{
        jobs::{ClaimFrom, Dispatch, DispatchPlan, Ending, Follow, Ledger},
        store::{
            accounts::{AccountStore, NewSession, NewUser},
            conversations::{ConversationStore, Inserted, NewConversation},
            revisions::NewEdit,
        },
    },
    time::{Millis, Timestamp},
    transcripts::report::{Format, ImportReport},
};
use colloquy_postgres::Postgres;
use uuid::Uuid;

use crate::support::Database;

pub const SCOPE: SystemScope = SystemScope::because("tests stand for the worker");
pub const LEASE: Duration = Duration::from_secs(60);
const NONE: Limit = Limit { running: None, per_minute: None };
pub const FREE: JobLimits = JobLimits {
    queues: BTreeMap::new(),
    organization: NONE,
    organizations: BTreeMap::new(),
    providers: BTreeMap::new(),
};

#[expect(clippy::disallowed_methods, reason = "the adapter is given ids; here the test gives them")]
pub fn id() -> Uuid {
    Uuid::now_v7()
}

#[expect(clippy::disallowed_methods, reason = "as the caller's clock would say")]
pub fn now() -> Timestamp {
    // PostgreSQL keeps microseconds.
    chrono::DateTime::from_timestamp_micros(chrono::Utc::now().timestamp_micros()).unwrap()
}

/// In the tenant's log, of nobody.
pub fn entry(tenant: Tenant) -> NewAuditEntry {
    let entry = NewAuditEntry::of_installation(AuditEntryId(id()), "test");
    NewAuditEntry { organization_id: Some(tenant.0), ..entry }
}

/// Of a conversation that is deleted, by nobody.
pub fn erasure(subject_id: Uuid) -> NewErasure {
    NewErasure { id: ErasureId(id()), kind: ErasureKind::Conversation, subject_id, actor_id: None }
}

pub fn token() -> [u8; 32] {
    *ContentHash::of(id().as_bytes()).0.as_slice().first_chunk().unwrap()
}

pub fn new_user(email: &str) -> NewUser {
    let user = User { id: UserId(id()), email: email.to_owned(), name: "Ada".to_owned(), created_at: now() };
    NewUser { user, password_hash: "$argon2id$…".to_owned() }
}

pub fn new_session(user_id: UserId, organization_id: OrganizationId) -> NewSession {
    NewSession {
        id: SessionId(id()),
        user_id,
        organization_id,
        refresh_hash: token(),
        refresh_expires_at: now() + TimeDelta::days(30),
    }
}

/// An organization with its owner.
pub struct Org {
    pub tenant: Tenant,
    pub owner: UserId,
    pub session: NewSession,
}

pub async fn organization(store: &Postgres) -> Org {
    let organization = Organization { id: OrganizationId(id()), name: "Acme".into(), created_at: now() };
    let owner = new_user(&format!("{}@example.org", id()));
    let (tenant, user) = (Tenant(organization.id), owner.user.id);
    let session = new_session(user, organization.id);
    assert!(store.insert_organization(organization, owner, session.clone()).await.unwrap());
    Org { tenant, owner: user, session }
}

/// Somebody of their own organization, made a member of this one as well.
pub async fn member(store: &Postgres, sql: &tokio_postgres::Client, tenant: Tenant, role: Role) -> UserId {
    let other = organization(store).await;
    let insert = "INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, $3)";
    sql.execute(insert, &[&tenant.0.0, &other.owner.0, &role.as_str()]).await.unwrap();
    other.owner
}

pub fn conversation(tenant: Tenant, bytes: &[u8], segments: i32) -> NewConversation {
    let conversation_id = ConversationId(id());
    let speakers = ["Coach", "Client"];
    let participants: Vec<_> = (0..2)
        .map(|ordinal| Participant {
            id: ParticipantId(id()),
            conversation_id,
            label: speakers[ordinal as usize].to_owned(),
            ordinal,
            person_id: None,
        })
        .collect();
    let segment = |sequence: i32| Segment {
        id: SegmentId(id()),
        conversation_id,
        sequence,
        participant_id: Some(participants[sequence as usize % 2].id),
        text: format!("Turn {sequence}: what would you like to talk about today?"),
        start_ms: Some(Millis(sequence as u64 * 1_000)),
        end_ms: (sequence % 3 != 0).then_some(Millis(sequence as u64 * 1_000 + 900)),
    };
    let segments: Vec<_> = (0..segments).map(segment).collect();
    let report = ImportReport {
        format: Format::WebVtt,
        confidence: None,
        encoding: None,
        cues_read: segments.len() as u32,
        segments: segments.len() as u32,
        cues_dropped: 0,
        cues_merged: 0,
        cues_split: 0,
        speaker_source: None,
        clock: None,
        speakers: speakers.map(str::to_owned).to_vec(),
        duration_ms: Some(Millis(60_000)),
        language: None,
        notes: Vec::new(),
        notes_omitted: 0,
    };
    let at = now();
    let conversation = Conversation {
        id: conversation_id,
        organization_id: tenant.0,
        kind: ConversationKind::Coaching,
        title: "First session".to_owned(),
        occurred_at: Some(at - TimeDelta::days(1)),
        external_id: None,
        file_name: Some("first.vtt".to_owned()),
        content_hash: ContentHash::of(bytes),
        object_key: format!("{}/{conversation_id}", tenant.0),
        revision: 1,
        language: None,
        report,
        created_by: None,
        created_at: at,
        updated_at: at,
    };
    let tags = vec![Tag { id: TagId(id()), organization_id: tenant.0, name: "Salary".to_owned() }];
    NewConversation { conversation, participants, segments, tags }
}

/// What an import leaves to be done.
pub fn import_follow(tenant: Tenant, conversation_id: ConversationId) -> Follow {
    Follow {
        jobs: vec![job_of(tenant, JobKind::IngestConversation, conversation_id)],
        events: vec![NewEvent::progress(tenant.0, conversation_id, 1, Stage::Imported)],
    }
}

pub fn job_of(tenant: Tenant, kind: JobKind, conversation_id: ConversationId) -> NewJob {
    NewJob::new(id(), kind, Some(tenant.0), Payload::Revision { conversation_id, revision: 1 })
}

pub async fn imported(store: &Postgres, tenant: Tenant, segments: i32) -> NewConversation {
    let new = conversation(tenant, id().as_bytes(), segments);
    let follow = import_follow(tenant, new.conversation.id);
    assert_eq!(ConversationStore::insert(store, tenant, new.clone(), follow).await.unwrap(), Inserted::New);
    new
}

/// A revision by hand that changes nothing yet.
pub fn new_edit(conversation_id: ConversationId, number: i32, kind: RevisionKind) -> NewEdit {
    NewEdit {
        conversation_id,
        number,
        kind,
        reason: None,
        author_id: None,
        reverted_to: None,
        created_at: now(),
        ended: Vec::new(),
        segments: Vec::new(),
        characters: 0,
        added: Vec::new(),
        changed: Vec::new(),
        memory: None,
        passages: None,
    }
}

/// Does nothing, for this tenant or for the system.
pub fn probe(tenant: Option<Tenant>) -> NewJob {
    NewJob::new(id(), JobKind::Probe, tenant.map(|tenant| tenant.0), Payload::Nothing {})
}

pub fn plan(queue: Queue, window: usize, chunk: usize) -> DispatchPlan {
    DispatchPlan { queue, window, chunk }
}

pub async fn dispatch(store: &Postgres, queue: Queue, window: usize, chunk: usize) -> Vec<Dispatch> {
    store.dispatch(SCOPE, &[plan(queue, window, chunk)], LEASE, &FREE).await.unwrap().dispatches
}

pub async fn claim(store: &Postgres, queue: Queue, limit: usize) -> Vec<ClaimedJob> {
    store.claim(SCOPE, ClaimFrom::Queue { queue, limit }, "worker", LEASE, &FREE).await.unwrap()
}

/// Imports, and takes the job that the import left.
pub async fn imported_and_claimed(store: &Postgres, tenant: Tenant) -> (NewConversation, ClaimedJob) {
    let new = imported(store, tenant, 6).await;
    let claimed = claim(store, Queue::Ingest, 10).await;
    let of = |job: &ClaimedJob| job.payload.conversation_id() == Some(new.conversation.id);
    let job = claimed.into_iter().find(of).expect("the import left a job");
    (new, job)
}

pub fn passages(conversation_id: ConversationId) -> Vec<Passage> {
    let passage = |ordinal: u32| Passage {
        id: colloquy_domain::ids::PassageId::of(conversation_id, &[0; 32], ordinal),
        conversation_id,
        ordinal,
        first_sequence: ordinal as i32 * 3,
        last_sequence: ordinal as i32 * 3 + 2,
        text: format!("passage {ordinal} of {conversation_id}"),
        start_ms: Some(Millis(1_000 * u64::from(ordinal))),
        end_ms: None,
        speakers: vec!["Coach".to_owned(), "Client".to_owned()],
        people: Vec::new(),
    };
    (0..2).map(passage).collect()
}

pub fn done(job: &ClaimedJob) -> colloquy_domain::ports::jobs::Completion {
    ended(job, Ending::Done)
}

pub fn ended(job: &ClaimedJob, ending: Ending) -> colloquy_domain::ports::jobs::Completion {
    colloquy_domain::ports::jobs::Completion::new(job.claim, ending)
}

/// The state of a job's changes and of stages, in short, as the log has them.
pub fn in_short(kind: &EventKind) -> String {
    match kind {
        EventKind::Progress { stage, .. } => stage.as_str().to_owned(),
        EventKind::ConversationUpdated { .. } => "updated".to_owned(),
        EventKind::ConversationDeleted { .. } => "deleted".to_owned(),
        EventKind::BatchChanged { progress, .. } => progress.state.as_str().to_owned(),
        EventKind::SearchMatched { .. } => "matched".to_owned(),
        EventKind::JobChanged { kind, state, .. } => format!("{kind} {}", state.as_str()),
    }
}

/// Beyond help.
pub fn fail() -> Ending {
    Ending::Fail { message: "no such host".to_owned() }
}

pub async fn job(db: &Database, tenant: Tenant, id: JobId) -> Job {
    Ledger::find(&db.store, tenant, &[id]).await.unwrap().pop().expect("the job stands")
}
