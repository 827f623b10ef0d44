//! Saved searches, and what they have found.

use async_graphql::{
    Context, Enum, ID, Object, Result, SimpleObject,
    connection::{Connection, EmptyFields, OpaqueCursor},
};
use colloquy_domain::{
    search::{
        query,
        saved::{self, WatchMode as DomainWatchMode, watch},
    },
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    ConversationKind,
    accounts::{User, find_user},
    conversation::{Conversation, page_cost},
    search::{Fragment, Passage, fragments},
};
use crate::{
    Wired,
    errors::fault,
    global_id,
    guards::actor,
    loaders::ConversationById,
    page::{PageArgs, connection},
};

/// TEXT looks for words, SEMANTIC for meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainWatchMode", name = "SavedSearchMode")]
pub(crate) enum WatchMode {
    Text,
    Semantic,
}

/// As it was given.
#[derive(SimpleObject)]
struct SavedSearchFilter {
    kinds: Vec<ConversationKind>,
    tags: Vec<String>,
    speakers: Vec<String>,
    occurred_from: Option<Timestamp>,
    occurred_before: Option<Timestamp>,
    conversation_ids: Vec<ID>,
    languages: Vec<String>,
    person_ids: Vec<ID>,
}

impl From<&query::SearchFilter> for SavedSearchFilter {
    fn from(filter: &query::SearchFilter) -> Self {
        Self {
            kinds: filter.kinds.iter().copied().map(Into::into).collect(),
            tags: filter.tags.clone(),
            speakers: filter.speakers.clone(),
            occurred_from: filter.occurred_from,
            occurred_before: filter.occurred_before,
            conversation_ids: filter.conversation_ids.iter().copied().map(global_id::encode).collect(),
            languages: filter.languages.iter().copied().map(String::from).collect(),
            person_ids: filter.person_ids.iter().copied().map(global_id::encode).collect(),
        }
    }
}

/// A search that is kept, and fires when a passage comes that matches: `searchMatched` tells of it, and `matches` keeps it.
pub(crate) struct SavedSearch(Box<saved::SavedSearch>);

impl From<saved::SavedSearch> for SavedSearch {
    fn from(search: saved::SavedSearch) -> Self {
        Self(Box::new(search))
    }
}

pub(crate) type SavedSearchConnection = Connection<OpaqueCursor<Uuid>, SavedSearch, EmptyFields, EmptyFields>;
pub(crate) type SearchMatchConnection = Connection<OpaqueCursor<Uuid>, SearchMatch, EmptyFields, EmptyFields>;

#[Object]
impl SavedSearch {
    pub(crate) async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    /// As it was typed.
    async fn query(&self) -> &str {
        &self.0.question.query
    }

    /// Null where none was given.
    async fn filter(&self) -> Option<SavedSearchFilter> {
        let filter = &self.0.question.filter;
        (!filter.is_empty()).then(|| filter.into())
    }

    async fn mode(&self) -> WatchMode {
        self.0.question.watch.mode().into()
    }

    /// The least cosine of what SEMANTIC finds; null for TEXT.
    async fn threshold(&self) -> Option<f32> {
        self.0.question.watch.threshold()
    }

    /// What was there before does not match: when it was saved, or last looked for something else.
    async fn since(&self) -> Timestamp {
        self.0.since
    }

    /// Null where they have left the organization.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Some(id) = self.0.created_by else { return Ok(None) };
        find_user(ctx, actor(ctx)?.tenant(), id).await
    }

    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    async fn updated_at(&self) -> Timestamp {
        self.0.updated_at
    }

    /// Passages that have come since and match, newest first; each text once, as long as it stands in its conversation.
    /// At most 100 a page.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn matches(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
        before: Option<String>,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<SearchMatchConnection> {
        let page = PageArgs { after, before, first, last }.read::<OpaqueCursor<Uuid>>()?;
        let tenant = actor(ctx)?.tenant();
        let rows = watch::found(ctx.ports(), tenant, &self.0, page.by_id()).await.map_err(fault)?;
        Ok(connection(&page, rows, |(id, _)| OpaqueCursor(id.0), |(_, fired)| SearchMatch(Box::new(fired))))
    }
}

/// A passage that came and matches.
pub(crate) struct SearchMatch(pub(crate) Box<watch::Fired>);

#[Object]
impl SearchMatch {
    async fn passage(&self) -> Passage {
        Passage(self.0.found.clone())
    }

    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        let key = ConversationById(actor(ctx)?.tenant(), self.0.found.facets.conversation_id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Conversation))
    }

    /// The passage's text in pieces, in order: joined they are the text, and the words that were looked for are marked.
    async fn fragments(&self) -> Vec<Fragment> {
        fragments(&self.0.found.passage.text, &self.0.highlights)
    }

    /// The cosine of query and passage; null where words were looked for.
    async fn similarity(&self) -> Option<f32> {
        self.0.similarity
    }

    /// When it was found.
    async fn at(&self) -> Timestamp {
        self.0.at
    }
}
