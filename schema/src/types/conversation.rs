//! A conversation and what hangs on it.

use async_graphql::{
    Context, ID, InputObject, Object, Result, SimpleObject,
    connection::{Connection, EmptyFields, OpaqueCursor},
};
use colloquy_domain::{
    conversations::{self, export},
    ids::PersonId,
    ports::store::conversations as store,
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    ConversationKind, Stage,
    accounts::{User, find_user},
    analysis::Analysis,
    export::{ConversationExport, ExportFormat},
    import::ImportReport,
    int,
    job::Job,
    revision::{self, Revision, RevisionConnection},
    segment::{Participant, Segment, SegmentConnection, SequenceCursor},
};
use crate::{
    Wired,
    errors::fault,
    global_id,
    guards::actor,
    loaders::{AnalysisOf, JobById, ParticipantsOf, ProgressOf, SegmentCountOf, TagsOf},
    page::{PageArgs, connection},
};

/// One talk.
#[derive(Clone)]
pub(crate) struct Conversation(pub(crate) conversations::Conversation);

pub(crate) type ConversationConnection =
    Connection<OpaqueCursor<Uuid>, Conversation, EmptyFields, EmptyFields>;

#[Object]
impl Conversation {
    pub(crate) async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    async fn kind(&self) -> ConversationKind {
        self.0.kind.into()
    }

    async fn title(&self) -> &str {
        &self.0.title
    }

    /// When the talk took place, where that was said.
    async fn occurred_at(&self) -> Option<Timestamp> {
        self.0.occurred_at
    }

    /// What is spoken in it, as a code of ISO 639 (`en`): as it was set, or else as the text tells; null where that is
    /// not known. Its words are looked for by the rules of this language.
    async fn language(&self) -> Option<String> {
        self.0.language.map(String::from)
    }

    /// The importer's own key for it.
    async fn external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// Name of the file it came from.
    async fn file_name(&self) -> Option<&str> {
        self.0.file_name.as_deref()
    }

    /// Number of the current revision, from 1; `revisionAt` has what it was at each.
    async fn revision(&self) -> i32 {
        self.0.revision
    }

    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    async fn updated_at(&self) -> Timestamp {
        self.0.updated_at
    }

    /// Who imported it, while they are a member.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.created_by {
            Some(id) => find_user(ctx, actor(ctx)?.tenant(), id).await,
            None => Ok(None),
        }
    }

    async fn import_report(&self) -> ImportReport {
        self.0.report.clone().into()
    }

    /// In the order of first speaking.
    async fn participants(&self, ctx: &Context<'_>) -> Result<Vec<Participant>> {
        let key = ParticipantsOf(actor(ctx)?.tenant(), self.0.id);
        let participants = ctx.loader().load_one(key).await.map_err(fault)?;
        Ok(participants.unwrap_or_default().into_iter().map(Participant).collect())
    }

    /// By name.
    async fn tags(&self, ctx: &Context<'_>) -> Result<Vec<Tag>> {
        let key = TagsOf(actor(ctx)?.tenant(), self.0.id);
        let tags = ctx.loader().load_one(key).await.map_err(fault)?;
        Ok(tags.unwrap_or_default().into_iter().map(Tag).collect())
    }

    /// The current revision's transcript, in order. At most 100 a page.
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
        let by = colloquy_domain::ports::store::PageBy {
            after: page.by.after.map(|cursor| cursor.0),
            before: page.by.before.map(|cursor| cursor.0),
            limit: page.by.limit,
            backward: page.by.backward,
        };
        let rows = ctx.ports().conversations.segments(actor(ctx)?.tenant(), self.0.id, by).await;
        Ok(connection(&page, rows.map_err(fault)?, |row| SequenceCursor(row.segment.sequence), Segment::from))
    }

    /// The transcript as a file that `importConversation` takes back as it was; title, kind, tags, time and language are
    /// as they stand now. With WEB_VTT and SRT it is refused (NO_TIMES) where nothing has a time.
    #[graphql(complexity = "500 + child_complexity")]
    async fn export(
        &self,
        ctx: &Context<'_>,
        format: ExportFormat,
        #[graphql(
            desc = "The current one where left out; a number that there is not is refused (NO_SUCH_REVISION)."
        )]
        revision: Option<i32>,
    ) -> Result<ConversationExport> {
        let tenant = actor(ctx)?.tenant();
        let exported = export::export(ctx.ports(), tenant, self.0.id, format.into(), revision).await;
        let exported = exported.map_err(fault)?;
        Ok(ConversationExport {
            file_name: exported.file_name,
            media_type: exported.media_type,
            content: exported.content,
        })
    }

    /// All that it has been, newest first. At most 100 a page.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn revisions(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<RevisionConnection> {
        revision::list(ctx, self.0.id, PageArgs { after, before, first, last }).await
    }

    /// What it was at a revision; null where it has no such.
    async fn revision_at(&self, ctx: &Context<'_>, number: i32) -> Result<Option<Revision>> {
        revision::find(ctx, self.0.id, number).await
    }

    async fn segment_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let key = SegmentCountOf(actor(ctx)?.tenant(), self.0.id);
        let count = ctx.loader().load_one(key).await.map_err(fault)?;
        Ok(int(count.and_then(|counts| counts.first().copied()).unwrap_or(0)))
    }

    /// Which stages the current revision has reached, in the order of time.
    async fn progress(&self, ctx: &Context<'_>) -> Result<Vec<StageReached>> {
        let key = ProgressOf(actor(ctx)?.tenant(), self.0.id);
        let progress = ctx.loader().load_one(key).await.map_err(fault)?;
        Ok(progress.map(StageReached::all).unwrap_or_default())
    }

    /// The newest analysis of the newest revision that has one. `isStale` says whether something else was said since.
    async fn analysis(&self, ctx: &Context<'_>) -> Result<Option<Analysis>> {
        let key = AnalysisOf(actor(ctx)?.tenant(), self.0.id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Analysis))
    }
}

