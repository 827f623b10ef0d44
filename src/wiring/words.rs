//! The text index of the settings' search server, which any number of processes share. It is opened when it is first
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
        search::{
            After, ConversationFacets, Counts, Highlight, PassageDocument, TextHits, TextIndex, Version,
            WordsLike,
        },
        store::generations::GenerationStore,
    },
    search::{
        facets::{Facet, ValueCount},
        highlight::{SpokenText, highlight},
        query::{SearchFilter, TextQuery},
    },
    time::Timestamp,
};
use colloquy_elasticsearch::{ElasticsearchIndex, ElasticsearchSettings, Identity, Opened};
use colloquy_worker::Trouble;
use tokio::sync::OnceCell;

use super::{
    breaker::Breaker,
    search::{LOOK, SCOPE, enqueue_all},
};

pub(crate) struct Words {
    settings: ElasticsearchSettings,
    store: Arc<dyn GenerationStore>,
    opened: OnceCell<Opened>,
    breaker: Breaker,
}

impl Words {
    /// `None` where the settings name no server.
    pub(crate) fn of(settings: &ElasticsearchSettings, ports: &Ports) -> Option<Arc<Self>> {
        settings.url.as_ref()?;
        let (settings, store) = (settings.clone(), ports.generations.clone());
        Some(Arc::new(Self { settings, store, opened: OnceCell::new(), breaker: Breaker::default() }))
    }

    pub(crate) async fn index(&self) -> Result<&ElasticsearchIndex> {
        let opened = self.opened.get_or_try_init(|| self.open()).await?;
        Ok(match opened {
            Opened::InStep(index) | Opened::Rebuilt(index) => index,
        })
    }

    pub(crate) fn known(&self) -> Option<&ElasticsearchIndex> {
        match self.opened.get()? {
            Opened::InStep(index) | Opened::Rebuilt(index) => Some(index),
        }
    }

    async fn open(&self) -> Result<Opened> {
        let found = self.store.find(SCOPE).await?;
        let identity = Identity { generation: found.standing.live, log_id: found.log_id };
        let opened = ElasticsearchIndex::open(&self.settings, identity).await?;
        let (Opened::InStep(index) | Opened::Rebuilt(index)) = &opened;
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

    /// Until it is dropped: generations come and go as PostgreSQL has it. Where the index began anew, and this process
    /// works on it (`fills`), every conversation is enqueued for it; a crash in between begins again.
    pub(crate) fn watch(
        self: &Arc<Self>,
        ports: &Ports,
        fills: bool,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (words, ports) = (self.clone(), ports.clone());
        async move {
            let mut trouble = Trouble::new("look after the text index");
            let mut filled = !fills;
            loop {
                let looked = words.look(&ports, filled).await;
                filled |= trouble.note(looked).is_some();
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    async fn look(&self, ports: &Ports, filled: bool) -> Result<()> {
        let index = self.index().await?;
        index.align(self.store.find(SCOPE).await?.standing).await?;
        if !filled && matches!(self.opened.get(), Some(Opened::Rebuilt(_))) {
            let conversations = enqueue_all(ports, &[JobKind::IndexPassages]).await?;
            index.mark_complete().await?;
            tracing::info!(conversations, "the text index is being built again");
        }
        Ok(())
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

    async fn highlight(&self, query: &TextQuery, texts: &[SpokenText]) -> Result<Vec<Vec<Highlight>>> {
        // It asks no server, and must not wait for one.
        Ok(highlight(query, texts))
    }
}
