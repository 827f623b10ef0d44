//! Where the sample data stands, which is no part of the project.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The folder `name` of the sample data; `None`, said aloud, where it is absent.
#[allow(clippy::disallowed_methods, reason = "the environment says where the data is")]
#[allow(clippy::print_stderr, reason = "a test that is left out must say so")]
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = match env::var_os("COLLOQUY_TEST_DATA") {
        Some(root) => workspace.join(root),
        None => workspace.join("../shared/data"),
    };
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let strict = env::var_os("COLLOQUY_TEST_STRICT").is_some_and(|value| value == "1");
    assert!(!strict, "{} is absent, and COLLOQUY_TEST_STRICT forbids to leave it out", folder.display());
    eprintln!("left out: 1 (no sample data in {})", folder.display());
    None
}

/// Files below `folder` that end in `extension`, sorted.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = files_of(folder);
    found.retain(|path| path.extension().is_some_and(|found| found == extension));
    found
}

/// Files below `folder`, sorted.
pub(crate) fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}
