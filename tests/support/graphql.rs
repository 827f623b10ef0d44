//! A GraphQL client over HTTP, and the operations that most tests need.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Subscription, eventually};

/// What a conversation has reached when nothing more comes.
pub(crate) const FULL: [&str; 4] = ["ANALYZED", "EMBEDDED", "IMPORTED", "INDEXED"];

#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// The code of the only error.
    pub(crate) fn code(&self) -> &str {
        let errors = self.body["errors"].as_array().map_or(&[][..], Vec::as_slice);
        match errors {
            [error] => error["extensions"]["code"].as_str().unwrap_or_default(),
            _ => panic!("one error was expected: {self:#?}"),
        }
    }

    /// The data of an answer without errors.
    pub(crate) fn data(self) -> Value {
        assert!(self.status == 200 && self.body["errors"].is_null(), "{self:#?}");
        self.body["data"].clone()
    }
}

/// What is to be imported; the rest is as the API has it.
#[derive(Default)]
pub(crate) struct Import<'a> {
    pub(crate) text: &'a str,
    pub(crate) title: Option<&'a str>,
    pub(crate) file_name: Option<&'a str>,
    pub(crate) kind: Option<&'a str>,
    pub(crate) occurred_at: Option<&'a str>,
    pub(crate) tags: &'a [&'a str],
    pub(crate) external_id: Option<&'a str>,
    pub(crate) dry_run: bool,
}

const IMPORT: &str = "mutation($input: ImportConversationInput!) { importConversation(input: $input) {
    created cursor userErrors { code message field line } jobs { id kind state }
    preview { title turns { speaker text startMs endMs } }
    conversation { id title kind occurredAt externalId fileName revision segmentCount tags { name }
        participants { label ordinal } }
    report { format cuesRead segments cuesDropped cuesMerged speakers durationMs notesOmitted
        notes { line action reason } } } }";

