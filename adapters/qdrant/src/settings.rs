//! How the server is reached.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize, Serializer};

/// Where vectors are, in the place of the embedded engine; all processes of an installation need the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QdrantSettings {
    /// Of the server's gRPC; none is to have vectors embedded.
    pub url: Option<String>,
    pub api_key: Option<Secret>,
    /// What the collections' names begin with: installations that share a server need different ones.
    pub collection_prefix: String,
    /// How long a call may take, with its repeats.
    pub timeout_ms: u64,
    /// Certificates (PEM) that the server's is to be checked with, in the place of the system's.
    pub ca_file: Option<PathBuf>,
    pub quantization: Quantization,
}

/// How vectors are kept for the first look; a second one goes by the vectors themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantization {
    #[default]
    None,
    /// A byte a number, in memory: a quarter of the space.
    Scalar,
}

impl Default for QdrantSettings {
    fn default() -> Self {
        Self {
            url: None,
            api_key: None,
            collection_prefix: "colloquy".to_owned(),
            timeout_ms: 10_000,
            ca_file: None,
            quantization: Quantization::None,
        }
    }
}

impl QdrantSettings {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Behind which the live generation stands.
    pub(crate) fn alias(&self) -> String {
        format!("{}-passages", self.collection_prefix)
    }

    /// The collection of one generation.
    pub(crate) fn collection(&self, generation: i64) -> String {
        format!("{}-passages-{generation}", self.collection_prefix)
    }

    /// What no server would take, in words for people.
    pub(crate) fn problem(&self) -> Option<String> {
        let prefix = &self.collection_prefix;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if prefix.is_empty() || prefix.len() > 100 || !prefix.chars().all(fits) {
            return Some(
                "qdrant.collection_prefix must hold letters, digits, - and _, and 100 at most".to_owned(),
            );
        }
        (self.timeout_ms == 0).then(|| "qdrant.timeout_ms must not be 0".to_owned())
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_shown() {
        let settings = QdrantSettings { api_key: Some(Secret::new("hunter2")), ..QdrantSettings::default() };
        assert!(!format!("{settings:?}").contains("hunter"), "{settings:?}");
    }

    #[test]
    fn what_no_server_would_take_is_told() {
        let with = |change: fn(&mut QdrantSettings)| {
            let mut settings = QdrantSettings::default();
            change(&mut settings);
            settings.problem()
        };
        assert_eq!(with(|_| {}), None);
        for change in [
            (|s| s.collection_prefix = "a/b".to_owned()) as fn(&mut QdrantSettings),
            |s| s.collection_prefix = String::new(),
            |s| s.timeout_ms = 0,
        ] {
            assert!(with(change).is_some());
        }
    }
}
