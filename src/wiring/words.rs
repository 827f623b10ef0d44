//! The text index of the settings' search server, which any number of processes share. It is opened when it is first
//! needed, and again tried by the next call where the server does not answer: a process starts without it.

use std::sync::Arc;

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ids::ConversationId,
    jobs::JobKind,
    ports::{
        Ports, SearchPorts,
        search::{
            ConversationFacets, EngineHit, Held, Highlight, IndexGenerations, OneGeneration, PassageDocument,
            Standing, TextHits, TextIndex, VectorIndex, Version,
        },
        store::generations::GenerationStore,
    },
    search::{
        highlight::{SpokenText, highlight},
        query::{SearchFilter, TextQuery},
    },
};
use colloquy_elasticsearch::{ElasticsearchIndex, ElasticsearchSettings, Identity, Opened};
use colloquy_worker::Trouble;
use tokio::sync::OnceCell;

use super::search::{LOOK, SCOPE, enqueue_all};

pub(crate) struct Words {
    settings: ElasticsearchSettings,
    store: Arc<dyn GenerationStore>,
    opened: OnceCell<Opened>,
}

impl Words {
    /// `None` where the settings name no server.
    pub(crate) fn of(settings: &ElasticsearchSettings, ports: &Ports) -> Option<Arc<Self>> {
        settings.url.as_ref()?;
        let (settings, store) = (settings.clone(), ports.generations.clone());
        Some(Arc::new(Self { settings, store, opened: OnceCell::new() }))
    }

    /// For processes that search by word alone.
    pub(crate) fn ports(self: &Arc<Self>) -> SearchPorts {
        SearchPorts {
            text: Some(self.clone()),
            generations: Some(Arc::new(Joined { words: self.clone(), embedded: None })),
            ..SearchPorts::default()
        }
    }

    async fn index(&self) -> Result<&ElasticsearchIndex> {
        let opened = self.opened.get_or_try_init(|| self.open()).await?;
        Ok(match opened {
            Opened::InStep(index) | Opened::Rebuilt(index) => index,
        })
    }

    fn known(&self) -> Option<&ElasticsearchIndex> {
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

    async fn search(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        limit: usize,
    ) -> Result<TextHits> {
        self.index().await?.text().search(tenant, query, filter, limit).await
    }

    async fn highlight(&self, query: &TextQuery, texts: &[SpokenText]) -> Result<Vec<Vec<Highlight>>> {
        // It asks no server, and must not wait for one.
        Ok(highlight(query, texts))
    }
}

/// Words on the search server, and vectors embedded where this process owns any.
pub(crate) struct Joined {
    pub words: Arc<Words>,
    pub embedded: Option<Arc<dyn IndexGenerations>>,
}

#[async_trait]
impl IndexGenerations for Joined {
    async fn align(&self, standing: Standing) -> Result<()> {
        if let Some(embedded) = &self.embedded {
            embedded.align(standing).await?;
        }
        self.words.index().await?.align(standing).await
    }

    fn only(&self, number: i64) -> Option<OneGeneration> {
        let text = self.words.known()?.only(number)?;
        Some(match &self.embedded {
            Some(embedded) => OneGeneration { text, ..embedded.only(number)? },
            None => {
                OneGeneration { model: "none".to_owned(), lapsed: false, text, vectors: Arc::new(NoVectors) }
            }
        })
    }

    async fn held(&self, number: i64, of: Vec<(Tenant, ConversationId)>) -> Result<Vec<Held>> {
        let words = self.words.index().await?.held(number, &of).await?;
        let vectors = match &self.embedded {
            Some(embedded) => embedded.held(number, of).await?,
            None => vec![Held::default(); words.len()],
        };
        let join = |((text, passages), held): ((Option<Version>, u64), Held)| Held { text, passages, ..held };
        Ok(words.into_iter().zip(vectors).map(join).collect())
    }
}

/// Of a process that searches by word alone.
struct NoVectors;

#[async_trait]
impl VectorIndex for NoVectors {
    async fn replace(
        &self,
        _tenant: Tenant,
        _version: Version,
        _facets: ConversationFacets,
        _passages: Vec<(PassageDocument, Vec<f32>)>,
    ) -> Result<()> {
        Err(no_vectors())
    }

    async fn remove(&self, _tenant: Tenant, _conversation_id: ConversationId) -> Result<()> {
        Err(no_vectors())
    }

    async fn search(
        &self,
        _tenant: Tenant,
        _vector: &[f32],
        _filter: &SearchFilter,
        _limit: usize,
    ) -> Result<Vec<EngineHit>> {
        Err(no_vectors())
    }
}

fn no_vectors() -> Error {
    Error::unavailable("use vectors", "this process searches by word alone")
}
