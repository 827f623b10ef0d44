//! A ranking in few bytes, so that it can be kept for its next pages. What is read back may be anything: it is of use
//! or it is not, and then the search is ranked anew.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    explain::LegReport,
    fusion::{FusedHit, Place},
};
use crate::ids::PassageId;

const VERSION: u8 = 2;
/// Hits of a list at most: of each leg as many as are asked for.
const MOST: usize = 2_000;

const TEXT: u8 = 1;
const SEMANTIC: u8 = 2;
const COLLAPSED: u8 = 4;

/// A hit in its place, with what was collapsed into it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placed {
    pub(super) fused: FusedHit,
    /// Hits of the same conversation that stand behind it.
    pub(super) further: u16,
    pub(super) duplicates: u16,
}

impl From<FusedHit> for Placed {
    fn from(fused: FusedHit) -> Self {
        Self { fused, further: 0, duplicates: 0 }
    }
}

/// A list of hits as it was ranked once.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Ranking {
    pub(super) hits: Vec<Placed>,
    pub(super) about: About,
}

/// How it came about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) degraded: Option<String>,
    pub(super) legs: Vec<LegReport>,
    /// Hits that PostgreSQL took out before the list was arranged.
    pub(super) dropped: usize,
}

impl Ranking {
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let about = serde_json::to_vec(&self.about).ok()?;
        let mut bytes = Vec::with_capacity(5 + about.len() + 33 * self.hits.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&u32::try_from(about.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(&about);
        for hit in self.hits.iter().take(MOST) {
            put(&mut bytes, hit);
        }
        Some(bytes)
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (about, mut rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        if *version != VERSION {
            return None;
        }
        let about: About = serde_json::from_slice(about).ok()?;
        let mut hits = Vec::new();
        while !rest.is_empty() && hits.len() < MOST {
            hits.push(take(&mut rest, &about.legs)?);
        }
        rest.is_empty().then_some(Self { hits, about })
    }
}

fn put(bytes: &mut Vec<u8>, hit: &Placed) {
    let Placed { fused, further, duplicates } = hit;
    let collapsed = *further > 0 || *duplicates > 0;
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    bytes.push(
        flag(fused.text.is_some(), TEXT)
            | flag(fused.semantic.is_some(), SEMANTIC)
            | flag(collapsed, COLLAPSED),
    );
    bytes.extend_from_slice(fused.passage_id.0.as_bytes());
    bytes.extend_from_slice(&fused.score.to_be_bytes());
    for place in [fused.text, fused.semantic].into_iter().flatten() {
        bytes.extend_from_slice(&u16::try_from(place.rank).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(&place.score.to_be_bytes());
    }
    if collapsed {
        bytes.extend_from_slice(&further.to_be_bytes());
        bytes.extend_from_slice(&duplicates.to_be_bytes());
    }
}

fn take(rest: &mut &[u8], legs: &[LegReport]) -> Option<Placed> {
    let [flags] = chunk(rest)?;
    let passage_id = PassageId(Uuid::from_bytes(chunk(rest)?));
    let score = f32::from_be_bytes(chunk(rest)?);
    let mut place = |flag: u8, is_semantic: bool| -> Option<Option<Place>> {
        if flags & flag == 0 {
            return Some(None);
        }
        let rank = u16::from_be_bytes(chunk(rest)?).into();
        let score = f32::from_be_bytes(chunk(rest)?);
        let stretch = legs.iter().find(|leg| leg.is_semantic == is_semantic).and_then(|leg| leg.stretch);
        Some(Some(Place { rank, score, stretched: stretch.map(|stretch| stretch.apply(score)) }))
    };
    let (text, semantic) = (place(TEXT, false)?, place(SEMANTIC, true)?);
    let (mut further, mut duplicates) = (0, 0);
    if flags & COLLAPSED != 0 {
        further = u16::from_be_bytes(chunk(rest)?);
        duplicates = u16::from_be_bytes(chunk(rest)?);
    }
    Some(Placed { fused: FusedHit { passage_id, score, text, semantic }, further, duplicates })
}

fn chunk<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*chunk)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::{explain::Outcome, fusion::Stretch};

    fn ranking(hits: u16) -> Ranking {
        let stretch = Stretch { low: 1.0, span: 4.0 };
        let leg = |is_semantic| LegReport {
            is_semantic,
            engine: "embedded".to_owned(),
            outcome: Outcome::Answered,
            asked: 1_000,
            hits: 7,
            deadline_ms: 2_000,
            took_ms: 3,
            weight: Some(0.5),
            trust: None,
            whole: None,
            stretch: Some(stretch),
        };
        let place = |rank: u16| Place { rank: rank.into(), score: 2.0, stretched: Some(stretch.apply(2.0)) };
        let hits = (0..hits).map(|n| Placed {
            fused: FusedHit {
                passage_id: PassageId(Uuid::from_u128(n.into())),
                score: 0.5,
                text: (n % 3 > 0).then(|| place(n)),
                semantic: (n % 3 != 1).then(|| place(n)),
            },
            further: n % 5,
            duplicates: n % 2,
        });
        let about =
            About { degraded: Some("late".to_owned()), legs: vec![leg(false), leg(true)], dropped: 2 };
        Ranking { hits: hits.collect(), about }
    }

    #[test]
    fn a_ranking_comes_back_as_it_went_in_few_bytes() {
        for hits in [0, 1, 7, 2_000] {
            let before = ranking(hits);
            let bytes = before.encode().unwrap();
            assert!(bytes.len() < 1_000 + 37 * usize::from(hits), "{}", bytes.len());
            assert_eq!(Ranking::decode(&bytes), Some(before));
            assert_eq!(Ranking::decode(&bytes[1..]), None);
            assert_eq!(Ranking::decode(&bytes[..bytes.len() - 1]).map(|cut| cut.hits.len()), None);
        }
    }

    proptest! {
        #[test]
        fn rubbish_is_no_ranking_and_does_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Ranking::decode(&bytes);
            let mut near = ranking(3).encode().unwrap();
            near.extend(&bytes);
            let _ = Ranking::decode(&near);
        }
    }
}
