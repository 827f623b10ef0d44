//! The one writer of the vectors. A group of writes is one LMDB transaction: items, sets and graph are
//! whole at every commit, also after a crash.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ids::{ConversationId, PassageId},
    ports::search::{ConversationFacets, PassageDocument, Version},
};
use hannoy::{ItemId, distances::Cosine};
use heed::{Env, MdbError, RwTxn, WithoutTls};
use rand::{SeedableRng, rngs::StdRng};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{
    filter,
    tables::{self, Facets, Item, Meaning, Record, Shard, ShardRecord, Tables},
};
use crate::{WRITTEN, identity::Stamp, writer::Engine};

/// Links a node has on the upper layers and on the lowest, and how widely a new one looks for them: what
/// gave a recall of 0.996 over 100,000 vectors.
const LINKS: usize = 16;
const LOWEST_LINKS: usize = 32;
const BREADTH: usize = 100;
/// No replacement is later than a removal.
const REMOVED: Version = Version::MAX;

pub(crate) struct VectorEngine {
    env: Env<WithoutTls>,
    tables: Tables,
    dimensions: usize,
    /// hannoy links nodes on whatever rayon pool it is called from; the global one would take every core.
    pool: ThreadPool,
}

/// One conversation's vectors; none of them when it was removed.
pub(crate) struct VectorWrite {
    pub(crate) tenant: Tenant,
    pub(crate) conversation_id: ConversationId,
    pub(crate) change: Change,
}

pub(crate) enum Change {
    Replace { version: Version, facets: ConversationFacets, passages: Vec<(PassageDocument, Vec<f32>)> },
    Remove,
}

/// The organizations whose graph must be linked anew before the commit.
type Touched = BTreeMap<Shard, ItemId>;

impl VectorEngine {
    pub(crate) fn create(
        dir: &Path,
        map_bytes: usize,
        dimensions: usize,
        threads: usize,
        stamp: &Stamp,
    ) -> Result<Self> {
        let engine = Self::over(dir, map_bytes, dimensions, threads)?;
        let write = || -> heed::Result<()> {
            let mut txn = engine.env.write_txn()?;
            engine.tables.put_stamp(&mut txn, stamp.as_str())?;
            txn.commit()?;
            tables::fill_up(&engine.env)
        };
        write().map_err(|e| failed("make the vector index", e))?;
        Ok(engine)
    }

    /// The index that is there, or what is wrong with it.
    pub(crate) fn open(
        dir: &Path,
        map_bytes: usize,
        dimensions: usize,
        threads: usize,
        stamp: &Stamp,
    ) -> Result<Self> {
        let engine = Self::over(dir, map_bytes, dimensions, threads)?;
        let same = || -> heed::Result<bool> {
            let txn = engine.env.read_txn()?;
            Ok(engine.tables.stamp(&txn)? == Some(stamp.as_str()))
        };
        match same() {
            Ok(true) => Ok(engine),
            Ok(false) => Err(Error::internal(OPENING, "the vector index carries another identity")),
            Err(e) => Err(failed(OPENING, e)),
        }
    }

