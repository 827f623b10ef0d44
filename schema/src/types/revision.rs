//! Revisions, what a conversation was at each, and what differs between two.

use async_graphql::{
    Context, Enum, Object, Result,
    connection::{Connection, EmptyFields, OpaqueCursor},
};
use colloquy_domain::{
    accounts::Tenant,
    conversations::{
        RevisionNumber,
        revisions::{self as domain, ChangePlace},
    },
    ids::{ConversationId, SegmentId},
    ports::store::PageBy,
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    accounts::{User, find_user},
    conversation::page_cost,
    segment::{Participant, Segment, SegmentConnection, SequenceCursor},
};
use crate::{
    Wired,
    errors::fault,
    guards::actor,
    page::{PageArgs, connection},
};

/// What a list of participants counts for.
const PARTICIPANTS_COST: usize = 10;

/// How a revision came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::RevisionKind")]
pub(crate) enum RevisionKind {
    /// The transcript was read for the first time.
    Import,
    /// The transcript was read again, by the rules of a later release.
    Reimport,
    EditSegment,
    RemoveSegments,
    /// A participant has another label.
    Rename,
    /// Participants became one.
    Merge,
    /// Some segments of a participant became another's, who is new.
    Split,
    /// Segments have another speaker, or none.
    Reassign,
    /// A participant is another person of the organization, or nobody in particular. Analyses do not become stale by it.
    Tie,
    /// An earlier revision's state again.
    Revert,
}

/// A conversation as it was after one change. It never changes; but a person who is deleted is nobody's participant in any.
pub(crate) struct Revision(pub(crate) domain::Revision);

pub(crate) type RevisionConnection = Connection<OpaqueCursor<i32>, Revision, EmptyFields, EmptyFields>;

#[Object]
impl Revision {
    /// From 1, without gaps.
    async fn number(&self) -> i32 {
        self.0.number
    }

    async fn kind(&self) -> RevisionKind {
        self.0.kind.into()
    }

    /// Why, in the author's words.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Who made it, while they are a member; null for what a batch did.
    async fn author(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.author_id {
            Some(id) => find_user(ctx, actor(ctx)?.tenant(), id).await,
            None => Ok(None),
        }
    }

    /// Of a REVERT: whose state it brought back.
    async fn reverted_to(&self) -> Option<i32> {
        self.0.reverted_to
    }

    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// Who spoke then, with the labels of then, in the order in which they came.
    #[graphql(complexity = "PARTICIPANTS_COST + PARTICIPANTS_COST * child_complexity")]
    async fn participants(&self, ctx: &Context<'_>) -> Result<Vec<Participant>> {
        let tenant = actor(ctx)?.tenant();
        let of = &self.0;
        let found = ctx.ports().revisions.participants(tenant, of.conversation_id, of.number).await;
        Ok(found.map_err(fault)?.into_iter().map(Participant).collect())
    }

    /// The transcript of then, in order. At most 100 a page.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn segments(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<SegmentConnection> {
        let page = PageArgs { after, before, first, last }.read::<SequenceCursor>()?;
        let by = PageBy {
            after: page.by.after.map(|cursor| cursor.0),
            before: page.by.before.map(|cursor| cursor.0),
            limit: page.by.limit,
            backward: page.by.backward,
        };
        let (tenant, of) = (actor(ctx)?.tenant(), &self.0);
        let rows = ctx.ports().revisions.segments(tenant, of.conversation_id, of.number, by).await;
        Ok(connection(&page, rows.map_err(fault)?, |row| SequenceCursor(row.segment.sequence), Segment::from))
    }
}

/// Newest first.
pub(crate) async fn list(
    ctx: &Context<'_>,
    id: ConversationId,
    page: PageArgs,
) -> Result<RevisionConnection> {
    let page = page.read::<OpaqueCursor<i32>>()?;
    let by = PageBy {
        after: page.by.after.as_ref().map(|cursor| cursor.0),
        before: page.by.before.as_ref().map(|cursor| cursor.0),
        limit: page.by.limit,
        backward: page.by.backward,
    };
    let rows = ctx.ports().revisions.list(actor(ctx)?.tenant(), id, by).await.map_err(fault)?;
    Ok(connection(&page, rows, |row| OpaqueCursor(row.number), Revision))
}

