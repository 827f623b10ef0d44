//! Analyses: measures, insights and the evidence for each.

use std::collections::HashMap;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use colloquy_domain::{
    analysis::{self, Details, measures, timeline},
    conversations::RevisionNumber,
    ids::{InsightId, ParticipantId},
    ports::store::analyses as store,
    time::Timestamp,
};

use super::{
    InsightKind,
    conversation::Conversation,
    int, ms,
    segment::{Participant, Segment},
};
use crate::{
    Wired,
    errors::fault,
    global_id,
    guards::actor,
    loaders::{ConversationById, InsightsOf, ParticipantAt, SegmentAt, StaleOf},
};

/// One immutable run of an analyzer over a revision.
#[derive(Clone)]
pub(crate) struct Analysis(pub(crate) store::Analysis);

#[Object]
impl Analysis {
    pub(crate) async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        let key = ConversationById(actor(ctx)?.tenant(), self.0.conversation_id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Conversation))
    }

    /// Which revision was analysed. Segments, labels and quotes are those of that one.
    async fn revision(&self) -> i32 {
        self.0.revision
    }

    /// Whether the transcript has changed since; who of the organization's people speaks makes no difference. What follows a
    /// change analyses it anew, and this one stays.
    async fn is_stale(&self, ctx: &Context<'_>) -> Result<bool> {
        let key = StaleOf(actor(ctx)?.tenant(), self.0.id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.is_some())
    }

    /// `extractive` works by rules and needs no model.
    async fn analyzer(&self) -> &str {
        &self.0.analyzer
    }

    async fn analyzer_version(&self) -> i32 {
        self.0.analyzer_version
    }

    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    async fn measures(&self) -> Measures {
        Measures::of(self.0.measures.clone(), self.0.revision)
    }

    /// Claims with their evidence; of these kinds only, where some are given.
    #[graphql(complexity = "1 + 20 * child_complexity")]
    async fn insights(&self, ctx: &Context<'_>, kinds: Option<Vec<InsightKind>>) -> Result<Vec<Insight>> {
        let key = InsightsOf(actor(ctx)?.tenant(), self.0.id);
        let insights = ctx.loader().load_one(key).await.map_err(fault)?.unwrap_or_default();
        let wanted =
            |kind: analysis::InsightKind| kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind.into()));
        let insights = insights.into_iter().filter(|(_, insight)| wanted(insight.kind));
        Ok(insights.map(|(id, insight)| Insight { id, insight, revision: self.0.revision }).collect())
    }
}

/// One claim, and what was said that supports it.
pub(crate) struct Insight {
    id: InsightId,
    insight: analysis::Insight,
    revision: RevisionNumber,
}

#[Object]
impl Insight {
    async fn id(&self) -> ID {
        global_id::encode(self.id)
    }

    async fn kind(&self) -> InsightKind {
        self.insight.kind.into()
    }

    /// For people to read; the evidence has what was said to the letter.
    async fn text(&self) -> &str {
        &self.insight.text
    }

    /// Whom it is about: who asks, decides, worries, or is to act.
    async fn participant(&self, ctx: &Context<'_>) -> Result<Option<Participant>> {
        participant(ctx, self.insight.participant_id, self.revision).await
    }

    /// From 0 to 1, how sure the analyzer is; of a key phrase, its weight beside the heaviest; of a sentiment,
    /// the sentiment itself from -1 to 1.
    async fn score(&self) -> Option<f32> {
        self.insight.score
    }

    /// Of an action item: who is to act, as the talk names them.
    async fn owner(&self) -> Option<&str> {
        match &self.insight.details {
            Details::ActionItem { owner, .. } => owner.as_deref(),
            _ => None,
        }
    }

    /// Of an action item: by when, in the talk's own words.
    async fn due(&self) -> Option<&str> {
        match &self.insight.details {
            Details::ActionItem { due, .. } => due.as_deref(),
            _ => None,
        }
    }

