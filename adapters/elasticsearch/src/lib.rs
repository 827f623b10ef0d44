//! Full text by Elasticsearch 8 or 9, or by OpenSearch, behind the port `TextIndex`. Each generation is an index of its
//! own, and an alias stands before the live one. Everything in it can be built again from PostgreSQL. What is asked of
//! the server is what every compatible service has: documents with versions, searches, statistics of terms, aliases;
//! no script, no percolator, no copying by the server.

mod analysis;
mod bulk;
mod client;
mod count;
mod expunge;
mod fault;
mod generation;
mod index;
mod inspect;
mod query;
mod report;
mod search;
mod settings;
mod standing;
mod statistics;
mod words;
mod write;

use std::{fmt, sync::Arc};

use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::{
        search::{Standing, TextIndex, Version},
        verify::Inspect,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use self::{
    client::Client,
    generation::Generation,
    index::Ground,
    standing::{LiveText, Shelf},
};
pub use self::{
    report::{Report, report},
    settings::{ElasticsearchSettings, Secret},
};

/// Conversations that are looked up at once.
const AT_ONCE: usize = 16;

/// The product, as answers name it: OpenSearch speaks the same.
pub const NAME: &str = "elasticsearch";

/// What the index must carry to be in step with PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The generation that is live.
    pub generation: i64,
    /// The life of the event log: a restored database has another.
    pub log_id: Uuid,
}

/// What stood on the server.
#[derive(Debug)]
pub enum Opened {
    /// Everything that was acknowledged under this identity.
    InStep(ElasticsearchIndex),
    /// Nothing, or what was not filled to its end: enqueue the jobs that fill it, for every conversation, then call
    /// [`ElasticsearchIndex::mark_complete`].
    Rebuilt(ElasticsearchIndex),
}

impl Opened {
    pub fn into_index(self) -> ElasticsearchIndex {
        match self {
            Self::InStep(index) | Self::Rebuilt(index) => index,
        }
    }
}

/// The text index of one installation; any number of processes may hold it. Clones share what stands.
#[derive(Clone)]
pub struct ElasticsearchIndex {
    shelf: Arc<Shelf>,
}

impl fmt::Debug for ElasticsearchIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElasticsearchIndex")
            .field("index", &self.shelf.now().live.index)
            .finish_non_exhaustive()
    }
}

impl ElasticsearchIndex {
    /// Opens the live generation, which the identity names, or makes it; [`align`](Self::align) opens the others. Fails
    /// with the code `INDEX_OF_ANOTHER` where an index of its name is another database's.
    pub async fn open(settings: &ElasticsearchSettings, identity: Identity) -> Result<Opened> {
        let ground = ground(settings, identity.log_id)?;
        let found = ground.find(identity.generation).await?;
        if found.is_none() {
            ground.create(identity.generation).await?;
        }
        let live = Generation::open(&ground, identity.generation).await?;
        ground.point_alias(identity.generation).await?;
        let index = Self { shelf: Arc::new(Shelf::new(ground, live)) };
        Ok(match found {
            Some(mark) if mark.complete => Opened::InStep(index),
            _ => Opened::Rebuilt(index),
        })
    }

    /// Says that jobs for every conversation are enqueued. Until then each start begins anew. What an earlier release
    /// has left on the server goes.
    pub async fn mark_complete(&self) -> Result<()> {
        self.shelf.ground.mark_complete(self.shelf.now().live.number).await?;
        self.shelf.ground.drop_outgrown().await
    }

    /// Whether the live generation is complete, as the server has it; `None` where it is not there. Searches read it from
    /// now on, if somebody who heard of it late had the alias elsewhere.
    pub async fn look(&self) -> Result<Option<bool>> {
        let (ground, live) = (&self.shelf.ground, self.shelf.now().live.number);
        let Some(mark) = ground.find(live).await? else { return Ok(None) };
        ground.point_alias(live).await?;
        Ok(Some(mark.complete))
    }

    /// Over what stands: searches read the live generation, writes go to all.
    pub fn text(&self) -> Arc<dyn TextIndex> {
        Arc::new(LiveText(self.shelf.clone()))
    }

    /// Opens, makes and drops generations until just these stand. Of two calls the later change counts.
    pub async fn align(&self, standing: Standing) -> Result<()> {
        // To its end, whatever becomes of the caller.
        let shelf = self.shelf.clone();
        let aligned = tokio::spawn(async move { shelf.align(standing).await }).await;
        aligned.map_err(|e| Error::internal("change the search generations", e))?
    }

    /// One generation by itself; `None` where it does not stand here.
    pub fn only(&self, number: i64) -> Option<Arc<dyn TextIndex>> {
        let found = self.shelf.now().all().find(|one| one.number == number).cloned()?;
        Some(found)
    }

    /// One generation to be compared; `None` where it does not stand here.
    pub fn inspect(&self, number: i64) -> Option<Arc<dyn Inspect>> {
        let found = self.shelf.now().all().find(|one| one.number == number).cloned()?;
        Some(found)
    }

    /// The version and the number of passages under which each conversation stands, in the order asked.
    pub async fn held(
        &self,
        number: i64,
        of: &[(Tenant, ConversationId)],
    ) -> Result<Vec<(Option<Version>, u64)>> {
        let generation = self.shelf.now().all().find(|one| one.number == number).cloned();
        let generation = generation
            .ok_or_else(|| Error::unavailable("look into a search generation", "it does not stand here"))?;
        let generation = &*generation;
        let held = stream::iter(of.to_vec()).map(move |(tenant, id)| generation.held(tenant, id));
        held.buffered(AT_ONCE).try_collect().await
    }
}

fn ground(settings: &ElasticsearchSettings, log_id: Uuid) -> Result<Ground> {
    let client = Arc::new(Client::new(settings)?);
    Ok(Ground { client, settings: settings.clone(), log_id })
}
