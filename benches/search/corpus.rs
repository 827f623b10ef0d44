//! Conversations to search in, with their vectors.

use std::{fs, path::PathBuf};

use colloquy_domain::{
    conversations::{Participant, Segment, Talk},
    ids::{ConversationId, ParticipantId, PassageId, SegmentId},
    passages::{Passage, cut, text_hash},
    ports::models::Embedder,
};
use colloquy_models::MiniLm;
use uuid::Uuid;

pub(crate) struct Model {
    pub(crate) embedder: MiniLm,
    /// Where vectors are kept.
    pub(crate) folder: PathBuf,
}

impl Model {
    /// Of the texts in their order; from the file of an earlier run, or made now.
    pub(crate) async fn vectors(&self, texts: Vec<String>) -> Vec<Vec<f32>> {
        let model = self.embedder.model();
        let key = text_hash(&format!("{} {}", model.name, texts.join("\0")));
        let name: String = key[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let file = self.folder.join(format!("vectors-{name}.f32"));
        if let Ok(bytes) = fs::read(&file)
            && bytes.len() == texts.len() * model.dimensions * 4
        {
            let numbers: Vec<f32> =
                bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
            return numbers.chunks(model.dimensions).map(<[f32]>::to_vec).collect();
        }
        println!("embedding {} texts, kept in {}", texts.len(), file.display());
        let vectors = self.embedder.embed_passages(texts).await.unwrap();
        let bytes: Vec<u8> = vectors.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
        fs::create_dir_all(&self.folder).unwrap();
        fs::write(&file, bytes).unwrap();
        vectors
    }
}

/// A conversation whose passages are these texts.
pub(crate) fn of_texts(number: u128, texts: &[String]) -> (ConversationId, Vec<Passage>) {
    let conversation_id = ConversationId(Uuid::from_u128(number));
    let passage = |(ordinal, text): (u32, &String)| Passage {
        id: PassageId::of(conversation_id, &[0; 32], ordinal),
        conversation_id,
        ordinal,
        first_sequence: ordinal as i32,
        last_sequence: ordinal as i32,
        text: text.clone(),
        start_ms: None,
        end_ms: None,
        speakers: Vec::new(),
        people: Vec::new(),
    };
    (conversation_id, (0..).zip(texts).map(passage).collect())
}

/// A conversation of turns (speaker, text), cut as an import cuts it: sequence numbers are places of turns.
pub(crate) fn of_turns(number: u128, turns: &[(String, String)]) -> (ConversationId, Vec<Passage>) {
    let conversation_id = ConversationId(Uuid::from_u128(number));
    let mut participants: Vec<Participant> = Vec::new();
    let mut segments = Vec::new();
    for (sequence, (label, text)) in (0..).zip(turns) {
        let known = participants.iter().position(|participant| participant.label == *label);
        let ordinal = known.unwrap_or(participants.len());
        let participant = Participant {
            id: ParticipantId(Uuid::from_u128(number << 32 | ordinal as u128)),
            conversation_id,
            label: label.clone(),
            ordinal: ordinal as i32,
            person_id: None,
        };
        let participant_id = participant.id;
        if known.is_none() {
            participants.push(participant);
        }
        segments.push(Segment {
            id: SegmentId(Uuid::from_u128(number << 32 | sequence as u128)),
            conversation_id,
            sequence,
            participant_id: Some(participant_id),
            text: text.clone(),
            start_ms: None,
            end_ms: None,
        });
    }
    let talk = Talk { conversation_id, revision: 1, participants, segments };
    (conversation_id, cut(&talk))
}
