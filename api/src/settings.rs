//! The settings of the HTTP edge: the section `http` of the configuration.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use colloquy_schema::limits::Limits;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Where to listen. Loopback unless it is changed: put a proxy that speaks TLS before anything else.
    pub bind: SocketAddr,
    /// Origins of web pages on other hosts that may call the API, such as `https://app.example.com`; `*` is all.
    /// None by default, and then no CORS header is sent.
    pub cors_origins: Vec<String>,
    /// Proxies in a row before this, each of which appends to `X-Forwarded-For` whom it was called by. So many of the
    /// header's last addresses are believed; with 0 the header is ignored, for anybody can send one.
    pub trusted_proxies: usize,
    /// Bytes of a JSON body, or of the `operations` of an upload.
    pub max_body_bytes: u64,
    /// Bytes of an upload as a whole.
    pub max_upload_bytes: u64,
    /// Files in one upload.
    pub max_upload_files: usize,
    /// Bytes of memory for all uploads that are being read or worked on; others wait for theirs.
    pub upload_memory_bytes: u64,
    /// Time for a client to send a JSON body.
    pub body_timeout_ms: u64,
    /// Time for a client to send an upload, and to wait for the memory.
    pub upload_timeout_ms: u64,
    /// Time for a query or a mutation. A query is given up then; a mutation goes on without its client.
    pub request_timeout_ms: u64,
    /// Documents that clients may name by their SHA-256 once they have sent them (`extensions.persistedQuery`):
    /// this process remembers so many, and none with 0.
    pub persisted_documents: usize,
    /// WebSockets and event streams.
    pub live: LiveSettings,
    /// What a GraphQL document may cost.
    pub limits: Limits,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 4000)),
            cors_origins: Vec::new(),
            trusted_proxies: 0,
            max_body_bytes: 1 << 20,
            max_upload_bytes: 64 << 20,
            max_upload_files: 10,
            upload_memory_bytes: 256 << 20,
            body_timeout_ms: 30_000,
            upload_timeout_ms: 300_000,
            request_timeout_ms: 30_000,
            persisted_documents: 1_000,
            live: LiveSettings::default(),
            limits: Limits::default(),
        }
    }
}

/// What holds for WebSockets and, as far as they have it, for event streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveSettings {
    /// WebSockets and event streams open at once in this process.
    pub max_connections: usize,
    /// Operations running at once on one WebSocket.
    pub max_operations: usize,
    /// Bytes of one message from a client.
    pub max_message_bytes: usize,
    /// Time for a client to send `connection_init`.
    pub init_timeout_ms: u64,
    /// A WebSocket gets a ping, an event stream a comment, about this often. A client that has not been heard of
    /// by the next ping is gone.
    pub ping_interval_ms: u64,
    /// Time for a client to take one message.
    pub send_timeout_ms: u64,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            max_connections: 5_000,
            max_operations: 50,
            max_message_bytes: 256 << 10,
            init_timeout_ms: 10_000,
            ping_interval_ms: 20_000,
            send_timeout_ms: 30_000,
        }
    }
}

impl HttpSettings {
    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }

    pub(crate) fn upload_timeout(&self) -> Duration {
        Duration::from_millis(self.upload_timeout_ms)
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }
}

impl LiveSettings {
    pub(crate) fn init_timeout(&self) -> Duration {
        Duration::from_millis(self.init_timeout_ms)
    }

    pub(crate) fn ping_interval(&self) -> Duration {
        Duration::from_millis(self.ping_interval_ms.max(1))
    }

    pub(crate) fn send_timeout(&self) -> Duration {
        Duration::from_millis(self.send_timeout_ms)
    }
}
