//! The domain's query and filter as tantivy's. It is built clause by clause: nothing a user types is ever
//! parsed as tantivy's own syntax.

use std::ops::Bound;

use colloquy_domain::{
    accounts::Tenant,
    search::query::{Clause, SearchFilter, TextQuery, fold},
};
use tantivy::{
    Searcher, Term,
    query::{
        Bm25StatisticsProvider, BooleanQuery, BoostQuery, ConstScoreQuery, EmptyQuery, Occur, PhraseQuery,
        Query, RangeQuery, TermQuery, TermSetQuery,
    },
    schema::{Field, IndexRecordOption},
    tokenizer::TextAnalyzer,
};

use super::{
    analysis::{Analysis, tokens},
    schema::{Fields, scoped},
    unwanted::Unwanted,
};

/// How much more a word weighs that stands there in the very form that was typed.
const EXACT_BOOST: f32 = 0.25;

pub(crate) fn build(
    fields: &Fields,
    analysis: &mut Analysis,
    tenant: Tenant,
    query: &TextQuery,
    filter: &SearchFilter,
) -> BooleanQuery {
    let organization = Term::from_field_bytes(fields.organization, tenant.0.0.as_bytes());
    let mut clauses = vec![(Occur::Must, unscored(TermQuery::new(organization, IndexRecordOption::Basic)))];
    clauses.extend(filters(fields, tenant, filter).into_iter().map(|narrowed| (Occur::Must, narrowed)));

    let (words, phrases): (Vec<_>, Vec<_>) =
        query.clauses.iter().partition(|clause| matches!(clause, Clause::Word(_)));
    clauses.extend(phrases.into_iter().map(|phrase| (Occur::Must, wanted(fields, analysis, phrase))));
    let groups = query.either.iter().map(|group| group.iter().collect());
    for any in groups.chain([words]).filter(|any: &Vec<&Clause>| !any.is_empty()) {
        let any = any.into_iter().map(|clause| (Occur::Should, wanted(fields, analysis, clause))).collect();
        clauses.push((Occur::Must, Box::new(BooleanQuery::new(any))));
    }
    for clause in &query.not {
        let unwanted = match clause {
            Clause::Word(text) => sequence(fields.stemmed, &mut analysis.stemmed, text),
            Clause::Phrase(text) => sequence(fields.exact, &mut analysis.exact, text),
        };
        clauses.push((Occur::MustNot, Unwanted::boxed(unwanted)));
    }
    BooleanQuery::new(clauses)
}

/// The score of a passage of average length that holds every clause once, and of each group the rarest.
pub(crate) fn whole(
    fields: &Fields,
    analysis: &mut Analysis,
    query: &TextQuery,
    searcher: &Searcher,
) -> tantivy::Result<f32> {
    let mut of = |clause: &Clause| -> tantivy::Result<f32> {
        let same_form = rarity(searcher, fields.exact, &mut analysis.exact, clause.text())?;
        Ok(match clause {
            Clause::Word(text) => {
                rarity(searcher, fields.stemmed, &mut analysis.stemmed, text)? + EXACT_BOOST * same_form
            }
            Clause::Phrase(_) => same_form,
        })
    };
    let mut whole = 0.0;
    for clause in &query.clauses {
        whole += of(clause)?;
    }
    for group in &query.either {
        whole += group
            .iter()
            .try_fold(0.0, |most: f32, clause| Ok::<_, tantivy::TantivyError>(most.max(of(clause)?)))?;
    }
    Ok(whole)
}

/// The sum of the inverse document frequencies of a text's terms, as tantivy's BM25 has them: what each adds to
/// the score of a passage of average length that holds it once.
fn rarity(
    searcher: &Searcher,
    field: Field,
    analyzer: &mut TextAnalyzer,
    text: &str,
) -> tantivy::Result<f32> {
    let all = searcher.total_num_docs()? as f32;
    tokens(analyzer, text).iter().try_fold(0.0, |sum, token| {
        let holding = searcher.doc_freq(&Term::from_field_text(field, &token.text))? as f32;
        Ok(sum + ((all - holding + 0.5) / (holding + 0.5)).ln_1p())
    })
}

fn wanted(fields: &Fields, analysis: &mut Analysis, clause: &Clause) -> Box<dyn Query> {
    match clause {
        Clause::Word(text) => word(fields, analysis, text),
        Clause::Phrase(text) => sequence(fields.exact, &mut analysis.exact, text),
    }
}

fn word(fields: &Fields, analysis: &mut Analysis, text: &str) -> Box<dyn Query> {
    let any_form = sequence(fields.stemmed, &mut analysis.stemmed, text);
    let same_form = sequence(fields.exact, &mut analysis.exact, text);
    Box::new(BooleanQuery::new(vec![
        (Occur::Must, any_form),
        (Occur::Should, Box::new(BoostQuery::new(same_form, EXACT_BOOST))),
    ]))
}

/// The text's terms next to each other; a text without a term stands nowhere.
fn sequence(field: Field, analyzer: &mut TextAnalyzer, text: &str) -> Box<dyn Query> {
    let found = tokens(analyzer, text);
    let mut terms: Vec<(usize, Term)> =
        found.iter().map(|token| (token.position, Term::from_field_text(field, &token.text))).collect();
    match terms.len() {
        0 => Box::new(EmptyQuery),
        1 => Box::new(TermQuery::new(terms.remove(0).1, IndexRecordOption::WithFreqs)),
        _ => Box::new(PhraseQuery::new_with_offset(terms)),
    }
}

fn filters(fields: &Fields, tenant: Tenant, filter: &SearchFilter) -> Vec<Box<dyn Query>> {
    let SearchFilter { kinds, tags, speakers, occurred_from, occurred_before, conversation_ids } = filter;
    let folded = |field, labels: &[String]| -> Vec<Term> {
        labels.iter().map(|label| Term::from_field_text(field, &fold(label))).collect()
    };
    let lists = [
        kinds.iter().map(|kind| Term::from_field_text(fields.kind, kind.as_str())).collect(),
        folded(fields.tags, tags),
        folded(fields.speakers, speakers),
        conversation_ids
            .iter()
            .map(|id| Term::from_field_bytes(fields.conversation, &scoped(tenant.0.0, id.0)))
            .collect(),
    ];
    let mut narrowed: Vec<Box<dyn Query>> = lists
        .into_iter()
        .filter(|terms| !terms.is_empty())
        .map(|terms| unscored(TermSetQuery::new(terms)))
        .collect();
    if occurred_from.is_some() || occurred_before.is_some() {
        let term = |micros| Term::from_field_i64(fields.occurred_at, micros);
        let from = occurred_from.map_or(i64::MIN, |at| at.timestamp_micros());
        let before = occurred_before.map(|at| at.timestamp_micros());
        let end = before.map_or(Bound::Unbounded, |micros| Bound::Excluded(term(micros)));
        narrowed.push(match before {
            Some(before) if before <= from => Box::new(EmptyQuery),
            _ => unscored(RangeQuery::new(Bound::Included(term(from)), end)),
        });
    }
    narrowed
}

/// Filters say yes or no, they do not rank.
fn unscored(query: impl Query) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(Box::new(query), 0.0))
}
