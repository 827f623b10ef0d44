//! What a key may look like, so that it is a path below the root and nothing else.

use std::path::{Path, PathBuf};

use colloquy_domain::{Error, Result};

const MAX_BYTES: usize = 512;
/// File systems take 255; the rest is for good measure.
const MAX_PART_BYTES: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    /// Parts of `A-Z a-z 0-9 _ - .` between slashes; no part begins with a dot.
    pub(crate) fn parse(key: &str) -> Result<Self> {
        let is_sound = key.len() <= MAX_BYTES && key.split('/').all(is_part);
        if !is_sound {
            let shown: String = key.chars().take(80).collect();
            return Err(Error::internal("use an object key", format!("`{shown}` is not one")));
        }
        Ok(Self(key.to_owned()))
    }

    /// `part` must be one.
    pub(crate) fn join(&self, part: &str) -> Self {
        Self(format!("{}/{part}", self.0))
    }

    pub(crate) fn path(&self, root: &Path) -> PathBuf {
        root.join(&self.0)
    }
}

pub(crate) fn is_part(part: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !part.is_empty() && part.len() <= MAX_PART_BYTES && !part.starts_with('.') && part.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_the_root_are_keys() {
        for good in ["a", "conversations/018f-aa/018f_bb", "a.txt", "a/b.c/d"] {
            assert!(Key::parse(good).is_ok(), "{good}");
        }
        let (long, deep) = ("a".repeat(MAX_PART_BYTES + 1), "a/".repeat(MAX_BYTES) + "a");
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            "..",
            "a/../b",
            "a/./b",
            ".hidden",
            "a b",
            "a\\b",
            "a\0",
            "ü",
        ] {
            assert!(Key::parse(bad).is_err(), "{bad}");
        }
        assert!(Key::parse(&long).is_err() && Key::parse(&deep).is_err());
    }
}