    fn over(dir: &Path, map_bytes: usize, dimensions: usize, threads: usize) -> Result<Self> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(|n| format!("vector-build-{n}"))
            .build()
            .map_err(|e| Error::unavailable("start the threads of the vector index", e))?;
        let open = || -> heed::Result<_> {
            let env = tables::open_env(dir, map_bytes)?;
            tables::check_length(&env)?;
            let tables = Tables::create(&env)?;
            Ok((env, tables))
        };
        let (env, tables) = open().map_err(|e| failed(OPENING, e))?;
        Ok(Self { env, tables, dimensions, pool })
    }

    pub(crate) fn env(&self) -> Env<WithoutTls> {
        self.env.clone()
    }

    pub(crate) fn tables(&self) -> Tables {
        self.tables
    }

    fn commit(&self, writes: &[&VectorWrite]) -> hannoy::Result<()> {
        let mut txn = self.env.write_txn()?;
        let mut touched = Touched::new();
        for write in writes {
            self.stage(&mut txn, write, &mut touched)?;
        }
        for (shard, next_item) in touched {
            // The seed only has to differ from build to build: it draws the layers of the new nodes.
            let mut rng = StdRng::seed_from_u64(u64::from(shard) << 32 | u64::from(next_item));
            let writer = self.graph(shard);
            writer.builder(&mut rng).ef_construction(BREADTH).build::<LINKS, LOWEST_LINKS>(&mut txn)?;
        }
        txn.commit()?;
        Ok(tables::fill_up(&self.env)?)
    }

    fn graph(&self, shard: Shard) -> hannoy::Writer<'static, Cosine> {
        hannoy::Writer::new(self.tables.graphs, shard, self.dimensions)
    }

    fn stage(&self, txn: &mut RwTxn, write: &VectorWrite, touched: &mut Touched) -> hannoy::Result<()> {
        let tables = &self.tables;
        let mut shard = tables.shard_or_next(txn, write.tenant)?;
        let before = tables.conversation(txn, shard.shard, write.conversation_id)?;
        let version = match &write.change {
            Change::Replace { version, .. } => *version,
            Change::Remove => REMOVED,
        };
        if before.as_ref().is_some_and(|before| before.version > version) {
            return Ok(());
        }
        let known = before.iter().flat_map(|record| &record.items).map(|item| (item.passage_id, item.item));
        let mut known: HashMap<PassageId, ItemId> = known.collect();
        let after = match &write.change {
            Change::Replace { facets, passages, .. } => {
                let items = self.place(txn, &mut shard, facets, passages, &mut known, touched)?;
                Record { version, items, facets: Some(folded(facets)) }
            }
            Change::Remove => Record { version, items: Vec::new(), facets: None },
        };
        let graph = self.graph(shard.shard);
        for item in known.into_values() {
            graph.del_item(txn, item)?;
            tables.delete_item(txn, shard.shard, item)?;
            touched.insert(shard.shard, shard.next_item);
        }
        filter::update(tables, txn, shard.shard, before.as_ref(), &after)?;
        tables.put_shard(txn, write.tenant, &shard)?;
        Ok(tables.put_conversation(txn, shard.shard, write.conversation_id, &after)?)
    }

    /// Gives every passage its item: the one it has while its vector is the same, else a new one. What stays
    /// in `known` is of no more use.
    fn place(
        &self,
        txn: &mut RwTxn,
        shard: &mut ShardRecord,
        facets: &ConversationFacets,
        passages: &[(PassageDocument, Vec<f32>)],
        known: &mut HashMap<PassageId, ItemId>,
        touched: &mut Touched,
    ) -> hannoy::Result<Vec<Item>> {
        let graph = self.graph(shard.shard);
        let mut items = Vec::with_capacity(passages.len());
        for (passage, vector) in passages.iter().filter(|(_, vector)| has_direction(vector)) {
            let same = match known.get(&passage.id) {
                Some(item) => graph.item_vector(txn, *item)?.as_ref() == Some(vector),
                None => false,
            };
            let kept = if same { known.remove(&passage.id) } else { None };
            let item = match kept {
                Some(item) => item,
                None => {
                    let item = shard.next_item;
                    shard.next_item = item.checked_add(1).ok_or(hannoy::Error::DatabaseFull)?;
                    graph.add_item(txn, item, vector)?;
                    metrics::counter!(WRITTEN, "engine" => "vectors").increment(1);
                    touched.insert(shard.shard, shard.next_item);
                    item
                }
            };
            let meaning = Meaning { passage_id: passage.id, conversation_id: facets.conversation_id };
            if self.tables.item(txn, shard.shard, item)? != Some(meaning) {
                self.tables.put_item(txn, shard.shard, item, meaning)?;
            }
            let speakers = passage.speakers.iter().map(|label| filter::veiled(label)).collect();
            let people = passage.people.clone();
            items.push(Item { item, passage_id: passage.id, speakers, people });
        }
        Ok(items)
    }
}

const OPENING: &str = "open the vector index";

impl Engine for VectorEngine {
    type Write = VectorWrite;
    const NAME: &'static str = "vector";

    fn apply(&mut self, writes: &[&VectorWrite]) -> Result<()> {
        self.pool.install(|| self.commit(writes)).map_err(|e| failed("write to the vector index", e))
    }

    /// A transaction that was dropped has left nothing behind.
    fn recover(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What stands in the way may go, a full disk above all; anything else is a defect.
pub(crate) fn failed(doing: &'static str, error: impl Into<hannoy::Error>) -> Error {
    match error.into() {
        error @ (hannoy::Error::Io(_)
        | hannoy::Error::Heed(
            heed::Error::Io(_) | heed::Error::Mdb(MdbError::MapFull | MdbError::ReadersFull),
        )) => Error::unavailable(doing, error),
        error => Error::internal(doing, error),
    }
}

/// A text without a word may have a vector of nothing, which is near to nothing.
pub(crate) fn has_direction(vector: &[f32]) -> bool {
    vector.iter().any(|x| *x != 0.0)
}

pub(crate) fn folded(facets: &ConversationFacets) -> Facets {
    Facets {
        kind: facets.kind,
        tags: facets.tags.iter().map(|tag| filter::veiled(tag)).collect(),
        occurred_micros: facets.occurred_at.map(|at| at.timestamp_micros()),
        language: facets.language,
    }
}
