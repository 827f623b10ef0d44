//! Where the set-up script puts the model.

use std::{env, path::PathBuf};

use colloquy_models::MiniLmSettings;

/// `None`, said aloud, where the model is not on this machine; a failure under `COLLOQUY_TEST_STRICT=1`.
#[allow(clippy::disallowed_methods, reason = "a test finds what the set-up left on this machine")]
#[allow(clippy::print_stderr, reason = "a test that is left out says so")]
pub(crate) fn settings() -> Option<MiniLmSettings> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("COLLOQUY_CACHE")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("colloquy")))
        .or_else(|| Some(variable("HOME")?.join(".cache/colloquy")))
        .unwrap_or_default();
    let settings = MiniLmSettings::new(
        cache.join("models/all-MiniLM-L6-v2"),
        cache.join("onnxruntime/libonnxruntime.so"),
    );
    if settings.model_dir.is_dir() && settings.runtime_library.is_file() {
        return Some(settings);
    }
    let strict = env::var("COLLOQUY_TEST_STRICT").is_ok_and(|value| value == "1");
    assert!(!strict, "the embedding model is not in {}; `./run` fetches it", cache.display());
    eprintln!("left out: the embedding model is not in {}; `./run` fetches it", cache.display());
    None
}
