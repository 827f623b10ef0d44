//! Talks to analyse, written down in a line a turn.

use colloquy_domain::{
    analysis::{Findings, Insight, InsightKind},
    conversations::{Participant, Segment, Talk},
    ids::{ConversationId, ParticipantId, SegmentId},
    time::Millis,
};
use uuid::Uuid;

pub(crate) struct Line<'t> {
    pub(crate) speaker: Option<&'t str>,
    pub(crate) text: &'t str,
    pub(crate) times: (Option<u64>, Option<u64>),
}

pub(crate) fn talk<'t>(lines: impl IntoIterator<Item = Line<'t>>) -> Talk {
    let conversation_id = ConversationId(Uuid::from_u128(1));
    let mut talk = Talk { conversation_id, revision: 1, participants: Vec::new(), segments: Vec::new() };
    for (place, line) in lines.into_iter().enumerate() {
        let participant_id = line.speaker.map(|label| {
            let known = talk.participants.iter().find(|participant| participant.label == label);
            known.map(|participant| participant.id).unwrap_or_else(|| {
                let ordinal = talk.participants.len() as i32;
                let id = ParticipantId(Uuid::from_u128(1_000 + ordinal as u128));
                talk.participants.push(Participant {
                    id,
                    conversation_id,
                    label: label.to_owned(),
                    ordinal,
                    person_id: None,
                });
                id
            })
        });
        talk.segments.push(Segment {
            id: segment_id(place),
            conversation_id,
            sequence: place as i32,
            participant_id,
            text: line.text.to_owned(),
            start_ms: line.times.0.map(Millis),
            end_ms: line.times.1.map(Millis),
        });
    }
    talk
}

pub(crate) fn segment_id(place: usize) -> SegmentId {
    SegmentId(Uuid::from_u128(100_000 + place as u128))
}

/// `(speaker, text)`.
pub(crate) fn spoken(lines: &[(&str, &str)]) -> Talk {
    talk(lines.iter().map(|(speaker, text)| Line { speaker: Some(speaker), text, times: (None, None) }))
}

/// `(speaker, start, end, text)` in milliseconds.
pub(crate) fn timed(lines: &[(&str, u64, u64, &str)]) -> Talk {
    talk(lines.iter().map(|(speaker, start, end, text)| Line {
        speaker: Some(speaker),
        text,
        times: (Some(*start), Some(*end)),
    }))
}

pub(crate) fn of_kind(findings: &Findings, kind: InsightKind) -> Vec<&Insight> {
    findings.insights.iter().filter(|insight| insight.kind == kind).collect()
}

pub(crate) fn label(talk: &Talk, id: Option<ParticipantId>) -> Option<&str> {
    id.and_then(|id| talk.participant(id)).map(|participant| participant.label.as_str())
}
