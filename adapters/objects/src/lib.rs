//! Objects as files below one folder. What `put` returned for survives a power cut: the bytes are written
//! beside their place, synced, moved there, and the folder is synced. Only the owner can read them.

mod key;
mod walk;

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use colloquy_domain::{
    Error, Result,
    ports::objects::{ObjectReader, ObjectStore},
};
use uuid::Uuid;

use crate::key::{Key, is_part};

/// Names of files that are being written begin with it; keys cannot.
const UNFINISHED: &str = ".unfinished-";
/// An unfinished file this old was left by a crash.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone)]
pub struct LocalObjects {
    root: PathBuf,
}

impl LocalObjects {
    /// Makes the folder where it is missing.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        make_folder(&root).map_err(|error| Error::unavailable("make the object folder", error))?;
        Ok(Self { root })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let root = self.root.clone();
        tokio::task::spawn_blocking(move || work(&root))
            .await
            .map_err(|error| Error::internal(doing, error))?
            .map_err(|error| Error::unavailable(doing, error))
    }
}

#[async_trait]
impl ObjectStore for LocalObjects {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        let key = Key::parse(key)?;
        self.blocking("write an object", move |root| put(root, &key, &bytes)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let key = Key::parse(key)?;
        self.blocking("read an object", move |root| match fs::read(key.path(root)) {
            Ok(bytes) => Ok(Some(Bytes::from(bytes))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn open(&self, key: &str) -> Result<Option<Box<dyn ObjectReader>>> {
        let key = Key::parse(key)?;
        self.blocking("open an object", move |root| match File::open(key.path(root)) {
            Ok(file) if file.metadata()?.is_file() => Ok(Some(Box::new(file) as Box<dyn ObjectReader>)),
            Ok(_) => Ok(None),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn has(&self, key: &str) -> Result<bool> {
        let key = Key::parse(key)?;
        self.blocking("look for an object", move |root| Ok(key.path(root).is_file())).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let key = Key::parse(key)?;
        self.blocking("delete an object", move |root| delete(root, &key)).await
    }

    async fn delete_below(&self, folder: &str) -> Result<()> {
        let folder = Key::parse(folder)?;
        self.blocking("delete a folder of objects", move |root| delete_below(root, &folder)).await
    }

    async fn list(&self, age: Duration, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        let after = after.map(str::to_owned);
        self.blocking("list objects", move |root| walk::list(root, age, after.as_deref(), limit)).await
    }
}

fn put(root: &Path, key: &Key, bytes: &[u8]) -> io::Result<()> {
    let path = key.path(root);
    let folder = path.parent().unwrap_or(root);
    #[expect(clippy::disallowed_methods, reason = "a name for a file that lives for milliseconds")]
    let unfinished = folder.join(format!("{UNFINISHED}{}", Uuid::new_v4()));
    // A delete may prune the folder between its making and its use.
    let mut file = loop {
        make_folder(folder)?;
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished) {
            Ok(file) => break file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    };
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&unfinished, &path));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written?;
    sync(folder)
}

fn delete(root: &Path, key: &Key) -> io::Result<()> {
    let path = key.path(root);
    match fs::remove_file(&path) {
        Ok(()) => prune(root, path.parent().unwrap_or(root)),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What is being written there at this moment stays.
fn delete_below(root: &Path, folder: &Key) -> io::Result<()> {
    let path = folder.path(root);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if is_missing(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| is_part(name)) else { continue };
        if entry.file_type()?.is_dir() {
            delete_below(root, &folder.join(name))?;
            continue;
        }
        match fs::remove_file(entry.path()) {
            Err(error) if !is_missing(&error) => return Err(error),
            _ => {}
        }
    }
    prune(root, &path)
}

/// Removes the folder and those above it, as far as they are empty.
fn prune(root: &Path, folder: &Path) -> io::Result<()> {
    for folder in folder.ancestors().take_while(|folder| *folder != root) {
        sync(folder)?;
        match fs::remove_dir(folder) {
            Ok(()) => {}
            // Something else is in it, or somebody else was quicker.
            Err(_) => return Ok(()),
        }
    }
    sync(root)
}

/// With all above it; each new one is for the owner alone, and stands after a power cut.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => return Ok(()),
        // The parent was pruned meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return make_folder(folder),
        Err(error) => return Err(error),
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    match folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => sync(parent),
        None => Ok(()),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        // Pruned, together with what would have been synced.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Also where a part of the key is a file, or the whole of it a folder.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

fn is_unfinished(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(UNFINISHED))
}
