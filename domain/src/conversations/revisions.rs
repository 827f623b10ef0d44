//! Revisions: what a conversation was after each change, who made it and why. Every past state reads back as it was; a
//! revision keeps only what it changed.

use crate::{
    Error,
    conversations::{Participant, RevisionNumber, SpokenSegment},
    ids::{ConversationId, SegmentId, UserId},
    time::Timestamp,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevisionKind {
    /// Read from its bytes for the first time.
    Import,
    /// Read from its bytes again.
    Reimport,
    EditSegment,
    RemoveSegments,
    Rename,
    Merge,
    Split,
    Reassign,
    /// Who a participant is.
    Tie,
    /// An earlier state again.
    Revert,
}

impl RevisionKind {
    pub const ALL: [Self; 10] = [
        Self::Import,
        Self::Reimport,
        Self::EditSegment,
        Self::RemoveSegments,
        Self::Rename,
        Self::Merge,
        Self::Split,
        Self::Reassign,
        Self::Tie,
        Self::Revert,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "IMPORT",
            Self::Reimport => "REIMPORT",
            Self::EditSegment => "EDIT_SEGMENT",
            Self::RemoveSegments => "REMOVE_SEGMENTS",
            Self::Rename => "RENAME",
            Self::Merge => "MERGE",
            Self::Split => "SPLIT",
            Self::Reassign => "REASSIGN",
            Self::Tie => "TIE",
            Self::Revert => "REVERT",
        }
    }

    /// Whether it is a change of the transcript by hand, which reading the bytes again would undo.
    pub fn edits(self) -> bool {
        !matches!(self, Self::Import | Self::Reimport | Self::Tie | Self::Revert)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    pub conversation_id: ConversationId,
    pub number: RevisionNumber,
    pub kind: RevisionKind,
    /// In the author's words.
    pub reason: Option<String>,
    /// `None` for what a job did, and where they are gone.
    pub author_id: Option<UserId>,
    /// Of a revert: whose state it brought back.
    pub reverted_to: Option<RevisionNumber>,
    pub created_at: Timestamp,
}

/// For a number that the conversation does not have; `field` is the argument at fault.
pub fn no_such(field: &'static str, number: RevisionNumber, current: RevisionNumber) -> Error {
    let message = format!("there is no revision {number}: the conversation is at {current}");
    Error::invalid(field, "NO_SUCH_REVISION", message)
}

/// One segment in two revisions: it came where there is no `before`, and went where there is no `after`. A segment that
/// only stands at another place is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentChange {
    pub before: Option<SpokenSegment>,
    pub after: Option<SpokenSegment>,
}

/// Where a change stands among others: by sequence number in the later revision, or in the earlier one where it is gone
/// from that; then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangePlace {
    pub sequence: i32,
    pub id: SegmentId,
}

impl SegmentChange {
    /// `None` where there is neither.
    pub fn place(&self) -> Option<ChangePlace> {
        let stands = self.after.as_ref().or(self.before.as_ref())?;
        Some(ChangePlace { sequence: stands.segment.sequence, id: stands.segment.id })
    }
}

/// Who speaks in one revision and not in the other, or under another name or as somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantChange {
    pub before: Option<Participant>,
    pub after: Option<Participant>,
}

/// By ordinal.
pub fn compare_participants(before: Vec<Participant>, after: Vec<Participant>) -> Vec<ParticipantChange> {
    let mut changes = Vec::new();
    for old in &before {
        let new = after.iter().find(|new| new.id == old.id);
        if new != Some(old) {
            changes.push(ParticipantChange { before: Some(old.clone()), after: new.cloned() });
        }
    }
    let came = after.into_iter().filter(|new| before.iter().all(|old| old.id != new.id));
    changes.extend(came.map(|new| ParticipantChange { before: None, after: Some(new) }));
    let ordinal = |change: &ParticipantChange| {
        change.after.as_ref().or(change.before.as_ref()).map_or(0, |participant| participant.ordinal)
    };
    changes.sort_by_key(ordinal);
    changes
}
