//! A client of the API that does as little as it can: it shares the processor with what it measures.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Response, header};
use serde_json::{Value, json};

use crate::subscription::Subscription;

const IMPORT: &str = "
mutation Import($input: ImportConversationInput!) {
  importConversation(input: $input) {
    conversation { id segmentCount }
    created
    cursor
    userErrors { message }
  }
}";

const PROGRESS: &str = "
subscription Progress($id: ID!, $after: Cursor) {
  conversationProgress(conversationId: $id, after: $after) {
    ... on ConversationProgress { stage }
  }
}";

/// For a conversation to become searchable and analysed.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

pub(crate) struct Imported {
    pub(crate) id: String,
    pub(crate) segments: u64,
    cursor: Value,
}

impl Client {
    /// The URL with a slash at its end; nobody's where the token is empty.
    pub(crate) fn new(url: &str, token: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).timeout(Duration::from_secs(60));
        Ok(Self { http: http.build()?, url: url.to_owned(), token: token.to_owned() })
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}readyz", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// One request, sent as it is; its answer unread.
    pub(crate) async fn send(&self, body: Vec<u8>) -> Result<Response> {
        let mut request = self.http.post(format!("{}graphql", self.url)).body(body);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        let request = request.header(header::CONTENT_TYPE, "application/json");
        Ok(request.header(header::ACCEPT, "application/graphql-response+json").send().await?)
    }

    /// The answer's data; an error where it has errors.
    pub(crate) async fn ask(&self, document: &str, variables: Value) -> Result<Value> {
        let mut answer: Value = self.send(body(document, &variables)).await?.json().await?;
        if !answer["errors"].is_null() {
            bail!("refused: {}", answer["errors"]);
        }
        Ok(answer["data"].take())
    }

    pub(crate) async fn import(&self, title: &str, text: &str) -> Result<Imported> {
        let input = json!({ "title": title, "fileName": format!("{title}.vtt"), "text": text });
        let mut data = self.ask(IMPORT, json!({ "input": input })).await?;
        let mut imported = data["importConversation"].take();
        if imported["created"] != true {
            bail!("not imported: {imported}");
        }
        let conversation = &imported["conversation"];
        let id = conversation["id"].as_str().context("a conversation without an id")?.to_owned();
        let segments = conversation["segmentCount"].as_u64().unwrap_or(0);
        Ok(Imported { id, segments, cursor: imported["cursor"].take() })
    }

    /// Returns once the conversation is found by word and by meaning, and analysed. `reached` hears of each
    /// stage as it comes.
    pub(crate) async fn until_searchable(
        &self,
        imported: &Imported,
        mut reached: impl FnMut(&str),
    ) -> Result<()> {
        let variables = json!({ "id": imported.id, "after": imported.cursor });
        let watching = async {
            let mut stages = Subscription::begin(&self.url, &self.token, PROGRESS, &variables).await?;
            while let Some(event) = stages.next().await? {
                match event["conversationProgress"]["stage"].as_str() {
                    Some("FAILED") => bail!("a job of the conversation failed: {event}"),
                    Some(stage) => reached(stage),
                    None => bail!("unexpected: {event}"),
                }
            }
            Ok(())
        };
        tokio::time::timeout(PATIENCE, watching)
            .await
            .context("the conversation did not become searchable")?
    }
}

pub(crate) fn body(document: &str, variables: &Value) -> Vec<u8> {
    json!({ "query": document, "variables": variables }).to_string().into_bytes()
}
