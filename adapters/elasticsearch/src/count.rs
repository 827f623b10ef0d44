//! Counts of one name, an index or the alias, as aggregations: each under the filters that it does not ignore. All of an
//! organization stands in one shard, so that they are exact.

use chrono::DateTime;
use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ports::search::Counts,
    search::{
        facets::{Facet, ValueCount},
        query::{SearchFilter, TextQuery},
    },
    time::Timestamp,
};
use elasticsearch::http::Method;
use serde_json::{Map, Value, json};

use crate::{
    client::Request,
    fault::{Fault, senseless},
    query,
    search::Reader,
};

const COUNTING: &str = "count in the search index";

fn field(facet: Facet) -> &'static str {
    match facet {
        Facet::Kind => "kind",
        Facet::Tag => "tags",
        Facet::Speaker => "speakers",
        Facet::Language => "language",
        Facet::Person => "people",
    }
}

impl Reader<'_> {
    pub(crate) async fn count(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        facets: &[Facet],
        limit: usize,
    ) -> Result<Counts> {
        let nothing = || Counts { values: vec![Vec::new(); facets.len()], ..Counts::default() };
        let Some(matching) = query::build(tenant, query, &SearchFilter::default(), None) else {
            return Ok(nothing());
        };
        let timeless = SearchFilter { occurred_from: None, occurred_before: None, ..filter.clone() };
        let bounds = json!({
            "first": { "min": { "field": "occurred_at" } },
            "last": { "max": { "field": "occurred_at" } },
        });
        let mut asked = Map::new();
        asked.insert("all".to_owned(), json!({ "filter": under(tenant, filter) }));
        asked.insert("span".to_owned(), json!({ "filter": under(tenant, &timeless), "aggs": bounds }));
        for (at, facet) in facets.iter().enumerate() {
            let values = json!({ "values": { "terms": {
                "field": field(*facet),
                "size": limit,
                "order": [{ "_count": "desc" }, { "_key": "asc" }],
            }}});
            let filter = under(tenant, &facet.freed(filter));
            asked.insert(format!("facet{at}"), json!({ "filter": filter, "aggs": values }));
        }
        let found = self.aggregate(tenant, matching, asked.into()).await?;
        let values = (0..facets.len()).map(|at| read(&found[format!("facet{at}")]["values"]["buckets"]));
        let time = |of: &str| moment(&found["span"][of]["value"]);
        Ok(Counts {
            matching: number(&found["all"]["doc_count"])?,
            values: values.collect::<Result<_>>()?,
            span: time("first").zip(time("last")),
        })
    }

    pub(crate) async fn spread(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        bounds: &[Timestamp],
    ) -> Result<Vec<u64>> {
        let Some(matching) = query::build(tenant, query, filter, None) else {
            return Ok(vec![0; bounds.len().saturating_sub(1)]);
        };
        let ranges: Vec<Value> = bounds
            .windows(2)
            .map(|bounds| json!({ "from": bounds[0].timestamp_micros(), "to": bounds[1].timestamp_micros() }))
            .collect();
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let asked = json!({ "times": { "range": { "field": "occurred_at", "ranges": ranges } } });
        let found = self.aggregate(tenant, matching, asked).await?;
        let buckets = found["times"]["buckets"].as_array();
        let buckets = buckets.ok_or_else(|| senseless(COUNTING, "there are no buckets"))?;
        buckets.iter().map(|bucket| number(&bucket["doc_count"])).collect()
    }

    async fn aggregate(&self, tenant: Tenant, matching: Value, asked: Value) -> Result<Value> {
        let organization = tenant.0.to_string();
        let body = json!({
            // A query without words would find the markers, too.
            "query": { "bool": { "filter": [matching], "must_not": [{ "term": { "marker": true } }] } },
            "size": 0,
            "track_total_hits": false,
            "timeout": self.client.patience(),
            "aggs": asked,
        });
        let request = Request::new(Method::Post, format!("/{}/_search", self.name))
            .with(&[("routing", organization.as_str()), ("allow_partial_search_results", "false")])
            .json(&body);
        let mut found = self.client.expect(COUNTING, request).await?;
        if found["timed_out"] == true {
            return Err(Error::unavailable(COUNTING, Fault::Other("the server gave up in the middle")));
        }
        Ok(found["aggregations"].take())
    }
}

/// The filter by itself; what nothing can fit counts nothing.
fn under(tenant: Tenant, filter: &SearchFilter) -> Value {
    query::filters(tenant, filter)
        .map_or_else(|| json!({ "match_none": {} }), |filters| json!({ "bool": { "filter": filters } }))
}

pub(crate) fn read(buckets: &Value) -> Result<Vec<ValueCount>> {
    let buckets = buckets.as_array().ok_or_else(|| senseless(COUNTING, "there are no buckets"))?;
    let one = |bucket: &Value| {
        let value = bucket["key"].as_str().ok_or_else(|| senseless(COUNTING, "a bucket has no key"))?;
        Ok(ValueCount { value: value.to_owned(), count: number(&bucket["doc_count"])? })
    };
    buckets.iter().map(one).collect()
}

fn number(value: &Value) -> Result<u64> {
    value.as_u64().ok_or_else(|| senseless(COUNTING, "there is no count"))
}

/// Of numbers as the server gives them, which are floating.
fn moment(micros: &Value) -> Option<Timestamp> {
    DateTime::from_timestamp_micros(micros.as_f64()? as i64)
}
