//! Comparing what the server has of a conversation with what it should have, and listing what it has at all.

use std::collections::HashMap;

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    ids::PassageId,
    ports::verify::{Difference, Inspect, Leg, Listed, Wanted},
};
use qdrant_client::qdrant::{
    Filter, PayloadIncludeSelector, PointId, RetrievedPoint, ScrollPoints, ScrollResponse,
    WithPayloadSelector, WithVectorsSelector, point_id::PointIdOptions, vector_output,
    vectors_output::VectorsOptions, with_payload_selector::SelectorOptions, with_vectors_selector,
};

use crate::{
    collection::VECTOR,
    fault::senseless,
    filter,
    generation::{Generation, has_direction},
    payload::{self, CONVERSATION, PASSAGE, Payload},
};

const LOOKING: &str = "look into the vector collection";
/// Points of one answer.
const PAGE: u32 = 500;
/// The server brings vectors to unit length, which moves their last digits.
const SAME: f32 = 0.9999;
/// A field of earlier releases.
const LAPSED: &str = "revision";

/// A point as it is, or as it should be.
struct Stored {
    payload: Payload,
    vector: Option<Vec<f32>>,
}

impl Generation {
    async fn scroll(&self, request: ScrollPoints) -> Result<ScrollResponse> {
        let request = ScrollPoints {
            collection_name: self.collection.clone(),
            limit: Some(PAGE),
            timeout: Some(self.ground.client.patience()),
            ..request
        };
        let client = &self.ground.client;
        let ask = || {
            let (mut points, request) = (client.points(), request.clone());
            async move { points.scroll(request).await }
        };
        client.expect(LOOKING, ask).await
    }

    async fn stored(&self, wanted: &Wanted) -> Result<Vec<(PassageId, Stored)>> {
        let filter = Filter {
            must: filter::of_conversation(wanted.tenant, wanted.facets.conversation_id),
            must_not: vec![filter::is_marker()],
            ..Filter::default()
        };
        let (mut stored, mut offset) = (Vec::new(), None);
        loop {
            let page = self
                .scroll(ScrollPoints {
                    filter: Some(filter.clone()),
                    offset,
                    with_payload: Some(WithPayloadSelector {
                        selector_options: Some(SelectorOptions::Enable(true)),
                    }),
                    with_vectors: Some(WithVectorsSelector {
                        selector_options: Some(with_vectors_selector::SelectorOptions::Enable(true)),
                    }),
                    ..ScrollPoints::default()
                })
                .await?;
            for point in page.result {
                let id = payload::string(&point.payload, PASSAGE).and_then(|id| id.parse().ok());
                let id = id.ok_or_else(|| senseless(LOOKING, "a point is of no passage"))?;
                stored.push((id, Stored { vector: vector(&point), payload: point.payload }));
            }
            offset = page.next_page_offset;
            if offset.is_none() {
                return Ok(stored);
            }
        }
    }
}

#[async_trait]
impl Inspect for Generation {
    async fn compare(&self, wanted: &Wanted) -> Result<Option<Difference>> {
        let Wanted { tenant, version, facets, passages, vectors } = wanted;
        let stands = self.version(*tenant, facets.conversation_id).await?;
        let should = passages.iter().enumerate().map(|(at, passage)| {
            let payload = payload::passage(*tenant, *version, facets, passage);
            (passage.id, Stored { payload, vector: vectors.get(at).cloned().flatten() })
        });
        let should: HashMap<PassageId, Stored> = should.collect();
        let found = self.stored(wanted).await?;
        Ok(Difference::of(Leg::Vectors, (*version, stands), should, found, is_same))
    }

    async fn list(&self, tenant: Tenant, after: Option<&str>) -> Result<Listed> {
        let filter = Filter {
            must: vec![filter::of_tenant(tenant)],
            must_not: vec![filter::is_marker()],
            ..Filter::default()
        };
        let fields = vec![CONVERSATION.to_owned()];
        let page = self
            .scroll(ScrollPoints {
                filter: Some(filter),
                offset: after.map(PointId::from),
                with_payload: Some(WithPayloadSelector {
                    selector_options: Some(SelectorOptions::Include(PayloadIncludeSelector { fields })),
                }),
                ..ScrollPoints::default()
            })
            .await?;
        let conversation =
            |point: &RetrievedPoint| payload::string(&point.payload, CONVERSATION)?.parse().ok();
        let conversations = page.result.iter().filter_map(conversation).collect();
        let next = page.next_page_offset.and_then(|id| match id.point_id_options {
            Some(PointIdOptions::Uuid(id)) => Some(id),
            _ => None,
        });
        Ok(Listed { conversations, next })
    }
}

fn is_same(wanted: &Stored, found: &Stored) -> bool {
    let vectors = match (&wanted.vector, &found.vector) {
        // There is nothing to compare with.
        (None, _) => true,
        (Some(wanted), None) => !has_direction(wanted),
        (Some(wanted), Some(found)) => {
            let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let lengths = (product(wanted, wanted) * product(found, found)).sqrt();
            wanted.len() == found.len() && product(wanted, found) >= SAME * lengths
        }
    };
    let compared = |payload: &Payload| payload.keys().filter(|field| *field != LAPSED).count();
    let same = |(field, value): (&String, _)| found.payload.get(field) == Some(value);
    vectors && wanted.payload.iter().all(same) && compared(&wanted.payload) == compared(&found.payload)
}

fn vector(point: &RetrievedPoint) -> Option<Vec<f32>> {
    let VectorsOptions::Vectors(named) = point.vectors.as_ref()?.vectors_options.as_ref()? else {
        return None;
    };
    match named.vectors.get(VECTOR)?.vector.as_ref()? {
        vector_output::Vector::Dense(dense) => Some(dense.data.clone()),
        _ => None,
    }
}
