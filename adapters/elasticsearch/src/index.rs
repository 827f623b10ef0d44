//! One generation as an index of the server: its fields, how it is made and told from others, and the alias behind
//! which the live one stands.

use std::sync::Arc;

use colloquy_domain::{Error, Result};
use elasticsearch::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::{Client, Request},
    fault::{refused, senseless},
    settings::ElasticsearchSettings,
};

/// Grows with every change of what is stored. It is in the names of indexes, so that a release makes its own beside those
/// of before.
pub(crate) const FORMAT: u32 = 5;
const MAKING: &str = "make a search index";
const LOOKING: &str = "look at a search index";
const GAUGE: &str = "gauge";

/// The server of one installation.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) client: Arc<Client>,
    pub(crate) settings: ElasticsearchSettings,
    /// The life of the event log: a restored database has another.
    pub(crate) log_id: Uuid,
}

/// What an index says of itself.
pub(crate) struct Mark {
    pub(crate) complete: bool,
}

/// The name under which an index is written to. It is an alias that nobody else makes: so a write never makes an index
/// by itself, with whatever fields the server guesses.
pub(crate) fn writes(index: &str) -> String {
    format!("{index}-writes")
}

impl Ground {
    /// `None` where there is none. One of another database is not touched.
    pub(crate) async fn find(&self, generation: i64) -> Result<Option<Mark>> {
        let index = self.settings.index(generation);
        let answer =
            self.client.ask(LOOKING, Request::new(Method::Get, format!("/{index}/_mapping"))).await?;
        if answer.status == 404 {
            // It must not take the alias of another's.
            self.outgrown().await?;
            return Ok(None);
        }
        if !answer.is_ok() {
            return Err(refused(LOOKING, &answer));
        }
        let meta = &answer.body[&index]["mappings"]["_meta"];
        let mine = self.meta(generation, true);
        let same = |key: &str| meta[key] == mine[key];
        if !["format", "generation", "log_id"].into_iter().all(same) {
            return Err(of_another(&index));
        }
        Ok(Some(Mark { complete: meta["complete"] == true }))
    }

    /// An empty one, unless somebody was quicker.
    pub(crate) async fn create(&self, generation: i64) -> Result<()> {
        let index = self.settings.index(generation);
        let body = json!({
            "mappings": fields(&self.meta(generation, false)),
            "aliases": { writes(&index): {} },
        });
        let request = Request::new(Method::Put, format!("/{index}")).json(&body);
        let answer = self.client.ask(MAKING, request).await?;
        match answer.kind() {
            _ if answer.is_ok() => tracing::info!(generation, index, "search index made"),
            "resource_already_exists_exception" => {}
            _ => return Err(refused(MAKING, &answer)),
        }
        Ok(())
    }

    /// What an earlier release has left here.
    async fn outgrown(&self) -> Result<Vec<String>> {
        let request = Request::new(Method::Get, format!("/{}-*/_mapping", self.settings.alias()));
        let found = self.client.expect(LOOKING, request).await?;
        let mut names = Vec::new();
        for (name, index) in found.as_object().into_iter().flatten() {
            if !self.settings.is_outgrown(name) {
                continue;
            }
            if index["mappings"]["_meta"]["log_id"] != json!(self.log_id) {
                return Err(of_another(name));
            }
            names.push(name.clone());
        }
        Ok(names)
    }

    pub(crate) async fn drop_outgrown(&self) -> Result<()> {
        for index in self.outgrown().await? {
            self.delete(&index).await?;
            tracing::info!(index, "the search index of an earlier release dropped");
        }
        Ok(())
    }

    /// From now on it is used as it stands.
    pub(crate) async fn mark_complete(&self, generation: i64) -> Result<()> {
        let index = self.settings.index(generation);
        let body = json!({ "_meta": self.meta(generation, true) });
        let request = Request::new(Method::Put, format!("/{index}/_mapping")).json(&body);
        self.client.expect("mark a search index complete", request).await.map(drop)
    }

    pub(crate) async fn delete(&self, index: &str) -> Result<()> {
        const DOING: &str = "drop a search index";
        let answer = self.client.ask(DOING, Request::new(Method::Delete, format!("/{index}"))).await?;
        if answer.is_ok() || answer.status == 404 { Ok(()) } else { Err(refused(DOING, &answer)) }
    }

    /// Generations of this prefix that are there, whosever.
    pub(crate) async fn generations(&self) -> Result<Vec<i64>> {
        let request = Request::new(Method::Get, format!("/{}-*/_mapping", self.settings.alias()));
        let found = self.client.expect(LOOKING, request).await?;
        let names = found.as_object().into_iter().flat_map(|names| names.keys());
        Ok(names.filter_map(|name| self.settings.generation_of(name)).collect())
    }

