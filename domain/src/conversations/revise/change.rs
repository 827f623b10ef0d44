//! What a change does to a state, worked out without a store: which states end and which begin. What stays as it is is in
//! neither.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, HashSet},
};

use super::{Change, MAX_AT_ONCE, MAX_LABEL_CHARS, MAX_TEXT_CHARS};
use crate::{
    Error, Result,
    conversations::{Participant, Segment, Talk, revisions::RevisionKind},
    ids::{ParticipantId, PersonId, SegmentId},
    people,
    ports::store::revisions::Memory,
    transcripts::normal,
};

/// What is known of the expected revision.
pub struct Base {
    /// Everybody who has ever spoken, as they are now, by ordinal.
    pub known: Vec<Participant>,
    /// Who speaks.
    pub speaking: Vec<Participant>,
    /// All of them, by sequence.
    pub segments: Vec<Segment>,
    /// Of a revert: what is to be again.
    pub target: Option<Talk>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    pub ended: Vec<SegmentId>,
    pub segments: Vec<Segment>,
    pub characters: i64,
    pub added: Vec<Participant>,
    pub changed: Vec<Participant>,
    pub memory: Option<Memory>,
}

impl Delta {
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.segments.is_empty() && self.added.is_empty() && self.changed.is_empty()
    }

    /// Everybody who has ever spoken, as they are after it.
    pub fn participants(&self, base: &Base) -> Vec<Participant> {
        let now = |one: &Participant| self.changed.iter().find(|new| new.id == one.id).unwrap_or(one).clone();
        base.known.iter().map(now).chain(self.added.iter().cloned()).collect()
    }

    /// What is said after it, by sequence.
    pub fn talk(&self, base: &Base) -> Vec<Segment> {
        let ended: HashSet<SegmentId> = self.ended.iter().copied().collect();
        let stays = base.segments.iter().filter(|one| !ended.contains(&one.id));
        let mut segments: Vec<Segment> = stays.chain(&self.segments).cloned().collect();
        segments.sort_by_key(|one| one.sequence);
        segments
    }

    fn end(&mut self, segment: &Segment) {
        self.ended.push(segment.id);
        self.characters -= characters(segment);
    }

    fn begin(&mut self, segment: Segment) {
        self.characters += characters(&segment);
        self.segments.push(segment);
    }

    /// Nothing where it stays as it is.
    fn replace(&mut self, old: &Segment, new: Segment) {
        if *old != new {
            self.end(old);
            self.begin(new);
        }
    }
}

fn characters(segment: &Segment) -> i64 {
    segment.text.chars().count() as i64
}

impl Change {
    pub fn kind(&self) -> RevisionKind {
        match self {
            Self::EditSegment { .. } => RevisionKind::EditSegment,
            Self::RemoveSegments { .. } => RevisionKind::RemoveSegments,
            Self::Rename { .. } => RevisionKind::Rename,
            Self::Merge { .. } => RevisionKind::Merge,
            Self::Split { .. } => RevisionKind::Split,
            Self::Reassign { .. } => RevisionKind::Reassign,
            Self::Tie { .. } => RevisionKind::Tie,
            Self::Revert { .. } => RevisionKind::Revert,
        }
    }
}

/// Bounds and forms; texts and labels come back in the one form that imports give them.
pub fn check(change: Change) -> Result<Change> {
    Ok(match change {
        Change::EditSegment { id, text } => Change::EditSegment { id, text: check_text(&text)? },
        Change::Rename { id, label } => Change::Rename { id, label: check_label(&label)? },
        Change::Split { id, segments, label } => {
            check_many("segmentIds", segments.len())?;
            Change::Split { id, segments, label: check_label(&label)? }
        }
        Change::RemoveSegments { ids } => {
            check_many("segmentIds", ids.len())?;
            Change::RemoveSegments { ids }
        }
        Change::Reassign { segments, to } => {
            check_many("segmentIds", segments.len())?;
            Change::Reassign { segments, to }
        }
        Change::Merge { others, into } => {
            check_many("participantIds", others.len())?;
            if others.contains(&into) {
                let message = "nobody is merged into themselves: leave `intoParticipantId` out of the others";
                return Err(Error::invalid("participantIds", "MERGED_INTO_ITSELF", message));
            }
            Change::Merge { others, into }
        }
        Change::Tie { .. } | Change::Revert { .. } => change,
    })
}

