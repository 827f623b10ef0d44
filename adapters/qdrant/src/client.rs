//! Calls of the server: authorized, repeated with growing pauses while the server is busy or away, and given up when
//! their time is over. The clients are those that `qdrant-client` generates, over a channel of our own: its own one
//! takes no certificate and repeats without pause.

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::{BuildHasher, Hasher},
    time::Duration,
};

use colloquy_domain::{Error, Result};
use qdrant_client::qdrant::{
    collections_client::CollectionsClient, points_client::PointsClient, qdrant_client::QdrantClient,
};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{
    Request, Response, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use crate::{
    fault::{Fault, is_transient, refused},
    settings::QdrantSettings,
};

const CONNECTING: &str = "connect to the vector server";
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often a connection is asked whether it lives.
const PULSE: Duration = Duration::from_secs(30);
/// Of one answer, in bytes: a page of vectors is far below it.
const LONGEST_ANSWER: usize = 64 << 20;

type Service = InterceptedService<Channel, Key>;

#[derive(Clone)]
pub(crate) struct Client {
    service: Service,
    timeout: Duration,
}

/// Goes with every call.
#[derive(Clone)]
pub(crate) struct Key(Option<MetadataValue<Ascii>>);

impl Interceptor for Key {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(key) = &self.0 {
            request.metadata_mut().insert("api-key", key.clone());
        }
        Ok(request)
    }
}

impl Client {
    /// No connection is made yet.
    pub(crate) fn new(settings: &QdrantSettings) -> Result<Self> {
        if let Some(problem) = settings.problem() {
            return Err(Error::internal(CONNECTING, problem));
        }
        let channel = endpoint(settings)?.connect_lazy();
        let service = InterceptedService::new(channel, Key(key(settings)?));
        Ok(Self { service, timeout: settings.timeout() })
    }

    pub(crate) fn points(&self) -> PointsClient<Service> {
        PointsClient::new(self.service.clone()).max_decoding_message_size(LONGEST_ANSWER)
    }

    pub(crate) fn collections(&self) -> CollectionsClient<Service> {
        CollectionsClient::new(self.service.clone())
    }

    pub(crate) fn server(&self) -> QdrantClient<Service> {
        QdrantClient::new(self.service.clone())
    }

    /// In whole seconds, as the server counts.
    pub(crate) fn patience(&self) -> u64 {
        self.timeout.as_secs().max(1)
    }

    /// The answer, or what the server says in its place once it is not busy. A call that is made again does what it did.
    pub(crate) async fn ask<T, F>(
        &self,
        doing: &'static str,
        call: impl Fn() -> F + Send + Sync,
    ) -> Result<Result<T, Status>>
    where
        T: Send,
        F: Future<Output = Result<Response<T>, Status>> + Send,
    {
        let deadline = Instant::now() + self.timeout;
        let mut pause = Pause::default();
        loop {
            let status = match timeout_at(deadline, call()).await {
                Err(_elapsed) => return Err(Error::unavailable(doing, Fault::Late(self.timeout))),
                Ok(Ok(answer)) => return Ok(Ok(answer.into_inner())),
                Ok(Err(status)) if !is_transient(status.code()) => return Ok(Err(status)),
                Ok(Err(status)) => status,
            };
            if !pause.before(deadline).await {
                return Err(refused(doing, status));
            }
        }
    }

    /// The answer to a call that is not to be refused.
    pub(crate) async fn expect<T, F>(
        &self,
        doing: &'static str,
        call: impl Fn() -> F + Send + Sync,
    ) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<Response<T>, Status>> + Send,
    {
        self.ask(doing, call).await?.map_err(|status| refused(doing, status))
    }
}

/// Pauses that double, each taken at random between half and all of it, so that clients do not come back together.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pause {
    /// False, and at once, where it would end after the deadline.
    async fn before(&mut self, deadline: Instant) -> bool {
        // The standard library's keys of hash maps are random, and all the chance that is needed here.
        let chance = (RandomState::new().build_hasher().finish() % 1_000) as f64 / 1_000.0;
        let pause = self.0.mul_f64(0.5 + chance / 2.0);
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        if Instant::now() + pause >= deadline {
            return false;
        }
        sleep(pause).await;
        true
    }
}

fn endpoint(settings: &QdrantSettings) -> Result<Endpoint> {
    let wrong = |why: &str| Error::internal(CONNECTING, format!("qdrant.url {why}"));
    let text = settings.url.clone().ok_or_else(|| wrong("is not set"))?;
    let endpoint = Endpoint::from_shared(text).map_err(|e| wrong(&format!("is no URL: {e}")))?;
    let uri = endpoint.uri();
    let authority =
        uri.authority().ok_or_else(|| wrong("must begin with http:// or https:// and name a host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("must not hold credentials; set qdrant.api_key"));
    }
    let secured = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(wrong("must begin with http:// or https:// and name a host")),
    };
    let endpoint = endpoint
        .timeout(settings.timeout())
        .connect_timeout(settings.timeout())
        .http2_keep_alive_interval(PULSE)
        .keep_alive_while_idle(true);
    if !secured {
        return Ok(endpoint);
    }
    let tls = match &settings.ca_file {
        None => ClientTlsConfig::new().with_native_roots(),
        Some(file) => {
            let pem = fs::read(file).map_err(|e| {
                Error::internal(CONNECTING, format!("qdrant.ca_file {}: {e}", file.display()))
            })?;
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
        }
    };
    endpoint.tls_config(tls).map_err(|e| Error::internal(CONNECTING, Fault::Connection(e)))
}

fn key(settings: &QdrantSettings) -> Result<Option<MetadataValue<Ascii>>> {
    let Some(key) = &settings.api_key else { return Ok(None) };
    let value = MetadataValue::try_from(key.expose());
    let mut value = value
        .map_err(|_value| Error::internal(CONNECTING, "qdrant.api_key has characters that no key has"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}
