//! Changes of a transcript by hand. Each makes a revision.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, Result, SimpleObject};
use colloquy_domain::{
    Error,
    conversations::{
        RevisionNumber,
        revise::{self, Change, Revise, Revised},
    },
    ids::{ConversationId, JobId},
};

use crate::{
    Wired,
    cursor::Cursor,
    errors::{UserError, fault, settle},
    global_id,
    guards::actor,
    loaders::JobById,
    types::{
        conversation::Conversation,
        job::Job,
        revision::{self, Revision, RevisionConflict},
    },
};

#[derive(Default)]
pub(crate) struct RevisionMutations;

#[derive(InputObject)]
struct EditSegmentInput {
    conversation_id: ID,
    segment_id: ID,
    /// One line of 1 to 50,000 characters.
    text: String,
    /// The revision that you have seen. Where it is not the current one any more nothing changes, and `conflict` shows what
    /// others have changed since.
    expected_revision: i32,
    /// Why; at most 500 characters.
    reason: Option<String>,
}

#[derive(InputObject)]
struct RemoveSegmentsInput {
    conversation_id: ID,
    /// At most 5,000.
    segment_ids: Vec<ID>,
    /// The revision that you have seen.
    expected_revision: i32,
    /// Why; at most 500 characters.
    reason: Option<String>,
}

#[derive(InputObject)]
struct RenameParticipantInput {
    conversation_id: ID,
    participant_id: ID,
    /// One line of 1 to 200 characters, which nobody else who speaks is called.
    label: String,
    /// The revision that you have seen.
    expected_revision: i32,
    /// Why; at most 500 characters.
    reason: Option<String>,
}

#[derive(InputObject)]
struct MergeParticipantsInput {
    conversation_id: ID,
    /// Whose segments become the other's.
    participant_ids: Vec<ID>,
    into_participant_id: ID,
    /// The revision that you have seen.
    expected_revision: i32,
    /// Why; at most 500 characters.
    reason: Option<String>,
}

#[derive(InputObject)]
struct SplitParticipantInput {
    conversation_id: ID,
    participant_id: ID,
    /// Segments of the participant that are somebody else's. At most 5,000.
    segment_ids: Vec<ID>,
    /// What the new participant is called.
    label: String,
    /// The revision that you have seen.
    expected_revision: i32,
    /// Why; at most 500 characters.
    reason: Option<String>,
}

#[derive(InputObject)]
struct ReassignSegmentsInput {
    conversation_id: ID,
    /// At most 5,000.
    segment_ids: Vec<ID>,
    /// Null where nobody knows who speaks.
    participant_id: Option<ID>,
    /// The revision that you have seen.
    expected_revision: i32,
    /// Why; at most 500 characters.
    reason: Option<String>,
}

#[derive(InputObject)]
struct RevertConversationInput {
    conversation_id: ID,
    /// Whose state is to be again.
    revision: i32,
    /// The revision that you have seen.
    expected_revision: i32,
    /// Why; at most 500 characters.
    reason: Option<String>,
}

#[derive(SimpleObject, Default)]
#[graphql(complex)]
struct ReviseConversationPayload {
    /// As it is now; null where there are user errors.
    conversation: Option<Conversation>,
    /// The revision that was made; null where all stood so already.
    revision: Option<Revision>,
    /// Give it as `after` to `conversationProgress` to see everything that follows.
    cursor: Option<Cursor>,
    /// With the user error REVISION_CONFLICT.
    conflict: Option<RevisionConflict>,
    user_errors: Vec<UserError>,
    #[graphql(skip)]
    job_ids: Vec<JobId>,
}

#[ComplexObject]
impl ReviseConversationPayload {
    /// The jobs that follow: they cut, index, embed and analyse what has changed.
    async fn jobs(&self, ctx: &Context<'_>) -> Result<Vec<Job>> {
        jobs(ctx, &self.job_ids).await
    }
}

pub(crate) async fn jobs(ctx: &Context<'_>, ids: &[JobId]) -> Result<Vec<Job>> {
    let tenant = actor(ctx)?.tenant();
    let keys = ids.iter().map(|id| JobById(tenant, *id));
    let found = ctx.loader().load_many(keys).await.map_err(fault)?;
    Ok(found.into_values().map(Job).collect())
}

/// What somebody who came too late is shown.
pub(crate) async fn conflict<T>(
    ctx: &Context<'_>,
    id: ConversationId,
    expected: RevisionNumber,
    outcome: &colloquy_domain::Result<T>,
) -> Result<Option<RevisionConflict>> {
    match outcome {
        Err(Error::Conflict(problem)) if problem.code == revise::CONFLICT => {}
        _ => return Ok(None),
    }
    let found = ctx.ports().conversations.find(actor(ctx)?.tenant(), &[id]).await.map_err(fault)?;
    let current = found.into_iter().next().map(|conversation| conversation.revision);
    Ok(current.map(|current| RevisionConflict::new(id, expected, current)))
}