fn check_many(field: &'static str, given: usize) -> Result<()> {
    if (1..=MAX_AT_ONCE).contains(&given) {
        return Ok(());
    }
    let message = format!("give 1 to {MAX_AT_ONCE} ids; there are {given}");
    Err(Error::invalid(field, if given == 0 { "NOTHING_GIVEN" } else { "TOO_MANY_IDS" }, message))
}

fn check_text(text: &str) -> Result<String> {
    let text = normal(Cow::Borrowed(text));
    let chars = text.chars().count();
    if (1..=MAX_TEXT_CHARS).contains(&chars) {
        return Ok(text.into_owned());
    }
    let message = format!(
        "a segment has 1 to {MAX_TEXT_CHARS} characters, and this has {chars}; `removeSegments` takes one out"
    );
    Err(Error::invalid("text", "INVALID_TEXT", message))
}

fn check_label(label: &str) -> Result<String> {
    let one_line = !label.trim().contains(char::is_control);
    let label = normal(Cow::Borrowed(label));
    let chars = label.chars().count();
    if (1..=MAX_LABEL_CHARS).contains(&chars) && one_line {
        return Ok(label.into_owned());
    }
    let message = format!("a label has 1 to {MAX_LABEL_CHARS} characters and no line breaks; it has {chars}");
    Err(Error::invalid("label", "INVALID_LABEL", message))
}

pub fn delta(base: &Base, change: &Change, new_id: impl FnOnce() -> ParticipantId) -> Result<Delta> {
    let mut delta = Delta::default();
    match change {
        Change::EditSegment { id, text } => {
            let old = segment(base, *id)?;
            delta.replace(old, Segment { text: text.clone(), ..old.clone() });
        }
        Change::RemoveSegments { ids } => remove(base, ids, &mut delta)?,
        Change::Rename { id, label } => {
            let old = participant(base, *id)?;
            if old.label != *label {
                check_free(base, label)?;
                delta.changed.push(Participant { label: label.clone(), ..old.clone() });
            }
        }
        Change::Merge { others, into } => merge(base, others, *into, &mut delta)?,
        Change::Split { id, segments, label } => {
            check_free(base, label)?;
            let old = participant(base, *id)?;
            let new = Participant {
                id: new_id(),
                label: label.clone(),
                ordinal: base.known.iter().map(|one| one.ordinal + 1).max().unwrap_or(0),
                person_id: None,
                ..old.clone()
            };
            check_theirs(base, segments, *id)?;
            reassign(base, segments, Some(new.id), &mut delta)?;
            delta.added.push(new);
        }
        Change::Reassign { segments, to } => {
            if let Some(to) = to {
                check_distinct("participantId", base, participant(base, *to)?, &[])?;
            }
            reassign(base, segments, *to, &mut delta)?;
        }
        Change::Tie { id, person } => tie(participant(base, *id)?, *person, &mut delta),
        Change::Revert { .. } => {
            if let Some(target) = &base.target {
                revert(base, target, &mut delta);
            }
        }
    }
    Ok(delta)
}

fn segment(base: &Base, id: SegmentId) -> Result<&Segment> {
    base.segments.iter().find(|one| one.id == id).ok_or_else(|| Error::not_found("segment", id))
}

fn participant(base: &Base, id: ParticipantId) -> Result<&Participant> {
    base.known.iter().find(|one| one.id == id).ok_or_else(|| Error::not_found("participant", id))
}

/// Two of one name could not be told apart, in an export least of all.
fn check_free(base: &Base, label: &str) -> Result<()> {
    check_taken("label", base.speaking.iter().any(|one| one.label == label), label)
}

/// Who does not speak may have a label that somebody else has by now, and then cannot speak again beside them.
fn check_distinct(field: &'static str, base: &Base, who: &Participant, but: &[ParticipantId]) -> Result<()> {
    let is_other = |one: &&Participant| one.id != who.id && !but.contains(&one.id);
    let taken = base.speaking.iter().filter(is_other).any(|one| one.label == who.label);
    check_taken(field, taken, &who.label)
}

