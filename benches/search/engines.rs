//! The engines that are measured: the embedded ones, and the words of a search server beside embedded vectors.

use std::sync::Arc;

use colloquy_domain::{
    accounts::Tenant,
    conversations::ConversationKind,
    ids::{ConversationId, OrganizationId},
    language::Language,
    passages::Passage,
    ports::{
        models::Embedder,
        search::{ConversationFacets, EngineHit, PassageDocument, TextHits, TextIndex, VectorIndex},
    },
    search::query::{SearchFilter, TextQuery},
};
use colloquy_elasticsearch::{ElasticsearchIndex, ElasticsearchSettings};
use colloquy_embedded::{EmbeddedIndex, EmbeddedSettings};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    LEG,
    corpus::Model,
    servers::{self, Product},
};

const TENANT: Tenant = Tenant(OrganizationId(Uuid::from_u128(1)));

pub(crate) struct Engine {
    name: &'static str,
    server: Option<ElasticsearchSettings>,
}

impl Engine {
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self { name: "Embedded engines", server: None }];
        let products = [
            (Product::Elasticsearch, "Words on Elasticsearch"),
            (Product::OpenSearch, "Words on OpenSearch"),
        ];
        for (product, name) in products {
            if let Some(settings) = servers::settings(product, "bench") {
                all.push(Self { name, server: Some(settings) });
            }
        }
        all
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// With these conversations and nothing else.
    pub(crate) async fn open(
        &self,
        model: &Model,
        conversations: &[(ConversationId, Vec<Passage>)],
    ) -> Opened<'_> {
        let folder = tempfile::tempdir().unwrap();
        let embedder = model.embedder.model();
        let settings = EmbeddedSettings::new(folder.path(), embedder.dimensions);
        let identity = colloquy_embedded::Identity {
            generation: 1,
            log_id: Uuid::from_u128(1),
            model: embedder.name.clone(),
        };
        let embedded = EmbeddedIndex::open(settings, identity).await.unwrap().into_index();
        let text = match &self.server {
            None => embedded.text(),
            Some(settings) => on_server(settings).await.text(),
        };
        let opened = Opened { text, vectors: embedded.vectors(), embedded, _folder: folder, _engine: self };
        opened.fill(model, conversations).await;
        opened
    }
}

pub(crate) struct Opened<'a> {
    text: Arc<dyn TextIndex>,
    vectors: Arc<dyn VectorIndex>,
    embedded: EmbeddedIndex,
    _folder: TempDir,
    _engine: &'a Engine,
}

impl Opened<'_> {
    async fn fill(&self, model: &Model, conversations: &[(ConversationId, Vec<Passage>)]) {
        let texts =
            conversations.iter().flat_map(|(_, passages)| passages).map(|passage| passage.text.clone());
        let mut vectors = model.vectors(texts.collect()).await.into_iter();
        for (conversation_id, passages) in conversations {
            let facets = ConversationFacets {
                conversation_id: *conversation_id,
                revision: 1,
                kind: ConversationKind::Meeting,
                tags: Vec::new(),
                occurred_at: None,
                language: Some(Language::ENGLISH),
            };
            let documents: Vec<PassageDocument> = passages.iter().cloned().map(Into::into).collect();
            let with_vectors = documents.iter().cloned().zip(vectors.by_ref()).collect();
            self.text.replace(TENANT, 1, facets.clone(), documents).await.unwrap();
            self.vectors.replace(TENANT, 1, facets, with_vectors).await.unwrap();
        }
    }

    pub(crate) async fn words(&self, query: &TextQuery, filter: &SearchFilter) -> TextHits {
        self.text.search(TENANT, query, filter, LEG).await.unwrap()
    }

    pub(crate) async fn meaning(&self, model: &Model, asked: &str, filter: &SearchFilter) -> Vec<EngineHit> {
        let vector = model.embedder.embed_query(asked).await.unwrap();
        self.vectors.search(TENANT, &vector, filter, LEG).await.unwrap()
    }

    pub(crate) async fn close(self) {
        self.embedded.close().await;
    }
}

/// An index with nothing in it.
async fn on_server(settings: &ElasticsearchSettings) -> ElasticsearchIndex {
    let index_prefix = format!("bench-{}", Uuid::now_v7());
    let settings = ElasticsearchSettings { index_prefix, ..settings.clone() };
    let identity = colloquy_elasticsearch::Identity { generation: 1, log_id: Uuid::from_u128(1) };
    ElasticsearchIndex::open(&settings, identity).await.unwrap().into_index()
}
