//! Full text (tantivy) and vectors (hannoy over LMDB) in one process, behind the ports `TextIndex` and
//! `VectorIndex`. The folder belongs to one process at a time and holds generations: one is searched, another may
//! be built beside it. Everything in it can be built again from PostgreSQL: what is missing, damaged or of another
//! database is thrown away and begun anew, never repaired. Each engine has one writer thread, which commits for all
//! who wait; searches read snapshots and wait for nobody.

mod generation;
mod identity;
mod lock;
mod searches;
mod settings;
mod standing;
mod text;
mod vectors;
mod writer;

use std::{fs, path::Path, sync::Arc};

use colloquy_domain::{
    Error, Result,
    ports::search::{IndexGenerations, TextIndex, VectorIndex},
};
use tokio::task;

use self::{
    generation::{Generation, Ground},
    lock::FolderLock,
    searches::Searches,
    standing::{Change, LiveText, LiveVectors, Shelf},
};
pub use self::{identity::Identity, settings::EmbeddedSettings};

const OPENING: &str = "open the search index";
/// Counts passages that an engine was told something new of.
const WRITTEN: &str = "colloquy_passages_written_total";

/// What stood in the folder.
#[derive(Debug)]
pub enum Opened {
    /// Everything that was acknowledged under this identity.
    InStep(EmbeddedIndex),
    /// The same for words; the vectors are another model's, or miss what was written while another model was in
    /// use, and are not searched. A generation is to be built that has them.
    Lapsed(EmbeddedIndex),
    /// Nothing that could be used. The index is empty now: enqueue the jobs that fill it, for every
    /// conversation, then call [`EmbeddedIndex::mark_complete`].
    Rebuilt(EmbeddedIndex),
}

impl Opened {
    pub fn into_index(self) -> EmbeddedIndex {
        match self {
            Self::InStep(index) | Self::Lapsed(index) | Self::Rebuilt(index) => index,
        }
    }
}

/// The one owner of a folder. Writers end when it is dropped; the folder is free again when what
/// [`text`](Self::text), [`vectors`](Self::vectors) and [`generations`](Self::generations) gave out is dropped too.
#[derive(Debug)]
pub struct EmbeddedIndex {
    shelf: Arc<Shelf>,
}

/// Of the live generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Passages in the full text, and one for each conversation that has none or was removed.
    pub documents: u64,
    pub vectors: u64,
    pub bytes_on_disk: u64,
    pub text_commits: u64,
    pub vector_commits: u64,
}

/// Under which identity the generation of this number was completed in the folder, as far as this release can use it.
/// Asks nobody who owns it, and changes nothing.
pub fn completed(dir: &Path, number: i64) -> Option<Identity> {
    let found = identity::completed(&generation::folder(dir, number)).or_else(|| identity::completed(dir));
    found.map(|mark| mark.identity)
}

impl EmbeddedIndex {
    /// Opens the live generation, which the identity names; [`IndexGenerations::align`] opens the others. Fails with
    /// the code `INDEX_IN_USE` when another owner has the folder.
    pub async fn open(settings: EmbeddedSettings, identity: Identity) -> Result<Opened> {
        let open = move || Self::open_blocking(settings, identity);
        task::spawn_blocking(open).await.map_err(|e| Error::internal(OPENING, e))?
    }

    fn open_blocking(settings: EmbeddedSettings, identity: Identity) -> Result<Opened> {
        fs::create_dir_all(&settings.dir).map_err(|e| Error::unavailable(OPENING, e))?;
        let lock = Arc::new(FolderLock::acquire(&settings.dir)?);
        generation::adopt(&settings.dir).map_err(|e| Error::unavailable(OPENING, e))?;
        let searches = Searches::new(settings.concurrent_searches);
        let ground = Ground { settings, lock, searches };
        let over = |live| Self { shelf: Arc::new(Shelf::new(ground.clone(), identity.clone(), live)) };
        let Some(live) = Self::find(&ground, &identity)? else {
            return Generation::create(&ground, &identity).map(over).map(Opened::Rebuilt);
        };
        if live.identity.model != identity.model {
            // Before the first write that leaves its vectors out.
            live.mark_lapsed()?;
        }
        Ok(if live.has_lapsed() { Opened::Lapsed(over(live)) } else { Opened::InStep(over(live)) })
    }

    /// What there is of this generation and this database, whatever model made its vectors.
    fn find(ground: &Ground, identity: &Identity) -> Result<Option<Generation>> {
        let dir = generation::folder(&ground.settings.dir, identity.generation);
        let Some(mark) = identity::completed(&dir) else { return Ok(None) };
        let same = (mark.identity.generation, mark.identity.log_id) == (identity.generation, identity.log_id)
            && (mark.identity.model != identity.model || mark.dimensions == ground.settings.dimensions);
        if !same {
            return Ok(None);
        }
        Generation::open(ground, &mark.identity, mark.dimensions)
    }

    pub fn text(&self) -> Arc<dyn TextIndex> {
        Arc::new(LiveText(self.shelf.clone()))
    }

    pub fn vectors(&self) -> Arc<dyn VectorIndex> {
        Arc::new(LiveVectors(self.shelf.clone()))
    }

    pub fn generations(&self) -> Arc<dyn IndexGenerations> {
        Arc::new(Change(self.shelf.clone()))
    }

    /// Says that jobs for every conversation are enqueued. Until then each start begins anew.
    pub async fn mark_complete(&self) -> Result<()> {
        let live = self.shelf.live();
        task::spawn_blocking(move || live.mark_complete())
            .await
            .map_err(|e| Error::internal("mark the search index complete", e))?
    }

    /// Commits what was handed in and ends the writers; later writes fail.
    pub async fn close(self) {
        let close = move || {
            self.stop();
            self.shelf.all().iter().for_each(|one| one.join());
        };
        if let Err(error) = task::spawn_blocking(close).await {
            tracing::error!(error = %error, "search index did not close");
        }
    }

    pub async fn stats(&self) -> Result<Stats> {
        let live = self.shelf.live();
        let count = move || {
            Ok(Stats {
                documents: live.text.documents(),
                vectors: live.vectors.count()?,
                bytes_on_disk: live.size(),
                text_commits: live.text.writer().commits(),
                vector_commits: live.vectors.writer().commits(),
            })
        };
        task::spawn_blocking(count).await.map_err(|e| Error::internal("measure the search index", e))?
    }

    fn stop(&self) {
        self.shelf.all().iter().for_each(|one| one.stop());
    }
}

impl Drop for EmbeddedIndex {
    fn drop(&mut self) {
        self.stop();
    }
}
