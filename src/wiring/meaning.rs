//! The vectors on the settings' vector server, which any number of processes share. They are opened when they are first
//! needed, and again tried by the next call where the server does not answer: a process starts without it.

use std::sync::Arc;

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    ids::ConversationId,
    jobs::JobKind,
    ports::{
        Ports,
        models::{Embedder, EmbeddingModel},
        search::{ConversationFacets, EngineHit, PassageDocument, VectorIndex, Version},
        store::generations::GenerationStore,
    },
    search::query::SearchFilter,
};
use colloquy_qdrant::{Identity, Opened, QdrantIndex, QdrantSettings};
use colloquy_worker::Trouble;
use tokio::sync::OnceCell;

use super::{
    breaker::Breaker,
    search::{LOOK, SCOPE, enqueue_all},
};

pub(crate) struct Meaning {
    settings: QdrantSettings,
    /// That makes the vectors.
    model: EmbeddingModel,
    store: Arc<dyn GenerationStore>,
    opened: OnceCell<Opened>,
    breaker: Breaker,
}

impl Meaning {
    /// `None` where the settings name no server, or nothing makes vectors.
    pub(crate) fn of(
        settings: &QdrantSettings,
        ports: &Ports,
        embedder: Option<&Arc<dyn Embedder>>,
    ) -> Option<Arc<Self>> {
        settings.url.as_ref()?;
        let model = embedder?.model().clone();
        let (settings, store) = (settings.clone(), ports.generations.clone());
        Some(Arc::new(Self { settings, model, store, opened: OnceCell::new(), breaker: Breaker::default() }))
    }

    pub(crate) async fn index(&self) -> Result<&QdrantIndex> {
        Ok(self.opened.get_or_try_init(|| self.open()).await?.index())
    }

    pub(crate) fn known(&self) -> Option<&QdrantIndex> {
        self.opened.get().map(Opened::index)
    }

    async fn open(&self) -> Result<Opened> {
        let found = self.store.find(SCOPE).await?;
        let identity = Identity {
            generation: found.standing.live,
            log_id: found.log_id,
            model: self.model.name.clone(),
            dimensions: self.model.dimensions,
        };
        let opened = QdrantIndex::open(&self.settings, identity).await?;
        let index = opened.index();
        match (index.align(found.standing).await, found.standing.previous) {
            (Err(error), Some(previous)) if error.code() == "GENERATION_LOST" => {
                tracing::warn!(generation = previous, "the search generation of before is lost");
                self.store.forget_previous(SCOPE, previous).await?;
                index.align(self.store.find(SCOPE).await?.standing).await?;
            }
            (aligned, _) => aligned?,
        }
        Ok(opened)
    }

    /// Until it is dropped: generations come and go as PostgreSQL has it. Where the vectors began anew, and this process
    /// works on them (`fills`), every conversation is enqueued for them; a crash in between begins again.
    pub(crate) fn watch(
        self: &Arc<Self>,
        ports: &Ports,
        fills: bool,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (meaning, ports) = (self.clone(), ports.clone());
        async move {
            let mut trouble = Trouble::new("look after the vectors");
            let mut filled = !fills;
            loop {
                let looked = meaning.look(&ports, filled).await;
                filled |= trouble.note(looked).is_some();
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    async fn look(&self, ports: &Ports, filled: bool) -> Result<()> {
        let index = self.index().await?;
        index.align(self.store.find(SCOPE).await?.standing).await?;
        if !filled && matches!(self.opened.get(), Some(Opened::Rebuilt(_))) {
            let conversations = enqueue_all(ports, &[JobKind::EmbedPassages]).await?;
            index.mark_complete().await?;
            tracing::info!(conversations, "the vectors are being built again");
        }
        Ok(())
    }
}

#[async_trait]
impl VectorIndex for Meaning {
    async fn replace(
        &self,
        tenant: Tenant,
        version: Version,
        facets: ConversationFacets,
        passages: Vec<(PassageDocument, Vec<f32>)>,
    ) -> Result<()> {
        self.index().await?.vectors().replace(tenant, version, facets, passages).await
    }

    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()> {
        self.index().await?.vectors().remove(tenant, conversation_id).await
    }

    async fn search(
        &self,
        tenant: Tenant,
        vector: &[f32],
        filter: &SearchFilter,
        limit: usize,
    ) -> Result<Vec<EngineHit>> {
        let search = async { self.index().await?.vectors().search(tenant, vector, filter, limit).await };
        self.breaker.run(Box::pin(search)).await
    }
}
