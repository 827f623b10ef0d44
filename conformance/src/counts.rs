//! Counts by what filters tell apart.

use colloquy_domain::{
    conversations::ConversationKind::{Advice, Coaching, Interview, Meeting},
    ports::search::{ConversationFacets, Counts},
    search::{
        facets::{Facet, ValueCount},
        query::{SearchFilter, TextQuery},
    },
};

use crate::{
    fixtures::{World, at, language, strings},
    text::Index,
};

const ALL: [Facet; 5] = [Facet::Kind, Facet::Tag, Facet::Speaker, Facet::Language, Facet::Person];

/// Four conversations of two passages, "word" in each and "rare" in the first of each.
async fn fill(index: Index<'_>, world: &World, tenant: u32) {
    let facets = |n, kind, tags: &[&str], occurred: Option<&str>| ConversationFacets {
        kind,
        language: language(if n < 3 { "en" } else { "de" }),
        tags: strings(tags),
        occurred_at: occurred.map(at),
        ..world.facets(10 * tenant + n)
    };
    let all = [
        facets(0, Coaching, &["Q3 Review", "pay"], Some("2026-03-01T10:00:00Z")),
        facets(1, Interview, &["PAY "], Some("2026-03-01T10:00:00.000001Z")),
        facets(2, Coaching, &[], Some("2026-04-01T00:00:00Z")),
        facets(3, Advice, &["q3 review"], None),
    ];
    for (n, facets) in (10 * tenant..).zip(all) {
        let passages = vec![
            world.passage(n, 0, "word rare", &["Ann Lee", "Bo", " bo"]),
            world.passage(n, 1, "word", &["Bo"]),
        ];
        index.replace(world.tenant(tenant), 1, facets, passages).await.unwrap();
    }
}

async fn count(index: Index<'_>, world: &World, query: &str, filter: &SearchFilter, limit: usize) -> Counts {
    let query = if query.is_empty() { TextQuery::default() } else { TextQuery::parse(query).unwrap() };
    index.count(world.tenant(0), &query, filter, &ALL, limit).await.unwrap()
}

fn values(counts: &[(&str, u64)]) -> Vec<ValueCount> {
    counts.iter().map(|(value, count)| ValueCount { value: (*value).to_owned(), count: *count }).collect()
}

fn first_and_last() -> Option<(colloquy_domain::time::Timestamp, colloquy_domain::time::Timestamp)> {
    Some((at("2026-03-01T10:00:00Z"), at("2026-04-01T00:00:00Z")))
}

pub async fn counts_are_of_what_matches_by_value(index: Index<'_>, world: &World) {
    fill(index, world, 0).await;
    let any = SearchFilter::default();
    let kinds = |by: u64| values(&[("COACHING", 2 * by), ("ADVICE", by), ("INTERVIEW", by)]);
    let tags = |by: u64| values(&[("pay", 2 * by), ("q3 review", 2 * by)]);
    for (query, of_each) in [("word", 2), ("rare", 1), ("", 2), ("word -rare", 1), ("\"word rare\"", 1)] {
        let counts = count(index, world, query, &any, 10).await;
        assert_eq!(counts.matching, 4 * of_each, "{query}");
        assert_eq!(counts.values[0], kinds(of_each), "{query}");
        assert_eq!(counts.values[1], tags(of_each), "{query}");
        assert_eq!(counts.values[3], values(&[("en", 3 * of_each), ("de", of_each)]), "{query}");
        assert_eq!(counts.span, first_and_last(), "{query}");
    }
    let speakers = count(index, world, "word", &any, 10).await.values[2].clone();
    assert_eq!(speakers, values(&[("bo", 8), ("ann lee", 4)]), "a label counts once a passage");
    assert_eq!(count(index, world, "word", &any, 1).await.values[2], values(&[("bo", 8)]));
    let none = count(index, world, "absent", &any, 10).await;
    assert_eq!((none.matching, none.values, none.span), (0, vec![Vec::new(); ALL.len()], None));
    // What is gone, and what marks it, is not counted.
    index.remove(world.tenant(0), world.conversation(0)).await.unwrap();
    let counts = count(index, world, "", &any, 10).await;
    assert_eq!((counts.matching, &counts.values[1]), (6, &values(&[("pay", 2), ("q3 review", 2)])));
}

