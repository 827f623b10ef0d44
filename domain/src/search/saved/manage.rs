//! Saving, changing and deleting searches. Each change commits together with its audit entry.

use serde_json::{Map, Value, json};

use super::{MAX_SAVED_SEARCHES, Question, SavedSearch, Watch, WatchMode, watch::embedder};
use crate::{
    Error, Result,
    accounts::{Actor, Role, Tenant, sign_up::check_name},
    audit::{self, NewAuditEntry, Origin},
    ids::SavedSearchId,
    ports::Ports,
    search::query::SearchFilter,
};

pub struct SaveInput {
    pub name: String,
    pub question: Question,
}

/// What is `None` stays as it is.
#[derive(Default)]
pub struct UpdateInput {
    pub name: Option<String>,
    pub query: Option<String>,
    pub filter: Option<SearchFilter>,
    pub mode: Option<WatchMode>,
    pub threshold: Option<f32>,
}

/// Any member may; it is the whole organization's to follow.
pub async fn save(ports: &Ports, actor: &Actor, origin: &Origin, input: SaveInput) -> Result<SavedSearch> {
    let entry = NewAuditEntry::new(ports, actor, origin, "searches.save");
    let search = match new(ports, actor, input) {
        Ok(search) => search,
        Err(error) => return audit::refuse(ports, entry, error).await,
    };
    let entry = NewAuditEntry { detail: describe(&search), ..entry.on(search.id) };
    let (tenant, written) = (actor.tenant(), entry.again(ports));
    match ports.saved_searches.insert(tenant, &search, MAX_SAVED_SEARCHES, written).await {
        Ok(()) => get(ports, tenant, search.id).await,
        Err(error) => audit::refuse(ports, entry, error).await,
    }
}

fn new(ports: &Ports, actor: &Actor, input: SaveInput) -> Result<SavedSearch> {
    actor.require(Role::Member)?;
    let name = check_name("name", &input.name)?;
    check(ports, &input.question)?;
    let now = ports.clock.now();
    Ok(SavedSearch {
        id: SavedSearchId(ports.ids.next()),
        organization_id: actor.organization_id,
        created_by: Some(actor.user_id),
        name,
        question: input.question,
        version: 1,
        since: now,
        created_at: now,
        updated_at: now,
    })
}

/// One's own, or any for administrators. Whatever is looked for from now on, what came before has no match.
pub async fn update(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    id: SavedSearchId,
    input: UpdateInput,
) -> Result<SavedSearch> {
    let mut entry = NewAuditEntry::new(ports, actor, origin, "searches.update").on(id);
    let (search, looks_anew) = match changed(ports, actor, id, input).await {
        Ok(changed) => changed,
        Err(error) => return audit::refuse(ports, entry, error).await,
    };
    entry.detail = describe(&search);
    match ports.saved_searches.update(actor.tenant(), &search, looks_anew, entry.again(ports)).await {
        Ok(()) => get(ports, actor.tenant(), id).await,
        Err(error) => audit::refuse(ports, entry, error).await,
    }
}

/// As it would be, and whether it looks for something else.
async fn changed(
    ports: &Ports,
    actor: &Actor,
    id: SavedSearchId,
    input: UpdateInput,
) -> Result<(SavedSearch, bool)> {
    let before = owned(ports, actor, id).await?;
    let mut search = before.clone();
    if let Some(name) = input.name {
        search.name = check_name("name", &name)?;
    }
    let Question { query, filter, watch } = &mut search.question;
    *query = input.query.unwrap_or_else(|| query.clone());
    *filter = input.filter.unwrap_or_else(|| filter.clone());
    let mode = input.mode.unwrap_or(watch.mode());
    let kept = watch.threshold().filter(|_| mode == WatchMode::Semantic);
    *watch = Watch::of(mode, input.threshold.or(kept))?;
    let looks_anew = search.question != before.question;
    if looks_anew {
        check(ports, &search.question)?;
    }
    Ok((search, looks_anew))
}

/// Without a model nothing would ever match by meaning.
fn check(ports: &Ports, question: &Question) -> Result<()> {
    question.read()?;
    if question.watch.mode() == WatchMode::Semantic {
        embedder(ports)?;
    }
    Ok(())
}

/// One's own, or any for administrators. Its matches go with it.
pub async fn delete(ports: &Ports, actor: &Actor, origin: &Origin, id: SavedSearchId) -> Result<()> {
    let entry = NewAuditEntry::new(ports, actor, origin, "searches.delete").on(id);
    let deleted = async {
        owned(ports, actor, id).await?;
        match ports.saved_searches.delete(actor.tenant(), id, entry.again(ports)).await? {
            true => Ok(()),
            false => Err(Error::not_found("saved search", id)),
        }
    };
    let deleted = deleted.await;
    audit::settle(ports, entry, deleted).await
}

/// What the actor may change.
async fn owned(ports: &Ports, actor: &Actor, id: SavedSearchId) -> Result<SavedSearch> {
    actor.require(Role::Member)?;
    let search = get(ports, actor.tenant(), id).await?;
    if search.created_by != Some(actor.user_id) && actor.role < Role::Admin {
        return Err(Error::forbidden("somebody else has saved this search; administrators may change it"));
    }
    Ok(search)
}

pub async fn get(ports: &Ports, tenant: Tenant, id: SavedSearchId) -> Result<SavedSearch> {
    let found = ports.saved_searches.find(tenant, &[id]).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found("saved search", id))
}

/// In numbers and names of ours: neither the search's name nor what it looks for.
fn describe(search: &SavedSearch) -> Map<String, Value> {
    let Question { filter, watch, .. } = &search.question;
    let mut detail = Map::new();
    detail.insert("mode".to_owned(), json!(watch.as_str()));
    if let Some(threshold) = watch.threshold() {
        detail.insert("threshold".to_owned(), json!(threshold));
    }
    detail.insert("hasFilter".to_owned(), json!(!filter.is_empty()));
    detail
}
