//! What changes do to a state, without a store.

use uuid::Uuid;

use super::{
    Change,
    change::{Base, Delta, check, delta},
};
use crate::{
    conversations::{Participant, Segment, Talk},
    ids::{ConversationId, ParticipantId, PersonId, SegmentId},
    ports::store::revisions::Memory,
};

const ID: ConversationId = ConversationId(Uuid::nil());

fn of(n: u128) -> ParticipantId {
    ParticipantId(Uuid::from_u128(n))
}

fn said(n: u128) -> SegmentId {
    SegmentId(Uuid::from_u128(n))
}

fn participant(n: u128, label: &str) -> Participant {
    Participant {
        id: of(n),
        conversation_id: ID,
        label: label.to_owned(),
        ordinal: n as i32,
        person_id: None,
    }
}

/// Ana and Ben in turn, four segments.
fn base() -> Base {
    let known = vec![participant(0, "Ana"), participant(1, "Ben")];
    let segment = |n: i32| Segment {
        id: said(n as u128),
        conversation_id: ID,
        sequence: n,
        participant_id: Some(of(n as u128 % 2)),
        text: format!("Said {n}."),
        start_ms: None,
        end_ms: None,
    };
    Base { speaking: known.clone(), known, segments: (0..4).map(segment).collect(), target: None }
}

fn apply(base: &Base, change: Change) -> crate::Result<Delta> {
    delta(base, &check(change)?, || of(9))
}

fn refused(base: &Base, change: Change) -> &'static str {
    apply(base, change).expect_err("it is refused").code()
}

#[test]
fn what_is_removed_closes_up_and_the_last_word_stays() {
    let base = base();
    let delta = apply(&base, Change::RemoveSegments { ids: vec![said(1), said(1)] }).unwrap();
    assert_eq!(delta.ended, [said(1), said(2), said(3)]);
    let places: Vec<_> = delta.segments.iter().map(|one| (one.id, one.sequence)).collect();
    assert_eq!(places, [(said(2), 1), (said(3), 2)]);
    assert_eq!(delta.characters, -7);
    let ids = (0..4).map(said).collect();
    assert_eq!(refused(&base, Change::RemoveSegments { ids }), "NOTHING_LEFT");
    assert_eq!(refused(&base, Change::RemoveSegments { ids: vec![said(7)] }), "NOT_FOUND");
}

#[test]
fn what_stands_already_is_no_change() {
    let base = base();
    for change in [
        Change::EditSegment { id: said(2), text: " Said 2. ".to_owned() },
        Change::Rename { id: of(0), label: "Ana".to_owned() },
        Change::Reassign { segments: vec![said(0), said(2)], to: Some(of(0)) },
        Change::Tie { id: of(0), person: None },
    ] {
        assert!(apply(&base, change.clone()).unwrap().is_empty(), "{change:?}");
    }
}

#[test]
fn whoever_is_merged_is_known_by_the_others_person_if_they_are_one() {
    let person = |n: u128| Some(PersonId(Uuid::from_u128(n)));
    let mut base = base();
    base.known.push(participant(2, "B."));
    base.known[1].person_id = person(7);
    let merge = |base: &Base| apply(base, Change::Merge { others: vec![of(1), of(2)], into: of(0) }).unwrap();
    let delta = merge(&base);
    assert_eq!(delta.ended, [said(1), said(3)]);
    assert!(delta.segments.iter().all(|one| one.participant_id == Some(of(0))));
    assert_eq!(delta.changed[0].person_id, person(7));
    base.known[2].person_id = person(8);
    assert!(merge(&base).changed.is_empty(), "two people are not one");
    let itself = Change::Merge { others: vec![of(0)], into: of(0) };
    assert_eq!(refused(&base, itself), "MERGED_INTO_ITSELF");
}

