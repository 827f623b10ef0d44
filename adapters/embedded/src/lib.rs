//! Full text (tantivy) and vectors (hannoy over LMDB) in one process, behind the ports `TextIndex` and
//! `VectorIndex`. The folder belongs to one process at a time. Everything in it can be built again from
//! PostgreSQL: what is missing, damaged or of another database is thrown away and begun anew, never
//! repaired. Each engine has one writer thread, which commits for all who wait; searches read snapshots and
//! wait for nobody.

mod identity;
mod lock;
mod searches;
mod settings;
mod text;
mod vectors;
mod writer;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use colloquy_domain::{
    Error, Result,
    ports::search::{TextIndex, VectorIndex},
};
use tokio::task;

use self::{
    identity::Stamp,
    lock::FolderLock,
    searches::Searches,
    text::{Text, engine::TextEngine},
    vectors::{Vectors, engine::VectorEngine},
};
pub use self::{
    identity::{Identity, completed},
    settings::EmbeddedSettings,
};

const OPENING: &str = "open the search index";

/// What stood in the folder.
pub enum Opened {
    /// Everything that was acknowledged under this identity.
    InStep(EmbeddedIndex),
    /// Nothing that could be used. The index is empty now: enqueue the jobs that fill it, for every
    /// conversation, then call [`EmbeddedIndex::mark_complete`].
    Rebuilt(EmbeddedIndex),
}

impl Opened {
    pub fn into_index(self) -> EmbeddedIndex {
        match self {
            Self::InStep(index) | Self::Rebuilt(index) => index,
        }
    }
}

/// The one owner of a folder. Writers end when it is dropped; the folder is free again when what
/// [`text`](Self::text) and [`vectors`](Self::vectors) gave out is dropped too.
pub struct EmbeddedIndex {
    text: Arc<Text>,
    vectors: Arc<Vectors>,
    dir: PathBuf,
    stamp: Stamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Passages in the full text, and one for each conversation that has none or was removed.
    pub documents: u64,
    pub vectors: u64,
    pub bytes_on_disk: u64,
    pub text_commits: u64,
    pub vector_commits: u64,
}

impl EmbeddedIndex {
    /// Fails with the code `INDEX_IN_USE` when another owner has the folder.
    pub async fn open(settings: EmbeddedSettings, identity: Identity) -> Result<Opened> {
        let open = move || Self::open_blocking(&settings, &identity);
        task::spawn_blocking(open).await.map_err(|e| Error::internal(OPENING, e))?
    }

    fn open_blocking(settings: &EmbeddedSettings, identity: &Identity) -> Result<Opened> {
        fs::create_dir_all(&settings.dir).map_err(|e| Error::unavailable(OPENING, e))?;
        let lock = Arc::new(FolderLock::acquire(&settings.dir)?);
        let stamp = Stamp::of(identity, settings.dimensions);
        if stamp.is_completed_in(&settings.dir) {
            match writer::guard(|| Self::engines(settings, &stamp, Start::Open)) {
                Ok(engines) => return Self::over(engines, settings, stamp, lock).map(Opened::InStep),
                Err(error) => tracing::warn!(error = error.chain(), "search index is damaged and made anew"),
            }
        }
        clear(&settings.dir).map_err(|e| Error::unavailable("clear the search index", e))?;
        let engines = Self::engines(settings, &stamp, Start::Create)?;
        tracing::info!(generation = identity.generation, "search index made anew");
        Self::over(engines, settings, stamp, lock).map(Opened::Rebuilt)
    }

    fn engines(
        settings: &EmbeddedSettings,
        stamp: &Stamp,
        start: Start,
    ) -> Result<(TextEngine, VectorEngine)> {
        let [text, vectors] = folders(&settings.dir);
        let (heap, map) = (settings.writer_heap_bytes, settings.vector_map_bytes);
        let (dimensions, threads) = (settings.dimensions, settings.build_threads);
        let (text, vectors) = match start {
            Start::Create => (
                TextEngine::create(&text, stamp.clone(), heap),
                VectorEngine::create(&vectors, map, dimensions, threads, stamp),
            ),
            Start::Open => (
                TextEngine::open(&text, stamp.clone(), heap),
                VectorEngine::open(&vectors, map, dimensions, threads, stamp),
            ),
        };
        Ok((text.map_err(|e| text::engine::failed("open the text index", e))?, vectors?))
    }

    fn over(
        (text, vectors): (TextEngine, VectorEngine),
        settings: &EmbeddedSettings,
        stamp: Stamp,
        lock: Arc<FolderLock>,
    ) -> Result<Self> {
        let searches = Searches::new(settings.concurrent_searches);
        let text = Arc::new(Text::start(text, settings, lock.clone(), searches.clone())?);
        let vectors = Arc::new(Vectors::start(vectors, settings, lock, searches)?);
        Ok(Self { text, vectors, dir: settings.dir.clone(), stamp })
    }

    pub fn text(&self) -> Arc<dyn TextIndex> {
        self.text.clone()
    }

    pub fn vectors(&self) -> Arc<dyn VectorIndex> {
        self.vectors.clone()
    }

    /// Says that jobs for every conversation are enqueued. Until then each start begins anew.
    pub async fn mark_complete(&self) -> Result<()> {
        let (stamp, dir) = (self.stamp.clone(), self.dir.clone());
        let complete = move || stamp.complete(&dir);
        task::spawn_blocking(complete)
            .await
            .map_err(|e| Error::internal("mark the search index complete", e))?
    }

    /// Commits what was handed in and ends the writers; later writes fail.
    pub async fn close(self) {
        let close = move || {
            self.stop();
            self.text.writer().join();
            self.vectors.writer().join();
        };
        if let Err(error) = task::spawn_blocking(close).await {
            tracing::error!(error = %error, "search index did not close");
        }
    }

    pub async fn stats(&self) -> Result<Stats> {
        let (text, vectors, dir) = (self.text.clone(), self.vectors.clone(), self.dir.clone());
        let count = move || {
            Ok(Stats {
                documents: text.documents(),
                vectors: vectors.count()?,
                bytes_on_disk: folders(&dir).iter().map(|folder| bytes_in(folder)).sum(),
                text_commits: text.writer().commits(),
                vector_commits: vectors.writer().commits(),
            })
        };
        task::spawn_blocking(count).await.map_err(|e| Error::internal("measure the search index", e))?
    }

    fn stop(&self) {
        self.text.writer().stop();
        self.vectors.writer().stop();
    }
}

impl Drop for EmbeddedIndex {
    fn drop(&mut self) {
        self.stop();
    }
}

enum Start {
    Open,
    Create,
}

fn folders(dir: &Path) -> [PathBuf; 2] {
    [dir.join("text"), dir.join("vectors")]
}

/// The mark goes first: a folder that is half cleared must not look complete.
fn clear(dir: &Path) -> io::Result<()> {
    identity::forget(dir)?;
    for folder in folders(dir) {
        match fs::remove_dir_all(folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// Files may come and go while they are counted.
fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}
