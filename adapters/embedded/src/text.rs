//! Full text by tantivy: BM25 over stemmed words, exact phrases, filters by term and time.

mod count;
pub(crate) mod engine;
mod inspect;
mod page;
mod query;
mod schema;
mod statistics;
mod unwanted;
mod words;

use std::{cmp::Ordering, sync::Arc};

use async_trait::async_trait;
use chrono::DateTime;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::search::{
        After, ConversationFacets, Counts, EngineHit, PassageDocument, TextHits, TextIndex, Version,
        WordsLike,
    },
    search::{
        facets::{Facet, ValueCount},
        query::{SearchFilter, TextQuery},
    },
    time::Timestamp,
};
use tantivy::{DocSet, TERMINATED, Term, collector::Count, schema::IndexRecordOption};

use self::{
    count::{Times, Values, most},
    engine::{Change, TextEngine, TextJob, TextWrite, failed},
    page::Page,
    schema::{Fields, PASSAGE_HIGH, VERSION, scoped},
    statistics::Pooled,
    words::words,
};
use crate::{EmbeddedSettings, lock::FolderLock, searches::Searches, writer::Writer};

const SEARCHING: &str = "search the text index";
const LOOKING: &str = "look for words in the text index";
const COUNTING: &str = "count in the text index";

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
                        version = version.max(versions.first(postings.doc()));
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
    fn name(&self) -> &'static str {
        "embedded"
    }

    async fn replace(
        &self,
        tenant: Tenant,
        version: Version,
        facets: ConversationFacets,
        passages: Vec<PassageDocument>,
    ) -> Result<()> {
        let conversation_id = facets.conversation_id;
        let change = Change::Replace { version, facets, passages };
        self.writer.write(TextJob::Write(TextWrite { tenant, conversation_id, change })).await
    }

    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()> {
        let change = Change::Remove;
        self.writer.write(TextJob::Write(TextWrite { tenant, conversation_id, change })).await
    }

    async fn page(
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
        let fields = self.fields;
        let (asked, query) = (query.clone(), query::build(&fields, tenant, query, filter));
        let searcher = self.reader.searcher();
        let search = move || -> tantivy::Result<TextHits> {
            let statistics = Pooled::new(&searcher, &fields, &asked);
            let hits =
                searcher.search_with_statistics_provider(&query, &Page { after, limit }, &statistics)?;
            let whole = if hits.is_empty() { 0.0 } else { query::whole(&fields, &asked, &statistics)? };
            Ok(TextHits { hits, whole })
        };
        self.searches.run(SEARCHING, move || search().map_err(|e| failed(SEARCHING, e))).await
    }

    async fn count(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        facets: &[Facet],
        limit: usize,
    ) -> Result<Counts> {
        let (fields, searcher) = (self.fields, self.reader.searcher());
        let build = |filter: &SearchFilter| query::build(&fields, tenant, query, filter);
        let timeless = SearchFilter { occurred_from: None, occurred_before: None, ..filter.clone() };
        let (all, timeless) = (build(filter), build(&timeless));
        let by: Vec<_> = facets.iter().map(|facet| (*facet, build(&facet.freed(filter)))).collect();
        let count = move || -> tantivy::Result<Counts> {
            let values =
                by.iter().map(|(facet, query)| Ok(most(searcher.search(query, &Values(*facet))?, limit)));
            let values = values.collect::<tantivy::Result<_>>()?;
            let span = searcher.search(&timeless, &Times { bounds: Vec::new() })?.span;
            let time = DateTime::from_timestamp_micros;
            let span = span.and_then(|(first, last)| time(first).zip(time(last)));
            Ok(Counts { matching: searcher.search(&all, &Count)? as u64, values, span })
        };
        self.searches.run(COUNTING, move || count().map_err(|e| failed(COUNTING, e))).await
    }

    async fn spread(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        bounds: &[Timestamp],
    ) -> Result<Vec<u64>> {
        let searcher = self.reader.searcher();
        let query = query::build(&self.fields, tenant, query, filter);
        let bounds = bounds.iter().map(|bound| bound.timestamp_micros()).collect();
        let spread = move || searcher.search(&query, &Times { bounds }).map(|spread| spread.counts);
        self.searches.run(COUNTING, move || spread().map_err(|e| failed(COUNTING, e))).await
    }

    async fn words(&self, tenant: Tenant, like: &WordsLike, limit: usize) -> Result<Vec<ValueCount>> {
        let (searcher, fields, like) = (self.reader.searcher(), self.fields, like.clone());
        let look = move || words(&searcher, &fields, tenant, &like, limit);
        self.searches.run(LOOKING, move || look().map_err(|e| failed(LOOKING, e))).await
    }

    async fn expunge(&self) -> Result<()> {
        self.writer.write(TextJob::Expunge).await
    }
}

pub(crate) fn best_first(a: &EngineHit, b: &EngineHit) -> Ordering {
    b.score.total_cmp(&a.score).then_with(|| a.passage_id.cmp(&b.passage_id))
}