    /// Of a question: whether somebody else spoke to it soon after.
    async fn answered(&self) -> Option<bool> {
        match self.insight.details {
            Details::Question { answered, .. } => answered,
            _ => None,
        }
    }

    /// Of a key phrase: how often it is said.
    async fn occurrences(&self) -> Option<i32> {
        match self.insight.details {
            Details::KeyPhrase { occurrences } => Some(int(occurrences.into())),
            _ => None,
        }
    }

    /// Of a sentiment: the talk in ten equal parts, each from -1 to 1, null where a part carries no feeling.
    async fn course(&self) -> Option<&[Option<f32>]> {
        match &self.insight.details {
            Details::Sentiment { course, .. } => Some(course),
            _ => None,
        }
    }

    /// Never empty.
    async fn evidence(&self) -> Vec<Evidence> {
        self.insight.evidence.iter().cloned().map(|one| Evidence(one, self.revision)).collect()
    }
}

/// As they were in the revision that was analysed.
async fn participant(
    ctx: &Context<'_>,
    id: Option<ParticipantId>,
    revision: RevisionNumber,
) -> Result<Option<Participant>> {
    let Some(id) = id else { return Ok(None) };
    let key = ParticipantAt(actor(ctx)?.tenant(), (id, revision));
    Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(|(_, found)| Participant(found)))
}

/// The segments, the words and the time that support a claim.
pub(crate) struct Evidence(analysis::Evidence, RevisionNumber);

#[Object]
impl Evidence {
    /// What was said, to the letter.
    async fn quote(&self) -> &str {
        &self.0.quote
    }

    /// Where the source has times.
    async fn start_ms(&self) -> Option<i32> {
        ms(self.0.start_ms)
    }

    async fn end_ms(&self) -> Option<i32> {
        ms(self.0.end_ms)
    }

    /// In the order of the talk, as they were in the revision that was analysed.
    async fn segments(&self, ctx: &Context<'_>) -> Result<Vec<Segment>> {
        let tenant = actor(ctx)?.tenant();
        let keys = self.0.segment_ids.iter().map(|id| SegmentAt(tenant, (*id, self.1)));
        let mut found: HashMap<_, _> = ctx.loader().load_many(keys.clone()).await.map_err(fault)?;
        Ok(keys.filter_map(|key| found.remove(&key)).map(|(_, spoken)| Segment::from(spoken)).collect())
    }
}

/// Exact numbers about a talk. Times come only from segments that have them.
#[derive(SimpleObject)]
pub(crate) struct Measures {
    segments: i32,
    /// Runs of segments of one speaker.
    turns: i32,
    words: i32,
    questions: i32,
    /// From the first start to the last end.
    duration_ms: Option<i32>,
    /// Time in which anybody speaks.
    speaking_ms: Option<i32>,
    /// Segments without times, which measures of time leave out.
    segments_without_times: i32,
    /// Time in which two or more speak.
    overlap_ms: i32,
    /// Who began while whom was speaking.
    overlaps: Vec<Overlap>,
    silences: Silences,
    /// In the order of first speaking; last the speech whose speaker is not known, if there is any.
    participants: Vec<ParticipantMeasures>,
    /// What could not be measured or analysed, and why.
    notes: Vec<String>,
}

impl Measures {
    fn of(measures: measures::Measures, revision: RevisionNumber) -> Self {
        let participants = measures.participants.into_iter();
        Self {
            segments: int(measures.segments.into()),
            turns: int(measures.turns.into()),
            words: int(measures.words.into()),
            questions: int(measures.questions.into()),
            duration_ms: measures.duration_ms.map(int),
            speaking_ms: measures.speaking_ms.map(int),
            segments_without_times: int(measures.segments_without_times.into()),
            overlap_ms: int(measures.overlap_ms),
            overlaps: measures.overlaps.into_iter().map(|one| Overlap(one, revision)).collect(),
            silences: measures.silences.into(),
            participants: participants.map(|one| ParticipantMeasures(one, revision)).collect(),
            notes: measures.notes,
        }
    }
}

/// Who began how often while whom was speaking.
pub(crate) struct Overlap(timeline::Overlap, RevisionNumber);

