//! Matches as they come.

use async_graphql::{ID, Result, SimpleObject, Union};
use colloquy_domain::{
    accounts::Actor,
    events::feed::Feed,
    ports::Ports,
    search::saved::{
        Question, Watch, WatchMode as DomainWatchMode,
        watch::{self, Told},
    },
};
use futures::{StreamExt, stream::BoxStream};

use super::Lagged;
use crate::{
    cursor::Cursor,
    errors::fault,
    global_id,
    page::refuse,
    types::{
        saved_search::{SearchMatch, WatchMode},
        search::SearchFilter,
    },
};

/// A passage came that matches.
#[derive(SimpleObject)]
pub(super) struct SearchMatched {
    #[graphql(name = "match")]
    found: SearchMatch,
    /// Null for a query that is not saved.
    cursor: Option<Cursor>,
}

#[derive(Union)]
pub(super) enum SearchMatchedEvent {
    SearchMatched(SearchMatched),
    Lagged(Lagged),
}

pub(super) struct Asked {
    pub(super) saved_search_id: Option<ID>,
    pub(super) query: Option<String>,
    pub(super) filter: Option<SearchFilter>,
    pub(super) mode: Option<WatchMode>,
    pub(super) threshold: Option<f32>,
    pub(super) after: Option<Cursor>,
}

pub(super) async fn follow(
    ports: &Ports,
    feed: &Feed,
    actor: &Actor,
    asked: Asked,
) -> Result<BoxStream<'static, Result<SearchMatchedEvent>>> {
    let Asked { saved_search_id, query, filter, mode, threshold, after } = asked;
    match (saved_search_id, query) {
        (Some(id), None) => {
            if filter.is_some() || mode.is_some() || threshold.is_some() {
                return Err(refuse("a saved search has a filter, mode and threshold of its own"));
            }
            let id = global_id::require(&id).map_err(fault)?;
            let told = watch::saved(ports, feed, actor, id, after.map(|after| after.0)).await;
            Ok(told.map_err(fault)?.map(event).boxed())
        }
        (None, Some(query)) => {
            if after.is_some() {
                return Err(refuse("a query that is not saved has no past: leave `after` out, or save it"));
            }
            let filter = filter.unwrap_or_default().read()?;
            let mode = mode.map_or(DomainWatchMode::Text, Into::into);
            let watch = Watch::of(mode, threshold).map_err(fault)?;
            let told = watch::question(ports, feed, actor, Question { query, filter, watch }).await;
            Ok(told.map_err(fault)?.map(event).boxed())
        }
        _ => Err(refuse("give `savedSearchId` or `query`, one of them")),
    }
}

fn event(told: colloquy_domain::Result<Told>) -> Result<SearchMatchedEvent> {
    match told.map_err(fault)? {
        Told::Fired(fired, at) => {
            let matched = SearchMatched { found: SearchMatch(fired), cursor: at.map(Cursor) };
            Ok(SearchMatchedEvent::SearchMatched(matched))
        }
        Told::Lagged(at) => Ok(SearchMatchedEvent::Lagged(Lagged { cursor: Cursor(at) })),
    }
}
