//! What the environment says to the tests, and how a test is left out.

#![expect(clippy::disallowed_methods, reason = "the environment tells tests where things are")]

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
};

pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Names of the variables that would change what the binary does.
pub(super) fn foreign_settings() -> Vec<String> {
    let ours = |name: &String| {
        name.starts_with("COLLOQUY_") && !["COLLOQUY_CACHE", "COLLOQUY_TEST_DATA"].contains(&name.as_str())
    };
    env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(ours).collect()
}

/// Where `./run` keeps the model and programs.
pub(crate) fn cache() -> PathBuf {
    let home = || PathBuf::from(variable("HOME").unwrap_or_default()).join(".cache");
    let folder = || variable("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("colloquy");
    variable("COLLOQUY_CACHE").map_or_else(folder, PathBuf::from)
}

pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder or file of the sample data, which is no part of the project.
pub(crate) fn test_data(name: &str) -> Option<PathBuf> {
    let root = variable("COLLOQUY_TEST_DATA").unwrap_or_else(|| "../shared/data".to_owned());
    Some(workspace().join(root).join(name)).filter(|path| path.exists())
}

/// Says that a test is left out; a failure under `COLLOQUY_TEST_STRICT=1`.
pub(crate) fn left_out(test: &str, why: &str) {
    let strict = variable("COLLOQUY_TEST_STRICT").is_some_and(|value| value == "1");
    assert!(!strict, "{why}, and COLLOQUY_TEST_STRICT forbids to leave the test out");
    // Past the harness, which keeps what passing tests print.
    let _unread = writeln!(std::io::stderr(), "left out: 1 ({test}: {why})");
}
