//! Words of one organization's passages. The dictionary of terms is everybody's: each of its words is counted in the
//! organization's own documents, and one that stands in none of them is not told.

use std::collections::HashMap;

use colloquy_domain::{accounts::Tenant, ports::search::WordsLike, search::facets::ValueCount};
use tantivy::{
    DocId, DocSet, InvertedIndexReader, Searcher, SegmentReader, TERMINATED, Term,
    schema::{Field, IndexRecordOption},
};

use super::{count::most, schema::Fields};

/// Words of the dictionary that are looked at in each segment, and of those the most frequent ones that are counted.
const LOOKED_AT: usize = 50_000;
const CANDIDATES: usize = 1_000;
/// Places of words that are read at most, some milliseconds' worth.
const PLACES: u64 = 8_000_000;

pub(super) fn words(
    searcher: &Searcher,
    fields: &Fields,
    tenant: Tenant,
    like: &WordsLike,
    limit: usize,
) -> tantivy::Result<Vec<ValueCount>> {
    let organization = Term::from_field_bytes(fields.organization, tenant.0.0.as_bytes());
    let mut own = Vec::new();
    for segment in searcher.segment_readers() {
        own.push(Own::of(segment, &organization)?);
    }
    let mut candidates: HashMap<String, u64> = HashMap::new();
    for segment in searcher.segment_readers() {
        gather(&*segment.inverted_index(fields.exact)?, like, &mut candidates)?;
    }
    let mut left = PLACES;
    let mut counts = HashMap::new();
    for candidate in most(candidates, CANDIDATES) {
        // What is too frequent to be counted is passed over, what is rarer may not be.
        if candidate.count > left {
            continue;
        }
        left -= candidate.count;
        let count = held(searcher, fields.exact, &candidate.value, &own)?;
        if count > 0 {
            counts.insert(candidate.value, count);
        }
    }
    Ok(most(counts, limit))
}

/// Words that are like it, with how many documents hold them, whosever.
fn gather(
    index: &InvertedIndexReader,
    like: &WordsLike,
    candidates: &mut HashMap<String, u64>,
) -> tantivy::Result<()> {
    let WordsLike::Beginning(prefix) = like;
    if prefix.is_empty() {
        return Ok(());
    }
    // No text has such a byte.
    let end = [prefix.as_bytes(), &[u8::MAX]].concat();
    let mut terms = index.terms().range().ge(prefix.as_bytes()).lt(end).into_stream()?;
    for _ in 0..LOOKED_AT {
        if !terms.advance() {
            break;
        }
        if let Ok(word) = str::from_utf8(terms.key()) {
            *candidates.entry(word.to_owned()).or_default() += u64::from(terms.value().doc_freq);
        }
    }
    Ok(())
}

fn held(searcher: &Searcher, field: Field, word: &str, own: &[Own]) -> tantivy::Result<u64> {
    let term = Term::from_field_text(field, word);
    let mut count = 0;
    for (segment, own) in searcher.segment_readers().iter().zip(own) {
        let index = segment.inverted_index(field)?;
        let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? else {
            continue;
        };
        while postings.doc() != TERMINATED {
            count += u64::from(own.has(postings.doc()));
            postings.advance();
        }
    }
    Ok(count)
}

/// An organization's documents in a segment, a bit each.
struct Own(Vec<u64>);

impl Own {
    fn of(segment: &SegmentReader, organization: &Term) -> tantivy::Result<Self> {
        let mut bits = vec![0; segment.max_doc() as usize / 64 + 1];
        let index = segment.inverted_index(organization.field())?;
        if let Some(mut postings) = index.read_postings(organization, IndexRecordOption::Basic)? {
            while postings.doc() != TERMINATED {
                if !segment.is_deleted(postings.doc()) {
                    bits[postings.doc() as usize / 64] |= 1 << (postings.doc() % 64);
                }
                postings.advance();
            }
        }
        Ok(Self(bits))
    }

    fn has(&self, doc: DocId) -> bool {
        self.0[doc as usize / 64] >> (doc % 64) & 1 == 1
    }
}
