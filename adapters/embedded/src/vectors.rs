//! Vectors by hannoy: HNSW over LMDB, a graph for each organization, nearest by cosine.

pub(crate) mod engine;
mod filter;
mod inspect;
mod tables;

use std::sync::Arc;

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::search::{ConversationFacets, EngineHit, PassageDocument, VectorIndex, Version},
    search::query::SearchFilter,
};
use hannoy::{Reader, distances::Cosine};
use heed::{Env, WithoutTls};

use self::{
    engine::{Change, VectorEngine, VectorWrite, failed, has_direction},
    tables::{Meaning, Tables},
};
use crate::{EmbeddedSettings, lock::FolderLock, searches::Searches, text::best_first, writer::Writer};

const SEARCHING: &str = "search the vector index";
/// How widely a search looks around: recall 0.996 over 100,000 vectors at half of it.
const BREADTH: usize = 100;

pub(crate) struct Vectors {
    writer: Writer<VectorEngine>,
    shelf: Shelf,
    dimensions: usize,
    searches: Searches,
    // Last, so that it is given back when all else is closed.
    _lock: Arc<FolderLock>,
}

/// What a search reads.
#[derive(Clone)]
struct Shelf {
    env: Env<WithoutTls>,
    tables: Tables,
    graph_step_cost: usize,
}

impl Vectors {
    pub(crate) fn start(
        engine: VectorEngine,
        settings: &EmbeddedSettings,
        lock: Arc<FolderLock>,
        searches: Searches,
    ) -> Result<Self> {
        let shelf =
            Shelf { env: engine.env(), tables: engine.tables(), graph_step_cost: settings.graph_step_cost };
        let writer = Writer::start(engine, settings.gather, lock.clone())?;
        Ok(Self { writer, shelf, dimensions: settings.dimensions, searches, _lock: lock })
    }

    pub(crate) fn writer(&self) -> &Writer<VectorEngine> {
        &self.writer
    }

    pub(crate) fn count(&self) -> Result<u64> {
        let count = || -> heed::Result<u64> {
            let txn = self.shelf.env.read_txn()?;
            self.shelf.tables.count_items(&txn)
        };
        count().map_err(|e| failed("count the vectors", e))
    }

    /// The version under which a conversation stands.
    pub(crate) fn held(&self, tenant: Tenant, id: ConversationId) -> Result<Option<Version>> {
        let look = || -> heed::Result<Option<Version>> {
            let txn = self.shelf.env.read_txn()?;
            let Some(shard) = self.shelf.tables.shard(&txn, tenant)? else { return Ok(None) };
            Ok(self.shelf.tables.conversation(&txn, shard.shard, id)?.map(|record| record.version))
        };
        look().map_err(|e| failed("look into the vector index", e))
    }

    fn check(&self, vector: &[f32]) -> Result<()> {
        let (need, have) = (self.dimensions, vector.len());
        if have != need {
            let message =
                format!("a vector has {have} numbers where this index takes {need}: it is of another model");
            return Err(Error::invalid("vector", "VECTOR_DIMENSIONS", message));
        }
        if !vector.iter().all(|x| x.is_finite()) {
            return Err(Error::invalid("vector", "VECTOR_NOT_FINITE", "a vector holds what is not a number"));
        }
        Ok(())
    }
}

#[async_trait]
impl VectorIndex for Vectors {
    async fn replace(
        &self,
        tenant: Tenant,
        version: Version,
        facets: ConversationFacets,
        passages: Vec<(PassageDocument, Vec<f32>)>,
    ) -> Result<()> {
        passages.iter().try_for_each(|(_, vector)| self.check(vector))?;
        let conversation_id = facets.conversation_id;
        let change = Change::Replace { version, facets, passages };
        self.writer.write(VectorWrite { tenant, conversation_id, change }).await
    }

    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()> {
        self.writer.write(VectorWrite { tenant, conversation_id, change: Change::Remove }).await
    }

    async fn search(
        &self,
        tenant: Tenant,
        vector: &[f32],
        filter: &SearchFilter,
        limit: usize,
    ) -> Result<Vec<EngineHit>> {
        self.check(vector)?;
        if limit == 0 || !has_direction(vector) {
            return Ok(Vec::new());
        }
        let (shelf, vector, filter) = (self.shelf.clone(), vector.to_vec(), filter.clone());
        let find = move || shelf.find(tenant, &vector, &filter, limit).map_err(|e| failed(SEARCHING, e));
        self.searches.run(SEARCHING, find).await
    }
}

impl Shelf {
    fn find(
        &self,
        tenant: Tenant,
        vector: &[f32],
        filter: &SearchFilter,
        limit: usize,
    ) -> hannoy::Result<Vec<EngineHit>> {
        let txn = self.env.read_txn()?;
        let Some(shard) = self.tables.shard(&txn, tenant)?.map(|record| record.shard) else {
            return Ok(Vec::new());
        };
        let reader: Reader<Cosine> = match Reader::open(&txn, shard, self.tables.graphs) {
            Err(hannoy::Error::MissingMetadata(_)) => return Ok(Vec::new()),
            opened => opened?,
        };
        let all = reader.item_ids();
        let candidates = match filter::candidates(&self.tables, &txn, shard, filter)? {
            Some(narrowed) => narrowed & all,
            None => all.clone(),
        };
        let limit = limit.min(usize::try_from(candidates.len()).unwrap_or(usize::MAX));
        if limit == 0 {
            return Ok(Vec::new());
        }
        let one_by_one = self.is_cheaper_one_by_one(candidates.len(), all.len(), limit);
        let mut query = reader.nns(limit);
        query.ef_search(BREADTH).linear_below(if one_by_one { usize::MAX } else { 0 });
        if one_by_one || candidates.len() < all.len() {
            query.candidates(&candidates);
        }
        let mut hits = Vec::with_capacity(limit);
        for (item, distance) in query.by_vector(&txn, vector)?.into_nns() {
            let Some(Meaning { passage_id, conversation_id }) = self.tables.item(&txn, shard, item)? else {
                continue;
            };
            // The distance is half of one less the cosine.
            hits.push(EngineHit { passage_id, conversation_id, score: 1.0 - 2.0 * distance });
        }
        hits.sort_by(best_first);
        Ok(hits)
    }

    /// A walk keeps `BREADTH` nodes in sight, or as many as are wanted, and passes by those that the filter
    /// leaves out: the more of them, the longer it takes.
    fn is_cheaper_one_by_one(&self, candidates: u64, all: u64, limit: usize) -> bool {
        let in_sight = limit.max(BREADTH) as f64;
        let walk = self.graph_step_cost as f64 * in_sight * all as f64 / candidates as f64;
        candidates as f64 <= walk
    }
}
