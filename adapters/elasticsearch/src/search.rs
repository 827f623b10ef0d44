//! Searches of one name, an index or the alias. An answer is whole or an error: never what some shards had in time.

use std::str::FromStr;

use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ports::search::{After, EngineHit, TextHits},
    search::query::{Clause, SearchFilter, TextQuery},
};
use elasticsearch::http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    analysis::{Form, Token, tokens},
    client::{Client, Request},
    fault::{Fault, senseless},
    query::{self, EXACT_BOOST},
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
        let Some(built) = query::build(tenant, query, filter) else {
            return Ok(TextHits::default());
        };
        let (hits, whole) =
            tokio::try_join!(self.hits(tenant, built, after, limit), self.whole(tenant, query))?;
        let whole = if hits.is_empty() { 0.0 } else { whole };
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
            "_source": ["passage_id", "conversation_id", "revision"],
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

    /// What a passage of average length scores that holds every clause once, and of each group the rarest: BM25 gives each term of it its inverse
    /// document frequency then, times what the gauge measured. The frequencies are those of the shard that the search
    /// asks, by which it scores; a word that is not there is rarest of all.
    async fn whole(&self, tenant: Tenant, query: &TextQuery) -> Result<f32> {
        let statistics = self.statistics(tenant, query).await?;
        let of = |clause: &Clause| {
            let same_form = statistics.rarity(Form::Exact, clause.text());
            match clause {
                Clause::Word(text) => statistics.rarity(Form::Stemmed, text) + EXACT_BOOST * same_form,
                Clause::Phrase(_) => same_form,
            }
        };
        let each: f32 = query.clauses.iter().map(of).sum();
        let rarest: f32 = query.either.iter().map(|group| group.iter().map(of).fold(0.0, f32::max)).sum();
        Ok((each + rarest) * self.gauge)
    }

    /// In how many documents each of the query's terms is, asked as of a document that holds just these.
    async fn statistics(&self, tenant: Tenant, query: &TextQuery) -> Result<Statistics> {
        let organization = tenant.0.to_string();
        let text = |form| {
            let all: Vec<Token> = query.wanted().flat_map(|clause| tokens(form, clause.text())).collect();
            let terms: Vec<&str> = all.iter().map(|token| token.text.as_str()).collect();
            terms.join(" ")
        };
        let body = json!({
            "doc": { "stemmed": text(Form::Stemmed), "exact": text(Form::Exact) },
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
            Value::Object(fields) => Ok(Statistics(fields)),
            _ => Ok(Statistics(Map::new())),
        }
    }
}

struct Statistics(Map<String, Value>);

impl Statistics {
    /// The sum of the inverse document frequencies of a text's terms, as BM25 has them.
    fn rarity(&self, form: Form, text: &str) -> f32 {
        let field = self.0.get(form.field()).unwrap_or(&Value::Null);
        let number = |value: &Value| value.as_f64().unwrap_or(0.0).max(0.0);
        let all = number(&field["field_statistics"]["doc_count"]);
        let of_term = |token: &Token| {
            let holding = number(&field["terms"][&token.text]["doc_freq"]).min(all);
            ((all - holding + 0.5) / (holding + 0.5)).ln_1p()
        };
        tokens(form, text).iter().map(of_term).sum::<f64>() as f32
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
        revision: source["revision"].as_i64()?.try_into().ok()?,
        score: found["_score"].as_f64()? as f32,
    })
}

fn id<T: FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}
