//! Typed identifiers: a UUID that knows what it names, so that a passage's id cannot be given where a
//! conversation's is wanted. New ids are UUIDv7 and come from [`IdGen`](crate::time::IdGen); a passage's id
//! is a UUIDv5 of its place.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The kind's name as it stands in global ids and messages.
            pub const KIND: &'static str = stringify!($name);
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// A tenant.
    OrganizationId,
    UserId,
    /// One sign-in: a family of refresh tokens.
    SessionId,
    ApiKeyId,
    InvitationId,
    ConversationId,
    ParticipantId,
    SegmentId,
    PersonId,
    /// UUIDv5 of conversation and text: the same in every revision that has it.
    PassageId,
    TagId,
    AnalysisId,
    InsightId,
    JobId,
    BatchId,
    /// An archive that was brought to be imported.
    ArchiveImportId,
    ScheduleId,
    SavedSearchId,
    SearchMatchId,
    AuditEntryId,
    ErasureId,
    /// The fence of one claim: drawn at random each time a job is claimed.
    ClaimToken,
    /// One life of the event log; a restored database begins another.
    LogId,
}

impl PassageId {
    /// The id of a passage of this text, of which `before` stand before it in the conversation.
    pub fn of(conversation: ConversationId, text_hash: &[u8; 32], before: u32) -> Self {
        let mut name = [0; 36];
        name[..32].copy_from_slice(text_hash);
        name[32..].copy_from_slice(&before.to_be_bytes());
        Self(Uuid::new_v5(&conversation.0, &name))
    }
}
