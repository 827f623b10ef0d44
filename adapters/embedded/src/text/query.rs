//! The domain's query and filter as tantivy's. It is built clause by clause: nothing a user types is ever
//! parsed as tantivy's own syntax.

use std::ops::Bound;

use colloquy_domain::{
    accounts::Tenant,
    search::{
        analysis::{self, Token},
        query::{Clause, SearchFilter, TextQuery, fold},
    },
};
use tantivy::{
    Term,
    query::{
        BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, EmptyQuery, Occur, PhraseQuery,
        Query, RangeQuery, TermQuery, TermSetQuery,
    },
    schema::{Field, IndexRecordOption},
};

use super::{
    schema::{Fields, scoped},
    statistics::Pooled,
    unwanted::Unwanted,
};

/// How much more a word weighs that stands there in the very form that was typed.
const EXACT_BOOST: f32 = 0.25;

pub(crate) fn build(
    fields: &Fields,
    tenant: Tenant,
    query: &TextQuery,
    filter: &SearchFilter,
) -> BooleanQuery {
    let organization = Term::from_field_bytes(fields.organization, tenant.0.0.as_bytes());
    let mut clauses = vec![(Occur::Must, unscored(TermQuery::new(organization, IndexRecordOption::Basic)))];
    clauses.extend(filters(fields, tenant, filter).into_iter().map(|narrowed| (Occur::Must, narrowed)));

    let (words, phrases): (Vec<_>, Vec<_>) =
        query.clauses.iter().partition(|clause| !matches!(clause, Clause::Phrase(_)));
    clauses.extend(phrases.into_iter().map(|phrase| (Occur::Must, wanted(fields, phrase))));
    let groups = query.either.iter().map(|group| group.iter().collect());
    for any in groups.chain([words]).filter(|any: &Vec<&Clause>| !any.is_empty()) {
        let any = any.into_iter().map(|clause| (Occur::Should, wanted(fields, clause))).collect();
        clauses.push((Occur::Must, Box::new(BooleanQuery::new(any))));
    }
    for clause in &query.not {
        clauses.push((Occur::MustNot, Unwanted::boxed(wanted(fields, clause))));
    }
    BooleanQuery::new(clauses)
}

/// The score of a passage of average length that holds every clause once, and of each group the rarest.
pub(crate) fn whole(fields: &Fields, query: &TextQuery, statistics: &Pooled<'_>) -> tantivy::Result<f32> {
    let of = |clause: &Clause| weight(fields, clause, statistics);
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

/// Of several names, what the commonest scores.
fn weight(fields: &Fields, clause: &Clause, statistics: &Pooled<'_>) -> tantivy::Result<f32> {
    let same_form = || statistics.rarity(fields.exact, &analysis::exact(clause.text()));
    Ok(match clause {
        Clause::Word(text) => {
            let readings = analysis::readings(text);
            let longest = readings.into_iter().max_by_key(Vec::len).unwrap_or_default();
            statistics.rarity(fields.stemmed, &longest)? + EXACT_BOOST * same_form()?
        }
        Clause::Phrase(_) => same_form()?,
        Clause::Alike(names) => names.iter().try_fold(f32::INFINITY, |least, name| {
            Ok::<_, tantivy::TantivyError>(least.min(weight(fields, name, statistics)?))
        })?,
    })
}

fn wanted(fields: &Fields, clause: &Clause) -> Box<dyn Query> {
    match clause {
        Clause::Word(text) => word(fields, text),
        Clause::Phrase(text) => sequence(fields.exact, &analysis::exact(text)),
        Clause::Alike(names) => {
            Box::new(DisjunctionMaxQuery::new(names.iter().map(|name| wanted(fields, name)).collect()))
        }
    }
}

/// In any form by the rules of any language, or as it stands.
fn word(fields: &Fields, text: &str) -> Box<dyn Query> {
    let same_form = sequence(fields.exact, &analysis::exact(text));
    let mut any: Vec<(Occur, Box<dyn Query>)> =
        vec![(Occur::Should, Box::new(BoostQuery::new(same_form, EXACT_BOOST)))];
    let readings = analysis::readings(text);
    any.extend(readings.iter().map(|tokens| (Occur::Should, sequence(fields.stemmed, tokens))));
    Box::new(BooleanQuery::new(any))
}

/// The terms as far from each other as in the text; what has none stands nowhere.
fn sequence(field: Field, tokens: &[Token]) -> Box<dyn Query> {
    let mut terms: Vec<(usize, Term)> =
        tokens.iter().map(|token| (token.position, Term::from_field_text(field, &token.text))).collect();
    match terms.len() {
        0 => Box::new(EmptyQuery),
        1 => Box::new(TermQuery::new(terms.remove(0).1, IndexRecordOption::WithFreqs)),
        _ => Box::new(PhraseQuery::new_with_offset(terms)),
    }
}

fn filters(fields: &Fields, tenant: Tenant, filter: &SearchFilter) -> Vec<Box<dyn Query>> {
    let SearchFilter {
        kinds,
        tags,
        speakers,
        occurred_from,
        occurred_before,
        conversation_ids,
        languages,
        person_ids,
        people: _,
    } = filter;
    let folded = |field, labels: &[String]| -> Vec<Term> {
        labels.iter().map(|label| Term::from_field_text(field, &fold(label))).collect()
    };
    let lists = [
        kinds.iter().map(|kind| Term::from_field_text(fields.kind, kind.as_str())).collect(),
        languages.iter().map(|one| Term::from_field_text(fields.language, one.as_str())).collect(),
        folded(fields.tags, tags),
        folded(fields.speakers, speakers),
        person_ids.iter().map(|id| Term::from_field_text(fields.people, &id.to_string())).collect(),
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
