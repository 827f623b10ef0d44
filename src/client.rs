//! A client of the GraphQL API: one request and its answer, uploads, and patience where asking again is safe.

mod archives;
mod audit;
mod batches;
mod credentials;
mod erasures;
mod export;
mod import;
mod jobs;
mod progress;
mod schedules;
mod search;
mod server;
mod shapes;
mod socket;
mod trouble;
mod verify;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use bytes::Bytes;
use reqwest::{
    Response, StatusCode,
    header::{ACCEPT, RETRY_AFTER},
    multipart::{Form, Part},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;

pub(crate) use archives::ArchiveEntry;
pub(crate) use audit::AuditEntry;
pub(crate) use batches::Batch;
pub(crate) use credentials::{Credential, Credentials};
pub(crate) use erasures::{Erasure, Named, PersonRef, Removed};
pub(crate) use export::{ExportedConversation, ExportedFile, Which};
pub(crate) use import::{
    ConversationRef, ImportInput, Imported, Preview, PreviewTurn, Report, ReportNote, Source,
};
pub(crate) use jobs::{AttemptError, Counts, Job, JobFilter, QueueStats, QueueWatch};
pub(crate) use progress::{Stage, Watch};
pub(crate) use schedules::Schedule;
pub(crate) use search::{Fragment, Hit, Match, SearchFilter, SearchInput, Searched, Shape};
pub(crate) use server::{Connection, connect, warn_if_open};
use trouble::GraphqlError;
pub(crate) use trouble::{Trouble, UserError};
pub(crate) use verify::IndexDifference;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than the server gives a request by default.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(400);

/// Attempts at a request that may be repeated, and the wait after the first; it doubles.
const ATTEMPTS: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest that a `Retry-After` is heeded.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

const AGENT: &str = concat!("colloquy/", env!("CARGO_PKG_VERSION"));

#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    server: Url,
    token: Option<Arc<str>>,
}

/// A file to send along, in place of a variable.
#[derive(Clone)]
struct Upload {
    name: String,
    bytes: Bytes,
    /// Path of the variable, such as `variables.input.file`.
    place: &'static str,
}

impl Client {
    pub(crate) fn new(server: Url, token: Option<&str>) -> Result<Self> {
        let http = reqwest::Client::builder().user_agent(AGENT).connect_timeout(CONNECT_TIMEOUT);
        let http = http.build().context("could not set up an HTTP client")?;
        Ok(Self { http, server, token: token.map(Arc::from) })
    }

    /// Asks again where the server was not there or too busy: only for what may happen twice.
    pub(crate) async fn query<T: DeserializeOwned>(
        &self,
        document: &str,
        variables: Value,
    ) -> Result<T, Trouble> {
        self.patiently(document, &variables, None).await
    }

    /// Asks once.
    pub(crate) async fn mutate<T: DeserializeOwned>(
        &self,
        document: &str,
        variables: Value,
    ) -> Result<T, Trouble> {
        self.once(document, &variables, None).await
    }

    async fn patiently<T: DeserializeOwned>(
        &self,
        document: &str,
        variables: &Value,
        upload: Option<&Upload>,
    ) -> Result<T, Trouble> {
        let mut wait = FIRST_WAIT;
        for _ in 1..ATTEMPTS {
            match self.once(document, variables, upload).await {
                Err(trouble) if trouble.passes() => {
                    let pause = trouble.retry_after().unwrap_or(wait).min(LONGEST_WAIT);
                    tracing::debug!(error = %trouble, pause_ms = pause.as_millis() as u64, "asking again");
                    tokio::time::sleep(pause).await;
                    wait *= 2;
                }
                settled => return settled,
            }
        }
        self.once(document, variables, upload).await
    }

    async fn once<T: DeserializeOwned>(
        &self,
        document: &str,
        variables: &Value,
        upload: Option<&Upload>,
    ) -> Result<T, Trouble> {
        let operations = json!({ "query": document, "variables": variables });
        let request = self.http.post(self.at("graphql"));
        let request = match upload {
            None => request.json(&operations).timeout(ANSWER_TIMEOUT),
            Some(upload) => {
                let request = request.header("GraphQL-Require-Preflight", "true").timeout(UPLOAD_TIMEOUT);
                request.multipart(upload.form(&operations))
            }
        };
        let request = request.header(ACCEPT, "application/graphql-response+json, application/json;q=0.9");
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.map_err(|error| Trouble::transport(&self.server, error))?;
        self.read(answer).await
    }

    async fn read<T: DeserializeOwned>(&self, answer: Response) -> Result<T, Trouble> {
        #[derive(Deserialize)]
        struct Envelope {
            data: Option<Value>,
            #[serde(default)]
            errors: Vec<GraphqlError>,
        }

        let status = answer.status();
        let wait = answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
        let retry_after = wait.map(Duration::from_secs);
        let body = answer.bytes().await.map_err(|error| Trouble::transport(&self.server, error))?;
        let strange = || Trouble::NotGraphql { server: self.server.clone(), status, retry_after };
        let Envelope { data, errors } = serde_json::from_slice(&body).map_err(|_not_json| strange())?;
        if !errors.is_empty() {
            return Err(Trouble::Refused { server: self.server.clone(), status, errors, retry_after });
        }
        let data =
            data.filter(|data| !data.is_null() && status != StatusCode::NOT_FOUND).ok_or_else(strange)?;
        serde_json::from_value(data).map_err(|cause| Trouble::Shape { server: self.server.clone(), cause })
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.server.clone();
        url.set_path(&format!("{}/{path}", self.server.path().trim_end_matches('/')));
        url
    }
}

impl Upload {
    /// By the GraphQL multipart request specification: operations, map, then the file.
    fn form(&self, operations: &Value) -> Form {
        let length = self.bytes.len() as u64;
        let file = Part::stream_with_length(self.bytes.clone(), length).file_name(self.name.clone());
        Form::new()
            .text("operations", operations.to_string())
            .text("map", json!({ "0": [self.place] }).to_string())
            .part("0", file)
    }
}
