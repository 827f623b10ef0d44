//! The section `redis` of the configuration.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSettings {
    /// `redis://[user:password@]host[:port][/database]`. `standalone` starts a private Redis where it is not
    /// given.
    pub url: Option<String>,
    /// Begins every key and channel, so that installations can share a Redis.
    pub prefix: String,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self { url: None, prefix: "colloquy".to_owned() }
    }
}

impl RedisSettings {
    /// The URL as it may be shown: without user and password.
    pub fn masked_url(&self) -> Option<String> {
        let url = self.url.as_deref()?;
        let Some((scheme, rest)) = url.split_once("://") else {
            return Some("***".to_owned());
        };
        Some(match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://***@{host}"),
            None => url.to_owned(),
        })
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("url", &self.masked_url())
            .field("prefix", &self.prefix)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let shown = |url: &str| {
            let settings = RedisSettings { url: Some(url.to_owned()), ..RedisSettings::default() };
            format!("{settings:?}")
        };
        assert!(shown("redis://127.0.0.1:6379/1").contains("redis://127.0.0.1:6379/1"));
        let masked = shown("rediss://worker:p@ss:w0rd@redis.internal:6380");
        assert!(masked.contains("rediss://***@redis.internal:6380"), "{masked}");
        assert!(!masked.contains("w0rd") && !masked.contains("worker"), "{masked}");
        assert!(!shown("hunter2@redis.internal").contains("hunter2"));
    }
}
