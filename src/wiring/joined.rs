//! The engines of one process as one: words on a server or embedded, vectors on a server, embedded or not at all.

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::{
        Ports, SearchPorts,
        models::Embedder,
        search::{Held, IndexGenerations, OneGeneration, Standing, TextIndex, VectorIndex},
        verify::{Inspect, Leg},
    },
};

use super::{Meaning, Words};
use crate::config::Config;

/// Goes on until it is dropped.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The engines on servers, which any number of processes share.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    pub words: Option<Arc<Words>>,
    pub meaning: Option<Arc<Meaning>>,
}

impl Shared {
    /// Those that the settings name. Nothing is asked of them yet.
    pub(crate) fn of(config: &Config, ports: &Ports, embedder: Option<&Arc<dyn Embedder>>) -> Self {
        Self {
            words: Words::of(&config.elasticsearch, ports),
            meaning: Meaning::of(&config.qdrant, ports, embedder),
        }
    }

    pub(crate) fn are_none(&self) -> bool {
        self.words.is_none() && self.meaning.is_none()
    }

    /// For a process that owns no engine.
    pub(crate) fn ports(&self, embedder: Option<Arc<dyn Embedder>>) -> SearchPorts {
        if self.are_none() {
            return SearchPorts::default();
        }
        SearchPorts {
            embedder: embedder.filter(|_| self.meaning.is_some()),
            text: self.words.clone().map(|words| words as Arc<dyn TextIndex>),
            vectors: self.meaning.clone().map(|meaning| meaning as Arc<dyn VectorIndex>),
            generations: Some(Arc::new(Joined { shared: self.clone(), embedded: None })),
        }
    }

    /// Until they are dropped; see [`OnServer::watch`](super::on_server::OnServer::watch).
    pub(crate) fn watches(&self, ports: &Ports, fills: bool) -> Vec<Task> {
        let mut watches: Vec<Task> = Vec::new();
        if let Some(words) = &self.words {
            watches.push(Box::pin(words.watch(ports, fills)));
        }
        if let Some(meaning) = &self.meaning {
            watches.push(Box::pin(meaning.watch(ports, fills)));
        }
        watches
    }
}

/// What is not on a server is embedded, where this process owns that.
pub(crate) struct Joined {
    pub shared: Shared,
    pub embedded: Option<Arc<dyn IndexGenerations>>,
}

#[async_trait]
impl IndexGenerations for Joined {
    async fn align(&self, standing: Standing, leg: Option<Leg>) -> Result<()> {
        let embedded = async {
            match &self.embedded {
                Some(embedded) => embedded.align(standing, leg).await,
                None => Ok(()),
            }
        };
        let words = async {
            match self.shared.words.as_ref().filter(|_| leg != Some(Leg::Vectors)) {
                Some(words) => words.index().await?.align(standing).await,
                None => Ok(()),
            }
        };
        let meaning = async {
            match self.shared.meaning.as_ref().filter(|_| leg != Some(Leg::Text)) {
                Some(meaning) => meaning.index().await?.align(standing).await,
                None => Ok(()),
            }
        };
        let (embedded, words, meaning) = tokio::join!(embedded, words, meaning);
        embedded.and(words).and(meaning)
    }

    fn only(&self, number: i64) -> Option<OneGeneration> {
        let embedded = match &self.embedded {
            Some(embedded) => Some(embedded.only(number)?),
            None => None,
        };
        let text = match &self.shared.words {
            Some(words) => Some(words.known()?.only(number)?),
            None => embedded.as_ref().and_then(|one| one.text.clone()),
        };
        if let Some(meaning) = &self.shared.meaning {
            let colloquy_qdrant::OneOf { vectors, model, lapsed } = meaning.known()?.only(number)?;
            return Some(OneGeneration { model, lapsed, text, vectors: Some(vectors) });
        }
        Some(match embedded {
            Some(embedded) => OneGeneration { text, ..embedded },
            None => OneGeneration { model: "none".to_owned(), lapsed: false, text, vectors: None },
        })
    }

    fn inspect(&self, number: i64, leg: Leg) -> Option<Arc<dyn Inspect>> {
        match (leg, &self.shared.words, &self.shared.meaning) {
            (Leg::Text, Some(words), _) => words.known()?.inspect(number),
            (Leg::Vectors, _, Some(meaning)) => meaning.known()?.inspect(number),
            _ => self.embedded.as_ref()?.inspect(number, leg),
        }
    }

    async fn held(&self, number: i64, of: Vec<(Tenant, ConversationId)>) -> Result<Vec<Held>> {
        let mut held = match &self.embedded {
            Some(embedded) => embedded.held(number, of.clone()).await?,
            None => vec![Held::default(); of.len()],
        };
        if let Some(words) = &self.shared.words {
            let found = words.index().await?.held(number, &of).await?;
            for (held, (text, passages)) in held.iter_mut().zip(found) {
                *held = Held { text, passages, ..*held };
            }
        }
        if let Some(meaning) = &self.shared.meaning {
            let found = meaning.index().await?.held(number, &of).await?;
            for (held, (vectors, _)) in held.iter_mut().zip(found) {
                held.vectors = vectors;
            }
        }
        Ok(held)
    }
}