pub async fn counts_ignore_their_own_filter_and_heed_the_others(index: Index<'_>, world: &World) {
    fill(index, world, 0).await;
    let filter = SearchFilter {
        kinds: vec![Coaching, Meeting],
        tags: strings(&["Pay"]),
        speakers: strings(&["ann lee"]),
        occurred_before: Some(at("2026-03-15T00:00:00Z")),
        ..SearchFilter::default()
    };
    let counts = count(index, world, "word", &filter, 10).await;
    assert_eq!(counts.matching, 1);
    assert_eq!(counts.values[0], values(&[("COACHING", 1), ("INTERVIEW", 1)]));
    assert_eq!(counts.values[1], values(&[("pay", 1), ("q3 review", 1)]));
    assert_eq!(counts.values[2], values(&[("bo", 2), ("ann lee", 1)]));
    // As the span does of the time.
    let at_one = Some((at("2026-03-01T10:00:00Z"), at("2026-03-01T10:00:00Z")));
    assert_eq!(counts.span, at_one);
    let late = SearchFilter { occurred_from: Some(at("2030-01-01T00:00:00Z")), ..SearchFilter::default() };
    let counts = count(index, world, "word", &late, 10).await;
    assert_eq!((counts.matching, counts.span), (0, first_and_last()));
    let never = SearchFilter { occurred_before: late.occurred_from, ..late };
    let counts = count(index, world, "word", &never, 10).await;
    assert_eq!((counts.matching, counts.values[0].len(), counts.span), (0, 0, first_and_last()));
}

pub async fn passages_are_counted_between_bounds(index: Index<'_>, world: &World) {
    fill(index, world, 0).await;
    let spread = async |query: &str, filter: &SearchFilter, bounds: &[&str]| {
        let query = if query.is_empty() { TextQuery::default() } else { TextQuery::parse(query).unwrap() };
        let bounds: Vec<_> = bounds.iter().map(|bound| at(bound)).collect();
        index.spread(world.tenant(0), &query, filter, &bounds).await.unwrap()
    };
    let any = SearchFilter::default();
    let bounds = [
        "2026-02-01T00:00:00Z",
        "2026-03-01T10:00:00Z",
        "2026-03-01T10:00:00.000001Z",
        "2026-04-01T00:00:00Z",
        "2026-05-01T00:00:00Z",
    ];
    assert_eq!(spread("word", &any, &bounds).await, [0, 2, 2, 2]);
    assert_eq!(spread("", &any, &bounds[..4]).await, [0, 2, 2]);
    let coaching = SearchFilter { kinds: vec![Coaching], ..any.clone() };
    assert_eq!(spread("rare", &coaching, &bounds).await, [0, 1, 0, 1]);
    assert_eq!(spread("absent", &any, &bounds).await, [0; 4]);
    assert_eq!(spread("word", &any, &bounds[..1]).await, [0; 0]);
}

pub async fn nobody_counts_what_is_anothers(index: Index<'_>, world: &World) {
    fill(index, world, 0).await;
    fill(index, world, 1).await;
    for query in ["", "word"] {
        assert_eq!(count(index, world, query, &SearchFilter::default(), 10).await.matching, 8, "{query}");
        let theirs =
            SearchFilter { conversation_ids: vec![world.conversation(10)], ..SearchFilter::default() };
        let counts = count(index, world, query, &theirs, 10).await;
        assert_eq!(
            (counts.matching, counts.values, counts.span),
            (0, vec![Vec::new(); ALL.len()], None),
            "{query}"
        );
        let bounds = [at("2000-01-01T00:00:00Z"), at("2100-01-01T00:00:00Z")];
        let parsed = if query.is_empty() { TextQuery::default() } else { TextQuery::parse(query).unwrap() };
        let spread = index.spread(world.tenant(0), &parsed, &SearchFilter::default(), &bounds).await.unwrap();
        assert_eq!(spread, [6], "{query}");
        let nobodys =
            index.count(world.tenant(2), &parsed, &SearchFilter::default(), &ALL, 10).await.unwrap();
        assert_eq!((nobodys.matching, nobodys.span), (0, None), "{query}");
    }
}