impl Client {
    pub(super) fn new(url: &str, token: Option<&str>) -> Self {
        let http = reqwest::Client::builder().timeout(super::PATIENCE).build().expect("an HTTP client");
        Self { http, url: url.to_owned(), token: token.map(str::to_owned) }
    }

    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().expect("somebody who has signed in")
    }

    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables });
        self.send(self.post().json(&body)).await
    }

    /// A request that a test wants to make up by itself.
    pub(crate) fn post(&self) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}graphql", self.url)).header("accept", "application/json");
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.expect("the server answers");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a text");
        let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {status} {text}"));
        Answer { status, body }
    }

    /// The data; fails the test with the whole response where there are errors.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let answer = self.ask(query, variables.clone()).await;
        assert!(answer.status == 200 && answer.body["errors"].is_null(), "{query} {variables}\n{answer:#?}");
        answer.body["data"].clone()
    }

    /// The payload of a mutation that goes well: `field` is its name.
    pub(crate) async fn change(&self, field: &str, selection: &str, input: Value) -> Value {
        let payload = self.payload(field, selection, input.clone()).await;
        assert_eq!(payload["userErrors"], json!([]), "{field} {input}");
        payload
    }

    /// The code of the only user error of a mutation that does not go well.
    pub(crate) async fn refused(&self, field: &str, input: Value) -> String {
        let payload = self.payload(field, "", input.clone()).await;
        let errors = payload["userErrors"].as_array().expect("a list");
        assert_eq!(errors.len(), 1, "{field} {input}: {payload:#?}");
        errors[0]["code"].as_str().expect("a code").to_owned()
    }

    /// At which revision a conversation is.
    pub(crate) async fn revision(&self, conversation: impl Serialize) -> Value {
        const QUERY: &str = "query($id: ID!) { conversation(id: $id) { revision } }";
        self.data(QUERY, json!({ "id": conversation })).await["conversation"]["revision"].clone()
    }

    async fn payload(&self, field: &str, selection: &str, input: Value) -> Value {
        let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let kind = if field == "untagConversation" { "TagConversationInput".to_owned() } else { kind };
        let query = format!(
            "mutation($input: {kind}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code message field line }} }} }}"
        );
        self.data(&query, json!({ "input": input })).await[field].clone()
    }

    /// The payload of an import, whatever it says.
    pub(crate) async fn import(&self, import: Import<'_>) -> Value {
        let mut input = json!({ "text": import.text, "tags": import.tags, "dryRun": import.dry_run });
        let fields = [
            ("title", import.title),
            ("fileName", import.file_name),
            ("kind", import.kind),
            ("occurredAt", import.occurred_at),
            ("externalId", import.external_id),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                input[name] = value.into();
            }
        }
        self.data(IMPORT, json!({ "input": input })).await["importConversation"].clone()
    }

    /// The id of what was imported now.
    pub(crate) async fn imported(&self, import: Import<'_>) -> String {
        let payload = self.import(import).await;
        assert_eq!(payload["created"], true, "{payload:#?}");
        payload["conversation"]["id"].as_str().expect("an id").to_owned()
    }

    /// As a browser uploads a file: by the GraphQL multipart request specification.
    pub(crate) async fn upload(&self, name: &str, bytes: Vec<u8>, input: Value) -> Answer {
        self.upload_to(IMPORT, name, bytes, input).await
    }

    /// As [`upload`](Self::upload), for any document with an `input` that has a `file`.
    pub(crate) async fn upload_to(
        &self,
        query: &str,
        name: &str,
        bytes: Vec<u8>,
        mut input: Value,
    ) -> Answer {
        input["file"] = Value::Null;
        let operations = json!({ "query": query, "variables": { "input": input } });
        let file = reqwest::multipart::Part::bytes(bytes).file_name(name.to_owned());
        let form = reqwest::multipart::Form::new()
            .text("operations", operations.to_string())
            .text("map", json!({ "0": ["variables.input.file"] }).to_string())
            .part("0", file);
        self.send(self.post().header("graphql-require-preflight", "1").multipart(form)).await
    }

    /// Waits until a conversation is found by word and by meaning, and analysed.
    pub(crate) async fn ready(&self, conversation: &str) {
        const QUERY: &str = "query($id: ID!) { conversation(id: $id) { progress { stage } } }";
        eventually("a conversation is ready", async || {
            let data = self.data(QUERY, json!({ "id": conversation })).await;
            let stages = data["conversation"]["progress"].as_array().expect("a list").clone();
            let reached: BTreeSet<&str> =
                stages.iter().filter_map(|reached| reached["stage"].as_str()).collect();
            assert!(!reached.contains("FAILED"), "{stages:#?}");
            (reached.into_iter().collect::<Vec<_>>() == FULL).then_some(())
        })
        .await;
    }

    /// Waits until every job of the organization has ended well. Needs ADMIN.
    pub(crate) async fn idle(&self) {
        const QUERY: &str =
            "{ jobs(first: 1, filter: { states: [READY, RUNNING] }) { edges { node { kind } } } }";
        eventually("no job is left", async || {
            let data = self.data(QUERY, json!({})).await;
            data["jobs"]["edges"].as_array().expect("a list").is_empty().then_some(())
        })
        .await;
    }

    /// Hits of a search: `arguments` as in GraphQL.
    pub(crate) async fn search(&self, arguments: &str) -> Vec<Value> {
        let query = format!(
            "{{ search({arguments}) {{ degraded edges {{ cursor node {{
                passage {{ id text ordinal speakers startMs endMs embeddingModel }}
                conversation {{ id title kind }} segments {{ sequence text startMs }}
                fragments {{ text isMatch }} score textMatch {{ rank score }} semanticMatch {{ rank score }} }} }} }} }}"
        );
        let data = self.data(&query, json!({})).await;
        let edges = data["search"]["edges"].as_array().expect("a list").iter();
        edges.map(|edge| edge["node"].clone()).collect()
    }

    /// The titles of the conversations that a search finds, each once, best first.
    pub(crate) async fn titles(&self, arguments: &str) -> Vec<String> {
        let mut titles = Vec::new();
        for hit in self.search(arguments).await {
            let title = hit["conversation"]["title"].as_str().expect("a title").to_owned();
            if !titles.contains(&title) {
                titles.push(title);
            }
        }
        titles
    }

    pub(crate) async fn subscribe(&self, query: &str, variables: Value) -> Subscription {
        Subscription::begin(&self.url, self.token.as_deref(), query, variables).await
    }

    pub(crate) async fn subscribe_slowly(&self, query: &str) -> Subscription {
        Subscription::begin_slow(&self.url, self.token.as_deref(), query).await
    }

    /// The events of a stream until it completes, as server-sent events.
    pub(crate) async fn stream(&self, path: &str, query: &str, variables: Value) -> Vec<Value> {
        let body = json!({ "query": query, "variables": variables });
        let request = self.http.post(format!("{}{path}", self.url)).header("accept", "text/event-stream");
        let answer = request.bearer_auth(self.token()).json(&body).send().await.expect("the server answers");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream; charset=utf-8");
        let text = answer.text().await.expect("a stream that ends");
        let mut events = Vec::new();
        for event in text.split("\n\n") {
            let mut lines = event.lines().filter(|line| !line.starts_with(':'));
            match (lines.next(), lines.next()) {
                (Some("event: next"), Some(data)) => {
                    let data = data.strip_prefix("data: ").expect("data");
                    events.push(serde_json::from_str(data).expect("JSON"));
                }
                (Some("event: complete"), _) => return events,
                (None, None) => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
        panic!("the stream was cut: {text}")
    }
}
