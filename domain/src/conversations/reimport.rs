//! Reading the kept bytes of a conversation again, by the rules of today. Where the transcript comes out as it
//! stands, nothing is written; else it is a new revision, and all that follows an import follows it. What somebody has changed
//! by hand is left alone unless it is to be overwritten.

use std::collections::{HashMap, VecDeque};

use tokio::task::spawn_blocking;

use crate::{
    Error, Problem, Result,
    accounts::Tenant,
    conversations::{
        ContentHash, Conversation, Participant, Segment, Talk,
        import::{parse_off_thread, rows},
        revise, update,
    },
    events::{NewEvent, Stage},
    ids::{ConversationId, SegmentId},
    jobs::Claim,
    passages::{Passage, recut},
    ports::{Ports, jobs::Follow, store::conversations::NewRevision},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reimported {
    /// The revision was written, and the claim completed.
    Committed,
    Same,
    /// Somebody has changed the transcript since it was read.
    Edited,
    Gone,
}

/// Under the claim, which a new revision completes.
pub async fn reimport(
    ports: &Ports,
    tenant: Tenant,
    claim: Claim,
    id: ConversationId,
    overwrite_edits: bool,
) -> Result<Reimported> {
    let found = ports.conversations.find(tenant, &[id]).await?.pop();
    let talk = ports.conversations.find_talk(tenant, id).await?;
    let (Some(conversation), Some(talk)) = (found, talk) else {
        return Ok(Reimported::Gone);
    };
    // Whoever changes it after this makes another revision, so that this one is refused.
    if !overwrite_edits && ports.revisions.is_edited(tenant, id).await? {
        return Ok(Reimported::Edited);
    }
    let Some(bytes) = ports.objects.get(&conversation.object_key).await? else {
        let message = "the original bytes are gone, so there is nothing to read again";
        return Err(Error::Invalid(Problem::new("BYTES_GONE", message)));
    };
    let format = Some(conversation.report.format);
    let (_, hash, parsed) = parse_off_thread(bytes, format, ports.import_rules.clone()).await?;
    check(&conversation, hash)?;
    let transcript = parsed.map_err(Error::Invalid)?;
    let report = transcript.report.clone();
    let (participants, segments) = rows(ports, id, transcript);
    if is_same(&talk, &participants, &segments) {
        if let (None, Some(found)) = (conversation.language, report.language) {
            update::detected(ports, tenant, id, found.language).await?;
        }
        return Ok(Reimported::Same);
    }
    let known = ports.conversations.known_participants(tenant, id).await?;
    let (participants, segments) = with_known_speakers(&known, participants, segments);
    let (segments, kept) = with_known_ids(&talk, segments);
    let revision = talk.revision + 1;
    let imported = NewEvent::progress(tenant.0, id, revision, Stage::Imported);
    let follow = Follow { jobs: revise::jobs(ports, tenant, id, revision), events: vec![imported] };
    let passages = passages(ports, tenant, talk, &known, &participants, &segments).await?;
    let new = NewRevision {
        conversation_id: id,
        number: revision,
        report,
        participants,
        segments,
        kept,
        passages,
        created_at: ports.clock.now(),
    };
    match ports.conversations.revise(tenant, claim, new, follow).await {
        Ok(()) => Ok(Reimported::Committed),
        Err(Error::NotFound { .. }) => Ok(Reimported::Gone),
        Err(error) => Err(error),
    }
}

/// What was cut before stays where it is said so again.
async fn passages(
    ports: &Ports,
    tenant: Tenant,
    talk: Talk,
    known: &[Participant],
    added: &[Participant],
    segments: &[Segment],
) -> Result<Vec<Passage>> {
    let stand = ports.passages.of_revision(tenant, talk.conversation_id, talk.revision).await?;
    let after = Talk {
        conversation_id: talk.conversation_id,
        revision: talk.revision + 1,
        participants: [known, added].concat(),
        segments: segments.to_vec(),
    };
    let cut = spawn_blocking(move || recut(&talk.segments, &stand, &after)).await;
    cut.map_err(|error| Error::internal("cut passages", error))
}

fn check(conversation: &Conversation, hash: ContentHash) -> Result<()> {
    if conversation.content_hash == hash {
        return Ok(());
    }
    let message = "the kept bytes are not those that were imported; restore them from a backup";
    Err(Error::Invalid(Problem::new("BYTES_CHANGED", message)))
}

/// A label that the conversation knows keeps its participant; the new ones come after those.
fn with_known_speakers(
    known: &[Participant],
    participants: Vec<Participant>,
    mut segments: Vec<Segment>,
) -> (Vec<Participant>, Vec<Segment>) {
    let next = known.iter().map(|known| known.ordinal + 1).max().unwrap_or(0);
    let mut added = Vec::new();
    for participant in participants {
        match known.iter().find(|known| known.label == participant.label) {
            Some(known) => {
                let spoken = segments.iter_mut().filter(|one| one.participant_id == Some(participant.id));
                spoken.for_each(|segment| segment.participant_id = Some(known.id));
            }
            None => added.push(Participant { ordinal: next + added.len() as i32, ..participant }),
        }
    }
    (added, segments)
}

/// What was said so before keeps its id; and where it stands at its place, its state too.
fn with_known_ids(talk: &Talk, mut segments: Vec<Segment>) -> (Vec<Segment>, Vec<SegmentId>) {
    let mut known: HashMap<_, VecDeque<&Segment>> = HashMap::new();
    for old in &talk.segments {
        let said = (old.participant_id, old.text.as_str(), old.start_ms, old.end_ms);
        known.entry(said).or_default().push_back(old);
    }
    let mut kept = Vec::new();
    for new in &mut segments {
        let said = (new.participant_id, new.text.as_str(), new.start_ms, new.end_ms);
        let Some(old) = known.get_mut(&said).and_then(VecDeque::pop_front) else { continue };
        if old.sequence == new.sequence {
            kept.push(old.id);
        }
        new.id = old.id;
    }
    (segments, kept)
}

/// Ids apart: who says what, when.
fn is_same(talk: &Talk, participants: &[Participant], segments: &[Segment]) -> bool {
    fn said<'a>(of: &'a [Participant], segment: &'a Segment) -> impl PartialEq + use<'a> {
        let speaker = of.iter().find(|one| Some(one.id) == segment.participant_id);
        (speaker.map(|one| &one.label), &segment.text, segment.start_ms, segment.end_ms)
    }
    talk.segments.len() == segments.len()
        && talk
            .segments
            .iter()
            .zip(segments)
            .all(|(old, new)| said(&talk.participants, old) == said(participants, new))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ID: ConversationId = ConversationId(Uuid::nil());

    fn segments(from: u128, texts: &[&str]) -> Vec<Segment> {
        let segment = |(at, text): (usize, &&str)| Segment {
            id: SegmentId(Uuid::from_u128(from + at as u128)),
            conversation_id: ID,
            sequence: at as i32,
            participant_id: None,
            text: (*text).to_owned(),
            start_ms: None,
            end_ms: None,
        };
        texts.iter().enumerate().map(segment).collect()
    }

    #[test]
    fn what_was_said_so_before_keeps_its_id_and_at_its_place_its_state() {
        let talk = Talk {
            conversation_id: ID,
            revision: 1,
            participants: Vec::new(),
            segments: segments(0, &["Yes.", "Once.", "Yes.", "Last."]),
        };
        let (read, kept) = with_known_ids(&talk, segments(10, &["Yes.", "Twice.", "Last.", "Yes.", "Yes."]));
        let ids: Vec<_> = read.iter().map(|one| one.id.0.as_u128()).collect();
        assert_eq!(ids, [0, 11, 3, 2, 14]);
        assert_eq!(kept, [SegmentId(Uuid::from_u128(0))]);
    }
}
