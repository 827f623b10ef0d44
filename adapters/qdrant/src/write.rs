//! Writes to one generation. A marker a conversation carries its version and never goes: it is written first, on the
//! condition that no later one stands there, and where one does nothing else is written. A writer that lost its race
//! after that may have left passages beside the later ones; so whoever has written looks at the marker again and takes
//! out what is older than it says. Whatever comes first, the last look sees the end.

use colloquy_domain::{
    Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::search::{ConversationFacets, PassageDocument, Version},
};
use qdrant_client::qdrant::{
    DeletePoints, Filter, GetPoints, NamedVectors, PointStruct, PointsOperationResponse, PointsSelector,
    ReadConsistency, ReadConsistencyType, UpdateStatus, UpsertPoints, Vector, Vectors, WithPayloadSelector,
    WriteOrdering, WriteOrderingType, points_selector::PointsSelectorOneOf, read_consistency,
    vectors::VectorsOptions, with_payload_selector::SelectorOptions,
};

use crate::{
    collection::VECTOR,
    fault::{Fault, senseless},
    filter,
    generation::{Generation, has_direction},
    payload::{self, Payload, VERSION},
};

const WRITING: &str = "write to the vector collection";
/// No replacement is later than a removal. As a float, as which the server compares, it is the same number.
pub(crate) const REMOVED: Version = 1 << 53;
/// Points in one call.
const MOST: usize = 200;

impl Generation {
    pub(crate) async fn put(
        &self,
        tenant: Tenant,
        version: Version,
        facets: &ConversationFacets,
        passages: &[(PassageDocument, Vec<f32>)],
    ) -> Result<()> {
        passages.iter().try_for_each(|(_, vector)| self.check(vector))?;
        let id = facets.conversation_id;
        if self.mark(tenant, id, version).await? > version {
            tracing::debug!(conversation_id = %id, version, "a late write to the vector collection changes nothing");
            return Ok(());
        }
        let points: Vec<PointStruct> = passages
            .iter()
            .map(|(passage, vector)| {
                let payload = payload::passage(tenant, version, facets, passage);
                point(payload::passage_key(tenant, &passage.id), payload, Some(vector))
            })
            .collect();
        for points in points.chunks(MOST) {
            self.upsert(points.to_vec(), version).await?;
        }
        let stands = self.version(tenant, id).await?.unwrap_or(version);
        if stands > version {
            tracing::debug!(conversation_id = %id, version, stands, "a write to the vector collection was overtaken");
        }
        self.sweep(tenant, id, stands).await
    }

    pub(crate) async fn take_out(&self, tenant: Tenant, id: ConversationId) -> Result<()> {
        self.mark(tenant, id, REMOVED).await?;
        self.sweep(tenant, id, REMOVED).await
    }

    /// The version under which the conversation stands, also when nothing of it does.
    pub(crate) async fn version(&self, tenant: Tenant, id: ConversationId) -> Result<Option<Version>> {
        let request = GetPoints {
            collection_name: self.collection.clone(),
            ids: vec![payload::marker_key(tenant, id)],
            with_payload: Some(WithPayloadSelector { selector_options: Some(SelectorOptions::Enable(true)) }),
            read_consistency: Some(ReadConsistency {
                value: Some(read_consistency::Value::Type(ReadConsistencyType::Majority.into())),
            }),
            timeout: Some(self.ground.client.patience()),
            ..GetPoints::default()
        };
        let client = &self.ground.client;
        let ask = || {
            let (mut points, request) = (client.points(), request.clone());
            async move { points.get(request).await }
        };
        let found = client.expect(WRITING, ask).await?.result;
        let Some(marker) = found.first() else { return Ok(None) };
        let version = payload::number(&marker.payload, VERSION);
        version.map(Some).ok_or_else(|| senseless(WRITING, "a marker has no version"))
    }

    /// Writes the marker, unless a later one stands there; the version that does then.
    async fn mark(&self, tenant: Tenant, id: ConversationId, version: Version) -> Result<Version> {
        let payload = payload::marker(tenant, id, version);
        self.upsert(vec![point(payload::marker_key(tenant, id), payload, None)], version).await?;
        let stands = self.version(tenant, id).await?;
        stands.filter(|stands| *stands >= version).ok_or_else(|| {
            colloquy_domain::Error::unavailable(WRITING, Fault::Other("what was written is not there"))
        })
    }

    /// What is there of a later version stays.
    async fn upsert(&self, points: Vec<PointStruct>, version: Version) -> Result<()> {
        let request = UpsertPoints {
            collection_name: self.collection.clone(),
            wait: Some(true),
            points,
            ordering: Some(ordering()),
            update_filter: Some(filter::until(version)),
            timeout: Some(self.ground.client.patience()),
            ..UpsertPoints::default()
        };
        let client = &self.ground.client;
        let ask = || {
            let (mut points, request) = (client.points(), request.clone());
            async move { points.upsert(request).await }
        };
        written(client.expect(WRITING, ask).await?)
    }

    /// Takes out the conversation's passages of earlier versions.
    async fn sweep(&self, tenant: Tenant, id: ConversationId, version: Version) -> Result<()> {
        self.delete(filter::earlier(tenant, id, version)).await
    }

    async fn delete(&self, filter: Filter) -> Result<()> {
        let request = DeletePoints {
            collection_name: self.collection.clone(),
            wait: Some(true),
            points: Some(PointsSelector {
                points_selector_one_of: Some(PointsSelectorOneOf::Filter(filter)),
            }),
            ordering: Some(ordering()),
            timeout: Some(self.ground.client.patience()),
            ..DeletePoints::default()
        };
        let client = &self.ground.client;
        let ask = || {
            let (mut points, request) = (client.points(), request.clone());
            async move { points.delete(request).await }
        };
        written(client.expect(WRITING, ask).await?)
    }
}

fn point(id: qdrant_client::qdrant::PointId, payload: Payload, vector: Option<&Vec<f32>>) -> PointStruct {
    let vector = vector.filter(|vector| has_direction(vector));
    let named = vector.map(|vector| (VECTOR.to_owned(), Vector::new_dense(vector.clone())));
    let vectors = NamedVectors { vectors: named.into_iter().collect() };
    PointStruct {
        id: Some(id),
        payload,
        vectors: Some(Vectors { vectors_options: Some(VectorsOptions::Vectors(vectors)) }),
    }
}

/// One after another on every copy, as one of them took it.
fn ordering() -> WriteOrdering {
    WriteOrdering { r#type: WriteOrderingType::Strong.into() }
}

/// A write that was taken and is not done yet cannot be found yet.
fn written(answer: PointsOperationResponse) -> Result<()> {
    let result = answer.result.ok_or_else(|| senseless(WRITING, "there is no outcome"))?;
    match result.status() {
        UpdateStatus::Completed => Ok(()),
        _ => Err(colloquy_domain::Error::unavailable(WRITING, Fault::Other("the write is not done in time"))),
    }
}
