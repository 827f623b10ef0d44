//! Turns of talk and who takes them.

use async_graphql::{
    Context, ID, Object, Result,
    connection::{Connection, CursorType, EmptyFields},
};
use colloquy_domain::conversations;

use super::{
    ms,
    person::{Person, find_person},
};
use crate::{Wired, errors::fault, global_id, guards::actor, loaders::SuggestedFor};

/// A speaker label of one conversation.
pub(crate) struct Participant(pub(crate) conversations::Participant);

#[Object]
impl Participant {
    async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    /// As the source has it, or as `renameParticipant` has changed it.
    async fn label(&self) -> &str {
        &self.0.label
    }

    /// From 0, in the order of first speaking; whoever is split off comes last.
    async fn ordinal(&self) -> i32 {
        self.0.ordinal
    }

    /// Who it is, where somebody has said so by `setParticipantPerson`.
    async fn person(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        match self.0.person_id {
            Some(id) => find_person(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Who it may be: first whoever a participant of its label was taken for last, then people whose name is its label,
    /// without case and accents. At most 5, and none where it is somebody already.
    #[graphql(complexity = "5 * child_complexity")]
    async fn suggested_people(&self, ctx: &Context<'_>) -> Result<Vec<Person>> {
        if self.0.person_id.is_some() {
            return Ok(Vec::new());
        }
        let key = SuggestedFor(actor(ctx)?.tenant(), self.0.id);
        let people = ctx.loader().load_one(key).await.map_err(fault)?;
        Ok(people.unwrap_or_default().into_iter().map(Person).collect())
    }
}

/// One turn or cue.
pub(crate) struct Segment {
    segment: conversations::Segment,
    participant: Option<Participant>,
}

impl From<conversations::SpokenSegment> for Segment {
    fn from(spoken: conversations::SpokenSegment) -> Self {
        Self { segment: spoken.segment, participant: spoken.participant.map(Participant) }
    }
}

#[Object]
impl Segment {
    /// For life: a change by hand keeps it.
    async fn id(&self) -> ID {
        global_id::encode(self.segment.id)
    }

    /// Place in the conversation, from 0, without gaps.
    async fn sequence(&self) -> i32 {
        self.segment.sequence
    }

    async fn text(&self) -> &str {
        &self.segment.text
    }

    /// Milliseconds from the start of the recording, where the source has times; never invented.
    async fn start_ms(&self) -> Option<i32> {
        ms(self.segment.start_ms)
    }

    async fn end_ms(&self) -> Option<i32> {
        ms(self.segment.end_ms)
    }

    /// Who speaks, where the source or somebody since says so.
    async fn participant(&self) -> Option<&Participant> {
        self.participant.as_ref()
    }
}

/// A segment's place in its list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SequenceCursor(pub(crate) i32);

impl CursorType for SequenceCursor {
    type Error = std::num::ParseIntError;

    fn decode_cursor(text: &str) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }

    fn encode_cursor(&self) -> String {
        self.0.to_string()
    }
}

pub(crate) type SegmentConnection = Connection<SequenceCursor, Segment, EmptyFields, EmptyFields>;
