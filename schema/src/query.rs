//! What can be asked.

use async_graphql::{
    Context, ID, Object, Result,
    connection::{Connection, Edge, OpaqueCursor},
};
use colloquy_domain::{
    accounts::{Actor, Role},
    audit,
    batches::rebuild,
    erasure::{self, ErasureKind},
    ids::{ArchiveImportId, BatchId, ConversationId, ErasureId, JobId, PersonId, SavedSearchId, ScheduleId},
    people,
    ports::store::people::AfterPerson,
    search::{
        arrange::Arrangement,
        find::{MAX_PAGE, SearchInput, find},
        similar::{Like, SimilarInput, similar},
        suggest::suggest,
        synonyms,
    },
};
use uuid::Uuid;

use crate::{
    Wired,
    errors::fault,
    global_id,
    guards::{actor, actor_with},
    loaders::{AnalysisById, ArchiveImportById, ConversationById, JobById, SavedSearchById, ScheduleById},
    page::{PageArgs, connection, refuse},
    types::{
        SearchMode,
        accounts::Viewer,
        analysis::Analysis,
        archive_import::{ArchiveImport, ArchiveImportConnection},
        audit::{AuditConnection, AuditEntry, AuditFilter},
        batch::{Batch, BatchConnection, SearchIndex},
        conversation::{
            Conversation, ConversationConnection, ConversationFilter, Tag, TagCount, TagCountConnection,
            page_cost,
        },
        erasure::{Erasure, ErasureConnection},
        facets::Counted,
        int,
        job::{Job, JobConnection, JobFilter, QueueStats, Queues},
        node::{self, Node},
        person::{Person, PersonConnection, find_person},
        ranking::{SearchCursor, SearchGrouping},
        revision::{self, RevisionComparison},
        saved_search::{SavedSearch, SavedSearchConnection},
        schedule::{Schedule, ScheduleConnection},
        search::{SearchConnection, SearchFilter, SearchHit, SearchOutcome, SimilarHits},
        suggestions::SearchSuggestions,
    },
};

#[derive(Default)]
pub struct Query(());

