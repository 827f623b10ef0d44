//! The vectors on the settings' vector server.

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
        search::{ConversationFacets, EngineHit, PassageDocument, Standing, VectorIndex, Version},
        store::generations::Generations,
    },
    search::query::SearchFilter,
};
use colloquy_qdrant::{Identity, Opened, QdrantIndex, QdrantSettings};

use super::on_server::{OnServer, Product};

pub(crate) type Meaning = OnServer<Vectors>;

pub(crate) struct Vectors {
    settings: QdrantSettings,
    /// That makes them.
    model: EmbeddingModel,
}

impl Meaning {
    /// `None` where the settings name no server, or nothing makes vectors.
    pub(crate) fn of(
        settings: &QdrantSettings,
        ports: &Ports,
        embedder: Option<&Arc<dyn Embedder>>,
    ) -> Option<Arc<Self>> {
        settings.url.as_ref()?;
        let vectors = Vectors { settings: settings.clone(), model: embedder?.model().clone() };
        Some(Self::new(vectors, ports))
    }
}

#[async_trait]
impl Product for Vectors {
    type Index = QdrantIndex;

    const LOOKING_AFTER: &'static str = "look after the vectors";
    const FILLED_BY: JobKind = JobKind::EmbedPassages;

    async fn open(&self, found: &Generations) -> Result<(QdrantIndex, bool)> {
        let identity = Identity {
            generation: found.standing.live,
            log_id: found.log_id,
            model: self.model.name.clone(),
            dimensions: self.model.dimensions,
        };
        let opened = QdrantIndex::open(&self.settings, identity).await?;
        let is_new = matches!(opened, Opened::Rebuilt(_));
        Ok((opened.into_index(), is_new))
    }

    async fn align(index: &QdrantIndex, standing: Standing) -> Result<()> {
        index.align(standing).await
    }

    async fn look(index: &QdrantIndex) -> Result<Option<bool>> {
        index.look().await
    }

    async fn mark_complete(index: &QdrantIndex) -> Result<()> {
        index.mark_complete().await
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
