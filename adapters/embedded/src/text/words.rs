//! Words of one organization's passages. The dictionary of terms is everybody's: each of its words is counted in the
//! organization's own documents, and one that stands in none of them is not told.

use std::collections::HashMap;

use colloquy_domain::{
    accounts::Tenant,
    ports::search::WordsLike,
    search::{
        facets::ValueCount,
        spelling::{LONGEST, nearest},
    },
};
use tantivy::{
    DocId, DocSet, InvertedIndexReader, Searcher, SegmentReader, TERMINATED, Term,
    postings::TermInfo,
    query::{DfaWrapper, FuzzyTermQuery},
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
    let Some(look) = Look::of(fields.exact, like)? else {
        return Ok(Vec::new());
    };
    let mut candidates: HashMap<String, u64> = HashMap::new();
    for segment in searcher.segment_readers() {
        look.gather(&*segment.inverted_index(fields.exact)?, &mut candidates)?;
    }
    let mut left = PLACES;
    let mut counts = HashMap::new();
    for candidate in first(like, candidates, CANDIDATES) {
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
    Ok(first(like, counts, limit))
}

fn first(like: &WordsLike, counts: HashMap<String, u64>, limit: usize) -> Vec<ValueCount> {
    match like {
        WordsLike::Beginning(_) => most(counts, limit),
        WordsLike::Near { word, distance } => {
            let counts = counts.into_iter().map(|(value, count)| ValueCount { value, count });
            nearest(word, *distance, counts, limit)
        }
    }
}

/// How the dictionary is gone through.
enum Look<'a> {
    Beginning(&'a str),
    Near(DfaWrapper),
}

impl<'a> Look<'a> {
    /// `None` where nothing is like it.
    fn of(field: Field, like: &'a WordsLike) -> tantivy::Result<Option<Self>> {
        Ok(match like {
            WordsLike::Beginning(prefix) if prefix.is_empty() => None,
            WordsLike::Beginning(prefix) => Some(Self::Beginning(prefix)),
            WordsLike::Near { word, .. } if !(1..=LONGEST).contains(&word.chars().count()) => None,
            WordsLike::Near { word, distance } => {
                let term = Term::from_field_text(field, word);
                Some(Self::Near(FuzzyTermQuery::new(term, *distance, true).automaton()?))
            }
        })
    }

    /// Adds the words that are like it, with how many documents hold them, whosever.
    fn gather(
        &self,
        index: &InvertedIndexReader,
        candidates: &mut HashMap<String, u64>,
    ) -> tantivy::Result<()> {
        let mut add = |word: &[u8], of: &TermInfo| {
            if let Ok(word) = str::from_utf8(word) {
                *candidates.entry(word.to_owned()).or_default() += u64::from(of.doc_freq);
            }
        };
        match self {
            Self::Beginning(prefix) => {
                // No text has such a byte.
                let end = [prefix.as_bytes(), &[u8::MAX]].concat();
                let mut terms = index.terms().range().ge(prefix.as_bytes()).lt(end).into_stream()?;
                for _ in 0..LOOKED_AT {
                    let Some((word, of)) = terms.next() else { break };
                    add(word, of);
                }
            }
            Self::Near(automaton) => {
                let mut terms = index.terms().search(automaton).into_stream()?;
                for _ in 0..LOOKED_AT {
                    let Some((word, of)) = terms.next() else { break };
                    add(word, of);
                }
            }
        }
        Ok(())
    }
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