/// What a page of a list costs.
pub(crate) fn page_cost(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    let rows = first.or(last).unwrap_or(20).clamp(0, crate::page::MAX_PAGE);
    1 + rows as usize * child
}

/// A label put by hand or by analysis.
pub(crate) struct Tag(pub(crate) conversations::Tag);

#[Object]
impl Tag {
    async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    async fn name(&self) -> &str {
        &self.0.name
    }
}

/// A tag and how many conversations bear it.
#[derive(SimpleObject)]
pub(crate) struct TagCount {
    pub(crate) tag: Tag,
    pub(crate) conversations: i32,
}

pub(crate) type TagCountConnection = Connection<OpaqueCursor<String>, TagCount, EmptyFields, EmptyFields>;

/// A stage and since when.
pub(crate) struct StageReached {
    stage: Stage,
    at: Timestamp,
    failed_job: Option<colloquy_domain::ids::JobId>,
}

impl StageReached {
    fn all(progress: store::Progress) -> Vec<Self> {
        let failed_job = progress.failed_job;
        let stage = |(stage, at): (colloquy_domain::events::Stage, Timestamp)| Self {
            failed_job: failed_job.filter(|_| stage == colloquy_domain::events::Stage::Failed),
            stage: stage.into(),
            at,
        };
        let mut all: Vec<_> = progress.reached.into_iter().map(stage).collect();
        all.sort_by_key(|reached| reached.at);
        all
    }
}

#[Object]
impl StageReached {
    async fn stage(&self) -> Stage {
        self.stage
    }

    async fn at(&self) -> Timestamp {
        self.at
    }

    /// The job that died, for FAILED.
    async fn failed_job(&self, ctx: &Context<'_>) -> Result<Option<Job>> {
        let Some(id) = self.failed_job else {
            return Ok(None);
        };
        let key = JobById(actor(ctx)?.tenant(), id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Job))
    }
}

/// Narrows the list of conversations. Within a list any value will do; between fields all must hold.
#[derive(InputObject, Default)]
pub(crate) struct ConversationFilter {
    kinds: Option<Vec<ConversationKind>>,
    /// Names, compared without case.
    tags: Option<Vec<String>>,
    /// Inclusive. A conversation without a time is outside every span.
    occurred_from: Option<Timestamp>,
    /// Exclusive.
    occurred_before: Option<Timestamp>,
    /// Part of the title, compared without case.
    #[graphql(validator(max_length = 300))]
    title_contains: Option<String>,
    /// Who speaks. At most 100.
    #[graphql(validator(max_items = 100))]
    person_ids: Option<Vec<ID>>,
}

impl ConversationFilter {
    pub(crate) fn read(self) -> colloquy_domain::Result<store::ConversationFilter> {
        Ok(store::ConversationFilter {
            ids: None,
            created_from: None,
            created_before: None,
            kinds: self.kinds.unwrap_or_default().into_iter().map(Into::into).collect(),
            tags: self.tags.unwrap_or_default(),
            occurred_from: self.occurred_from,
            occurred_before: self.occurred_before,
            title_contains: self.title_contains,
            person_ids: people(self.person_ids)?,
        })
    }
}

/// Ids of people as a filter takes them.
pub(crate) fn people(ids: Option<Vec<ID>>) -> colloquy_domain::Result<Vec<PersonId>> {
    ids.unwrap_or_default().iter().map(global_id::require).collect()
}