async fn revise(
    ctx: &Context<'_>,
    conversation: ID,
    expected: RevisionNumber,
    reason: Option<String>,
    change: impl FnOnce() -> colloquy_domain::Result<Change>,
) -> Result<ReviseConversationPayload> {
    let read = || {
        let conversation_id = global_id::require(&conversation)?;
        Ok(Revise { conversation_id, expected, reason, change: change()? })
    };
    let input = match read() {
        Ok(input) => input,
        Err(error) => {
            let (_, user_errors) = settle::<()>(Err(error))?;
            return Ok(ReviseConversationPayload { user_errors, ..ReviseConversationPayload::default() });
        }
    };
    let id = input.conversation_id;
    let outcome = revise::revise(ctx.ports(), actor(ctx)?, input).await;
    let conflict = conflict(ctx, id, expected, &outcome).await?;
    let (revised, user_errors) = settle(outcome)?;
    let Some(Revised { conversation, made, jobs, cursor }) = revised else {
        return Ok(ReviseConversationPayload {
            conflict,
            user_errors,
            ..ReviseConversationPayload::default()
        });
    };
    let revision = match made {
        Some(number) => revision::find(ctx, id, number).await?,
        None => None,
    };
    Ok(ReviseConversationPayload {
        conversation: Some(Conversation(conversation)),
        revision,
        cursor: Some(Cursor(cursor)),
        conflict,
        user_errors,
        job_ids: jobs,
    })
}

fn all<T: global_id::Global>(ids: &[ID]) -> colloquy_domain::Result<Vec<T>> {
    // A list beyond the bound is refused by its length.
    ids.iter().take(revise::MAX_AT_ONCE + 1).map(global_id::require).collect()
}

#[Object]
impl RevisionMutations {
    /// Changes what a segment says. Its id and times stay. Needs MEMBER.
    async fn edit_segment(
        &self,
        ctx: &Context<'_>,
        input: EditSegmentInput,
    ) -> Result<ReviseConversationPayload> {
        revise(ctx, input.conversation_id, input.expected_revision, input.reason, || {
            Ok(Change::EditSegment { id: global_id::require(&input.segment_id)?, text: input.text })
        })
        .await
    }

    /// Takes segments out that nobody said; what comes after them moves up. Needs MEMBER.
    async fn remove_segments(
        &self,
        ctx: &Context<'_>,
        input: RemoveSegmentsInput,
    ) -> Result<ReviseConversationPayload> {
        revise(ctx, input.conversation_id, input.expected_revision, input.reason, || {
            Ok(Change::RemoveSegments { ids: all(&input.segment_ids)? })
        })
        .await
    }

    /// Gives a participant another label. Needs MEMBER.
    async fn rename_participant(
        &self,
        ctx: &Context<'_>,
        input: RenameParticipantInput,
    ) -> Result<ReviseConversationPayload> {
        revise(ctx, input.conversation_id, input.expected_revision, input.reason, || {
            Ok(Change::Rename { id: global_id::require(&input.participant_id)?, label: input.label })
        })
        .await
    }

    /// Makes several participants one, who keeps its label, and its person where it has one. Needs MEMBER.
    async fn merge_participants(
        &self,
        ctx: &Context<'_>,
        input: MergeParticipantsInput,
    ) -> Result<ReviseConversationPayload> {
        revise(ctx, input.conversation_id, input.expected_revision, input.reason, || {
            let into = global_id::require(&input.into_participant_id)?;
            Ok(Change::Merge { others: all(&input.participant_ids)?, into })
        })
        .await
    }

    /// Makes a new participant of some segments of another. Needs MEMBER.
    async fn split_participant(
        &self,
        ctx: &Context<'_>,
        input: SplitParticipantInput,
    ) -> Result<ReviseConversationPayload> {
        revise(ctx, input.conversation_id, input.expected_revision, input.reason, || {
            let id = global_id::require(&input.participant_id)?;
            Ok(Change::Split { id, segments: all(&input.segment_ids)?, label: input.label })
        })
        .await
    }

    /// Says who speaks in some segments, whoever that was before. Needs MEMBER.
    async fn reassign_segments(
        &self,
        ctx: &Context<'_>,
        input: ReassignSegmentsInput,
    ) -> Result<ReviseConversationPayload> {
        revise(ctx, input.conversation_id, input.expected_revision, input.reason, || {
            let to = input.participant_id.as_ref().map(global_id::require).transpose()?;
            Ok(Change::Reassign { segments: all(&input.segment_ids)?, to })
        })
        .await
    }

    /// Brings back the transcript of an earlier revision as a new one; so everything can be undone, this too. Needs MEMBER.
    async fn revert_conversation(
        &self,
        ctx: &Context<'_>,
        input: RevertConversationInput,
    ) -> Result<ReviseConversationPayload> {
        revise(ctx, input.conversation_id, input.expected_revision, input.reason, || {
            Ok(Change::Revert { to: input.revision })
        })
        .await
    }
}
