//! One generation as a vector index: reads.

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::search::{ConversationFacets, EngineHit, PassageDocument, VectorIndex, Version},
    search::query::SearchFilter,
};
use qdrant_client::qdrant::{
    AcornSearchParams, CountPoints, Filter, PayloadIncludeSelector, QuantizationSearchParams, Query,
    QueryPoints, ScoredPoint, SearchParams, VectorInput, WithPayloadSelector, query, vector_input,
    with_payload_selector::SelectorOptions,
};

use crate::{
    collection::{Ground, Mark, VECTOR},
    fault::senseless,
    filter,
    payload::{self, CONVERSATION, PASSAGE},
};

const SEARCHING: &str = "search the vector server";
/// How much longer than asked the list of the first look is, where vectors are quantized.
const OVERSAMPLING: f64 = 2.0;

pub(crate) struct Generation {
    pub(crate) number: i64,
    pub(crate) collection: String,
    pub(crate) ground: Ground,
    pub(crate) mark: Mark,
}

impl Generation {
    /// One that is there.
    pub(crate) fn over(ground: &Ground, number: i64, mark: Mark) -> Self {
        Self { number, collection: ground.settings.collection(number), ground: ground.clone(), mark }
    }

    /// Whether this process makes its vectors.
    pub(crate) fn is_of_our_model(&self) -> bool {
        self.mark.model == self.ground.model
    }

    /// The conversation's version, and its passages in number.
    pub(crate) async fn held(&self, tenant: Tenant, id: ConversationId) -> Result<(Option<Version>, u64)> {
        let version = self.version(tenant, id).await?;
        let filter = Filter {
            must: filter::of_conversation(tenant, id),
            must_not: vec![filter::is_marker()],
            ..Filter::default()
        };
        Ok((version, self.ground.count(&self.collection, filter).await?))
    }

    pub(crate) fn check(&self, vector: &[f32]) -> Result<()> {
        let (need, have) = (self.mark.dimensions, vector.len());
        if have != need {
            let message =
                format!("a vector has {have} numbers where this index takes {need}: it is of another model");
            return Err(Error::invalid("vector", "VECTOR_DIMENSIONS", message));
        }
        if !vector.iter().all(|x| x.is_finite()) {
            return Err(Error::invalid("vector", "VECTOR_NOT_FINITE", "a vector holds what is not a number"));
        }
        Ok(())
    }

    /// By the collection's own name, or by the alias.
    pub(crate) async fn find(
        &self,
        name: &str,
        tenant: Tenant,
        vector: &[f32],
        filter: &SearchFilter,
        limit: usize,
    ) -> Result<Vec<EngineHit>> {
        self.check(vector)?;
        let Some(wanted) = filter::of(tenant, filter) else { return Ok(Vec::new()) };
        if limit == 0 || !has_direction(vector) {
            return Ok(Vec::new());
        }
        let nearest = vector_input::Variant::Dense(vector.to_vec().into());
        let fields = [PASSAGE, CONVERSATION].map(str::to_owned).to_vec();
        let request = QueryPoints {
            collection_name: name.to_owned(),
            query: Some(Query {
                variant: Some(query::Variant::Nearest(VectorInput { variant: Some(nearest) })),
            }),
            using: Some(VECTOR.to_owned()),
            filter: Some(wanted),
            params: Some(SearchParams {
                // Where the graph is walked among what a filter lets through, by two steps at once.
                acorn: filter::narrows(filter)
                    .then_some(AcornSearchParams { enable: Some(true), max_selectivity: None }),
                quantization: Some(QuantizationSearchParams {
                    ignore: None,
                    rescore: Some(true),
                    oversampling: Some(OVERSAMPLING),
                }),
                ..SearchParams::default()
            }),
            limit: Some(limit as u64),
            with_payload: Some(WithPayloadSelector {
                selector_options: Some(SelectorOptions::Include(PayloadIncludeSelector { fields })),
            }),
            timeout: Some(self.ground.client.patience()),
            ..QueryPoints::default()
        };
        let client = &self.ground.client;
        let ask = || {
            let (mut points, request) = (client.points(), request.clone());
            async move { points.query(request).await }
        };
        let found = client.expect(SEARCHING, ask).await?.result;
        let read =
            |found: &ScoredPoint| hit(found).ok_or_else(|| senseless(SEARCHING, "a hit lacks a field"));
        let mut hits: Vec<EngineHit> = found.iter().map(read).collect::<Result<_>>()?;
        // Equal scores have one order.
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.passage_id.cmp(&b.passage_id)));
        Ok(hits)
    }
}

impl Ground {
    /// Exactly.
    pub(crate) async fn count(&self, collection: &str, filter: Filter) -> Result<u64> {
        const DOING: &str = "count in the vector collection";
        let request = CountPoints {
            collection_name: collection.to_owned(),
            filter: Some(filter),
            exact: Some(true),
            timeout: Some(self.client.patience()),
            ..CountPoints::default()
        };
        let client = &self.client;
        let ask = || {
            let (mut points, request) = (client.points(), request.clone());
            async move { points.count(request).await }
        };
        let counted = client.expect(DOING, ask).await?.result;
        counted.map(|counted| counted.count).ok_or_else(|| senseless(DOING, "there is no count"))
    }
}

fn hit(found: &ScoredPoint) -> Option<EngineHit> {
    Some(EngineHit {
        passage_id: payload::string(&found.payload, PASSAGE)?.parse().ok()?,
        conversation_id: payload::string(&found.payload, CONVERSATION)?.parse().ok()?,
        score: found.score,
    })
}

/// A text without a word may have a vector of nothing, which is near to nothing.
pub(crate) fn has_direction(vector: &[f32]) -> bool {
    vector.iter().any(|x| *x != 0.0)
}

#[async_trait]
impl VectorIndex for Generation {
    async fn replace(
        &self,
        tenant: Tenant,
        version: Version,
        facets: ConversationFacets,
        passages: Vec<(PassageDocument, Vec<f32>)>,
    ) -> Result<()> {
        self.put(tenant, version, &facets, &passages).await
    }

    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()> {
        self.take_out(tenant, conversation_id).await
    }

    async fn search(
        &self,
        tenant: Tenant,
        vector: &[f32],
        filter: &SearchFilter,
        limit: usize,
    ) -> Result<Vec<EngineHit>> {
        self.find(&self.collection, tenant, vector, filter, limit).await
    }
}
