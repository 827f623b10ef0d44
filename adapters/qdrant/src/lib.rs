//! Vectors by Qdrant, 1.17 or later, behind the port `VectorIndex`. Each generation is a collection of its own, and an
//! alias stands before the live one. Everything in it can be built again from PostgreSQL.

mod client;
mod collection;
mod fault;
mod filter;
mod generation;
mod inspect;
mod payload;
mod report;
mod settings;
mod standing;
mod write;

use std::{fmt, sync::Arc};

use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::{
        search::{Standing, VectorIndex, Version},
        verify::Inspect,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use self::{
    client::Client,
    collection::Ground,
    generation::Generation,
    standing::{LiveVectors, Placed, Shelf},
};
pub use self::{
    report::{Report, report},
    settings::{QdrantSettings, Quantization, Secret},
};

/// Conversations that are looked up at once.
const AT_ONCE: usize = 16;

/// What the collection must carry to be in step with PostgreSQL, and what makes the vectors of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The generation that is live.
    pub generation: i64,
    /// The life of the event log: a restored database has another.
    pub log_id: Uuid,
    pub model: String,
    pub dimensions: usize,
}

/// What stood on the server.
#[derive(Debug)]
pub enum Opened {
    /// Everything that was acknowledged under this identity, whatever model made it.
    InStep(QdrantIndex),
    /// Nothing, or what was not filled to its end: enqueue the jobs that fill it, for every conversation, then call
    /// [`QdrantIndex::mark_complete`].
    Rebuilt(QdrantIndex),
}

impl Opened {
    pub fn index(&self) -> &QdrantIndex {
        match self {
            Self::InStep(index) | Self::Rebuilt(index) => index,
        }
    }

    pub fn into_index(self) -> QdrantIndex {
        match self {
            Self::InStep(index) | Self::Rebuilt(index) => index,
        }
    }
}

/// One generation by itself.
pub struct OneOf {
    pub vectors: Arc<dyn VectorIndex>,
    /// The model that makes its vectors.
    pub model: String,
    /// It misses vectors since another model made them for a while.
    pub lapsed: bool,
}

/// The vectors of one installation; any number of processes may hold them. Clones share what stands.
#[derive(Clone)]
pub struct QdrantIndex {
    shelf: Arc<Shelf>,
}

impl fmt::Debug for QdrantIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QdrantIndex")
            .field("collection", &self.shelf.now().live.generation.collection)
            .finish_non_exhaustive()
    }
}

impl QdrantIndex {
    /// Opens the live generation, which the identity names, or makes it; [`align`](Self::align) opens the others. Fails
    /// with the code `INDEX_OF_ANOTHER` where a collection of its name is another database's.
    pub async fn open(settings: &QdrantSettings, identity: Identity) -> Result<Opened> {
        const DOING: &str = "open the vectors";
        let Identity { generation, log_id, model, dimensions } = identity;
        let ground = ground(settings, log_id, model, dimensions)?;
        ground.check_server().await?;
        let found = ground.find(generation).await?;
        let mark = match found.clone().filter(|mark| mark.complete) {
            Some(mark) => {
                ground.index_fields(generation).await?;
                mark
            }
            // Whoever made it may have ended before its fields were there.
            None => {
                ground.create(generation).await?;
                let made = ground.find(generation).await?;
                made.ok_or_else(|| Error::unavailable(DOING, "the collection is gone again"))?
            }
        };
        let live = Generation::over(&ground, generation, mark);
        ground.point_alias(generation).await?;
        let index = Self { shelf: Arc::new(Shelf::new(ground, live)) };
        Ok(match found {
            Some(mark) if mark.complete => Opened::InStep(index),
            _ => Opened::Rebuilt(index),
        })
    }

    /// Says that jobs for every conversation are enqueued. Until then each start begins anew.
    pub async fn mark_complete(&self) -> Result<()> {
        self.shelf.ground.mark_complete(self.shelf.now().live.number()).await
    }

    /// Whether the live generation is complete, as the server has it; `None` where it is not there. Searches read it from
    /// now on, if somebody who heard of it late had the alias elsewhere.
    pub async fn look(&self) -> Result<Option<bool>> {
        let (ground, live) = (&self.shelf.ground, self.shelf.now().live.clone());
        let Some(mark) = ground.find(live.number()).await? else { return Ok(None) };
        live.note(&mark);
        ground.point_alias(live.number()).await?;
        Ok(Some(mark.complete))
    }

    /// Over what stands: searches read the live generation, writes go to all.
    pub fn vectors(&self) -> Arc<dyn VectorIndex> {
        Arc::new(LiveVectors(self.shelf.clone()))
    }

    /// Opens, makes and drops generations until just these stand. Of two calls the later change counts.
    pub async fn align(&self, standing: Standing) -> Result<()> {
        // To its end, whatever becomes of the caller.
        let shelf = self.shelf.clone();
        let aligned = tokio::spawn(async move { shelf.align(standing).await }).await;
        aligned.map_err(|e| Error::internal("change the search generations", e))?
    }

    /// One generation by itself; `None` where it does not stand here.
    pub fn only(&self, number: i64) -> Option<OneOf> {
        let placed = self.placed(number)?;
        let (model, lapsed) = (placed.generation.mark.model.clone(), placed.has_lapsed());
        let mark = placed.generation.mark.clone();
        let vectors = Arc::new(Generation::over(&self.shelf.ground, number, mark));
        Some(OneOf { vectors, model, lapsed })
    }

    /// One generation to be compared; `None` where it does not stand here.
    pub fn inspect(&self, number: i64) -> Option<Arc<dyn Inspect>> {
        let mark = self.placed(number)?.generation.mark.clone();
        Some(Arc::new(Generation::over(&self.shelf.ground, number, mark)))
    }

    /// Whether the live vectors are of another model than this process makes, or miss some.
    pub fn has_lapsed(&self) -> bool {
        let live = self.shelf.now().live.clone();
        !live.generation.is_of_our_model() || live.has_lapsed()
    }

    /// The version and the number of passages under which each conversation stands, in the order asked.
    pub async fn held(
        &self,
        number: i64,
        of: &[(Tenant, ConversationId)],
    ) -> Result<Vec<(Option<Version>, u64)>> {
        let placed = self.placed(number);
        let placed = placed
            .ok_or_else(|| Error::unavailable("look into a search generation", "it does not stand here"))?;
        let generation = &placed.generation;
        let held = stream::iter(of.to_vec()).map(move |(tenant, id)| generation.held(tenant, id));
        held.buffered(AT_ONCE).try_collect().await
    }

    /// Every collection of this prefix, whatever stands: for tests, which leave nothing behind on a server that lives on.
    #[doc(hidden)]
    pub async fn drop_all(&self) -> Result<()> {
        let ground = &self.shelf.ground;
        for number in ground.generations().await? {
            ground.delete(&ground.settings.collection(number)).await?;
        }
        Ok(())
    }

    fn placed(&self, number: i64) -> Option<Arc<Placed>> {
        self.shelf.now().all().find(|one| one.number() == number).cloned()
    }
}

fn ground(settings: &QdrantSettings, log_id: Uuid, model: String, dimensions: usize) -> Result<Ground> {
    let client = Arc::new(Client::new(settings)?);
    Ok(Ground { client, settings: settings.clone(), log_id, model, dimensions })
}
