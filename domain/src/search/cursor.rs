//! Where a list of hits goes on: opaque to clients. A cursor names the search it belongs to by a fingerprint of all
//! that the order hangs on, tenant included, and is refused by any other. It is not signed: what one could forge of it
//! is a place in one's own list.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::find::SearchInput;
use crate::{Problem, accounts::Tenant, ids::PassageId, ports::search::After};

const VERSION: u8 = 1;
const KIND_HITS: u8 = b'h';
const KIND_LIST: u8 = b'l';
/// Nobody has read so far: ranks are counted on from there.
const FARTHEST: u32 = 1 << 31;

/// Of a search: the same for the same tenant, query, mode, filter and order.
pub(super) type Fingerprint = [u8; 12];

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cursor {
    of: Fingerprint,
    /// Of the last hit seen, from 0.
    pub(super) place: u32,
    /// The last hit seen.
    pub(super) last: After,
    /// The ranking that was kept for the pages to come.
    pub(super) list: Option<Uuid>,
}

impl Cursor {
    pub(super) fn new(of: Fingerprint, place: usize, last: After, list: Option<Uuid>) -> Self {
        Self { of, place: u32::try_from(place).unwrap_or(u32::MAX), last, list }
    }

    pub fn encode(&self) -> String {
        let mut bytes = vec![VERSION, if self.list.is_some() { KIND_LIST } else { KIND_HITS }];
        bytes.extend_from_slice(&self.of);
        bytes.extend_from_slice(&self.place.to_be_bytes());
        bytes.extend_from_slice(&self.last.score.to_be_bytes());
        bytes.extend_from_slice(self.last.passage_id.0.as_bytes());
        bytes.extend(self.list.iter().flat_map(Uuid::as_bytes));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` for what is no cursor of a search.
    pub fn decode(text: &str) -> Option<Self> {
        if text.len() > 200 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (head, rest) = bytes.split_first_chunk::<2>()?;
        let (of, rest) = rest.split_first_chunk()?;
        let (place, rest) = rest.split_first_chunk()?;
        let (score, rest) = rest.split_first_chunk()?;
        let (passage, rest) = rest.split_first_chunk()?;
        let list = match (head, rest.len()) {
            ([VERSION, KIND_HITS], 0) => None,
            ([VERSION, KIND_LIST], 16) => Some(Uuid::from_slice(rest).ok()?),
            _ => return None,
        };
        let (place, score) = (u32::from_be_bytes(*place), f32::from_be_bytes(*score));
        let last = After { score, passage_id: PassageId(Uuid::from_bytes(*passage)) };
        let is_sound = score.is_finite() && place <= FARTHEST;
        is_sound.then_some(Self { of: *of, place, last, list })
    }

    pub(super) fn check(&self, of: Fingerprint) -> Result<(), Problem> {
        if self.of == of {
            return Ok(());
        }
        let message = "`after` is a cursor of another search: go on with the same query, mode, filter and order, or begin without it";
        Err(Problem::new("CURSOR_OF_ANOTHER_QUERY", message).at("after"))
    }
}

pub(super) fn fingerprint(tenant: Tenant, input: &SearchInput) -> Fingerprint {
    let mut hasher = blake3::Hasher::new_derive_key("colloquy 2026 search cursor");
    hasher.update(tenant.0.0.as_bytes());
    let of = format!("{:?}", (&input.query, input.mode, &input.filter, &input.arrangement));
    hasher.update(of.as_bytes());
    let mut fingerprint = [0; 12];
    fingerprint.copy_from_slice(&hasher.finalize().as_bytes()[..12]);
    fingerprint
}

/// What a kept ranking stands under: nobody reaches another tenant's, or another search's.
pub(super) fn key(tenant: Tenant, of: Fingerprint, list: Uuid) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("colloquy 2026 kept ranking");
    hasher.update(tenant.0.0.as_bytes());
    hasher.update(&of);
    hasher.update(list.as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went_and_belongs_to_its_search() {
        let last = After { score: 0.25, passage_id: PassageId(Uuid::from_u128(7)) };
        for list in [None, Some(Uuid::from_u128(9))] {
            let cursor = Cursor::new([3; 12], 41, last, list);
            assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
            assert_eq!(cursor.check([3; 12]), Ok(()));
            assert_eq!(cursor.check([4; 12]).unwrap_err().code, "CURSOR_OF_ANOTHER_QUERY");
            for strange in [&cursor.encode()[1..], &format!("{}AA", cursor.encode()), "5", ""] {
                assert_eq!(Cursor::decode(strange), None, "{strange}");
            }
        }
        let endless = Cursor::new([3; 12], 0, After { score: f32::NAN, ..last }, None);
        assert_eq!(Cursor::decode(&endless.encode()), None);
        let far = Cursor::new([3; 12], usize::MAX, last, None);
        assert_eq!(Cursor::decode(&far.encode()), None);
    }

    proptest! {
        #[test]
        fn whatever_is_given_as_a_cursor_is_read_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(cursor) = Cursor::decode(&URL_SAFE_NO_PAD.encode(&bytes)) {
                prop_assert_eq!(URL_SAFE_NO_PAD.decode(cursor.encode()).unwrap(), bytes);
            }
        }
    }
}
