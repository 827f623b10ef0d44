//! The text index of the settings' search server.

use std::sync::Arc;

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    ids::ConversationId,
    jobs::JobKind,
    ports::{
        Ports,
        search::{
            After, ConversationFacets, Counts, PassageDocument, Standing, TextHits, TextIndex, Version,
            WordsLike,
        },
        store::generations::Generations,
    },
    search::{
        facets::{Facet, ValueCount},
        query::{SearchFilter, TextQuery},
    },
    time::Timestamp,
};
use colloquy_elasticsearch::{ElasticsearchIndex, ElasticsearchSettings, Identity, Opened};

use super::on_server::{OnServer, Product};

pub(crate) type Words = OnServer<ElasticsearchSettings>;

impl Words {
    /// `None` where the settings name no server.
    pub(crate) fn of(settings: &ElasticsearchSettings, ports: &Ports) -> Option<Arc<Self>> {
        settings.url.as_ref()?;
        Some(Self::new(settings.clone(), ports))
    }
}

#[async_trait]
impl Product for ElasticsearchSettings {
    type Index = ElasticsearchIndex;

    const LOOKING_AFTER: &'static str = "look after the text index";
    const FILLED_BY: JobKind = JobKind::IndexPassages;

    async fn open(&self, found: &Generations) -> Result<(ElasticsearchIndex, bool)> {
        let identity = Identity { generation: found.standing.live, log_id: found.log_id };
        let opened = ElasticsearchIndex::open(self, identity).await?;
        let is_new = matches!(opened, Opened::Rebuilt(_));
        Ok((opened.into_index(), is_new))
    }

    async fn align(index: &ElasticsearchIndex, standing: Standing) -> Result<()> {
        index.align(standing).await
    }

    async fn look(index: &ElasticsearchIndex) -> Result<Option<bool>> {
        index.look().await
    }

    async fn mark_complete(index: &ElasticsearchIndex) -> Result<()> {
        index.mark_complete().await
    }
}

#[async_trait]
impl TextIndex for Words {
    fn name(&self) -> &'static str {
        colloquy_elasticsearch::NAME
    }

    async fn replace(
        &self,
        tenant: Tenant,
        version: Version,
        facets: ConversationFacets,
        passages: Vec<PassageDocument>,
    ) -> Result<()> {
        self.index().await?.text().replace(tenant, version, facets, passages).await
    }

    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()> {
        self.index().await?.text().remove(tenant, conversation_id).await
    }

    async fn page(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        after: Option<After>,
        limit: usize,
    ) -> Result<TextHits> {
        let page = async { self.index().await?.text().page(tenant, query, filter, after, limit).await };
        self.breaker.run(Box::pin(page)).await
    }

    async fn count(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        facets: &[Facet],
        limit: usize,
    ) -> Result<Counts> {
        let count = async { self.index().await?.text().count(tenant, query, filter, facets, limit).await };
        self.breaker.run(Box::pin(count)).await
    }

    async fn spread(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        bounds: &[Timestamp],
    ) -> Result<Vec<u64>> {
        let spread = async { self.index().await?.text().spread(tenant, query, filter, bounds).await };
        self.breaker.run(Box::pin(spread)).await
    }

    async fn words(&self, tenant: Tenant, like: &WordsLike, limit: usize) -> Result<Vec<ValueCount>> {
        let words = async { self.index().await?.text().words(tenant, like, limit).await };
        self.breaker.run(words).await
    }

    async fn expunge(&self) -> Result<()> {
        self.index().await?.text().expunge().await
    }
}
