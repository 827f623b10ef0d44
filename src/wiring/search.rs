//! The embedding model and the embedded engines.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use colloquy_domain::{
    Result as DomainResult,
    accounts::{Actor, SystemScope},
    batches::rebuild,
    ids::ConversationId,
    jobs::{JobKind, NewJob, Payload},
    ports::{
        Ports, SearchPorts,
        jobs::Signal,
        models::{Embedder, EmbeddingModel},
        search::{IndexGenerations, Standing, TextIndex, VectorIndex},
        store::generations::GenerationStore,
    },
};
use colloquy_embedded::{EmbeddedIndex, EmbeddedSettings, Identity, Opened};
use colloquy_models::{HashingEmbedder, MiniLm, MiniLmSettings};
use colloquy_worker::Trouble;

use super::joined::{Joined, Shared};
use crate::config::{EmbeddingChoice, EmbeddingSettings};

pub(super) const SCOPE: SystemScope = SystemScope::because("the indexes of every tenant are built again");
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
    /// In the place of embedded ones.
    shared: Shared,
    embedder: Option<Arc<dyn Embedder>>,
    found: Found,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    InStep,
    /// Vectors of another model.
    Lapsed,
    Nothing,
}

/// How often the owner of the indexes looks which generations are to stand. Jobs that write look for themselves.
pub(super) const LOOK: Duration = Duration::from_secs(1);

impl Engines {
    /// Opens the indexes below `data`, which only one process can.
    pub(crate) async fn open(
        data: &Path,
        ports: &Ports,
        embedder: Option<Arc<dyn Embedder>>,
        shared: Shared,
    ) -> Result<Self> {
        let generations = ports.generations.find(SCOPE).await?;
        let none = EmbeddingModel { name: "none".to_owned(), dimensions: 1 };
        let model = embedder.as_ref().map_or(&none, |embedder| embedder.model());
        let settings = EmbeddedSettings::new(index_folder(data), model.dimensions);
        let identity = Identity {
            generation: generations.standing.live,
            log_id: generations.log_id,
            model: model.name.clone(),
        };
        let opened = EmbeddedIndex::open(settings, identity).await?;
        let found = match opened {
            Opened::InStep(_) => Found::InStep,
            Opened::Lapsed(_) => Found::Lapsed,
            Opened::Rebuilt(_) => Found::Nothing,
        };
        let engines = Self { index: opened.into_index(), shared, embedder, found };
        engines.align(ports).await?;
        Ok(engines)
    }

    /// The other generations, too. Where there is no way back any more, that is written down.
    async fn align(&self, ports: &Ports) -> Result<()> {
        let (generations, store) = (self.index.generations(), &ports.generations);
        let standing = store.find(SCOPE).await?.standing;
        let aligned = generations.align(standing, None).await;
        if let Some(standing) = without_lost(store, standing, aligned).await? {
            generations.align(standing, None).await?;
        }
        Ok(())
    }

    pub(crate) fn ports(&self) -> SearchPorts {
        let embedded = self.index.generations();
        let Shared { words, meaning } = &self.shared;
        let text: Arc<dyn TextIndex> = match words {
            Some(words) => words.clone(),
            None => self.index.text(),
        };
        let vectors: Arc<dyn VectorIndex> = match meaning {
            Some(meaning) => meaning.clone(),
            None => self.index.vectors(),
        };
        let generations: Arc<dyn IndexGenerations> = match self.shared.are_none() {
            true => embedded,
            false => Arc::new(Joined { shared: self.shared.clone(), embedded: Some(embedded) }),
        };
        SearchPorts {
            embedder: self.embedder.clone(),
            text: Some(text),
            vectors: self.embedder.is_some().then_some(vectors),
            generations: Some(generations),
        }
    }

