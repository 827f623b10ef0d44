//! Saving, changing and deleting searches. Each call is in the audit log.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use colloquy_domain::search::saved::{
    Question, Watch,
    manage::{self, SaveInput, UpdateInput},
};

use crate::{
    Wired,
    cursor::Cursor,
    errors::{UserError, fault, settle},
    global_id,
    guards::{actor, origin},
    types::{
        saved_search::{SavedSearch, WatchMode},
        search::SearchFilter,
    },
};

#[derive(Default)]
pub(crate) struct SavedSearchMutations;

#[derive(InputObject)]
struct SaveSearchInput {
    name: String,
    /// As `search` reads it, with at most 50 words and phrases.
    query: String,
    filter: Option<SearchFilter>,
    #[graphql(default_with = "WatchMode::Text")]
    mode: WatchMode,
    /// For SEMANTIC: the least cosine of a passage to the query, above 0 and at most 1; 0.5 where none is given.
    threshold: Option<f32>,
}

/// What is left out stays as it is. Where something else is looked for, its matches so far go, and what was there before
/// this change does not match.
#[derive(InputObject)]
struct UpdateSavedSearchInput {
    id: ID,
    name: Option<String>,
    query: Option<String>,
    /// Replaces the one that stands, as a whole.
    filter: Option<SearchFilter>,
    mode: Option<WatchMode>,
    threshold: Option<f32>,
}

#[derive(InputObject)]
struct DeleteSavedSearchInput {
    id: ID,
}

#[derive(SimpleObject)]
struct SavedSearchPayload {
    saved_search: Option<SavedSearch>,
    /// Give it as `after` to `searchMatched` to see everything that matches from now on.
    cursor: Option<Cursor>,
    user_errors: Vec<UserError>,
}

#[derive(SimpleObject)]
struct DeleteSavedSearchPayload {
    deleted_id: Option<ID>,
    user_errors: Vec<UserError>,
}

#[Object]
impl SavedSearchMutations {
    /// Keeps a search that fires when a passage comes that matches: `searchMatched` tells of it. What is there already does
    /// not match; `search` finds that. At most 10,000 an organization. Needs MEMBER.
    async fn save_search(&self, ctx: &Context<'_>, input: SaveSearchInput) -> Result<SavedSearchPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let cursor = ctx.feed().now().await.map_err(fault)?;
        let filter = input.filter.unwrap_or_default().read()?;
        let saved = async {
            let watch = Watch::of(input.mode.into(), input.threshold)?;
            let question = Question { query: input.query, filter, watch };
            manage::save(ctx.ports(), actor, &origin, SaveInput { name: input.name, question }).await
        };
        let (saved, user_errors) = settle(saved.await)?;
        let cursor = saved.is_some().then_some(Cursor(cursor));
        Ok(SavedSearchPayload { saved_search: saved.map(SavedSearch::from), cursor, user_errors })
    }

    /// Changes a search that one has saved, or as an administrator any. Needs MEMBER.
    async fn update_saved_search(
        &self,
        ctx: &Context<'_>,
        input: UpdateSavedSearchInput,
    ) -> Result<SavedSearchPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let cursor = ctx.feed().now().await.map_err(fault)?;
        let filter = input.filter.map(SearchFilter::read).transpose()?;
        let updated = async {
            let id = global_id::require(&input.id)?;
            let input = UpdateInput {
                name: input.name,
                query: input.query,
                filter,
                mode: input.mode.map(Into::into),
                threshold: input.threshold,
            };
            manage::update(ctx.ports(), actor, &origin, id, input).await
        };
        let (updated, user_errors) = settle(updated.await)?;
        let cursor = updated.is_some().then_some(Cursor(cursor));
        Ok(SavedSearchPayload { saved_search: updated.map(SavedSearch::from), cursor, user_errors })
    }

    /// Deletes a search that one has saved, or as an administrator any, with its matches. Needs MEMBER.
    async fn delete_saved_search(
        &self,
        ctx: &Context<'_>,
        input: DeleteSavedSearchInput,
    ) -> Result<DeleteSavedSearchPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let deleted = async {
            let id = global_id::require(&input.id)?;
            manage::delete(ctx.ports(), actor, &origin, id).await
        };
        let (deleted, user_errors) = settle(deleted.await)?;
        Ok(DeleteSavedSearchPayload { deleted_id: deleted.map(|()| input.id.clone()), user_errors })
    }
}
