//! all-MiniLM-L6-v2, run by onnxruntime on threads of its own. Passages go through in small
//! runs, and a query waits for one of them at most (about 40 ms), never for a batch. The queue is bounded, and
//! what nobody waits for any longer is not computed. Texts beyond 256 tokens are cut, as the model was trained.

mod engine;
mod graph;
mod onnx;
mod pool;
mod tokens;
mod weights;

use std::{mem, path::PathBuf, sync::Arc, time::Instant};

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    ports::models::{Embedder, EmbeddingModel},
};
use serde::Deserialize;

use self::{
    engine::{Engine, Runtime},
    graph::DIMENSIONS,
    pool::{
        Pool,
        Priority::{Passages, Query},
    },
    tokens::{Tokenizer, micro_batches},
    weights::Weights,
};
use crate::telemetry;

/// Names the weights as well as the model: other weights, other vectors.
const MODEL: &str = "all-MiniLM-L6-v2-f32";

/// How many texts are tokenised as one piece of work.
const TOKENIZED_AT_ONCE: usize = 64;

const LOADING: &str = "load the local embedding model";
const EMBEDDING: &str = "embed texts";

/// Where the model's files are and how much of the machine it may use.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MiniLmSettings {
    /// The folder of `model.safetensors` and `tokenizer.json`.
    pub model_dir: PathBuf,
    /// onnxruntime's shared library, 1.24 or later. A process loads one, the first that is asked for.
    pub runtime_library: PathBuf,
    /// By default all processors but one, which is left to requests. Each thread holds the matrices
    /// once, about 45 MB; the table of words, 47 MB, is mapped from the file and shared.
    #[serde(default = "default_threads")]
    pub threads: usize,
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get() - 1).max(1)
}

impl MiniLmSettings {
    pub fn new(model_dir: impl Into<PathBuf>, runtime_library: impl Into<PathBuf>) -> Self {
        Self {
            model_dir: model_dir.into(),
            runtime_library: runtime_library.into(),
            threads: default_threads(),
        }
    }
}

/// Dropping it stops its threads after what they are computing; callers that wait get an error.
pub struct MiniLm {
    model: EmbeddingModel,
    tokenizer: Arc<Tokenizer>,
    pool: Pool<Engine>,
}

impl MiniLm {
    /// Loads the model once a thread and starts the threads: a few tenths of a second, blocking.
    ///
    /// `Unavailable` names the file that is missing or cannot be used.
    pub fn start(settings: &MiniLmSettings) -> Result<Self> {
        let weights = require(settings.model_dir.join("model.safetensors"))?;
        let vocabulary = require(settings.model_dir.join("tokenizer.json"))?;
        let library = require(settings.runtime_library.clone())?;

        let started = Instant::now();
        let tokenizer = Tokenizer::load(&vocabulary)?;
        let weights = Weights::read(&weights)?;
        let model = graph::build(&weights)?;
        let runtime = Runtime::load(&library)?;
        let threads = settings.threads.max(1);
        telemetry::describe();
        let embedder = Self {
            model: EmbeddingModel { name: MODEL.to_owned(), dimensions: DIMENSIONS },
            tokenizer: Arc::new(tokenizer),
            pool: Pool::start(threads, move || Engine::load(&runtime, &model, &weights.file))?,
        };
        tracing::info!(
            model = MODEL,
            threads,
            duration_ms = started.elapsed().as_millis() as u64,
            "local embedding model loaded"
        );
        Ok(embedder)
    }
}

#[async_trait]
impl Embedder for MiniLm {
    fn model(&self) -> &EmbeddingModel {
        &self.model
    }

    async fn embed_passages(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        let started = Instant::now();
        let mut tokens = self.tokenize(texts).await?;
        let mut vectors = vec![Vec::new(); tokens.len()];

        let lengths: Vec<usize> = tokens.iter().map(Vec::len).collect();
        let mut pending = Vec::new();
        for batch in micro_batches(&lengths) {
            let inputs: Vec<Vec<i64>> = batch.iter().map(|&text| mem::take(&mut tokens[text])).collect();
            pending.push((batch, self.pool.submit(Passages, move |engine| engine.embed(&inputs)).await?));
        }
        for (batch, answer) in pending {
            for (text, vector) in batch.into_iter().zip(answer.done().await?) {
                vectors[text] = vector;
            }
        }
        telemetry::record("passages", vectors.len(), started);
        Ok(vectors)
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        let started = Instant::now();
        let (tokenizer, text) = (Arc::clone(&self.tokenizer), text.to_owned());
        let answer = self.pool.submit(Query, move |engine| engine.embed(&[tokenizer.encode(&text)?])).await?;
        let vector = answer.done().await?.pop();
        telemetry::record("query", 1, started);
        vector.ok_or_else(|| Error::internal(EMBEDDING, "no vector came back"))
    }
}

impl MiniLm {
    /// On the threads as well: a thousand passages keep a processor busy for half a second.
    async fn tokenize(&self, mut texts: Vec<String>) -> Result<Vec<Vec<i64>>> {
        let mut pending = Vec::new();
        while !texts.is_empty() {
            let rest = texts.split_off(texts.len().min(TOKENIZED_AT_ONCE));
            let (chunk, tokenizer) = (mem::replace(&mut texts, rest), Arc::clone(&self.tokenizer));
            let encode = move |_: &mut Engine| chunk.iter().map(|text| tokenizer.encode(text)).collect();
            pending.push(self.pool.submit::<Vec<Vec<i64>>>(Passages, encode).await?);
        }
        let mut tokens = Vec::new();
        for answer in pending {
            tokens.append(&mut answer.done().await?);
        }
        Ok(tokens)
    }
}

fn require(file: PathBuf) -> Result<PathBuf> {
    if file.is_file() {
        return Ok(file);
    }
    let missing = format!("{} is missing; `./run` fetches it", file.display());
    Err(Error::unavailable(LOADING, missing))
}
