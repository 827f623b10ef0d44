//! Words of one organization's passages, counted from a column of their own under its filter: never another's word.

use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ports::search::WordsLike,
    search::{
        facets::ValueCount,
        spelling::{LONGEST, nearest},
    },
};
use elasticsearch::http::Method;
use serde_json::{Value, json};

use crate::{client::Request, count::read, fault::Fault, search::Reader};

const LOOKING: &str = "look for words in the text index";
/// Passages that are looked at at most.
const PASSAGES: usize = 100_000;
/// In characters; the server's patterns end at 1,000.
const LONGEST_PREFIX: usize = 100;
/// Words near to one that are counted, of all that stand in the shard.
const CANDIDATES: usize = 200;
/// More passages than any word stands in: the server has nothing near to a word that is frequent, unless it is told so.
const ANY_NUMBER: u32 = 1_000_000_000;

impl Reader<'_> {
    pub(crate) async fn words(
        &self,
        tenant: Tenant,
        like: &WordsLike,
        limit: usize,
    ) -> Result<Vec<ValueCount>> {
        match like {
            _ if limit == 0 => Ok(Vec::new()),
            WordsLike::Beginning(prefix) => self.beginning(tenant, prefix, limit).await,
            WordsLike::Near { word, distance } => self.near(tenant, word, *distance, limit).await,
        }
    }

    /// What stands in the shard is whosever: each candidate is counted in the organization's passages.
    async fn near(&self, tenant: Tenant, word: &str, distance: u8, limit: usize) -> Result<Vec<ValueCount>> {
        if word.is_empty() || word.chars().count() > LONGEST {
            return Ok(Vec::new());
        }
        let candidates = self.suggested(tenant, word, distance).await?;
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let narrowed = json!({ "terms": { "exact": candidates } });
        let terms = json!({ "terms": { "field": "words", "include": candidates, "size": candidates.len() } });
        let found = self.look(tenant, narrowed, json!({ "words": terms })).await?;
        Ok(nearest(word, distance, read(&found["words"]["buckets"])?, limit))
    }

    async fn suggested(&self, tenant: Tenant, word: &str, distance: u8) -> Result<Vec<String>> {
        let near = json!({
            "field": "exact",
            "suggest_mode": "always",
            "max_edits": distance,
            "prefix_length": 0,
            "min_word_length": 1,
            "max_term_freq": ANY_NUMBER,
            "size": CANDIDATES,
            "shard_size": CANDIDATES,
        });
        let body = json!({
            "query": { "match_none": {} },
            "size": 0,
            "suggest": { "near": { "text": word, "term": near } },
        });
        let organization = tenant.0.to_string();
        let request = Request::new(Method::Post, format!("/{}/_search", self.name))
            .with(&[("routing", organization.as_str()), ("allow_partial_search_results", "false")])
            .json(&body);
        let found = self.client.expect(LOOKING, request).await?;
        let words = found["suggest"]["near"].as_array().into_iter().flatten();
        let options = words.filter_map(|word| word["options"].as_array()).flatten();
        Ok(options.filter_map(|option| Some(option["text"].as_str()?.to_owned())).collect())
    }

    async fn beginning(&self, tenant: Tenant, prefix: &str, limit: usize) -> Result<Vec<ValueCount>> {
        if prefix.is_empty() || prefix.chars().count() > LONGEST_PREFIX {
            return Ok(Vec::new());
        }
        let narrowed = json!({ "prefix": { "exact": { "value": prefix } } });
        let terms = json!({ "terms": {
            "field": "words",
            "include": format!("{}.*", escaped(prefix)),
            "size": limit,
            "order": [{ "_count": "desc" }, { "_key": "asc" }],
        }});
        let found = self.look(tenant, narrowed, json!({ "words": terms })).await?;
        read(&found["words"]["buckets"])
    }

    async fn look(&self, tenant: Tenant, narrowed: Value, asked: Value) -> Result<Value> {
        let organization = tenant.0.to_string();
        let body = json!({
            "query": { "bool": { "filter": [{ "term": { "organization": organization } }, narrowed] } },
            "size": 0,
            "track_total_hits": false,
            "terminate_after": PASSAGES,
            "timeout": self.client.patience(),
            "aggs": asked,
        });
        let request = Request::new(Method::Post, format!("/{}/_search", self.name))
            .with(&[("routing", organization.as_str()), ("allow_partial_search_results", "false")])
            .json(&body);
        let mut found = self.client.expect(LOOKING, request).await?;
        if found["timed_out"] == true {
            return Err(Error::unavailable(LOOKING, Fault::Other("the server gave up in the middle")));
        }
        Ok(found["aggregations"].take())
    }
}

/// So that nothing that is typed is read as a pattern.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_alphanumeric() {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
