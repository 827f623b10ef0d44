//! Erasure: what takes somebody, or a conversation, out of every store for good. It is written down by ids alone, and the
//! same list stands outside PostgreSQL, so that a restore brings nobody back.

pub mod list;
pub mod names;
pub mod person;
pub mod sweep;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    accounts::{Actor, Role},
    error::Result,
    ids::{ErasureId, OrganizationId, UserId},
    jobs::{JobKind, rules::JobRules},
    ports::{Ports, store::PageBy},
    time::Timestamp,
};

/// Stands where a name or somebody's speech was.
pub const MARK: &str = "[erased]";
/// After a handler has lost its claim it may go on for so long.
const LATE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErasureKind {
    Person,
    Conversation,
}

impl ErasureKind {
    pub const ALL: [Self; 2] = [Self::Person, Self::Conversation];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "PERSON",
            Self::Conversation => "CONVERSATION",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErasureState {
    /// Conversations are redacted, one after another.
    Erasing,
    /// All is done, and looked through again for what jobs that ran meanwhile have brought back.
    Sweeping,
    Done,
}

impl ErasureState {
    pub const ALL: [Self; 3] = [Self::Erasing, Self::Sweeping, Self::Done];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Erasing => "ERASING",
            Self::Sweeping => "SWEEPING",
            Self::Done => "DONE",
        }
    }
}

/// What was removed, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Removed {
    /// Redacted, or deleted.
    pub conversations: u64,
    /// States of segments that the person spoke.
    pub segments: u64,
    /// Labels, in all revisions.
    pub labels: u64,
    /// Other texts that named the person: what others said, titles, names of files, reasons of revisions, reports.
    pub texts: u64,
    pub passages: u64,
    pub vectors: u64,
    pub analyses: u64,
    pub matches: u64,
    pub tags: u64,
    /// Jobs whose errors were redacted.
    pub jobs: u64,
    /// Jobs that ran, and begin again.
    pub restarted: u64,
    /// Saved searches, synonyms, schedules and batches that named the person.
    pub settings: u64,
    /// Of the above, what a sweep found once more.
    pub came_back: u64,
}

impl Removed {
    pub fn and(self, other: Self) -> Self {
        Self {
            conversations: self.conversations + other.conversations,
            segments: self.segments + other.segments,
            labels: self.labels + other.labels,
            texts: self.texts + other.texts,
            passages: self.passages + other.passages,
            vectors: self.vectors + other.vectors,
            analyses: self.analyses + other.analyses,
            matches: self.matches + other.matches,
            tags: self.tags + other.tags,
            jobs: self.jobs + other.jobs,
            restarted: self.restarted + other.restarted,
            settings: self.settings + other.settings,
            came_back: self.came_back + other.came_back,
        }
    }

    /// What nobody may see again.
    pub fn of_words(&self) -> u64 {
        self.segments + self.labels + self.texts + self.vectors
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    pub id: ErasureId,
    pub organization_id: OrganizationId,
    pub kind: ErasureKind,
    /// The person's or the conversation's.
    pub subject_id: Uuid,
    /// `None` where a list was applied again, or a batch deleted.
    pub actor_id: Option<UserId>,
    pub state: ErasureState,
    pub removed: Removed,
    /// Sweeps that have run, and when the last one did.
    pub sweeps: u32,
    pub last_sweep_at: Option<Timestamp>,
    pub requested_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// To be written with what it erases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewErasure {
    pub id: ErasureId,
    pub kind: ErasureKind,
    pub subject_id: Uuid,
    pub actor_id: Option<UserId>,
}

impl NewErasure {
    pub(crate) fn new(ports: &Ports, kind: ErasureKind, subject_id: Uuid, actor_id: Option<UserId>) -> Self {
        Self { id: ErasureId(ports.ids.next()), kind, subject_id, actor_id }
    }
}

/// Newest first. For administrators.
pub async fn list(ports: &Ports, actor: &Actor, page: PageBy<ErasureId>) -> Result<Vec<Erasure>> {
    actor.require(Role::Admin)?;
    ports.erasures.list(actor.tenant(), page).await
}

pub async fn find(ports: &Ports, actor: &Actor, id: ErasureId) -> Result<Option<Erasure>> {
    actor.require(Role::Admin)?;
    Ok(ports.erasures.find(actor.tenant(), &[id]).await?.pop())
}

/// Of what had this id; the newest, where a restore had it back.
pub async fn find_of(
    ports: &Ports,
    actor: &Actor,
    kind: ErasureKind,
    subject: Uuid,
) -> Result<Option<Erasure>> {
    actor.require(Role::Admin)?;
    ports.erasures.find_of(actor.tenant(), kind, subject).await
}

/// After so long whatever ran when something was erased has ended.
pub fn settled_after(rules: &JobRules) -> Duration {
    let longest = JobKind::ALL.into_iter().filter(|kind| *kind != JobKind::SwitchGeneration);
    longest.map(|kind| rules.of(kind).timeout).max().unwrap_or_default() + LATE
}