#[Object]
impl Overlap {
    /// Who began.
    async fn by(&self, ctx: &Context<'_>) -> Result<Option<Participant>> {
        participant(ctx, Some(self.0.by), self.1).await
    }

    /// Who was speaking.
    async fn of(&self, ctx: &Context<'_>) -> Result<Option<Participant>> {
        participant(ctx, Some(self.0.of), self.1).await
    }

    async fn count(&self) -> i32 {
        int(self.0.count.into())
    }

    /// From each start to the end of whichever stopped first.
    async fn overlap_ms(&self) -> i32 {
        int(self.0.overlap_ms)
    }

    /// How often the one who began went on after the other had stopped: an interruption rather than an aside.
    async fn took_floor(&self) -> i32 {
        int(self.0.took_floor.into())
    }
}

/// Gaps of two seconds and more in which nobody speaks.
#[derive(SimpleObject)]
pub(crate) struct Silences {
    count: i32,
    total_ms: i32,
    /// Where the longest begins and ends.
    longest_start_ms: Option<i32>,
    longest_end_ms: Option<i32>,
}

impl From<timeline::Silences> for Silences {
    fn from(silences: timeline::Silences) -> Self {
        let longest = silences.longest.as_ref();
        Self {
            count: int(silences.count.into()),
            total_ms: int(silences.total_ms),
            longest_start_ms: ms(longest.map(|longest| longest.start_ms)),
            longest_end_ms: ms(longest.map(|longest| longest.end_ms)),
        }
    }
}

/// One participant in numbers.
pub(crate) struct ParticipantMeasures(measures::ParticipantMeasures, RevisionNumber);

#[Object]
impl ParticipantMeasures {
    /// Null for the speech whose speaker is not known.
    async fn participant(&self, ctx: &Context<'_>) -> Result<Option<Participant>> {
        participant(ctx, self.0.participant_id, self.1).await
    }

    async fn words(&self) -> i32 {
        int(self.0.words.into())
    }

    async fn turns(&self) -> i32 {
        int(self.0.turns.into())
    }

    async fn questions(&self) -> i32 {
        int(self.0.questions.into())
    }

    /// From 0 to 1, by words.
    async fn share_of_words(&self) -> Option<f64> {
        self.0.share_of_words
    }

    async fn speaking_ms(&self) -> Option<i32> {
        self.0.speaking_ms.map(int)
    }

    /// From 0 to 1, by time.
    async fn share_of_time(&self) -> Option<f64> {
        self.0.share_of_time
    }

    async fn words_per_minute(&self) -> Option<f64> {
        self.0.words_per_minute
    }

    async fn longest_turn(&self) -> Option<LongestTurn> {
        self.0.longest_turn.clone().map(|turn| LongestTurn(turn, self.1))
    }

    /// "um", "uh", "like" and "you know" where commas set them apart; null if the talk is not English.
    async fn filler_words(&self) -> Option<i32> {
        self.0.filler_words.map(|words| int(words.into()))
    }

    async fn filler_words_per_100_words(&self) -> Option<f64> {
        self.0.filler_words_per_100_words
    }

    /// Median time from the end of another's turn to the own answer; beginning before that end is 0.
    async fn response_delay_median_ms(&self) -> Option<i32> {
        self.0.response_delay_median_ms.map(int)
    }
}

/// The turn with the most words.
pub(crate) struct LongestTurn(measures::LongestTurn, RevisionNumber);

#[Object]
impl LongestTurn {
    /// Its first segment.
    async fn segment(&self, ctx: &Context<'_>) -> Result<Option<Segment>> {
        let key = SegmentAt(actor(ctx)?.tenant(), (self.0.segment_id, self.1));
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(|(_, spoken)| Segment::from(spoken)))
    }

    async fn words(&self) -> i32 {
        int(self.0.words.into())
    }

    /// From its start to its end, where all of it has times.
    async fn duration_ms(&self) -> Option<i32> {
        self.0.duration_ms.map(int)
    }
}
