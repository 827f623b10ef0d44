//! Comparing what the vector index has of a conversation with what it should have, and listing what it has at all.

use std::collections::HashMap;

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    ids::{ConversationId, PassageId, PersonId},
    ports::{
        search::Version,
        verify::{Difference, Inspect, Leg, Listed, Wanted},
    },
};
use hannoy::{Reader, distances::Cosine};
use uuid::Uuid;

use super::{
    Shelf, Vectors,
    engine::{failed, folded, has_direction},
    filter::veiled,
    tables::Facets,
};

const LOOKING: &str = "look into the vector index";
/// Conversations of one page of a list.
const PAGE: usize = 500;

/// A passage as it is, or as it should be.
struct Stored {
    facets: Option<Facets>,
    speakers: Vec<Uuid>,
    people: Vec<PersonId>,
    vector: Option<Vec<f32>>,
}

type Passages = Vec<(PassageId, Stored)>;

#[async_trait]
impl Inspect for Vectors {
    async fn compare(&self, wanted: &Wanted) -> Result<Option<Difference>> {
        let (shelf, tenant, id) = (self.shelf.clone(), wanted.tenant, wanted.facets.conversation_id);
        let look = move || shelf.stored(tenant, id).map_err(|e| failed(LOOKING, e));
        let (stands, found) = self.searches.run(LOOKING, look).await?;
        Ok(Difference::of(Leg::Vectors, (wanted.version, stands), should(wanted), found, is_same))
    }

    async fn list(&self, tenant: Tenant, after: Option<&str>) -> Result<Listed> {
        let after = after.and_then(|after| Uuid::parse_str(after).ok()).map(ConversationId);
        let shelf = self.shelf.clone();
        let look = move || shelf.list(tenant, after).map_err(|e| failed(LOOKING, e));
        self.searches.run(LOOKING, look).await
    }
}

/// What has a vector of nothing is not kept.
fn should(wanted: &Wanted) -> HashMap<PassageId, Stored> {
    let one = |(at, passage): (usize, &colloquy_domain::ports::search::PassageDocument)| {
        let vector = wanted.vectors.get(at).cloned().flatten();
        if vector.as_ref().is_some_and(|vector| !has_direction(vector)) {
            return None;
        }
        let speakers = passage.speakers.iter().map(|label| veiled(label)).collect();
        let (facets, people) = (Some(folded(&wanted.facets)), passage.people.clone());
        Some((passage.id, Stored { facets, speakers, people, vector }))
    };
    wanted.passages.iter().enumerate().filter_map(one).collect()
}

fn is_same(wanted: &Stored, found: &Stored) -> bool {
    let vectors = wanted.vector.is_none() || wanted.vector == found.vector;
    vectors
        && wanted.facets == found.facets
        && wanted.speakers == found.speakers
        && wanted.people == found.people
}

impl Shelf {
    fn stored(&self, tenant: Tenant, id: ConversationId) -> hannoy::Result<(Option<Version>, Passages)> {
        let txn = self.env.read_txn()?;
        let Some(shard) = self.tables.shard(&txn, tenant)?.map(|record| record.shard) else {
            return Ok((None, Vec::new()));
        };
        let Some(record) = self.tables.conversation(&txn, shard, id)? else { return Ok((None, Vec::new())) };
        let reader: Option<Reader<Cosine>> = match Reader::open(&txn, shard, self.tables.graphs) {
            Err(hannoy::Error::MissingMetadata(_)) => None,
            opened => Some(opened?),
        };
        let mut stored = Vec::with_capacity(record.items.len());
        for item in record.items {
            // What an item stands for is what a search tells of it.
            let Some(meaning) = self.tables.item(&txn, shard, item.item)? else { continue };
            let vector = match &reader {
                Some(reader) => reader.item_vector(&txn, item.item)?,
                None => None,
            };
            if meaning.conversation_id != id || vector.is_none() {
                continue;
            }
            let facets = record.facets.clone();
            let one = Stored { facets, speakers: item.speakers, people: item.people, vector };
            stored.push((meaning.passage_id, one));
        }
        Ok((Some(record.version), stored))
    }

    fn list(&self, tenant: Tenant, after: Option<ConversationId>) -> hannoy::Result<Listed> {
        let txn = self.env.read_txn()?;
        let Some(shard) = self.tables.shard(&txn, tenant)?.map(|record| record.shard) else {
            return Ok(Listed::default());
        };
        let page = self.tables.conversations_after(&txn, shard, after, PAGE)?;
        let next = page.last().filter(|_| page.len() == PAGE).map(|(id, _)| id.to_string());
        let held = page.into_iter().filter(|(_, record)| !record.items.is_empty());
        Ok(Listed { conversations: held.map(|(id, _)| id).collect(), next })
    }
}
