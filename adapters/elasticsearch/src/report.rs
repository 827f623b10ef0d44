//! What the server has, for whoever looks after it.

use colloquy_domain::Result;
use elasticsearch::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::Request,
    fault::{refused, senseless},
    ground,
    settings::ElasticsearchSettings,
};

const LOOKING: &str = "look at the search server";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The oldest of its nodes'.
    pub version: String,
    pub alias: String,
    /// The indexes behind the alias; it should be one.
    pub behind: Vec<String>,
    /// The generation that is there alone.
    pub generation: Option<i64>,
    /// Those that are there, in ascending order.
    pub generations: Vec<i64>,
    pub passages: u64,
    /// Conversations that were written, those that are gone with them.
    pub conversations: u64,
}

/// Changes nothing.
pub async fn report(settings: &ElasticsearchSettings) -> Result<Report> {
    let ground = ground(settings, Uuid::nil())?;
    let client = &ground.client;
    let nodes = Request::new(Method::Get, "/_nodes/http").with(&[("filter_path", "nodes.*.version")]);
    let nodes = client.expect(LOOKING, nodes).await?;
    let versions = nodes["nodes"].as_object().into_iter().flat_map(|nodes| nodes.values());
    let versions = versions.filter_map(|node| node["version"].as_str());
    let parts = |version: &&str| -> Vec<u64> { version.split(['.', '-']).flat_map(str::parse).collect() };
    let version = versions.min_by_key(parts).ok_or_else(|| senseless(LOOKING, "no node has a version"))?;
    let alias = settings.alias();
    let behind = ground.behind_alias().await?;
    let generation = match behind.as_slice() {
        [index] => settings.generation_of(index),
        _ => None,
    };
    let mut generations = ground.generations().await?;
    generations.sort_unstable();
    let count = async |query: Value| -> Result<u64> {
        let request = Request::new(Method::Post, format!("/{alias}/_count")).json(&json!({ "query": query }));
        let answer = client.ask(LOOKING, request).await?;
        match answer.status {
            404 => Ok(0),
            _ if answer.is_ok() => {
                answer.body["count"].as_u64().ok_or_else(|| senseless(LOOKING, "there is no count"))
            }
            _ => Err(refused(LOOKING, &answer)),
        }
    };
    let passages = count(json!({ "exists": { "field": "passage_id" } })).await?;
    let conversations = count(json!({ "term": { "marker": true } })).await?;
    Ok(Report {
        version: version.to_owned(),
        alias,
        behind,
        generation,
        generations,
        passages,
        conversations,
    })
}