#[Object]
impl Query {
    /// Who is signed in; null for nobody.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Viewer> {
        ctx.data_opt::<Actor>().cloned().map(Viewer)
    }

    /// Anything by its id; null where the id names nothing in your organization.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Node>> {
        node::find(ctx, &id).await
    }

    /// Several things by their ids, in that order; at most 100.
    #[graphql(complexity = "ids.len() * child_complexity")]
    async fn nodes(&self, ctx: &Context<'_>, ids: Vec<ID>) -> Result<Vec<Option<Node>>> {
        if ids.len() > MAX_PAGE {
            return Err(refuse(format!("{} ids were given, at most {MAX_PAGE} are allowed", ids.len())));
        }
        futures::future::try_join_all(ids.iter().map(|id| node::find(ctx, id))).await
    }

    async fn conversation(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Conversation>> {
        let tenant = actor(ctx)?.tenant();
        let Some(id) = global_id::decode::<ConversationId>(&id) else {
            return Ok(None);
        };
        let found = ctx.loader().load_one(ConversationById(tenant, id)).await.map_err(fault)?;
        Ok(found.map(Conversation))
    }

    /// What leads from one revision of a conversation to another, later or earlier; null where there is no such
    /// conversation.
    async fn compare_revisions(
        &self,
        ctx: &Context<'_>,
        conversation_id: ID,
        from: i32,
        to: i32,
    ) -> Result<Option<RevisionComparison>> {
        let tenant = actor(ctx)?.tenant();
        let Some(id) = global_id::decode::<ConversationId>(&conversation_id) else {
            return Ok(None);
        };
        revision::compare(ctx, tenant, id, from, to).await
    }

    /// Newest import first. At most 100 a page.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn conversations(
        &self,
        ctx: &Context<'_>,
        filter: Option<ConversationFilter>,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<ConversationConnection> {
        let page = PageArgs { after, before, first, last }.read::<OpaqueCursor<Uuid>>()?;
        let filter = filter.unwrap_or_default().read().map_err(fault)?;
        let rows = ctx
            .ports()
            .conversations
            .list(actor(ctx)?.tenant(), &filter, page.by_id())
            .await
            .map_err(fault)?;
        Ok(connection(&page, rows, |row| OpaqueCursor(row.id.0), Conversation))
    }

    /// What became of an archive that was brought by `importArchive`, while it is told of.
    async fn archive_import(&self, ctx: &Context<'_>, id: ID) -> Result<Option<ArchiveImport>> {
        let tenant = actor(ctx)?.tenant();
        let Some(id) = global_id::decode::<ArchiveImportId>(&id) else {
            return Ok(None);
        };
        let found = ctx.loader().load_one(ArchiveImportById(tenant, id)).await.map_err(fault)?;
        Ok(found.map(ArchiveImport))
    }

    /// The organization's archives of the last 30 days, newest first. At most 100 a page.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn archive_imports(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<ArchiveImportConnection> {
        let page = PageArgs { after, before, first, last }.read::<OpaqueCursor<Uuid>>()?;
        let rows = ctx.ports().archives.list(actor(ctx)?.tenant(), page.by_id()).await.map_err(fault)?;
        Ok(connection(&page, rows, |row| OpaqueCursor(row.id.0), ArchiveImport))
    }

    /// Passages by word and by meaning, best first. `"a phrase"` must stand there to the letter, `-word` must
    /// not, and of `one OR "another one"` one or more; of the other words more is better. `speaker:`,
    /// `person:`, `tag:`, `kind:`, `lang:`, `before:` and `after:` narrow the search as `filter` does (`speaker:"Ann Lee"
    /// after:2026-01-31`): of values of one field any will do. `person:"Ana Lopez"` means whoever is so named, without case and
    /// accents, under any label. What cannot be read is refused with `extensions.character`, where it stands. At most 100
    /// a page. TEXT is paged as deep as one likes. What takes in meaning, or is grouped or varied, is ranked once over the
    /// best 1,000 hits of each engine and kept for ten minutes; after that it is ranked anew, and goes on behind the hit of
    /// the cursor. A hit shows what is said now: while a transcript is changed by hand what stays as it was is found all the
    /// while, a text that is gone is not from the mutation's answer on, and a new one is a moment later. A cursor goes with the query, mode, filter and order that it came from (CURSOR_OF_ANOTHER_QUERY).
    #[graphql(complexity = "page_cost(Some(first), None, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each is one of the field's")]
    async fn search(
        &self,
        ctx: &Context<'_>,
        query: String,
        #[graphql(default_with = "SearchMode::Hybrid")] mode: SearchMode,
        filter: Option<SearchFilter>,
        #[graphql(default = 10)] first: i32,
        after: Option<String>,
        #[graphql(desc = "Hits of a kind behind the best of them.")] group_by: Option<SearchGrouping>,
        #[graphql(
            default,
            desc = "Of the best 200 hits, those that say almost the same as a better one are left out, and counted there."
        )]
        collapse_duplicates: bool,
        #[graphql(
            desc = "From 0 to 1: how much a hit among the best 100 loses by being like one before it. Scores are then not in order."
        )]
        diversity: Option<f32>,
    ) -> Result<SearchConnection> {
        let actor = actor(ctx)?;
        let page = PageArgs { after, first: Some(first), ..PageArgs::default() }.read::<SearchCursor>()?;
        let arrangement = Arrangement {
            by_conversation: group_by.is_some(),
            without_duplicates: collapse_duplicates,
            diversity,
        };
        let is_paged = page.by.after.is_some();
        let (mode, filter) = (mode.into(), filter.unwrap_or_default().read()?);
        let counted = Counted { query: query.clone(), mode, filter: filter.clone() };
        let input = SearchInput {
            query,
            mode,
            filter,
            first: page.by.limit - 1,
            after: page.by.after.map(|cursor| cursor.0),
            arrangement,
            goes_on: gives_cursors(ctx),
        };
        let found = find(ctx.ports(), actor, input).await.map_err(fault)?;
        let outcome =
            SearchOutcome { degraded: found.degraded, explanation: found.explanation.into(), counted };
        let mut connection = Connection::with_additional_fields(is_paged, found.more, outcome);
        let hits = found.hits.into_iter();
        connection.edges.extend(hits.map(|hit| Edge::new(SearchCursor(hit.cursor), SearchHit(hit))));
        Ok(connection)
    }

    /// For a search box, while somebody types: the last word completed by words of your organization's passages, and
    /// titles, speakers, tags and people that begin with what was typed, without case. A `speaker:`, `tag:` or `person:` at
    /// the end is completed by its own. At most 20; nothing where nothing was typed.
    async fn search_suggestions(
        &self,
        ctx: &Context<'_>,
        prefix: String,
        #[graphql(default = 8)] first: i32,
    ) -> Result<SearchSuggestions> {
        let first = usize::try_from(first).unwrap_or(0);
        suggest(ctx.ports(), actor(ctx)?, &prefix, first).await.map(SearchSuggestions::from).map_err(fault)
    }

    /// Passages like another one, or like all of a conversation, by meaning; where there is none to go by, with the words
    /// that tell most of it. Never the thing itself. Give one of the two; null where the id names nothing in your
    /// organization. At most 100.
    #[graphql(complexity = "page_cost(Some(first), None, child_complexity)")]
    async fn similar(
        &self,
        ctx: &Context<'_>,
        conversation_id: Option<ID>,
        passage_id: Option<ID>,
        filter: Option<SearchFilter>,
        #[graphql(default = 10)] first: i32,
    ) -> Result<Option<SimilarHits>> {
        let actor = actor(ctx)?;
        let like = match (conversation_id, passage_id) {
            (Some(id), None) => global_id::decode(&id).map(Like::Conversation),
            (None, Some(id)) => global_id::decode(&id).map(Like::Passage),
            _ => return Err(refuse("give `conversationId` or `passageId`, and not both")),
        };
        let first =
            PageArgs { first: Some(first), ..PageArgs::default() }.read::<SearchCursor>()?.by.limit - 1;
        let filter = filter.unwrap_or_default().read()?;
        let Some(like) = like else { return Ok(None) };
        let found = similar(ctx.ports(), actor, &SimilarInput { like, filter, first }).await;
        Ok(found.map_err(fault)?.map(SimilarHits::from))
    }

    /// Words and phrases that stand for each other in the organization's searches, in groups.
    async fn synonyms(&self, ctx: &Context<'_>) -> Result<Vec<Vec<String>>> {
        synonyms::list(ctx.ports(), actor(ctx)?).await.map(|found| found.0).map_err(fault)
    }

    async fn saved_search(&self, ctx: &Context<'_>, id: ID) -> Result<Option<SavedSearch>> {
        let tenant = actor(ctx)?.tenant();
        let Some(id) = global_id::decode::<SavedSearchId>(&id) else {
            return Ok(None);
        };
        let found = ctx.loader().load_one(SavedSearchById(tenant, id)).await.map_err(fault)?;
        Ok(found.map(SavedSearch::from))
    }

    /// What the organization looks for in whatever comes, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn saved_searches(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<SavedSearchConnection> {
        let page = PageArgs { after, before, first, last }.read::<OpaqueCursor<Uuid>>()?;
        let tenant = actor(ctx)?.tenant();
        let rows = ctx.ports().saved_searches.list(tenant, page.by_id()).await.map_err(fault)?;
        Ok(connection(&page, rows, |row| OpaqueCursor(row.id.0), SavedSearch::from))
    }

    /// The organization's tags, by name. At most 100 a page.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn tags(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<TagCountConnection> {
        let tenant = actor(ctx)?.tenant();
        let page = PageArgs { after, first, ..PageArgs::default() }.read::<OpaqueCursor<String>>()?;
        let after = page.by.after.as_ref().map(|cursor| cursor.0.as_str());
        let tags = ctx.ports().conversations.list_tags(tenant, after, page.by.limit).await.map_err(fault)?;
        let node = |(tag, n)| TagCount { tag: Tag(tag), conversations: int(n) };
        Ok(connection(&page, tags, |(tag, _)| OpaqueCursor(tag.name.clone()), node))
    }

    async fn person(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Person>> {
        actor(ctx)?;
        match global_id::decode::<PersonId>(&id) {
            Some(id) => find_person(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The organization's people, by name. At most 100 a page.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn people(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            validator(max_length = 200),
            desc = "Part of the name, compared without case and accents."
        )]
        name_contains: Option<String>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<PersonConnection> {
        let tenant = actor(ctx)?.tenant();
        let page = PageArgs { after, first, ..PageArgs::default() }.read::<OpaqueCursor<(String, Uuid)>>()?;
        let after = page
            .by
            .after
            .as_ref()
            .map(|OpaqueCursor((name, id))| AfterPerson { key: people::key(name), id: PersonId(*id) });
        let people = ctx.ports().people.list(tenant, name_contains.as_deref(), after, page.by.limit).await;
        let cursor = |person: &people::Person| OpaqueCursor((people::key(&person.name), person.id.0));
        Ok(connection(&page, people.map_err(fault)?, cursor, Person))
    }

    async fn analysis(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Analysis>> {
        let tenant = actor(ctx)?.tenant();
        let Some(id) = global_id::decode(&id) else {
            return Ok(None);
        };
        Ok(ctx.loader().load_one(AnalysisById(tenant, id)).await.map_err(fault)?.map(Analysis))
    }

    async fn job(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Job>> {
        let tenant = actor(ctx)?.tenant();
        let Some(id) = global_id::decode(&id) else {
            return Ok(None);
        };
        Ok(ctx.loader().load_one(JobById(tenant, id)).await.map_err(fault)?.map(Job))
    }

    /// The organization's jobs, newest first. For administrators.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        filter: Option<JobFilter>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<JobConnection> {
        let tenant = actor_with(ctx, Role::Admin)?.tenant();
        let page = PageArgs { after, first, ..PageArgs::default() }.read::<OpaqueCursor<Uuid>>()?;
        let filter = filter.unwrap_or_default().read().map_err(fault)?;
        let after = page.by.after.as_ref().map(|cursor| JobId(cursor.0));
        let rows = ctx.ports().ledger.list(tenant, &filter, after, page.by.limit).await.map_err(fault)?;
        Ok(connection(&page, rows, |row| OpaqueCursor(row.id.0), Job))
    }

    /// The generations of the search indexes. For administrators of a standalone's local organization.
    async fn search_index(&self, ctx: &Context<'_>) -> Result<SearchIndex> {
        rebuild::look(ctx.ports(), actor(ctx)?).await.map(SearchIndex::from).map_err(fault)
    }

    /// One batch, while it is kept. For administrators.
    async fn batch(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Batch>> {
        let tenant = actor_with(ctx, Role::Admin)?.tenant();
        let Some(id) = global_id::decode::<BatchId>(&id) else {
            return Ok(None);
        };
        Ok(ctx.ports().batches.find(tenant, &[id]).await.map_err(fault)?.pop().map(Batch::from))
    }

    /// The organization's batches, newest first. For administrators.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn batches(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<BatchConnection> {
        let tenant = actor_with(ctx, Role::Admin)?.tenant();
        let page = PageArgs { after, before, first, last }.read::<OpaqueCursor<Uuid>>()?;
        let rows = ctx.ports().batches.list(tenant, page.by_id()).await.map_err(fault)?;
        Ok(connection(&page, rows, |row| OpaqueCursor(row.id.0), Batch::from))
    }

    /// One schedule. For administrators.
    async fn schedule(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Schedule>> {
        let tenant = actor_with(ctx, Role::Admin)?.tenant();
        let Some(id) = global_id::decode::<ScheduleId>(&id) else {
            return Ok(None);
        };
        let found = ctx.loader().load_one(ScheduleById(tenant, id)).await.map_err(fault)?;
        Ok(found.map(Schedule::from))
    }

    /// The organization's schedules, newest first. For administrators.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn schedules(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<ScheduleConnection> {
        let tenant = actor_with(ctx, Role::Admin)?.tenant();
        let page = PageArgs { after, before, first, last }.read::<OpaqueCursor<Uuid>>()?;
        let rows = ctx.ports().schedules.list(tenant, page.by_id()).await.map_err(fault)?;
        Ok(connection(&page, rows, |row| OpaqueCursor(row.id.0), Schedule::from))
    }

    /// Every queue in numbers. For administrators.
    async fn queues(&self, ctx: &Context<'_>) -> Result<Vec<QueueStats>> {
        let tenant = actor_with(ctx, Role::Admin)?.tenant();
        Ok(Queues::read(ctx.ports(), tenant).await.map_err(fault)?.shown())
    }

    /// Null where it names no erasure of your organization. For administrators.
    async fn erasure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its own, or that of the person or the conversation that was erased.")] id: ID,
    ) -> Result<Option<Erasure>> {
        let actor = actor_with(ctx, Role::Admin)?;
        let found = if let Some(id) = global_id::decode::<ErasureId>(&id) {
            erasure::find(ctx.ports(), actor, id).await
        } else if let Some(id) = global_id::decode::<PersonId>(&id) {
            erasure::find_of(ctx.ports(), actor, ErasureKind::Person, id.0).await
        } else if let Some(id) = global_id::decode::<ConversationId>(&id) {
            erasure::find_of(ctx.ports(), actor, ErasureKind::Conversation, id.0).await
        } else {
            return Ok(None);
        };
        Ok(found.map_err(fault)?.map(Erasure))
    }

    /// Who and what was erased, by ids, newest first. At most 100 a page. For administrators.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn erasures(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<ErasureConnection> {
        let page = PageArgs { after, before, first, last }.read::<OpaqueCursor<Uuid>>()?;
        let actor = actor_with(ctx, Role::Admin)?;
        let rows = erasure::list(ctx.ports(), actor, page.by_id()).await.map_err(fault)?;
        Ok(connection(&page, rows, |row| OpaqueCursor(row.id.0), Erasure))
    }

    /// Who did what to the organization's jobs, queues, schedules, batches, members, invitations, API keys, deleted conversations, people and saved
    /// searches, newest first. What was refused is in it too; nothing is ever changed or deleted. For administrators.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        filter: Option<AuditFilter>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<AuditConnection> {
        let page = PageArgs { after, first, ..PageArgs::default() }.read::<OpaqueCursor<Uuid>>()?;
        let filter = filter.unwrap_or_default().read().map_err(fault)?;
        let after = page.by.after.as_ref().map(|cursor| cursor.0);
        let rows =
            audit::list(ctx.ports(), actor(ctx)?, &filter, after, page.by.limit).await.map_err(fault)?;
        Ok(connection(&page, rows, |row| OpaqueCursor(row.id.0), AuditEntry))
    }
}

/// Whether the client asks for what a next page is asked by.
fn gives_cursors(ctx: &Context<'_>) -> bool {
    let of = |list, name| ctx.look_ahead().field(list).field(name).exists();
    of("edges", "cursor") || of("pageInfo", "endCursor")
}
