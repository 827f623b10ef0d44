//! Comparing what the server has of a conversation with what it should have, and listing what it has at all.

use std::collections::HashMap;

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    ids::{ConversationId, PassageId},
    ports::verify::{Difference, Inspect, Leg, Listed, Wanted},
};
use elasticsearch::http::Method;
use serde_json::{Value, json};

use crate::{client::Request, fault::senseless, generation::Generation, write::document};

const LOOKING: &str = "look into the search index";
/// Passages of one answer.
const PAGE: usize = 500;
/// Not kept as they are written.
const NOT_KEPT: [&str; 2] = ["stemmed", "words"];
/// Kept since the release that compares.
const KEPT_SINCE: &str = "exact";

impl Generation {
    async fn page(&self, tenant: Tenant, body: &Value) -> Result<Vec<Value>> {
        let organization = tenant.0.to_string();
        let request = Request::new(Method::Post, format!("/{}/_search", self.index))
            .with(&[("routing", organization.as_str()), ("allow_partial_search_results", "false")])
            .json(body);
        let mut found = self.ground.client.expect(LOOKING, request).await?;
        match found["hits"]["hits"].take() {
            Value::Array(hits) => Ok(hits),
            _ => Err(senseless(LOOKING, "there are no hits")),
        }
    }

    async fn stored(&self, wanted: &Wanted) -> Result<Vec<(PassageId, Value)>> {
        let mut stored: Vec<(PassageId, Value)> = Vec::new();
        let mut after: Option<Value> = None;
        loop {
            let mut body = json!({
                "query": { "bool": { "filter": [
                    { "term": { "organization": wanted.tenant.0 } },
                    { "term": { "conversation_id": wanted.facets.conversation_id } },
                    { "exists": { "field": "passage_id" } },
                ]}},
                "size": PAGE,
                "sort": [{ "passage_id": "asc" }],
                "track_total_hits": false,
            });
            if let Some(after) = &after {
                body["search_after"] = json!([after]);
            }
            let mut hits = self.page(wanted.tenant, &body).await?;
            for hit in &mut hits {
                let source = hit["_source"].take();
                let id = source["passage_id"].as_str().and_then(|id| id.parse().ok());
                stored.push((id.ok_or_else(|| senseless(LOOKING, "a document is of no passage"))?, source));
            }
            if hits.len() < PAGE {
                return Ok(stored);
            }
            after = hits.last().map(|last| last["sort"][0].clone());
        }
    }
}

#[async_trait]
impl Inspect for Generation {
    async fn compare(&self, wanted: &Wanted) -> Result<Option<Difference>> {
        let Wanted { tenant, version, facets, passages, .. } = wanted;
        let stands = self.version(*tenant, facets.conversation_id).await?;
        let should =
            passages.iter().map(|passage| (passage.id, document(*tenant, *version, facets, passage)));
        let should: HashMap<PassageId, Value> = should.collect();
        let found = self.stored(wanted).await?;
        Ok(Difference::of(Leg::Text, (*version, stands), should, found, is_same))
    }

    async fn list(&self, tenant: Tenant, after: Option<&str>) -> Result<Listed> {
        let mut filters = vec![
            json!({ "term": { "organization": tenant.0 } }),
            json!({ "exists": { "field": "passage_id" } }),
        ];
        filters.extend(after.map(|after| json!({ "range": { "conversation_id": { "gt": after } } })));
        let body = json!({
            "query": { "bool": { "filter": filters } },
            "size": PAGE,
            "_source": ["conversation_id"],
            "sort": [{ "conversation_id": "asc" }],
            "track_total_hits": false,
        });
        let hits = self.page(tenant, &body).await?;
        let id = |hit: &Value| hit["_source"]["conversation_id"].as_str()?.parse::<ConversationId>().ok();
        let mut conversations: Vec<ConversationId> = hits.iter().filter_map(id).collect();
        conversations.dedup();
        // What is left of the last one on this page is passed over: it has been told.
        let next = conversations.last().filter(|_| hits.len() == PAGE).map(ToString::to_string);
        Ok(Listed { conversations, next })
    }
}

fn is_same(wanted: &Value, found: &Value) -> bool {
    let (Some(wanted), Some(found)) = (wanted.as_object(), found.as_object()) else { return false };
    let compared = |field: &&String| {
        !NOT_KEPT.contains(&field.as_str()) && (*field != KEPT_SINCE || found.contains_key(KEPT_SINCE))
    };
    let fields: std::collections::BTreeSet<&String> =
        wanted.keys().chain(found.keys()).filter(compared).collect();
    fields.into_iter().all(|field| wanted.get(field) == found.get(field))
}
