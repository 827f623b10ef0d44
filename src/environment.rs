//! What is read from the process's environment besides the configuration; nothing else reads it.

#![expect(clippy::disallowed_methods, reason = "this is the environment's one door beside the configuration")]

use std::{env, ffi::OsString, path::PathBuf};

/// What this process was called with, without its own name.
pub(crate) fn arguments() -> Vec<OsString> {
    env::args_os().skip(1).collect()
}

/// The folders of `PATH`.
pub(crate) fn path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// Where `./run` keeps the model and programs.
pub(crate) fn cache() -> PathBuf {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("COLLOQUY_CACHE").unwrap_or_else(|| {
        let home = || folder("HOME").unwrap_or_else(|| PathBuf::from(".")).join(".cache");
        folder("XDG_CACHE_HOME").unwrap_or_else(home).join("colloquy")
    })
}

/// Where a user's settings and credentials stand.
pub(crate) fn user_config() -> PathBuf {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || folder("HOME").unwrap_or_else(|| PathBuf::from(".")).join(".config");
    folder("XDG_CONFIG_HOME").unwrap_or_else(home).join("colloquy")
}

/// A variable's name as it stands in the environment, which is known in other cases.
pub(crate) fn variable_like(name: &str) -> Option<String> {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.into_iter().find(|other| other.eq_ignore_ascii_case(name))
}