    /// The indexes behind the alias; it should be one.
    pub(crate) async fn behind_alias(&self) -> Result<Vec<String>> {
        let request = Request::new(Method::Get, format!("/_alias/{}", self.settings.alias()));
        let answer = self.client.ask(LOOKING, request).await?;
        if answer.status == 404 {
            return Ok(Vec::new());
        }
        if !answer.is_ok() {
            return Err(refused(LOOKING, &answer));
        }
        Ok(answer.body.as_object().into_iter().flat_map(|names| names.keys().cloned()).collect())
    }

    /// All searches read this generation from one moment on.
    pub(crate) async fn point_alias(&self, generation: i64) -> Result<()> {
        let (alias, index) = (self.settings.alias(), self.settings.index(generation));
        let before = self.behind_alias().await?;
        if before == [index.clone()] {
            return Ok(());
        }
        let old = before.iter().filter(|name| **name != index);
        let mut actions: Vec<Value> =
            old.map(|name| json!({ "remove": { "index": name, "alias": alias } })).collect();
        actions.push(json!({ "add": { "index": index, "alias": alias } }));
        let request = Request::new(Method::Post, "/_aliases").json(&json!({ "actions": actions }));
        self.client.expect("switch the search index", request).await.map(drop)
    }

    /// What this server's BM25 gives for an inverse document frequency of one where a passage of average length holds
    /// the word once: servers differ by a constant. It is measured on a document of its own field, the only one.
    pub(crate) async fn gauge(&self, generation: i64) -> Result<f32> {
        const DOING: &str = "measure the scores of a search index";
        let index = self.settings.index(generation);
        let put = Request::new(Method::Put, format!("/{}/_create/{GAUGE}", writes(&index)))
            .with(&[("routing", GAUGE), ("refresh", "true"), ("require_alias", "true")])
            .json(&json!({ GAUGE: GAUGE }));
        let answer = self.client.ask(DOING, put).await?;
        if !answer.is_ok() && answer.status != 409 {
            return Err(refused(DOING, &answer));
        }
        if answer.status == 409 {
            // Whoever was quicker may not have refreshed yet.
            let refresh = Request::new(Method::Post, format!("/{index}/_refresh"));
            self.client.expect(DOING, refresh).await?;
        }
        let look = Request::new(Method::Post, format!("/{index}/_search"))
            .with(&[("routing", GAUGE)])
            .json(&json!({ "query": { "term": { GAUGE: GAUGE } }, "size": 1 }));
        let found = self.client.expect(DOING, look).await?;
        let score = found["hits"]["hits"][0]["_score"].as_f64();
        // One document of one: ln(1 + (1 - 1 + 0.5) / (1 + 0.5)).
        let rarity = (1.0_f64 / 3.0).ln_1p();
        score.map(|score| (score / rarity) as f32).ok_or_else(|| senseless(DOING, "the gauge has no score"))
    }

    fn meta(&self, generation: i64, complete: bool) -> Value {
        json!({ "format": FORMAT, "generation": generation, "log_id": self.log_id, "complete": complete })
    }
}

fn of_another(index: &str) -> Error {
    let message = format!(
        "the index {index} is of another database, or of this one before it was restored: delete it, or set another elasticsearch.index_prefix"
    );
    Error::conflict("INDEX_OF_ANOTHER", message)
}

/// `stemmed` and `exact` hold terms that are made here: the server only cuts at spaces. The latter are kept as they are
/// written, too, to be compared.
/// Everything of an organization stands together, in the shard that its id is routed to, so that a search asks one.
fn fields(meta: &Value) -> Value {
    let terms = json!({ "type": "text", "analyzer": "whitespace" });
    let keyword = json!({ "type": "keyword" });
    let long = json!({ "type": "long" });
    json!({
        "dynamic": "strict",
        "_meta": meta,
        "_routing": { "required": true },
        "_source": { "excludes": ["stemmed", "words"] },
        "properties": {
            "organization": keyword,
            "conversation_id": keyword,
            "passage_id": keyword,
            "version": long,
            "kind": keyword,
            "language": keyword,
            "tags": keyword,
            "speakers": keyword,
            "people": keyword,
            // Microseconds since 1970: the server's own dates end at milliseconds, or in 2262.
            "occurred_at": long,
            "marker": { "type": "boolean" },
            "stemmed": terms,
            "exact": terms,
            // The exact terms again, each once, to be counted.
            "words": { "type": "keyword", "index": false },
            "gauge": terms,
        },
    })
}
