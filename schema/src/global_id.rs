//! Opaque ids: what a thing is and its UUID, in one string. An id of another kind, or none of ours, names
//! nothing.

use async_graphql::ID;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use colloquy_domain::{
    Error,
    ids::{
        AnalysisId, ApiKeyId, ArchiveImportId, AuditEntryId, BatchId, ConversationId, ErasureId, InsightId,
        InvitationId, JobId, OrganizationId, ParticipantId, PassageId, PersonId, SavedSearchId, ScheduleId,
        SegmentId, TagId, UserId,
    },
};
use uuid::Uuid;

/// A kind of id that clients see. The letter never changes: clients keep ids.
pub(crate) trait Global: Copy + From<Uuid> + Into<Uuid> {
    const LETTER: u8;
    const WHAT: &'static str;
}

macro_rules! globals {
    ($($letter:literal $id:ident $what:literal),+ $(,)?) => {
        $(impl Global for $id {
            const LETTER: u8 = $letter;
            const WHAT: &'static str = $what;
        })+

        #[cfg(test)]
        const LETTERS: &[u8] = &[$($letter),+];
    };
}

globals! {
    b'a' AnalysisId "analysis",
    b'b' BatchId "batch",
    b'c' ConversationId "conversation",
    b'd' ErasureId "erasure",
    b'e' AuditEntryId "audit entry",
    b'h' PersonId "person",
    b'i' InsightId "insight",
    b'j' JobId "job",
    b'k' ApiKeyId "API key",
    b'n' InvitationId "invitation",
    b'o' OrganizationId "organization",
    b'p' ParticipantId "participant",
    b'q' PassageId "passage",
    b's' SegmentId "segment",
    b'r' ScheduleId "schedule",
    b't' TagId "tag",
    b'u' UserId "user",
    b'v' SavedSearchId "saved search",
    b'z' ArchiveImportId "archive import",
}

pub(crate) fn encode<T: Global>(id: T) -> ID {
    let mut bytes = [0; 17];
    bytes[0] = T::LETTER;
    let uuid: Uuid = id.into();
    bytes[1..].copy_from_slice(uuid.as_bytes());
    ID(URL_SAFE_NO_PAD.encode(bytes))
}

pub(crate) fn decode<T: Global>(id: &ID) -> Option<T> {
    let (letter, uuid) = parts(id)?;
    (letter == T::LETTER).then(|| T::from(uuid))
}

/// As [`decode`], where the id must name something.
pub(crate) fn require<T: Global>(id: &ID) -> colloquy_domain::Result<T> {
    decode(id).ok_or_else(|| Error::not_found(T::WHAT, id.as_str()))
}

/// The kind's letter and the UUID of any id of ours.
pub(crate) fn parts(id: &ID) -> Option<(u8, Uuid)> {
    let bytes = URL_SAFE_NO_PAD.decode(id.as_bytes()).ok()?;
    let (letter, uuid) = bytes.split_first()?;
    Some((*letter, Uuid::from_slice(uuid).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_kind_alone() {
        let id = ConversationId(Uuid::from_u128(7));
        assert_eq!(decode::<ConversationId>(&encode(id)), Some(id));
        assert_eq!(decode::<JobId>(&encode(id)), None);
        for strange in ["", "x", "Y29udmVyc2F0aW9u", "🙂"] {
            assert_eq!(decode::<ConversationId>(&ID(strange.to_owned())), None);
        }
        assert_eq!(require::<JobId>(&encode(id)).unwrap_err().code(), "NOT_FOUND");
    }

    #[test]
    fn every_kind_has_a_letter_of_its_own() {
        let mut letters = LETTERS.to_vec();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), LETTERS.len());
    }
}