fn check_taken(field: &'static str, taken: bool, label: &str) -> Result<()> {
    if !taken {
        return Ok(());
    }
    let message =
        format!("another participant is called “{label}”; merge them, or reassign segments, instead");
    Err(Error::invalid(field, "LABEL_TAKEN", message))
}

/// All of them, once each, as they stand.
fn all<'a>(base: &'a Base, ids: &[SegmentId]) -> Result<Vec<&'a Segment>> {
    let stand: HashMap<SegmentId, &Segment> = base.segments.iter().map(|one| (one.id, one)).collect();
    let ids: BTreeSet<SegmentId> = ids.iter().copied().collect();
    let one = |id: SegmentId| stand.get(&id).copied().ok_or_else(|| Error::not_found("segment", id));
    ids.into_iter().map(one).collect()
}

fn check_theirs(base: &Base, ids: &[SegmentId], id: ParticipantId) -> Result<()> {
    if all(base, ids)?.iter().all(|one| one.participant_id == Some(id)) {
        return Ok(());
    }
    let message =
        "some of the segments are not of the participant who is split; `reassignSegments` takes any";
    Err(Error::invalid("segmentIds", "NOT_OF_PARTICIPANT", message))
}

fn reassign(base: &Base, ids: &[SegmentId], to: Option<ParticipantId>, delta: &mut Delta) -> Result<()> {
    for old in all(base, ids)? {
        delta.replace(old, Segment { participant_id: to, ..old.clone() });
    }
    Ok(())
}

/// What comes later moves up.
fn remove(base: &Base, ids: &[SegmentId], delta: &mut Delta) -> Result<()> {
    let gone: HashSet<SegmentId> = all(base, ids)?.iter().map(|one| one.id).collect();
    if gone.len() == base.segments.len() {
        let message = "nothing would be left of the transcript; delete the conversation instead";
        return Err(Error::invalid("segmentIds", "NOTHING_LEFT", message));
    }
    let mut sequence = 0;
    for old in &base.segments {
        if gone.contains(&old.id) {
            delta.end(old);
        } else {
            delta.replace(old, Segment { sequence, ..old.clone() });
            sequence += 1;
        }
    }
    Ok(())
}

/// Whoever is nobody yet becomes the one person that the others are, if they are one.
fn merge(base: &Base, others: &[ParticipantId], into: ParticipantId, delta: &mut Delta) -> Result<()> {
    let target = participant(base, into)?;
    check_distinct("intoParticipantId", base, target, others)?;
    let mut people = BTreeSet::new();
    for id in others {
        people.extend(participant(base, *id)?.person_id);
    }
    for old in &base.segments {
        if old.participant_id.is_some_and(|id| others.contains(&id)) {
            delta.replace(old, Segment { participant_id: Some(into), ..old.clone() });
        }
    }
    if let (None, [person]) = (target.person_id, people.into_iter().collect::<Vec<_>>().as_slice()) {
        delta.changed.push(Participant { person_id: Some(*person), ..target.clone() });
    }
    Ok(())
}

fn tie(old: &Participant, person: Option<PersonId>, delta: &mut Delta) {
    if old.person_id == person {
        return;
    }
    delta.changed.push(Participant { person_id: person, ..old.clone() });
    let key = Some(people::key(&old.label)).filter(|key| !key.is_empty());
    delta.memory = match (key, person, old.person_id) {
        (Some(key), Some(person_id), _) => Some(Memory::Keep { key, person_id }),
        (Some(key), None, Some(person_id)) => Some(Memory::Drop { key, person_id }),
        _ => None,
    };
}

/// Whoever does not speak in the target is left as they are: nobody sees them there.
fn revert(base: &Base, target: &Talk, delta: &mut Delta) {
    let mut stand: HashMap<SegmentId, &Segment> = base.segments.iter().map(|one| (one.id, one)).collect();
    for wanted in &target.segments {
        match stand.remove(&wanted.id) {
            Some(old) => delta.replace(old, wanted.clone()),
            None => delta.begin(wanted.clone()),
        }
    }
    base.segments.iter().filter(|one| stand.contains_key(&one.id)).for_each(|one| delta.end(one));
    for wanted in &target.participants {
        if base.known.iter().find(|one| one.id == wanted.id).is_some_and(|now| now != wanted) {
            delta.changed.push(wanted.clone());
        }
    }
}
