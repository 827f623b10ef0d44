//! What ties an index to a database. Both engines carry the stamp in their own storage; the file beside them
//! is written last, when every conversation has been enqueued, so that a rebuild that was cut short starts
//! again.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use colloquy_domain::Error;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Grows with every change of what the engines store.
const FORMAT: u32 = 6;
pub(crate) const FILE: &str = "identity.json";
/// Stands beside it once the vectors are not all there.
const LAPSED: &str = "lapsed";

/// What the indexes must carry to be in step with PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The build of the search index that is live.
    pub generation: i64,
    /// The life of the event log: a restored database has another.
    pub log_id: Uuid,
    /// The model that made the vectors.
    pub model: String,
}

/// What a completed generation says of itself.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Mark {
    format: u32,
    pub(crate) dimensions: usize,
    pub(crate) identity: Identity,
}

/// Under which identity the generation in the folder was completed, as far as this release can use it. Asks nobody
/// who owns it, and changes nothing.
pub(crate) fn completed(dir: &Path) -> Option<Mark> {
    let mark: Mark = serde_json::from_slice(&fs::read(path(dir)).ok()?).ok()?;
    (mark.format == FORMAT).then_some(mark)
}

/// The identity with what this crate adds to it, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(String);

impl Stamp {
    pub(crate) fn of(identity: &Identity, dimensions: usize) -> Self {
        let stamp = serde_json::json!({ "format": FORMAT, "dimensions": dimensions, "identity": identity });
        Self(stamp.to_string())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the folder holds an index that was completed under this stamp.
    pub(crate) fn is_completed_in(&self, dir: &Path) -> bool {
        fs::read_to_string(path(dir)).is_ok_and(|found| found == self.0)
    }

    /// Survives a loss of power once it has returned.
    pub(crate) fn complete(&self, dir: &Path) -> Result<(), Error> {
        let write = || -> io::Result<()> {
            let draft = dir.join("identity.json.new");
            let mut file = File::create(&draft)?;
            file.write_all(self.0.as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, path(dir))?;
            sync_folder(dir)
        };
        write().map_err(|e| Error::unavailable("mark the search index complete", e))
    }
}

/// Takes the mark away, before anything else is.
pub(crate) fn forget(dir: &Path) -> io::Result<()> {
    match fs::remove_file(path(dir)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => sync_folder(dir),
    }
}

pub(crate) fn mark_lapsed(dir: &Path) -> Result<(), Error> {
    let write = || File::create(dir.join(LAPSED))?.sync_all().and_then(|()| sync_folder(dir));
    write().map_err(|e| Error::unavailable("mark the vector index", e))
}

pub(crate) fn has_lapsed(dir: &Path) -> bool {
    dir.join(LAPSED).exists()
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

pub(crate) fn sync_folder(dir: &Path) -> io::Result<()> {
    // Only Unix opens a folder as a file.
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}
