//! The embedding model and the embedded engines.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use colloquy_domain::{
    accounts::SystemScope,
    ids::ConversationId,
    jobs::{JobKind, Payload},
    ports::{
        Ports, SearchPorts,
        jobs::Signal,
        models::{Embedder, EmbeddingModel},
    },
};
use colloquy_embedded::{EmbeddedIndex, EmbeddedSettings, Identity, Opened};
use colloquy_models::{HashingEmbedder, MiniLm, MiniLmSettings};

use crate::config::{EmbeddingChoice, EmbeddingSettings};

const SCOPE: SystemScope = SystemScope::because("the indexes of every tenant are built again");
const PAGE: usize = 500;

/// Loads the model of the settings; it takes a moment.
pub(crate) async fn embedder(settings: &EmbeddingSettings) -> Result<Option<Arc<dyn Embedder>>> {
    match settings.model {
        EmbeddingChoice::None => Ok(None),
        EmbeddingChoice::Hashing => Ok(Some(Arc::new(HashingEmbedder::new()))),
        EmbeddingChoice::MiniLm => {
            let settings = MiniLmSettings {
                model_dir: settings.model_dir.clone(),
                runtime_library: settings.runtime_library.clone(),
                threads: settings.threads,
            };
            let model = tokio::task::spawn_blocking(move || MiniLm::start(&settings)).await?;
            let model = model.context(
                "the embedding model cannot be used; `./run` installs it, or set embedding.model = \"none\" to search by word alone",
            )?;
            Ok(Some(Arc::new(model)))
        }
    }
}

/// Where the embedded indexes stand.
pub(crate) fn index_folder(data: &Path) -> PathBuf {
    data.join("index")
}

/// The engines of this process, with all that they need.
pub(crate) struct Engines {
    index: EmbeddedIndex,
    embedder: Option<Arc<dyn Embedder>>,
    rebuilt: bool,
}

impl Engines {
    /// Opens the indexes below `data`, which only one process can.
    pub(crate) async fn open(
        data: &Path,
        ports: &Ports,
        embedder: Option<Arc<dyn Embedder>>,
    ) -> Result<Self> {
        let generation = ports.passages.generation(SCOPE).await?;
        let none = EmbeddingModel { name: "none".to_owned(), dimensions: 1 };
        let model = embedder.as_ref().map_or(&none, |embedder| embedder.model());
        let settings = EmbeddedSettings::new(index_folder(data), model.dimensions);
        let identity =
            Identity { generation: generation.number, log_id: generation.log_id, model: model.name.clone() };
        let opened = EmbeddedIndex::open(settings, identity).await?;
        let rebuilt = matches!(opened, Opened::Rebuilt(_));
        Ok(Self { index: opened.into_index(), embedder, rebuilt })
    }

    pub(crate) fn ports(&self) -> SearchPorts {
        SearchPorts {
            embedder: self.embedder.clone(),
            text: Some(self.index.text()),
            vectors: self.embedder.is_some().then(|| self.index.vectors()),
        }
    }

    /// Where the indexes began anew: enqueues every conversation for both. A crash in between begins again.
    pub(crate) async fn fill(&self, ports: &Ports) -> Result<()> {
        if !self.rebuilt {
            return Ok(());
        }
        let mut after: Option<ConversationId> = None;
        let mut conversations = 0_usize;
        loop {
            let page = ports.conversations.scan(SCOPE, after, PAGE).await?;
            let Some((_, last)) = page.last() else { break };
            after = Some(*last);
            conversations += page.len();
            let jobs = page.iter().flat_map(|(organization, conversation)| {
                [JobKind::IndexPassages, JobKind::EmbedPassages].map(|kind| {
                    let payload = Payload::Conversation { conversation_id: *conversation };
                    ports.new_job(kind, Some(*organization), payload)
                })
            });
            ports.ledger.enqueue(SCOPE, jobs.collect()).await?;
        }
        self.index.mark_complete().await?;
        if conversations > 0 {
            ports.signals.raise(Signal::Jobs);
            tracing::info!(conversations, "the search index is being built again");
        }
        Ok(())
    }

    pub(crate) async fn close(self) {
        self.index.close().await;
    }
}
