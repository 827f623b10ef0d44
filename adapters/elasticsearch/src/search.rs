//! Searches of one name, an index or the alias. An answer is whole or an error: never what some shards had in time.

use std::{collections::BTreeSet, str::FromStr};

use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ports::search::{After, EngineHit, TextHits},
    search::{
        analysis::{self, Token},
        query::{SearchFilter, TextQuery},
    },
};
use elasticsearch::http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    client::{Client, Request},
    fault::{Fault, senseless},
    query,
    statistics::Statistics,
};

const SEARCHING: &str = "search the text index";
/// As many as the server gives in one answer.
const LONGEST_LIST: usize = 10_000;

pub(crate) struct Reader<'a> {
    pub(crate) client: &'a Client,
    pub(crate) name: &'a str,
    pub(crate) gauge: f32,
}

impl Reader<'_> {
    pub(crate) async fn page(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        after: Option<After>,
        limit: usize,
    ) -> Result<TextHits> {
        if limit == 0 {
            return Ok(TextHits::default());
        }
        let Some(built) = query::build(tenant, query, filter, None) else {
            return Ok(TextHits::default());
        };
        let (mut hits, statistics) = match after {
            None => tokio::try_join!(
                self.hits(tenant, built.clone(), None, limit),
                self.statistics(tenant, query)
            )?,
            // Its score is by the weights of the page that it ended.
            Some(_) => (Vec::new(), self.statistics(tenant, query).await?),
        };
        if hits.is_empty() && after.is_none() {
            return Ok(TextHits::default());
        }
        let again = match statistics.mixes(query) {
            true => query::build(tenant, query, filter, Some(&statistics)),
            false => after.map(|_| built),
        };
        if let Some(again) = again {
            hits = self.hits(tenant, again, after, limit).await?;
        }
        let whole = if hits.is_empty() { 0.0 } else { statistics.whole(query) * self.gauge };
        Ok(TextHits { hits, whole })
    }

    async fn hits(
        &self,
        tenant: Tenant,
        query: Value,
        after: Option<After>,
        limit: usize,
    ) -> Result<Vec<EngineHit>> {
        let organization = tenant.0.to_string();
        let preference = preference(&query);
        let mut body = json!({
            "query": query,
            "size": limit.min(LONGEST_LIST),
            "_source": ["passage_id", "conversation_id"],
            // Equal scores have one order.
            "sort": [{ "_score": "desc" }, { "passage_id": "asc" }],
            "track_scores": true,
            "track_total_hits": false,
            "timeout": self.client.patience(),
        });
        if let Some(after) = after {
            body["search_after"] = json!([after.score, after.passage_id]);
        }
        let request = Request::new(Method::Post, format!("/{}/_search", self.name))
            .with(&[
                ("routing", organization.as_str()),
                ("preference", preference.as_str()),
                ("allow_partial_search_results", "false"),
            ])
            .json(&body);
        let found = self.client.expect(SEARCHING, request).await?;
        if found["timed_out"] == true {
            return Err(Error::unavailable(SEARCHING, Fault::Other("the server gave up in the middle")));
        }
        let hits = found["hits"]["hits"].as_array();
        let hits = hits.ok_or_else(|| senseless(SEARCHING, "there are no hits"))?;
        let read = |found: &Value| hit(found).ok_or_else(|| senseless(SEARCHING, "a hit lacks a field"));
        hits.iter().map(read).collect()
    }

    /// In how many documents each of the query's terms is, asked as of a document that holds just these.
    async fn statistics(&self, tenant: Tenant, query: &TextQuery) -> Result<Statistics> {
        let organization = tenant.0.to_string();
        let terms = |tokens: Vec<Token>| tokens.into_iter().map(|token| token.text);
        let (mut exact, mut stemmed) = (BTreeSet::new(), BTreeSet::new());
        for clause in query.wanted() {
            exact.extend(terms(analysis::exact(clause.text())));
            stemmed.extend(analysis::readings(clause.text()).into_iter().flat_map(terms));
        }
        let text = |terms: BTreeSet<String>| terms.into_iter().collect::<Vec<_>>().join(" ");
        let body = json!({
            "doc": { "stemmed": text(stemmed), "exact": text(exact) },
            "fields": ["stemmed", "exact"],
            "term_statistics": true,
            "field_statistics": true,
            "positions": false,
            "offsets": false,
            "payloads": false,
        });
        let request = Request::new(Method::Post, format!("/{}/_termvectors", self.name))
            .with(&[("routing", organization.as_str())])
            .json(&body);
        let answer = self.client.expect(SEARCHING, request).await?;
        match answer["term_vectors"].clone() {
            Value::Object(fields) => Ok(Statistics::new(fields)),
            _ => Ok(Statistics::new(Map::new())),
        }
    }
}

/// The pages of a query are asked of one copy of the shard, while there is one: copies differ in what they have deleted
/// but not forgotten yet, and so in their scores.
fn preference(query: &Value) -> String {
    Uuid::new_v5(&Uuid::nil(), query.to_string().as_bytes()).simple().to_string()
}

fn hit(found: &Value) -> Option<EngineHit> {
    let source = &found["_source"];
    Some(EngineHit {
        passage_id: id(&source["passage_id"])?,
        conversation_id: id(&source["conversation_id"])?,
        score: found["_score"].as_f64()? as f32,
    })
}

fn id<T: FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}
