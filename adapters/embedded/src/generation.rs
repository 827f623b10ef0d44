//! One build of both engines, in a folder of its own. Everything that it acknowledged is there when it is opened
//! again, or it is found out to be damaged.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::search::{Held, OneGeneration},
};

use crate::{
    EmbeddedSettings,
    identity::{self, Identity, Stamp},
    lock::FolderLock,
    searches::Searches,
    text::{self, Text, engine::TextEngine},
    vectors::{Vectors, engine::VectorEngine},
    writer,
};

pub(crate) struct Generation {
    pub(crate) identity: Identity,
    pub(crate) text: Arc<Text>,
    pub(crate) vectors: Arc<Vectors>,
    dir: PathBuf,
    stamp: Stamp,
    lapsed: AtomicBool,
}

/// What every generation of a folder has in common.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) settings: EmbeddedSettings,
    pub(crate) lock: Arc<FolderLock>,
    pub(crate) searches: Searches,
}

enum Start {
    Open,
    Create,
}

impl Generation {
    /// What stands in its folder under this identity; `None` where that cannot be used.
    pub(crate) fn open(ground: &Ground, identity: &Identity, dimensions: usize) -> Result<Option<Self>> {
        let stamp = Stamp::of(identity, dimensions);
        let dir = folder(&ground.settings.dir, identity.generation);
        if !stamp.is_completed_in(&dir) {
            return Ok(None);
        }
        let engines = || engines(ground, &dir, dimensions, &stamp, Start::Open);
        match writer::guard(engines) {
            Ok(engines) => Self::over(engines, ground, identity, dimensions, dir, stamp).map(Some),
            Err(error) => {
                let generation = identity.generation;
                tracing::warn!(generation, error = error.chain(), "search index is damaged");
                Ok(None)
            }
        }
    }

    /// An empty one, in the place of whatever stands in its folder.
    pub(crate) fn create(ground: &Ground, identity: &Identity) -> Result<Self> {
        let (settings, dimensions) = (&ground.settings, ground.settings.dimensions);
        let dir = folder(&settings.dir, identity.generation);
        clear(&dir).map_err(|e| Error::unavailable("clear the search index", e))?;
        let made = fs::create_dir_all(&dir).and_then(|()| identity::sync_folder(&settings.dir));
        made.map_err(|e| Error::unavailable("make the search index", e))?;
        let stamp = Stamp::of(identity, dimensions);
        let engines = engines(ground, &dir, dimensions, &stamp, Start::Create)?;
        tracing::info!(generation = identity.generation, "search index made anew");
        Self::over(engines, ground, identity, dimensions, dir, stamp)
    }

    fn over(
        (text, vectors): (TextEngine, VectorEngine),
        ground: &Ground,
        identity: &Identity,
        dimensions: usize,
        dir: PathBuf,
        stamp: Stamp,
    ) -> Result<Self> {
        let Ground { settings, lock, searches } = ground;
        let settings = EmbeddedSettings { dimensions, ..settings.clone() };
        let text = Arc::new(Text::start(text, &settings, lock.clone(), searches.clone())?);
        let vectors = Arc::new(Vectors::start(vectors, &settings, lock.clone(), searches.clone())?);
        let lapsed = AtomicBool::new(identity::has_lapsed(&dir));
        Ok(Self { identity: identity.clone(), text, vectors, dir, stamp, lapsed })
    }

    pub(crate) fn number(&self) -> i64 {
        self.identity.generation
    }

    pub(crate) fn engines(&self) -> OneGeneration {
        let model = self.identity.model.clone();
        OneGeneration {
            model,
            lapsed: self.has_lapsed(),
            text: Some(self.text.clone()),
            vectors: Some(self.vectors.clone()),
        }
    }

    /// From now on it is used again when it is opened again.
    pub(crate) fn mark_complete(&self) -> Result<()> {
        self.stamp.complete(&self.dir)
    }

    /// It misses vectors from now on, since another model makes them: it is not to be searched by meaning again.
    pub(crate) fn mark_lapsed(&self) -> Result<()> {
        self.lapsed.store(true, Ordering::Relaxed);
        identity::mark_lapsed(&self.dir)
    }

    pub(crate) fn has_lapsed(&self) -> bool {
        self.lapsed.load(Ordering::Relaxed)
    }

    pub(crate) fn held(&self, of: &[(Tenant, ConversationId)]) -> Result<Vec<Held>> {
        let of_one = |(tenant, id): &(Tenant, ConversationId)| {
            let (text, passages) = self.text.held(*tenant, *id)?;
            Ok(Held { text, passages, vectors: self.vectors.held(*tenant, *id)? })
        };
        of.iter().map(of_one).collect()
    }

    /// In its folder, in bytes.
    pub(crate) fn size(&self) -> u64 {
        folders(&self.dir).iter().map(|folder| bytes_in(folder)).sum()
    }

    /// Lets what was handed in be written; later writes fail.
    pub(crate) fn stop(&self) {
        self.text.writer().stop();
        self.vectors.writer().stop();
    }

    /// Waits until its writers have ended; blocks.
    pub(crate) fn join(&self) {
        self.text.writer().join();
        self.vectors.writer().join();
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.stop();
    }
}

fn engines(
    ground: &Ground,
    dir: &Path,
    dimensions: usize,
    stamp: &Stamp,
    start: Start,
) -> Result<(TextEngine, VectorEngine)> {
    let [text, vectors] = folders(dir);
    let settings = &ground.settings;
    let (heap, map, threads) =
        (settings.writer_heap_bytes, settings.vector_map_bytes, settings.build_threads);
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

pub(crate) fn folder(root: &Path, number: i64) -> PathBuf {
    root.join(number.to_string())
}

fn folders(dir: &Path) -> [PathBuf; 2] {
    [dir.join("text"), dir.join("vectors")]
}

/// The mark goes first: a folder that is half cleared must not look complete.
pub(crate) fn clear(dir: &Path) -> io::Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    identity::forget(dir)?;
    fs::remove_dir_all(dir)
}

/// Those before generations had folders of their own stood in the root. The mark is moved last, so that a move that
/// was cut short goes on.
pub(crate) fn adopt(root: &Path) -> io::Result<()> {
    let Some(found) = identity::completed(root) else { return Ok(()) };
    let dir = folder(root, found.identity.generation);
    fs::create_dir_all(&dir)?;
    for name in ["text", "vectors", identity::FILE] {
        if root.join(name).exists() {
            fs::rename(root.join(name), dir.join(name))?;
        }
    }
    identity::sync_folder(&dir)?;
    identity::sync_folder(root)
}

/// Removes generations that do not stand any more, and what else is no generation.
pub(crate) fn sweep(root: &Path, standing: &[i64]) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let kept = standing.iter().any(|number| entry.file_name() == number.to_string().as_str());
        if !kept && entry.file_type()?.is_dir() {
            clear(&entry.path())?;
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
