//! Cutting, and cutting again what was changed.

use std::collections::HashSet;

use uuid::Uuid;

use super::*;
use crate::{conversations::Participant, ids::ParticipantId};

const ID: ConversationId = ConversationId(Uuid::nil());

fn segment(n: u32, words: usize) -> Segment {
    Segment {
        id: SegmentId(Uuid::from_u128(n.into())),
        conversation_id: ID,
        sequence: n as i32,
        participant_id: Some(ParticipantId(Uuid::from_u128(u128::from(n % 2)))),
        text: format!("Number{n}{}.", " word".repeat(words - 1)),
        start_ms: None,
        end_ms: None,
    }
}

fn talk(segments: Vec<Segment>) -> Talk {
    let participant = |n: i32| Participant {
        id: ParticipantId(Uuid::from_u128(n as u128)),
        conversation_id: ID,
        label: ["Ana", "Ben"][n as usize].to_owned(),
        ordinal: n,
        person_id: None,
    };
    Talk { conversation_id: ID, revision: 1, participants: (0..2).map(participant).collect(), segments }
}

/// Three segments a passage.
fn even(n: u32) -> Talk {
    talk((0..n).map(|n| segment(n, 40)).collect())
}

fn ids(passages: &[Passage]) -> Vec<PassageId> {
    passages.iter().map(|passage| passage.id).collect()
}

fn again(before: &Talk, after: &Talk) -> Vec<Passage> {
    let cut = recut(&before.segments, &cut(before), after);
    let said: Vec<&str> = after.segments.iter().flat_map(|one| one.text.split_whitespace()).collect();
    let found: Vec<&str> = cut.iter().flat_map(|one| one.text.split_whitespace()).collect();
    assert_eq!(found, said, "every word is in one passage, in order");
    assert!(cut.iter().zip(0..).all(|(passage, at)| passage.ordinal == at));
    assert_eq!(ids(&cut).iter().collect::<HashSet<_>>().len(), cut.len(), "ids are of one passage");
    cut
}

#[test]
fn one_edit_changes_one_passage() {
    let before = even(30);
    let mut after = before.clone();
    after.segments[4].text = "Something short.".to_owned();
    let (old, new) = (cut(&before), again(&before, &after));
    assert_eq!(old.len(), new.len());
    let other = old.iter().zip(&new).filter(|(old, new)| old != new).count();
    assert_eq!(other, 1);
    after.segments[4].text = "Something long. ".repeat(150);
    let new = again(&before, &after);
    let known: HashSet<_> = ids(&old).into_iter().collect();
    assert_eq!(old.len() - 1, ids(&new).iter().filter(|id| known.contains(id)).count());
    assert!(new.len() > old.len());
}

#[test]
fn what_moves_up_keeps_its_id() {
    let before = even(30);
    let mut after = before.clone();
    after.segments.remove(4);
    (0..).zip(&mut after.segments).for_each(|(at, segment)| segment.sequence = at);
    let (old, new) = (cut(&before), again(&before, &after));
    assert_eq!(ids(&old)[2..], ids(&new)[2..]);
    assert_eq!((new[2].first_sequence, new[2].last_sequence), (5, 7));
    assert_ne!(ids(&old)[1], ids(&new)[1]);
}

#[test]
fn another_speaker_is_told_and_nothing_is_cut() {
    let before = even(9);
    let mut after = before.clone();
    after.participants[1].label = "Benjamin".to_owned();
    let (old, new) = (cut(&before), again(&before, &after));
    assert_eq!(ids(&old), ids(&new));
    assert!(new.iter().all(|passage| passage.speakers.contains(&"Benjamin".to_owned())));
}

#[test]
fn what_was_taken_back_is_cut_as_before() {
    let before = even(30);
    let mut edited = before.clone();
    edited.segments[4].text = "Something long. ".repeat(150);
    let between = again(&before, &edited);
    let back = recut(&edited.segments, &between, &before);
    assert_eq!(back, cut(&before));
}

#[test]
fn a_long_segment_is_cut_as_a_whole_and_equal_texts_have_ids_of_their_own() {
    let mut segments: Vec<Segment> = (0..4).map(|n| segment(n, 500)).collect();
    segments.iter_mut().for_each(|one| one.text = "The same again. ".repeat(120));
    let before = talk(segments);
    let mut after = before.clone();
    after.segments[2].text = "Once.".to_owned();
    let (old, new) = (cut(&before), again(&before, &after));
    assert_eq!(ids(&old).iter().collect::<HashSet<_>>().len(), old.len());
    assert!(new.len() < old.len());
    assert_eq!(again(&before, &before), old);
}
