//! Full text by tantivy: BM25 over stemmed words, exact phrases, filters by term and time.

pub(crate) mod engine;
mod query;
mod schema;
mod statistics;
mod unwanted;

use std::{cmp::Ordering, sync::Arc};

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    ids::{ConversationId, PassageId},
    ports::search::{
        ConversationFacets, EngineHit, Highlight, PassageDocument, TextHits, TextIndex, Version,
    },
    search::{
        highlight::{SpokenText, highlight},
        query::{SearchFilter, TextQuery},
    },
};
use tantivy::{
    DocSet, Order, Searcher, TERMINATED, Term,
    collector::{
        TopDocs,
        sort_key::{SortBySimilarityScore, SortByStaticFastValue},
    },
    columnar::Column,
    schema::IndexRecordOption,
};
use uuid::Uuid;

use self::{
    engine::{Change, TextEngine, TextWrite, failed},
    schema::{
        CONVERSATION_HIGH, CONVERSATION_LOW, Fields, PASSAGE_HIGH, PASSAGE_LOW, REVISION, VERSION, scoped,
    },
    statistics::Pooled,
};
use crate::{EmbeddedSettings, lock::FolderLock, searches::Searches, writer::Writer};

const SEARCHING: &str = "search the text index";

pub(crate) struct Text {
    writer: Writer<TextEngine>,
    reader: tantivy::IndexReader,
    fields: Fields,
    searches: Searches,
    // Last, so that it is given back when all else is closed.
    _lock: Arc<FolderLock>,
}

impl Text {
    pub(crate) fn start(
        engine: TextEngine,
        settings: &EmbeddedSettings,
        lock: Arc<FolderLock>,
        searches: Searches,
    ) -> Result<Self> {
        let (reader, fields) = (engine.reader(), engine.fields());
        let writer = Writer::start(engine, settings.gather, lock.clone())?;
        Ok(Self { writer, reader, fields, searches, _lock: lock })
    }

    pub(crate) fn writer(&self) -> &Writer<TextEngine> {
        &self.writer
    }

    /// The version under which a conversation stands, and its passages in number.
    pub(crate) fn held(&self, tenant: Tenant, id: ConversationId) -> Result<(Option<Version>, u64)> {
        let look = || -> tantivy::Result<(Option<Version>, u64)> {
            let key = scoped(tenant.0.0, id.0);
            let term = Term::from_field_bytes(self.fields.conversation, &key);
            let (mut version, mut passages) = (None, 0);
            for segment in self.reader.searcher().segment_readers() {
                let inverted = segment.inverted_index(self.fields.conversation)?;
                let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)? else {
                    continue;
                };
                let columns = segment.fast_fields();
                let (versions, ids) = (columns.i64(VERSION)?, columns.u64(PASSAGE_HIGH)?);
                while postings.doc() != TERMINATED {
                    if !segment.is_deleted(postings.doc()) {
                        version = versions.first(postings.doc());
                        passages += u64::from(ids.first(postings.doc()).is_some());
                    }
                    postings.advance();
                }
            }
            Ok((version, passages))
        };
        look().map_err(|e| failed("look into the text index", e))
    }

    /// Passages in the index, and the markers of conversations without any.
    pub(crate) fn documents(&self) -> u64 {
        self.reader.searcher().num_docs()
    }
}

#[async_trait]
impl TextIndex for Text {
    async fn replace(
        &self,
        tenant: Tenant,
        version: Version,
        facets: ConversationFacets,
        passages: Vec<PassageDocument>,
    ) -> Result<()> {
        let conversation_id = facets.conversation_id;
        let change = Change::Replace { version, facets, passages };
        self.writer.write(TextWrite { tenant, conversation_id, change }).await
    }

    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()> {
        self.writer.write(TextWrite { tenant, conversation_id, change: Change::Remove }).await
    }

    async fn search(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        limit: usize,
    ) -> Result<TextHits> {
        if limit == 0 {
            return Ok(TextHits::default());
        }
        let fields = self.fields;
        let (asked, query) = (query.clone(), query::build(&fields, tenant, query, filter));
        let searcher = self.reader.searcher();
        let search = move || -> tantivy::Result<TextHits> {
            let statistics = Pooled::new(&searcher, &fields, &asked);
            let hits = find(&searcher, &query, &statistics, limit)?;
            let whole = if hits.is_empty() { 0.0 } else { query::whole(&fields, &asked, &statistics)? };
            Ok(TextHits { hits, whole })
        };
        self.searches.run(SEARCHING, move || search().map_err(|e| failed(SEARCHING, e))).await
    }

    async fn highlight(&self, query: &TextQuery, texts: &[SpokenText]) -> Result<Vec<Vec<Highlight>>> {
        let (query, texts) = (query.clone(), texts.to_vec());
        self.searches.run("highlight passages", move || Ok(highlight(&query, &texts))).await
    }
}

/// Equal scores stand in the order of passage ids, so that the same search gives the same answer.
fn find(
    searcher: &Searcher,
    query: &dyn tantivy::query::Query,
    statistics: &Pooled<'_>,
    limit: usize,
) -> tantivy::Result<Vec<EngineHit>> {
    let by_id = SortByStaticFastValue::<u64>::for_field(PASSAGE_HIGH);
    let order = (SortBySimilarityScore, (by_id, Order::Asc));
    let best = TopDocs::with_limit(limit).order_by(order);
    let found = searcher.search_with_statistics_provider(query, &best, statistics)?;
    let columns =
        searcher.segment_readers().iter().map(Columns::open).collect::<tantivy::Result<Vec<_>>>()?;
    let hits = found.into_iter().filter_map(|((score, _id), at)| {
        let columns = &columns[at.segment_ord as usize];
        Some(EngineHit {
            passage_id: PassageId(columns.passage.get(at.doc_id)?),
            conversation_id: ConversationId(columns.conversation.get(at.doc_id)?),
            revision: columns.revision.first(at.doc_id)?.try_into().ok()?,
            score,
        })
    });
    let mut hits: Vec<EngineHit> = hits.collect();
    hits.sort_by(best_first);
    Ok(hits)
}

pub(crate) fn best_first(a: &EngineHit, b: &EngineHit) -> Ordering {
    b.score.total_cmp(&a.score).then_with(|| a.passage_id.cmp(&b.passage_id))
}

struct Columns {
    passage: IdColumns,
    conversation: IdColumns,
    revision: Column<i64>,
}

struct IdColumns {
    high: Column<u64>,
    low: Column<u64>,
}

impl Columns {
    fn open(segment: &tantivy::SegmentReader) -> tantivy::Result<Self> {
        let columns = segment.fast_fields();
        let id = |high, low| -> tantivy::Result<IdColumns> {
            Ok(IdColumns { high: columns.u64(high)?, low: columns.u64(low)? })
        };
        Ok(Self {
            passage: id(PASSAGE_HIGH, PASSAGE_LOW)?,
            conversation: id(CONVERSATION_HIGH, CONVERSATION_LOW)?,
            revision: columns.i64(REVISION)?,
        })
    }
}

impl IdColumns {
    fn get(&self, doc: tantivy::DocId) -> Option<Uuid> {
        Some(Uuid::from_u64_pair(self.high.first(doc)?, self.low.first(doc)?))
    }
}
