//! Rankings that searches keep for their next pages. They stand in so many places and no more: one that falls into
//! another's place takes it, so that Redis never holds more than a bounded sum of them, and whoever comes back for the
//! other ranks anew. A search never waits long for Redis, and where Redis did not answer it is left alone for a while.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use colloquy_domain::{Error, Result, ports::search::Rankings};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::time::{Instant, timeout};

use crate::RedisSettings;

/// At most about 75 KB each.
const PLACES: u32 = 1_024;
const KEPT: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_millis(250);
const LEFT_ALONE: Duration = Duration::from_secs(5);

pub struct RedisRankings {
    connection: ConnectionManager,
    prefix: String,
    /// Until when nothing is asked.
    silent: Mutex<Option<Instant>>,
}

impl RedisRankings {
    /// Does not connect yet. Needs a Tokio runtime.
    pub fn new(settings: &RedisSettings) -> Result<Self> {
        const DOING: &str = "open the connection to Redis";
        let url = settings.url.as_deref().ok_or_else(|| Error::internal(DOING, "redis.url is not set"))?;
        let client = redis::Client::open(url).map_err(|error| Error::internal(DOING, error))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(1);
        let connection =
            client.get_connection_manager_lazy(config).map_err(|error| Error::internal(DOING, error))?;
        Ok(Self { connection, prefix: settings.prefix.clone(), silent: Mutex::new(None) })
    }

    fn place(&self, key: &[u8; 32]) -> String {
        let [a, b, c, d, ..] = *key;
        format!("{}:ranking:{}", self.prefix, u32::from_be_bytes([a, b, c, d]) % PLACES)
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Result<T> {
        const DOING: &str = "keep a ranking in Redis";
        let silent = |until: Option<Instant>| {
            let mut silent = self.silent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *silent = until.or(*silent);
            *silent
        };
        if silent(None).is_some_and(|until| Instant::now() < until) {
            return Err(Error::unavailable(DOING, "Redis did not answer a moment ago"));
        }
        let mut connection = self.connection.clone();
        let answer = match timeout(PATIENCE, command.query_async(&mut connection)).await {
            Ok(answer) => answer.map_err(|error| Error::unavailable(DOING, error)),
            Err(late) => Err(Error::unavailable(DOING, late)),
        };
        if answer.is_err() {
            silent(Some(Instant::now() + LEFT_ALONE));
        }
        answer
    }
}

#[async_trait]
impl Rankings for RedisRankings {
    async fn keep(&self, key: [u8; 32], ranking: Vec<u8>) -> Result<()> {
        let value = [&key[..], &ranking].concat();
        let mut command = redis::cmd("SET");
        command.arg(self.place(&key)).arg(value).arg("PX").arg(KEPT.as_millis() as u64);
        self.ask(&command).await
    }

    async fn find(&self, key: [u8; 32]) -> Result<Option<Vec<u8>>> {
        let found: Option<Vec<u8>> = self.ask(redis::cmd("GET").arg(self.place(&key))).await?;
        Ok(found.and_then(|value| value.strip_prefix(&key[..]).map(<[u8]>::to_vec)))
    }
}
