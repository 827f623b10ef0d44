//! The saved searches of organizations, ready to be matched, kept per process. Each use asks PostgreSQL whether they have
//! changed; then only those that have are read again, and all of them where the synonyms have.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Matcher, Watched};
use crate::{
    Error, Result,
    accounts::Tenant,
    ids::{OrganizationId, SavedSearchId},
    ports::{Ports, models::Embedder},
    search::{
        saved::{SavedSearch, SearchVersion},
        synonyms::{Prepared, Synonyms},
    },
};

/// Searches that a process keeps at most, over all organizations; those that were wanted longest ago go first.
const MAX_KEPT: usize = 100_000;
/// Searches that are read at once.
const PAGE: usize = 1_000;

type Version = (SavedSearchId, SearchVersion);
/// Of an organization, and whether by meaning.
type Key = (OrganizationId, bool);

#[derive(Default)]
pub struct Registry {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    slots: HashMap<Key, Entry>,
    uses: u64,
}

#[derive(Default)]
struct Entry {
    slot: Arc<tokio::sync::Mutex<Slot>>,
    searches: usize,
    used: u64,
}

#[derive(Default)]
struct Slot {
    change: i64,
    synonyms: Synonyms,
    watched: HashMap<Version, Arc<Watched>>,
    matcher: Option<Arc<Matcher>>,
}

impl Registry {
    /// What the tenant looks for by words; `None` for nothing.
    pub async fn by_words(&self, ports: &Ports, tenant: Tenant) -> Result<Option<Arc<Matcher>>> {
        self.get(ports, tenant, None).await
    }

    /// What the tenant looks for by meaning. Queries that have no vector by the model yet are given one.
    pub async fn by_meaning(
        &self,
        ports: &Ports,
        tenant: Tenant,
        embedder: &dyn Embedder,
    ) -> Result<Option<Arc<Matcher>>> {
        self.get(ports, tenant, Some(embedder)).await
    }

    async fn get(
        &self,
        ports: &Ports,
        tenant: Tenant,
        embedder: Option<&dyn Embedder>,
    ) -> Result<Option<Arc<Matcher>>> {
        let change = ports.saved_searches.change(tenant).await?;
        if change == 0 {
            return Ok(None);
        }
        let key = (tenant.0, embedder.is_some());
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        let synonyms = ports.synonyms.find(tenant).await?;
        if slot.synonyms != synonyms {
            *slot = Slot { synonyms, ..Slot::default() };
        }
        if slot.change != change {
            slot.load(ports, tenant, embedder).await?;
            slot.change = change;
            self.bound(key, slot.watched.len());
        }
        Ok(slot.matcher.clone())
    }

    fn slot(&self, key: Key) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let used = kept.uses;
        let entry = kept.slots.entry(key).or_default();
        entry.used = used;
        entry.slot.clone()
    }

    /// An organization counts as one search more than it has.
    fn bound(&self, key: Key, searches: usize) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.slots.get_mut(&key) {
            entry.searches = searches;
        }
        while kept.slots.values().map(|entry| entry.searches + 1).sum::<usize>() > MAX_KEPT {
            let oldest = kept.slots.iter().filter(|(other, _)| **other != key);
            let Some(oldest) = oldest.min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key) else {
                return;
            };
            kept.slots.remove(&oldest);
        }
    }
}

impl Slot {
    async fn load(&mut self, ports: &Ports, tenant: Tenant, embedder: Option<&dyn Embedder>) -> Result<()> {
        let versions = ports.saved_searches.versions(tenant, embedder.is_some()).await?;
        let is_missing = |version: &&Version| !self.watched.contains_key(version);
        let missing: Vec<SavedSearchId> =
            versions.iter().filter(is_missing).map(|version| version.0).collect();
        let versions: HashSet<Version> = versions.into_iter().collect();
        let synonyms = Arc::new(self.synonyms.prepared());
        for page in missing.chunks(PAGE) {
            let found = ports.saved_searches.find(tenant, page).await?;
            let vectors = match embedder {
                None => HashMap::new(),
                Some(embedder) => vectors(ports, tenant, embedder, &found).await?,
            };
            let synonyms = synonyms.clone();
            let read = tokio::task::spawn_blocking(move || read(found, vectors, &synonyms)).await;
            // Whoever is interrupted goes on from here.
            self.watched.extend(read.map_err(|error| Error::internal("read saved searches", error))?);
        }
        self.watched.retain(|version, _| versions.contains(version));
        let mut watched: Vec<Arc<Watched>> = self.watched.values().cloned().collect();
        watched.sort_unstable_by_key(|one| one.id);
        let made = tokio::task::spawn_blocking(move || Matcher::new(watched)).await;
        let made = made.map_err(|error| Error::internal("make saved searches ready", error))?;
        self.matcher = (!made.watched().is_empty()).then(|| Arc::new(made));
        Ok(())
    }
}

/// One that this release cannot read is left to one that can.
fn read(
    found: Vec<SavedSearch>,
    mut vectors: HashMap<SavedSearchId, Vec<f32>>,
    synonyms: &Prepared,
) -> Vec<(Version, Arc<Watched>)> {
    let read = |search: SavedSearch| {
        let version = (search.id, search.version);
        let mut asked = search.question.read().ok()?;
        asked.text = synonyms.widen(&asked.text);
        let vector = vectors.remove(&search.id);
        let watched = Watched::new(version, search.since, asked, search.question.watch, vector);
        Some((version, Arc::new(watched)))
    };
    found.into_iter().filter_map(read).collect()
}

/// Kept one by one, so that who is interrupted loses little.
async fn vectors(
    ports: &Ports,
    tenant: Tenant,
    embedder: &dyn Embedder,
    searches: &[SavedSearch],
) -> Result<HashMap<SavedSearchId, Vec<f32>>> {
    let model = &embedder.model().name;
    let ids: Vec<SavedSearchId> = searches.iter().map(|search| search.id).collect();
    let known = ports.saved_searches.query_vectors(tenant, model, &ids).await?;
    let mut vectors: HashMap<SavedSearchId, Vec<f32>> = known.into_iter().collect();
    for search in searches {
        if vectors.contains_key(&search.id) {
            continue;
        }
        let Ok(asked) = search.question.read() else { continue };
        let vector = embedder.embed_query(&asked.text.plain()).await?;
        let of = (search.id, search.version);
        ports.saved_searches.keep_query_vector(tenant, of, model, &vector).await?;
        vectors.insert(search.id, vector);
    }
    Ok(vectors)
}