/// `None` for a number that there is not.
pub(crate) async fn find(
    ctx: &Context<'_>,
    id: ConversationId,
    number: RevisionNumber,
) -> Result<Option<Revision>> {
    let found = ctx.ports().revisions.find(actor(ctx)?.tenant(), id, number).await;
    Ok(found.map_err(fault)?.map(Revision))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ChangeKind {
    /// Is in the later one only.
    Added,
    /// Is in the earlier one only.
    Removed,
    Changed,
}

fn kind<T>(before: &Option<T>, after: &Option<T>) -> ChangeKind {
    match (before, after) {
        (None, _) => ChangeKind::Added,
        (_, None) => ChangeKind::Removed,
        _ => ChangeKind::Changed,
    }
}

/// A segment that says something else, or that somebody else says, or that came or went. One that only stands at another
/// place is not told.
pub(crate) struct SegmentChange(domain::SegmentChange);

#[Object]
impl SegmentChange {
    async fn kind(&self) -> ChangeKind {
        kind(&self.0.before, &self.0.after)
    }

    async fn before(&self) -> Option<Segment> {
        self.0.before.clone().map(Segment::from)
    }

    async fn after(&self) -> Option<Segment> {
        self.0.after.clone().map(Segment::from)
    }
}

/// Somebody who has another label or is another person, or who began or ceased to speak.
pub(crate) struct ParticipantChange(domain::ParticipantChange);

#[Object]
impl ParticipantChange {
    async fn kind(&self) -> ChangeKind {
        kind(&self.0.before, &self.0.after)
    }

    async fn before(&self) -> Option<Participant> {
        self.0.before.clone().map(Participant)
    }

    async fn after(&self) -> Option<Participant> {
        self.0.after.clone().map(Participant)
    }
}

/// What leads from one revision to another.
pub(crate) struct RevisionComparison {
    conversation_id: ConversationId,
    from: RevisionNumber,
    to: RevisionNumber,
}

pub(crate) type SegmentChangeConnection =
    Connection<OpaqueCursor<(i32, Uuid)>, SegmentChange, EmptyFields, EmptyFields>;

#[Object]
impl RevisionComparison {
    async fn from(&self) -> i32 {
        self.from
    }

    async fn to(&self) -> i32 {
        self.to
    }

    #[graphql(complexity = "PARTICIPANTS_COST + PARTICIPANTS_COST * child_complexity")]
    async fn participants(&self, ctx: &Context<'_>) -> Result<Vec<ParticipantChange>> {
        let (tenant, revisions) = (actor(ctx)?.tenant(), &ctx.ports().revisions);
        let before = revisions.participants(tenant, self.conversation_id, self.from).await.map_err(fault)?;
        let after = revisions.participants(tenant, self.conversation_id, self.to).await.map_err(fault)?;
        let changes = domain::compare_participants(before, after);
        Ok(changes.into_iter().map(ParticipantChange).collect())
    }

    /// In the order of the talk. At most 100 a page.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn segments(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
        first: Option<i32>,
    ) -> Result<SegmentChangeConnection> {
        let page = PageArgs { after, first, ..PageArgs::default() }.read::<OpaqueCursor<(i32, Uuid)>>()?;
        let after = page
            .by
            .after
            .as_ref()
            .map(|cursor| ChangePlace { sequence: cursor.0.0, id: SegmentId(cursor.0.1) });
        let (tenant, id) = (actor(ctx)?.tenant(), self.conversation_id);
        let found = ctx.ports().revisions.compare(tenant, id, self.from, self.to, after, page.by.limit).await;
        let place = |change: &domain::SegmentChange| {
            let place = change.place().unwrap_or(ChangePlace { sequence: 0, id: SegmentId(Uuid::nil()) });
            OpaqueCursor((place.sequence, place.id.0))
        };
        Ok(connection(&page, found.map_err(fault)?, place, SegmentChange))
    }
}

/// `None` where there is no such conversation. A number that it does not have is refused.
pub(crate) async fn compare(
    ctx: &Context<'_>,
    tenant: Tenant,
    conversation_id: ConversationId,
    from: RevisionNumber,
    to: RevisionNumber,
) -> Result<Option<RevisionComparison>> {
    let found = ctx.ports().conversations.find(tenant, &[conversation_id]).await.map_err(fault)?;
    let Some(conversation) = found.into_iter().next() else { return Ok(None) };
    let current = conversation.revision;
    if let Some(strange) = [from, to].into_iter().find(|number| !(1..=current).contains(number)) {
        return Err(fault(domain::no_such("number", strange, current)));
    }
    Ok(Some(RevisionComparison { conversation_id, from, to }))
}

/// What has become of the revision that was expected to be the current one.
pub(crate) struct RevisionConflict {
    changes: RevisionComparison,
}

impl RevisionConflict {
    pub(crate) fn new(conversation_id: ConversationId, from: RevisionNumber, to: RevisionNumber) -> Self {
        Self { changes: RevisionComparison { conversation_id, from, to } }
    }
}

#[Object]
impl RevisionConflict {
    async fn current_revision(&self) -> i32 {
        self.changes.to
    }

    /// From the expected revision to the current one.
    async fn changes(&self) -> &RevisionComparison {
        &self.changes
    }
}