#[test]
fn who_is_split_off_is_new_and_takes_what_is_theirs() {
    let base = base();
    let split = |ids: &[u128], label: &str| Change::Split {
        id: of(0),
        segments: ids.iter().copied().map(said).collect(),
        label: label.to_owned(),
    };
    let delta = apply(&base, split(&[2], "Cleo")).unwrap();
    assert_eq!((delta.added[0].id, delta.added[0].ordinal), (of(9), 2));
    assert_eq!((delta.segments[0].id, delta.segments[0].participant_id), (said(2), Some(of(9))));
    assert_eq!(refused(&base, split(&[1], "Cleo")), "NOT_OF_PARTICIPANT");
    assert_eq!(refused(&base, split(&[2], "Ben")), "LABEL_TAKEN");
    assert_eq!(refused(&base, split(&[], "Cleo")), "NOTHING_GIVEN");
}

#[test]
fn texts_labels_and_lists_have_bounds() {
    let base = base();
    for text in ["", " ", "\0\n", &"x".repeat(50_001)] {
        assert_eq!(
            refused(&base, Change::EditSegment { id: said(0), text: text.to_owned() }),
            "INVALID_TEXT"
        );
    }
    for label in ["", "\t", "a\nb", &"x".repeat(201)] {
        assert_eq!(refused(&base, Change::Rename { id: of(0), label: label.to_owned() }), "INVALID_LABEL");
    }
    let ids = (0..5_001).map(said).collect();
    assert_eq!(refused(&base, Change::Reassign { segments: ids, to: None }), "TOO_MANY_IDS");
    assert_eq!(refused(&base, Change::Reassign { segments: vec![said(0)], to: Some(of(5)) }), "NOT_FOUND");
}

#[test]
fn texts_come_in_the_one_form_that_imports_give_them() {
    let change =
        Change::EditSegment { id: said(0), text: " one\u{a0}\u{7} two\r\nthree\n\n\nfour ".to_owned() };
    let Ok(Change::EditSegment { text, .. }) = check(change) else { panic!("it is fine") };
    assert_eq!(text, "one two three\n\nfour");
}

#[test]
fn a_tie_is_remembered_by_the_label_and_forgotten_with_it() {
    let mut base = base();
    let person = PersonId(Uuid::from_u128(7));
    let tie = |base: &Base, person| apply(base, Change::Tie { id: of(0), person }).unwrap().memory;
    let key = || "ana".to_owned();
    assert_eq!(tie(&base, Some(person)), Some(Memory::Keep { key: key(), person_id: person }));
    base.known[0].person_id = Some(person);
    assert_eq!(tie(&base, None), Some(Memory::Drop { key: key(), person_id: person }));
}

#[test]
fn a_revert_ends_what_came_and_brings_back_what_went() {
    let mut base = base();
    let participants = base.known.clone();
    let segments = base.segments.clone();
    base.target = Some(Talk { conversation_id: ID, revision: 1, participants, segments });
    assert!(apply(&base, Change::Revert { to: 1 }).unwrap().is_empty());
    base.segments.remove(0);
    base.segments.push(Segment { id: said(9), sequence: 0, ..base.segments[0].clone() });
    base.known[1].label = "Benjamin".to_owned();
    let delta = apply(&base, Change::Revert { to: 1 }).unwrap();
    assert_eq!(delta.ended, [said(9)]);
    assert_eq!(delta.segments.iter().map(|one| one.id).collect::<Vec<_>>(), [said(0)]);
    assert_eq!(delta.changed, [participant(1, "Ben")]);
}

#[test]
fn whoever_speaks_again_has_a_label_of_their_own() {
    let mut base = base();
    // Once there was another Ana, who does not speak any more.
    base.known.push(Participant { ordinal: 2, ..participant(5, "Ana") });
    let reassign = Change::Reassign { segments: vec![said(1)], to: Some(of(5)) };
    assert_eq!(refused(&base, reassign), "LABEL_TAKEN");
    assert_eq!(refused(&base, Change::Merge { others: vec![of(1)], into: of(5) }), "LABEL_TAKEN");
    let merged = apply(&base, Change::Merge { others: vec![of(0)], into: of(5) }).expect("one Ana is left");
    assert_eq!(merged.segments.len(), 2);
}
