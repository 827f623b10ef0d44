//! Comparing what the full-text index has of a conversation with what it should have, and listing what it has at all.
//! No text is kept in it: a number made of all that a passage was given stands for that.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    ids::{ConversationId, PassageId},
    ports::{
        search::Version,
        verify::{Difference, Inspect, Leg, Listed, Wanted, digest},
    },
};
use tantivy::{DocSet, Searcher, TERMINATED, Term, schema::IndexRecordOption};
use uuid::Uuid;

use super::{
    Text, failed,
    page::IdColumns,
    schema::{DIGEST, Fields, PASSAGE_HIGH, PASSAGE_LOW, VERSION, scoped},
};

const LOOKING: &str = "look into the text index";
/// Conversations of one page of a list.
const PAGE: usize = 500;

/// Each with its number.
pub(super) type Passages = Vec<(PassageId, Option<u64>)>;

#[async_trait]
impl Inspect for Text {
    async fn compare(&self, wanted: &Wanted) -> Result<Option<Difference>> {
        let should = wanted.passages.iter().map(|passage| (passage.id, digest(&wanted.facets, passage)));
        let should: HashMap<PassageId, u64> = should.collect();
        let (fields, searcher) = (self.fields, self.reader.searcher());
        let key = scoped(wanted.tenant.0.0, wanted.facets.conversation_id.0);
        let look = move || stored(&searcher, &fields, &key).map_err(|e| failed(LOOKING, e));
        let (stands, found) = self.searches.run(LOOKING, look).await?;
        let same = |wanted: &u64, found: &Option<u64>| Some(*wanted) == *found;
        Ok(Difference::of(Leg::Text, (wanted.version, stands), should, found, same))
    }

    async fn list(&self, tenant: Tenant, after: Option<&str>) -> Result<Listed> {
        let after = after.and_then(|after| Uuid::parse_str(after).ok());
        let (fields, searcher) = (self.fields, self.reader.searcher());
        let look = move || list(&searcher, &fields, tenant, after).map_err(|e| failed(LOOKING, e));
        self.searches.run(LOOKING, look).await
    }
}

/// Under which version the conversation stands, and its passages.
pub(super) fn stored(
    searcher: &Searcher,
    fields: &Fields,
    key: &[u8; 32],
) -> tantivy::Result<(Option<Version>, Passages)> {
    let term = Term::from_field_bytes(fields.conversation, key);
    let (mut version, mut passages) = (None, Vec::new());
    for segment in searcher.segment_readers() {
        let inverted = segment.inverted_index(fields.conversation)?;
        let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)? else { continue };
        let columns = segment.fast_fields();
        let (versions, digests) = (columns.i64(VERSION)?, columns.u64(DIGEST)?);
        let ids = IdColumns { high: columns.u64(PASSAGE_HIGH)?, low: columns.u64(PASSAGE_LOW)? };
        while postings.doc() != TERMINATED {
            let doc = postings.doc();
            if !segment.is_deleted(doc) {
                version = version.max(versions.first(doc));
                passages.extend(ids.get(doc).map(|id| (PassageId(id), digests.first(doc))));
            }
            postings.advance();
        }
    }
    Ok((version, passages))
}

fn list(
    searcher: &Searcher,
    fields: &Fields,
    tenant: Tenant,
    after: Option<Uuid>,
) -> tantivy::Result<Listed> {
    let (from, to) = (scoped(tenant.0.0, after.unwrap_or_default()), scoped(tenant.0.0, Uuid::max()));
    let (mut keys, mut end) = (BTreeSet::new(), None::<Uuid>);
    for segment in searcher.segment_readers() {
        let inverted = segment.inverted_index(fields.conversation)?;
        let mut terms = inverted.terms().range().gt(from).le(to).into_stream()?;
        let mut taken = 0;
        while taken < PAGE && terms.advance() {
            let Ok(id) = Uuid::from_slice(&terms.key()[16..]) else { continue };
            taken += 1;
            keys.insert(id);
            if taken == PAGE {
                // Another segment has gone on, and this one has not.
                end = Some(end.map_or(id, |end| end.min(id)));
            }
        }
    }
    let mut conversations = Vec::new();
    for id in keys.into_iter().filter(|id| end.is_none_or(|end| *id <= end)) {
        // A marker stands for what has no passages.
        if !stored(searcher, fields, &scoped(tenant.0.0, id))?.1.is_empty() {
            conversations.push(ConversationId(id));
        }
    }
    Ok(Listed { conversations, next: end.map(|end| end.to_string()) })
}
