//! The domain's query and filter in the server's notation. It is built clause by clause: nothing a user types is ever
//! read as the server's own syntax, and no clause is one that scans terms.

use std::cmp::Reverse;

use colloquy_domain::{
    accounts::Tenant,
    search::{
        analysis::{self, Token},
        query::{Clause, SearchFilter, TextQuery, fold},
    },
};
use serde_json::{Value, json};

use crate::{
    analysis::{Form, joined},
    statistics::Statistics,
};

/// How much more a word weighs that stands there in the very form that was typed.
pub(crate) const EXACT_BOOST: f32 = 0.25;
/// Terms of one query: servers refuse more than 1,024.
const MOST_TERMS: usize = 1_000;
/// In characters; a keyword of the server ends at 32,766 bytes. What is longer is compared by its beginning.
const LONGEST_LABEL: usize = 8_000;

/// `None` where nothing can match. With `statistics` a word is as rare as its terms of all languages together.
pub(crate) fn build(
    tenant: Tenant,
    query: &TextQuery,
    filter: &SearchFilter,
    statistics: Option<&Statistics>,
) -> Option<Value> {
    let filters = filters(tenant, filter)?;
    let (words, phrases): (Vec<_>, Vec<_>) =
        query.clauses.iter().partition(|clause| !matches!(clause, Clause::Phrase(_)));
    let mut must: Vec<Option<Value>> =
        counted(phrases).into_iter().map(|one| wanted(one, statistics)).collect();
    let certain = query.clauses.iter().filter(|clause| matches!(clause, Clause::Phrase(_))).chain(&query.not);
    let mut room = MOST_TERMS.saturating_sub(certain.map(terms).sum());
    let groups = query.either.iter().map(|group| group.iter().collect());
    for group in groups.chain([words]).filter(|group: &Vec<&Clause>| !group.is_empty()) {
        // What has no term stands nowhere; another of the group may.
        let group = fitting(counted(group), &mut room);
        let any: Vec<Value> = group.into_iter().filter_map(|one| wanted(one, statistics)).collect();
        must.push((!any.is_empty()).then(|| json!({ "bool": { "should": any, "minimum_should_match": 1 } })));
    }
    let must: Vec<Value> = must.into_iter().collect::<Option<_>>()?;
    let must_not: Vec<Value> = query.not.iter().filter_map(|clause| wanted((clause, 1.0), None)).collect();
    Some(json!({ "bool": { "filter": filters, "must": must, "must_not": must_not } }))
}

/// Each clause once, with how often it is there: the score is the same, and the query shorter.
fn counted(clauses: Vec<&Clause>) -> Vec<(&Clause, f32)> {
    let mut counted: Vec<(&Clause, f32)> = Vec::with_capacity(clauses.len());
    for clause in clauses {
        match counted.iter_mut().find(|(seen, _)| *seen == clause) {
            Some((_, times)) => *times += 1.0,
            None => counted.push((clause, 1.0)),
        }
    }
    counted
}

/// Those that there is room for, and one at the least: the longest, as what is common is short.
fn fitting<'a>(mut clauses: Vec<(&'a Clause, f32)>, room: &mut usize) -> Vec<(&'a Clause, f32)> {
    let all: usize = clauses.iter().map(|(clause, _)| terms(clause)).sum();
    if all > *room {
        clauses.sort_by_key(|(clause, _)| Reverse(clause.text().chars().count()));
        let mut taken = 0;
        let fits = |(clause, _): &&(&Clause, f32)| {
            taken += terms(clause);
            taken <= *room
        };
        let count = clauses.iter().take_while(fits).count();
        clauses.truncate(count.max(1));
    }
    *room = room.saturating_sub(clauses.iter().map(|(clause, _)| terms(clause)).sum());
    clauses
}

/// How many terms the server has to look for.
fn terms(clause: &Clause) -> usize {
    let exact = analysis::exact(clause.text()).len();
    match clause {
        Clause::Word(text) => exact + analysis::readings(text).iter().map(Vec::len).sum::<usize>(),
        Clause::Phrase(_) => exact,
        Clause::Alike(names) => names.iter().map(terms).sum(),
    }
}

fn wanted((clause, times): (&Clause, f32), statistics: Option<&Statistics>) -> Option<Value> {
    match clause {
        Clause::Word(text) => word(text, times, statistics),
        Clause::Phrase(text) => sequence(Form::Exact, &analysis::exact(text), times),
        Clause::Alike(names) => {
            let any: Vec<Value> = names.iter().filter_map(|name| wanted((name, times), statistics)).collect();
            (!any.is_empty()).then(|| json!({ "dis_max": { "queries": any } }))
        }
    }
}

/// In any form by the rules of any language, or as it stands.
fn word(text: &str, times: f32, statistics: Option<&Statistics>) -> Option<Value> {
    let same_form = sequence(Form::Exact, &analysis::exact(text), times * EXACT_BOOST)?;
    let readings = analysis::readings(text);
    let weight = |tokens| statistics.map_or(1.0, |statistics| statistics.weight(&readings, tokens));
    let mut any: Vec<Value> = vec![same_form];
    any.extend(readings.iter().filter_map(|tokens| sequence(Form::Stemmed, tokens, times * weight(tokens))));
    Some(json!({ "bool": { "should": any, "minimum_should_match": 1 } }))
}

