//! Requests to the server: authorized, repeated with growing pauses while the server is busy or away, and given up
//! when their time is over. The crate underneath has neither time-outs nor repeats of its own.

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::{BuildHasher, Hasher},
    time::Duration,
};

use bytes::Bytes;
use colloquy_domain::{Error, Result};
use elasticsearch::{
    Elasticsearch,
    auth::Credentials,
    cert::{Certificate, CertificateValidation},
    http::{
        Method, Url,
        headers::{AUTHORIZATION, HeaderMap, HeaderValue},
        transport::{SingleNodeConnectionPool, TransportBuilder},
    },
};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    fault::{Fault, refused},
    settings::ElasticsearchSettings,
};

const CONNECTING: &str = "connect to the search server";
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(crate) struct Client {
    server: Elasticsearch,
    headers: HeaderMap,
    timeout: Duration,
}

/// One request; sent again, it does what it did.
pub(crate) struct Request {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Bytes>,
}

impl Request {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None }
    }

    pub(crate) fn with(mut self, query: &[(&'static str, &str)]) -> Self {
        self.query = query.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes(Bytes::from(body.to_string()))
    }

    pub(crate) fn bytes(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The machine-readable kind of a refusal.
    pub(crate) fn kind(&self) -> &str {
        self.body["error"]["type"].as_str().unwrap_or_default()
    }
}

/// Whether the same request may be taken a moment later.
pub(crate) fn is_transient(status: u64) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

impl Client {
    pub(crate) fn new(settings: &ElasticsearchSettings) -> Result<Self> {
        if let Some(problem) = settings.problem() {
            return Err(Error::internal(CONNECTING, problem));
        }
        let url = address(settings)?;
        let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(url)).enable_meta_header(false);
        if let (Some(user), Some(password)) = (&settings.user, &settings.password) {
            builder = builder.auth(Credentials::Basic(user.clone(), password.expose().to_owned()));
        }
        if let Some(file) = &settings.ca_file {
            let pem = fs::read(file).map_err(|e| {
                Error::internal(CONNECTING, format!("elasticsearch.ca_file {}: {e}", file.display()))
            })?;
            let authority = Certificate::from_pem(&pem).map_err(|e| Error::internal(CONNECTING, e))?;
            builder = builder.cert_validation(CertificateValidation::Full(authority));
        }
        let transport = builder.build().map_err(|e| Error::internal(CONNECTING, e))?;
        let headers = authorization(settings)?;
        Ok(Self { server: Elasticsearch::new(transport), headers, timeout: settings.timeout() })
    }

    /// What is left of a search's time when the server has to give up, in its own notation.
    pub(crate) fn patience(&self) -> String {
        format!("{}ms", (self.timeout.as_millis() * 9 / 10).max(1))
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// The answer, whatever it says, once the server is not busy.
    pub(crate) async fn ask(&self, doing: &'static str, request: Request) -> Result<Answer> {
        let deadline = self.deadline();
        let mut pause = Pause::default();
        loop {
            let fault = match timeout_at(deadline, self.once(&request)).await {
                Err(_elapsed) => return Err(Error::unavailable(doing, Fault::Late(self.timeout))),
                Ok(Ok(answer)) if !is_transient(answer.status.into()) => return Ok(answer),
                Ok(Ok(answer)) => Fault::of(&answer),
                Ok(Err(error)) => Fault::Connection(error),
            };
            if !pause.before(deadline).await {
                return Err(Error::unavailable(doing, fault));
            }
        }
    }

    /// The body of an answer that says yes.
    pub(crate) async fn expect(&self, doing: &'static str, request: Request) -> Result<Value> {
        let answer = self.ask(doing, request).await?;
        if answer.is_ok() { Ok(answer.body) } else { Err(refused(doing, &answer)) }
    }

    async fn once(&self, request: &Request) -> Result<Answer, elasticsearch::Error> {
        let Request { method, path, query, body } = request;
        let query = (!query.is_empty()).then_some(query.as_slice());
        let sent = self.server.send(*method, path, self.headers.clone(), query, body.clone(), None);
        let response = sent.await?;
        let status = response.status_code().as_u16();
        let text = response.text().await?;
        // A proxy before the server may answer in prose.
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or_default() })
    }
}

/// Pauses that double, each taken at random between half and all of it, so that clients do not come back together.
pub(crate) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pause {
    /// False, and at once, where it would end after the deadline.
    pub(crate) async fn before(&mut self, deadline: Instant) -> bool {
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

fn address(settings: &ElasticsearchSettings) -> Result<Url> {
    let wrong = |why: &str| Error::internal(CONNECTING, format!("elasticsearch.url {why}"));
    let text = settings.url.as_deref().ok_or_else(|| wrong("is not set"))?;
    let url = Url::parse(text).map_err(|e| wrong(&format!("is no URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("must begin with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must not hold credentials; set elasticsearch.user and elasticsearch.password"));
    }
    Ok(url)
}

fn authorization(settings: &ElasticsearchSettings) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(key) = &settings.api_key {
        let value = HeaderValue::from_str(&format!("ApiKey {}", key.expose()));
        let mut value = value.map_err(|_value| {
            Error::internal(CONNECTING, "elasticsearch.api_key has characters that no key has")
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}
