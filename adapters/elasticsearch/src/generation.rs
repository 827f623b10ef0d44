//! One generation as a text index.

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::search::{
        After, ConversationFacets, Counts, PassageDocument, TextHits, TextIndex, Version, WordsLike,
    },
    search::{
        facets::{Facet, ValueCount},
        query::{SearchFilter, TextQuery},
    },
    time::Timestamp,
};
use elasticsearch::http::Method;
use serde_json::json;

use crate::{
    client::Request,
    fault::senseless,
    index::{Ground, writes},
    search::Reader,
};

pub(crate) struct Generation {
    pub(crate) number: i64,
    pub(crate) index: String,
    /// What it is written to by.
    pub(crate) writes: String,
    pub(crate) ground: Ground,
    /// See [`Ground::gauge`].
    pub(crate) gauge: f32,
}

impl Generation {
    /// One that is there.
    pub(crate) async fn open(ground: &Ground, number: i64) -> Result<Self> {
        let index = ground.settings.index(number);
        let gauge = ground.gauge(number).await?;
        Ok(Self { number, writes: writes(&index), index, ground: ground.clone(), gauge })
    }

    /// The conversation's version, and its passages in number as searches see them.
    pub(crate) async fn held(&self, tenant: Tenant, id: ConversationId) -> Result<(Option<Version>, u64)> {
        const DOING: &str = "count in the search index";
        let version = self.version(tenant, id).await?;
        let organization = tenant.0.to_string();
        let body = json!({ "query": { "bool": { "filter": [
            { "term": { "organization": organization } },
            { "term": { "conversation_id": id } },
            { "exists": { "field": "passage_id" } },
        ]}}});
        let request = Request::new(Method::Post, format!("/{}/_count", self.index))
            .with(&[("routing", organization.as_str())])
            .json(&body);
        let counted = self.ground.client.expect(DOING, request).await?;
        let count = counted["count"].as_u64().ok_or_else(|| senseless(DOING, "there is no count"))?;
        Ok((version, count))
    }

    pub(crate) fn reader<'a>(&'a self, name: &'a str) -> Reader<'a> {
        Reader { client: &self.ground.client, name, gauge: self.gauge }
    }
}

#[async_trait]
impl TextIndex for Generation {
    fn name(&self) -> &'static str {
        crate::NAME
    }

    async fn replace(
        &self,
        tenant: Tenant,
        version: Version,
        facets: ConversationFacets,
        passages: Vec<PassageDocument>,
    ) -> Result<()> {
        self.put(tenant, version, &facets, &passages).await
    }

    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()> {
        self.take_out(tenant, conversation_id).await
    }

    async fn page(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        after: Option<After>,
        limit: usize,
    ) -> Result<TextHits> {
        self.reader(&self.index).page(tenant, query, filter, after, limit).await
    }

    async fn count(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        facets: &[Facet],
        limit: usize,
    ) -> Result<Counts> {
        self.reader(&self.index).count(tenant, query, filter, facets, limit).await
    }

    async fn spread(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        bounds: &[Timestamp],
    ) -> Result<Vec<u64>> {
        self.reader(&self.index).spread(tenant, query, filter, bounds).await
    }

    async fn words(&self, tenant: Tenant, like: &WordsLike, limit: usize) -> Result<Vec<ValueCount>> {
        self.reader(&self.index).words(tenant, like, limit).await
    }

    async fn expunge(&self) -> Result<()> {
        self.merge_deleted().await;
        Ok(())
    }
}