/// The terms as far from each other as in the text; what has none stands nowhere.
fn sequence(form: Form, tokens: &[Token], boost: f32) -> Option<Value> {
    let field = form.field();
    match tokens {
        [] => None,
        [one] => Some(json!({ "term": { field: { "value": one.text, "boost": boost } } })),
        many => Some(json!({ "match_phrase": { field: { "query": joined(many), "boost": boost } } })),
    }
}

pub(crate) fn filters(tenant: Tenant, filter: &SearchFilter) -> Option<Vec<Value>> {
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
    let lists = [
        ("kind", kinds.iter().map(|kind| kind.as_str().to_owned()).collect()),
        ("language", languages.iter().map(ToString::to_string).collect()),
        ("tags", tags.iter().map(|tag| label(tag)).collect()),
        ("speakers", speakers.iter().map(|speaker| label(speaker)).collect()),
        ("people", person_ids.iter().map(ToString::to_string).collect()),
        ("conversation_id", conversation_ids.iter().map(ToString::to_string).collect::<Vec<_>>()),
    ];
    let mut filters = vec![json!({ "term": { "organization": tenant.0.to_string() } })];
    let narrowed = lists.into_iter().filter(|(_, values)| !values.is_empty());
    filters.extend(narrowed.map(|(field, values)| json!({ "terms": { field: values } })));
    let from = occurred_from.map(|at| at.timestamp_micros());
    let before = occurred_before.map(|at| at.timestamp_micros());
    match (from, before) {
        (None, None) => {}
        (Some(from), Some(before)) if before <= from => return None,
        _ => {
            let bounds = [("gte", from), ("lt", before)];
            let bounds: serde_json::Map<String, Value> =
                bounds.iter().filter_map(|(name, at)| Some(((*name).to_owned(), json!((*at)?)))).collect();
            filters.push(json!({ "range": { "occurred_at": bounds } }));
        }
    }
    Some(filters)
}

/// A tag or a speaker as it is stored and compared.
pub(crate) fn label(text: &str) -> String {
    let mut folded = fold(text);
    if let Some((end, _)) = folded.char_indices().nth(LONGEST_LABEL) {
        folded.truncate(end);
    }
    folded
}

#[cfg(test)]
mod tests {
    use colloquy_domain::ids::OrganizationId;
    use uuid::Uuid;

    use super::*;

    fn built(text: &str) -> Option<Value> {
        let query = TextQuery::parse(text).unwrap();
        build(Tenant(OrganizationId(Uuid::nil())), &query, &SearchFilter::default(), None)
    }

    #[test]
    fn phrases_must_stand_and_one_word_will_do() {
        let query = built(r#"salaries e-mail "notice period" -bonus -"stock option""#).unwrap();
        let of = &query["bool"];
        assert_eq!(of["filter"], json!([{ "term": { "organization": Uuid::nil().to_string() } }]));
        assert_eq!(of["must"][0]["match_phrase"]["exact"]["query"], "notice period");
        let words = &of["must"][1]["bool"];
        assert_eq!(words["minimum_should_match"], 1);
        let salaries = &words["should"][0]["bool"]["should"];
        assert_eq!(salaries[0]["term"]["exact"]["value"], "salaries");
        assert_eq!(salaries[1]["term"]["stemmed"]["value"], "en:salari");
        assert_eq!(
            words["should"][1]["bool"]["should"][1]["match_phrase"]["stemmed"]["query"],
            "en:e en:mail"
        );
        assert_eq!(of["must_not"][0]["bool"]["should"][1]["term"]["stemmed"]["value"], "en:bonus");
        assert_eq!(of["must_not"][1]["match_phrase"]["exact"]["query"], "stock option");
    }

    #[test]
    fn nothing_is_asked_where_nothing_can_match() {
        let long = "x".repeat(900);
        assert_eq!(built(&long), None);
        assert_eq!(built(&format!("word \"{long}\"")), None);
        assert!(built(&format!("word {long}")).is_some());
    }

    #[test]
    fn a_query_of_one_word_over_and_over_has_one_clause() {
        let query = built(&"be ".repeat(300)).unwrap();
        let words = query["bool"]["must"][0]["bool"]["should"].as_array().unwrap();
        assert_eq!(words.len(), 1);
        assert_eq!(words[0]["bool"]["should"][1]["term"]["stemmed"]["boost"], 300.0);
    }

    #[test]
    fn no_more_terms_are_asked_than_a_server_takes() {
        let letters = |first: char| ('b'..='k').map(move |second| format!(" {first}{second}x"));
        let words: String = ('b'..='x').flat_map(letters).collect();
        let query = built(&format!("pay{words} remuneration \"at it\"")).unwrap();
        let words = query["bool"]["must"][1]["bool"]["should"].as_array().unwrap();
        let asked: usize = words.iter().map(|word| word["bool"]["should"].as_array().unwrap().len()).sum();
        assert!((900..=MOST_TERMS).contains(&asked), "{asked}");
        assert_eq!(words[0]["bool"]["should"][0]["term"]["exact"]["value"], "remuneration");
    }
}
