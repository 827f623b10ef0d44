//! Finding the servers' programs: on PATH, where Debian puts them, and where `./run` puts them.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

use crate::environment;

/// The oldest PostgreSQL that is taken from where versions stand side by side.
const POSTGRES_AT_LEAST: u32 = 15;

/// The program's path, or what to do to get it.
pub(crate) fn find_program(name: &str) -> Result<PathBuf> {
    places().into_iter().map(|folder| folder.join(name)).find(|path| is_program(path)).ok_or_else(|| {
        anyhow!(
            "the program `{name}` was not found; `./run` installs it, or give database.url and redis.url to use servers of your own"
        )
    })
}

fn places() -> Vec<PathBuf> {
    let mut places = environment::path();
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            (version >= POSTGRES_AT_LEAST).then(|| (version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    places.extend(versions.into_iter().map(|(_, folder)| folder));
    let cache = environment::cache();
    places.push(cache.join("bin"));
    places.push(cache.join("postgres/bin"));
    places.push(PathBuf::from("/usr/local/lib/colloquy/postgres/bin"));
    places
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
