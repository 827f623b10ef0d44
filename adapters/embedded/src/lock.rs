//! One process, one owner: an operating-system lock on a file in the folder. It goes with the process,
//! however that ends, so a crash leaves nothing that blocks the next start.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::Path,
    process,
};

use colloquy_domain::Error;

const DOING: &str = "lock the search index";

/// Held as long as anything of the index is open.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Fails at once when somebody else has the folder, in this process or another.
    pub(crate) fn acquire(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(|e| Error::unavailable(DOING, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(dir, &mut file)),
            Err(TryLockError::Error(e)) => return Err(Error::unavailable(DOING, e)),
        }
        note_owner(&mut file).map_err(|e| Error::unavailable(DOING, e))?;
        Ok(Self { _file: file })
    }
}

fn note_owner(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", process::id())?;
    file.flush()
}

fn in_use(dir: &Path, file: &mut File) -> Error {
    let mut owner = String::new();
    // Where a locked file cannot be read, the owner stays unknown.
    let pid = match file.read_to_string(&mut owner) {
        Ok(_) if !owner.is_empty() => format!("pid {owner}"),
        _ => "pid unknown".to_owned(),
    };
    let dir = dir.display();
    Error::conflict(
        "INDEX_IN_USE",
        format!(
            "the search index in {dir} is in use by another colloquy ({pid}); stop it or choose another data folder"
        ),
    )
}
