//! Writes to one generation. A marker a conversation carries its version and never goes: it is written first, and where
//! a later one stands nothing else is. A writer that lost its race after that may have left passages beside the later
//! ones; so whoever has written looks at the marker again and takes out what is older than it says. Whatever comes
//! first, the last look sees the end: a late write is either there before a later marker, whose writer sweeps it, or
//! sees that marker. The server's own memory of deleted versions (a minute) is not relied on.

use std::collections::BTreeSet;

use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::search::{ConversationFacets, PassageDocument, Version},
    search::analysis,
};
use elasticsearch::http::Method;
use serde_json::{Value, json};

use crate::{
    analysis::joined,
    bulk::Bulk,
    client::Request,
    fault::{Fault, refused, senseless},
    generation::Generation,
    query::label,
};

const WRITING: &str = "write to the search index";
/// No replacement is later than a removal.
const REMOVED: Version = Version::MAX;
/// Passages that one look for old ones brings, and looks at the most: far more than a conversation has.
const PAGE: usize = 1_000;
const LOOKS: usize = 100;

impl Generation {
    pub(crate) async fn put(
        &self,
        tenant: Tenant,
        version: Version,
        facets: &ConversationFacets,
        passages: &[PassageDocument],
    ) -> Result<()> {
        let id = facets.conversation_id;
        if !self.mark(tenant, id, version).await? {
            tracing::debug!(conversation_id = %id, version, "a late write to the search index changes nothing");
            return Ok(());
        }
        let mut bulk = Bulk::new(self, WRITING);
        for passage in passages {
            let document = document(tenant, version, facets, passage);
            bulk.index(tenant, &passage_key(tenant, &passage.id), version, &document).await?;
        }
        bulk.end().await?;
        self.settle(tenant, id, version).await
    }

    pub(crate) async fn take_out(&self, tenant: Tenant, id: ConversationId) -> Result<()> {
        self.mark(tenant, id, REMOVED).await?;
        self.sweep(tenant, id, REMOVED).await
    }

    /// The version under which the conversation stands, also when nothing of it does; not after a search's refresh but
    /// as it is.
    pub(crate) async fn version(&self, tenant: Tenant, id: ConversationId) -> Result<Option<Version>> {
        let (organization, key) = (tenant.0.to_string(), marker_key(tenant, id));
        let path = format!("/{}/_doc/{key}", self.index);
        let request =
            Request::new(Method::Get, path).with(&[("routing", organization.as_str()), ("_source", "false")]);
        let answer = self.ground.client.ask(WRITING, request).await?;
        if answer.status == 404 && answer.body["found"] == false {
            return Ok(None);
        }
        if !answer.is_ok() {
            return Err(refused(WRITING, &answer));
        }
        let version = answer.body["_version"].as_i64();
        version.map(Some).ok_or_else(|| senseless(WRITING, "a document has no version"))
    }

    /// Writes the marker; false where a later one stands.
    async fn mark(&self, tenant: Tenant, id: ConversationId, version: Version) -> Result<bool> {
        let (organization, at) = (tenant.0.to_string(), version.to_string());
        let marker = json!({
            "organization": organization,
            "conversation_id": id,
            "version": version,
            "marker": true,
        });
        let request = Request::new(Method::Put, format!("/{}/_doc/{}", self.writes, marker_key(tenant, id)))
            .with(&[
                ("routing", organization.as_str()),
                ("version", at.as_str()),
                ("version_type", "external_gte"),
                ("require_alias", "true"),
                ("refresh", "true"),
            ])
            .json(&marker);
        let answer = self.ground.client.ask(WRITING, request).await?;
        match answer.status {
            _ if answer.is_ok() => Ok(true),
            409 => Ok(false),
            _ => Err(refused(WRITING, &answer)),
        }
    }

    /// After a write under this version.
    async fn settle(&self, tenant: Tenant, id: ConversationId, version: Version) -> Result<()> {
        let stands = self.version(tenant, id).await?.unwrap_or(version);
        if stands > version {
            tracing::debug!(conversation_id = %id, version, stands, "a write to the search index was overtaken");
        }
        self.sweep(tenant, id, stands).await
    }

    /// Takes out the conversation's passages of earlier versions. Everything that was written is refreshed by now.
    async fn sweep(&self, tenant: Tenant, id: ConversationId, version: Version) -> Result<()> {
        for _ in 0..LOOKS {
            let old = self.earlier(tenant, id, version).await?;
            if old.is_empty() {
                return Ok(());
            }
            let mut bulk = Bulk::new(self, WRITING);
            for key in &old {
                // What is of this version by now stays.
                bulk.delete(tenant, key, version - 1).await?;
            }
            bulk.end().await?;
        }
        Err(Error::unavailable(WRITING, Fault::Other("passages of earlier versions come back")))
    }

    async fn earlier(&self, tenant: Tenant, id: ConversationId, version: Version) -> Result<Vec<String>> {
        let organization = tenant.0.to_string();
        let body = json!({
            "query": { "bool": {
                "filter": [
                    { "term": { "organization": organization } },
                    { "term": { "conversation_id": id } },
                    { "range": { "version": { "lt": version } } },
                ],
                "must_not": [{ "term": { "marker": true } }],
            }},
            "size": PAGE,
            "_source": false,
            "sort": ["_doc"],
        });
        let request = Request::new(Method::Post, format!("/{}/_search", self.index))
            .with(&[("routing", organization.as_str()), ("allow_partial_search_results", "false")])
            .json(&body);
        let found = self.ground.client.expect(WRITING, request).await?;
        let hits = found["hits"]["hits"].as_array().ok_or_else(|| senseless(WRITING, "there are no hits"))?;
        Ok(hits.iter().filter_map(|hit| hit["_id"].as_str().map(str::to_owned)).collect())
    }
}

/// Another organization's conversation of the same id is another document.
fn marker_key(tenant: Tenant, id: ConversationId) -> String {
    format!("{}_{id}", tenant.0)
}

fn passage_key(tenant: Tenant, id: &colloquy_domain::ids::PassageId) -> String {
    format!("{}_{id}", tenant.0)
}

pub(crate) fn document(
    tenant: Tenant,
    version: Version,
    facets: &ConversationFacets,
    passage: &PassageDocument,
) -> Value {
    let exact = analysis::exact(&passage.text);
    json!({
        "organization": tenant.0,
        "conversation_id": facets.conversation_id,
        "passage_id": passage.id,
        "version": version,
        "kind": facets.kind.as_str(),
        "language": facets.language.map(String::from),
        "tags": facets.tags.iter().map(|tag| label(tag)).collect::<Vec<_>>(),
        "speakers": passage.speakers.iter().map(|speaker| label(speaker)).collect::<Vec<_>>(),
        "people": passage.people,
        "occurred_at": facets.occurred_at.map(|at| at.timestamp_micros()),
        "stemmed": joined(&analysis::stemmed(&passage.text, facets.language)),
        "exact": joined(&exact),
        "words": exact.iter().map(|token| token.text.as_str()).collect::<BTreeSet<_>>(),
    })
}
