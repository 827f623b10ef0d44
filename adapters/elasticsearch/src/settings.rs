//! The section `elasticsearch` of the configuration.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize, Serializer};

use crate::index::FORMAT;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElasticsearchSettings {
    /// `https://host:9200`, of Elasticsearch 8 or 9 or of OpenSearch; without one the embedded engine finds words.
    pub url: Option<String>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// In the place of user and password, as the server shows it encoded.
    pub api_key: Option<Secret>,
    /// Begins the name of every index and of the alias, so that installations can share a cluster.
    pub index_prefix: String,
    /// For a request with all its repeats.
    pub timeout_ms: u64,
    /// The CA that issued the server's certificate, in PEM, beside those that browsers trust.
    pub ca_file: Option<PathBuf>,
}

impl Default for ElasticsearchSettings {
    fn default() -> Self {
        Self {
            url: None,
            user: None,
            password: None,
            api_key: None,
            index_prefix: "colloquy".to_owned(),
            timeout_ms: 10_000,
            ca_file: None,
        }
    }
}

impl ElasticsearchSettings {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Behind which the live generation stands.
    pub(crate) fn alias(&self) -> String {
        format!("{}-passages", self.index_prefix)
    }

    /// The index of one generation.
    pub(crate) fn index(&self, generation: i64) -> String {
        format!("{}-{FORMAT}.{generation}", self.alias())
    }

    /// Which one an index is, as this release writes them.
    pub(crate) fn generation_of(&self, index: &str) -> Option<i64> {
        let number = index.strip_prefix(&self.alias())?.strip_prefix(&format!("-{FORMAT}."))?;
        number.parse().ok()
    }

    /// Whether an index is a generation as an earlier release wrote them.
    pub(crate) fn is_outgrown(&self, index: &str) -> bool {
        let Some(rest) = index.strip_prefix(&self.alias()).and_then(|rest| rest.strip_prefix('-')) else {
            return false;
        };
        // The first had no number of their format.
        let (format, number) = rest.split_once('.').unwrap_or(("1", rest));
        number.parse::<i64>().is_ok() && format.parse::<u32>().is_ok_and(|format| format < FORMAT)
    }

    /// What no server would take, in words for people.
    pub(crate) fn problem(&self) -> Option<String> {
        let prefix = &self.index_prefix;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let begins = prefix.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !begins || prefix.len() > 100 || !prefix.chars().all(fits) {
            return Some(
                "elasticsearch.index_prefix must begin with a lower-case letter or a digit, and hold only those, - and _"
                    .to_owned(),
            );
        }
        if self.timeout_ms == 0 {
            return Some("elasticsearch.timeout_ms must not be 0".to_owned());
        }
        match (&self.user, &self.password, &self.api_key) {
            (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                Some("give elasticsearch.api_key, or user and password, not both".to_owned())
            }
            (Some(_), None, _) | (None, Some(_), _) => {
                Some("elasticsearch.user and elasticsearch.password go together".to_owned())
            }
            _ => None,
        }
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
        let settings = ElasticsearchSettings {
            password: Some(Secret::new("hunter2")),
            api_key: Some(Secret::new("hunter3")),
            ..ElasticsearchSettings::default()
        };
        let shown = format!("{settings:?} {}", serde_json::to_string(&settings).unwrap());
        assert!(!shown.contains("hunter"), "{shown}");
    }

    #[test]
    fn an_index_is_known_by_its_name() {
        let settings = ElasticsearchSettings::default();
        assert_eq!(settings.generation_of(&settings.index(7)), Some(7));
        for (name, is_outgrown) in [
            ("colloquy-passages-7", true),
            ("colloquy-passages-1.7", true),
            (settings.index(7).as_str(), false),
            ("colloquy-passages-99.7", false),
            ("colloquy-passages-of-ours", false),
            ("colloquy-passages", false),
        ] {
            assert_eq!(settings.is_outgrown(name), is_outgrown, "{name}");
        }
    }

    #[test]
    fn what_no_server_would_take_is_told() {
        let with = |change: fn(&mut ElasticsearchSettings)| {
            let mut settings = ElasticsearchSettings::default();
            change(&mut settings);
            settings.problem()
        };
        assert_eq!(with(|_| {}), None);
        for change in [
            (|s| s.index_prefix = "_x".to_owned()) as fn(&mut ElasticsearchSettings),
            |s| s.index_prefix = "a*".to_owned(),
            |s| s.index_prefix = String::new(),
            |s| s.timeout_ms = 0,
            |s| s.user = Some("ann".to_owned()),
            |s| {
                s.user = Some("ann".to_owned());
                s.password = Some(Secret::new("p"));
                s.api_key = Some(Secret::new("k"));
            },
        ] {
            assert!(with(change).is_some());
        }
    }
}