    /// The engines on servers, which want to be watched by themselves.
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Where the indexes began anew: enqueues every conversation for both. A crash in between begins again.
    pub(crate) async fn fill(&self, ports: &Ports) -> Result<()> {
        if self.found != Found::Nothing {
            return Ok(());
        }
        let kinds = [JobKind::IndexPassages, JobKind::EmbedPassages];
        let conversations = enqueue_all(ports, &kinds).await?;
        self.index.mark_complete().await?;
        if conversations > 0 {
            tracing::info!(conversations, "the search index is being built again");
        }
        Ok(())
    }

    /// Where the vectors are of another model: has a batch of the local organization build a generation of this one,
    /// while words are found as before. What another model's batch had begun is of no use.
    pub(crate) async fn follow_model(&self, ports: &Ports, owner: &Actor) -> Result<()> {
        let generations = ports.generations.find(SCOPE).await?;
        if let (Some(number), Some(batch)) = (generations.standing.building, generations.building_batch) {
            let wanted = self.embedder.as_ref().map_or("none", |embedder| &embedder.model().name);
            let building = self.ports().generations.and_then(|generations| generations.only(number));
            if building.is_none_or(|building| building.model == wanted) {
                return Ok(());
            }
            let because = "the embedding model was changed while it was built";
            ports.generations.abandon(SCOPE, batch, Some(because)).await?;
            self.align(ports).await?;
        }
        let lapsed = match &self.shared.meaning {
            Some(meaning) => meaning.index().await?.has_lapsed(),
            None => self.found == Found::Lapsed,
        };
        if lapsed {
            let batch = rebuild::rebuild(ports, owner).await?;
            tracing::warn!(batch_id = %batch.id, "the live vectors are of another model: others are being built");
        }
        Ok(())
    }

    /// Until it is dropped: generations come and go as PostgreSQL has it, also while no job writes.
    pub(crate) fn watch(&self, ports: &Ports) -> impl Future<Output = ()> + Send + use<> {
        let (generations, ports) = (self.index.generations(), ports.clone());
        async move {
            let mut trouble = Trouble::new("look after search generations");
            loop {
                tokio::time::sleep(LOOK).await;
                let aligned = match ports.generations.find(SCOPE).await {
                    Ok(found) => generations.align(found.standing, None).await,
                    Err(error) => Err(error),
                };
                trouble.note(aligned);
            }
        }
    }

    pub(crate) async fn close(self) {
        self.index.close().await;
    }
}

/// Where an engine has no way back any more, that is written down; then it is what stands without it.
pub(super) async fn without_lost(
    store: &Arc<dyn GenerationStore>,
    standing: Standing,
    aligned: DomainResult<()>,
) -> DomainResult<Option<Standing>> {
    match (aligned, standing.previous) {
        (Err(error), Some(previous)) if error.code() == "GENERATION_LOST" => {
            tracing::warn!(generation = previous, "the search generation of before is lost");
            store.forget_previous(SCOPE, previous).await?;
            Ok(Some(store.find(SCOPE).await?.standing))
        }
        (aligned, _) => aligned.map(|()| None),
    }
}

/// Jobs of these kinds for every conversation that has no such job yet; how many conversations there are.
pub(super) async fn enqueue_all(ports: &Ports, kinds: &[JobKind]) -> DomainResult<usize> {
    let (mut after, mut conversations): (Option<ConversationId>, usize) = (None, 0);
    loop {
        let page = ports.conversations.scan(SCOPE, after, PAGE).await?;
        let Some((_, last)) = page.last() else { break };
        after = Some(*last);
        conversations += page.len();
        let jobs = page.iter().flat_map(|(organization, conversation)| {
            kinds.iter().map(move |kind| {
                let payload = Payload::Conversation { conversation_id: *conversation };
                let unique_key = Some(format!("fill:{conversation}"));
                NewJob { unique_key, ..ports.new_job(*kind, Some(*organization), payload) }
            })
        });
        ports.ledger.enqueue(SCOPE, jobs.collect()).await?;
    }
    if conversations > 0 {
        ports.signals.raise(Signal::Jobs);
    }
    Ok(conversations)
}
