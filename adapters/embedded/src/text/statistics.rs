//! How rare words are. A word stands in documents under a term of each language, of which a document has one: for BM25
//! they are one word, as rare as all of them together. Otherwise the few documents of a language would rank first for
//! whatever is said in another.

use std::collections::HashMap;

use colloquy_domain::search::{
    analysis::{self, Token},
    query::{Clause, TextQuery},
};
use tantivy::{Searcher, Term, query::Bm25StatisticsProvider, schema::Field};

use super::schema::Fields;

pub(crate) struct Pooled<'a> {
    searcher: &'a Searcher,
    /// The terms of the query's words, each with those that stand for the same.
    alike: HashMap<Term, Vec<Term>>,
}

impl<'a> Pooled<'a> {
    pub(crate) fn new(searcher: &'a Searcher, fields: &Fields, query: &TextQuery) -> Self {
        let mut pooled = Self { searcher, alike: HashMap::new() };
        for clause in query.wanted() {
            if let Clause::Word(text) = clause {
                pooled.add(fields.stemmed, &analysis::readings(text));
            }
        }
        pooled
    }

    /// Readings are aligned at their ends: what one of them leaves out stands in front.
    fn add(&mut self, field: Field, readings: &[Vec<Token>]) {
        let longest = readings.iter().map(Vec::len).max().unwrap_or(0);
        for back in 0..longest {
            let terms = readings.iter().filter_map(|tokens| tokens.iter().nth_back(back));
            let mut terms: Vec<Term> = terms.map(|token| Term::from_field_text(field, &token.text)).collect();
            terms.sort();
            terms.dedup();
            for term in &terms {
                self.alike.entry(term.clone()).or_insert_with(|| terms.clone());
            }
        }
    }

    /// The sum of the inverse document frequencies of terms, as tantivy's BM25 has them: what each adds to the score of a
    /// passage of average length that holds it once.
    pub(crate) fn rarity(&self, field: Field, tokens: &[Token]) -> tantivy::Result<f32> {
        let all = self.total_num_docs()? as f32;
        tokens.iter().try_fold(0.0, |sum, token| {
            let holding = self.doc_freq(&Term::from_field_text(field, &token.text))? as f32;
            Ok(sum + ((all - holding + 0.5) / (holding + 0.5)).ln_1p())
        })
    }
}

impl Bm25StatisticsProvider for Pooled<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.searcher.total_num_tokens(field)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.searcher.total_num_docs()
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        let alike = self.alike.get(term).map_or(std::slice::from_ref(term), Vec::as_slice);
        let holding: u64 =
            alike.iter().map(|term| self.searcher.doc_freq(term)).sum::<tantivy::Result<u64>>()?;
        // A count of documents that were deleted since may go beyond those that are left.
        Ok(holding.min(self.total_num_docs()?))
    }
}
