//! What every vector engine must do.

use std::collections::HashMap;

use chrono::TimeDelta;
use colloquy_domain::{
    conversations::ConversationKind::{self, Interview, Meeting},
    ids::PassageId,
    people::Known,
    ports::search::{ConversationFacets, PassageDocument, VectorIndex},
    search::{find::HitFacets, query::SearchFilter},
};
use rand::RngExt;

use crate::fixtures::{DIMENSIONS, Vectors, World, at, axis, cosine, language, strings};

type Index<'a> = &'a dyn VectorIndex;

async fn put(index: Index<'_>, world: &World, version: i64, n: u32, vectors: &[Vec<f32>]) {
    let passages = (0..).zip(vectors).map(|(i, v)| (world.passage(n, i, "", &[]), v.clone())).collect();
    index.replace(world.tenant(0), version, world.facets(n), passages).await.unwrap();
}

async fn find(index: Index<'_>, world: &World, vector: &[f32]) -> Vec<(u32, u32)> {
    let hits = index.search(world.tenant(0), vector, &SearchFilter::default(), 100).await.unwrap();
    world.places(&hits)
}

pub async fn nearest_come_first_and_score_is_cosine(index: Index<'_>, world: &World) {
    let vectors = [axis(0, 1, 0.0), axis(0, 1, 0.5), axis(1, 0, 0.1), axis(2, 3, 0.0)];
    put(index, world, 1, 0, &vectors).await;
    let query = axis(0, 2, 0.05);
    let hits = index.search(world.tenant(0), &query, &SearchFilter::default(), 3).await.unwrap();
    assert_eq!(world.places(&hits), [(0, 0), (0, 1), (0, 2)]);
    for (hit, vector) in hits.iter().zip(&vectors) {
        assert!((hit.score - cosine(&query, vector)).abs() < 1e-4, "{hit:?}");
    }
    let opposite: Vec<f32> = query.iter().map(|x| -x).collect();
    let hits = index.search(world.tenant(0), &opposite, &SearchFilter::default(), 10).await.unwrap();
    assert_eq!(hits.len(), 4);
    assert!((hits[3].score - cosine(&opposite, &vectors[0])).abs() < 1e-4);
}

pub async fn each_filter_narrows(index: Index<'_>, world: &World) {
    let facets = |n, kind, tags: &[&str], occurred: Option<&str>| ConversationFacets {
        kind,
        tags: strings(tags),
        occurred_at: occurred.map(at),
        ..world.facets(n)
    };
    let all = [
        facets(0, Interview, &["Pay"], Some("2026-03-01T10:00:00Z")),
        facets(1, Meeting, &["pay", "Q3"], Some("2026-03-01T10:00:00.000001Z")),
        facets(2, Meeting, &[], None),
    ];
    for (n, facets) in (0..).zip(all) {
        let passages = vec![
            (world.passage(n, 0, "", &["Ann"]), axis(0, 1, 0.1 * n as f32)),
            (world.passage(n, 1, "", &["ann ", "Bo"]), axis(1, 0, 0.1)),
        ];
        index.replace(world.tenant(0), 1, facets, passages).await.unwrap();
    }
    let search = async |filter: SearchFilter| {
        let hits = index.search(world.tenant(0), &axis(0, 1, 0.0), &filter, 100).await.unwrap();
        let mut places = world.places(&hits);
        places.sort_unstable();
        places
    };
    let any = SearchFilter::default;
    assert_eq!(search(any()).await.len(), 6);
    assert_eq!(search(SearchFilter { kinds: vec![Interview], ..any() }).await, [(0, 0), (0, 1)]);
    assert_eq!(
        search(SearchFilter { tags: strings(&["PAY"]), kinds: vec![Meeting], ..any() }).await,
        [(1, 0), (1, 1)]
    );
    assert_eq!(search(SearchFilter { tags: strings(&["absent"]), ..any() }).await, []);
    assert_eq!(search(SearchFilter { speakers: strings(&["bo"]), ..any() }).await, [(0, 1), (1, 1), (2, 1)]);
    assert_eq!(search(SearchFilter { speakers: strings(&["ANN"]), ..any() }).await.len(), 6);
    let ids = vec![world.conversation(2), world.conversation(7)];
    assert_eq!(search(SearchFilter { conversation_ids: ids, ..any() }).await, [(2, 0), (2, 1)]);
    let span = |from: Option<&str>, before: Option<&str>| SearchFilter {
        occurred_from: from.map(at),
        occurred_before: before.map(at),
        ..any()
    };
    let first = Some("2026-03-01T10:00:00Z");
    assert_eq!(search(span(first, None)).await, [(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(search(span(None, first)).await, []);
    assert_eq!(search(span(first, Some("2026-03-01T10:00:00.000001Z"))).await, [(0, 0), (0, 1)]);
    assert_eq!(search(span(Some("2026-01-01T00:00:00Z"), Some("2026-12-31T00:00:00Z"))).await.len(), 4);
    assert_eq!(search(span(Some("2026-12-31T00:00:00Z"), first)).await, []);
}

pub async fn tenants_never_see_each_other(index: Index<'_>, world: &World) {
    for n in 0..3 {
        let passages = vec![(world.passage(n, 0, "", &["Ann"]), axis(0, 1, 0.0))];
        index.replace(world.tenant(n), 1, world.facets(n), passages).await.unwrap();
    }
    let all = (0..3).map(|n| world.conversation(n)).collect();
    let filters = [
        SearchFilter::default(),
        SearchFilter { conversation_ids: all, ..SearchFilter::default() },
        SearchFilter { speakers: strings(&["ann"]), ..SearchFilter::default() },
    ];
    for filter in &filters {
        for n in 0..3 {
            let hits = index.search(world.tenant(n), &axis(0, 1, 0.0), filter, 10).await.unwrap();
            assert_eq!(world.places(&hits), [(n, 0)]);
        }
        assert_eq!(index.search(world.tenant(3), &axis(0, 1, 0.0), filter, 10).await.unwrap(), []);
    }
}

pub async fn a_tenant_cannot_touch_anothers_conversation(index: Index<'_>, world: &World) {
    put(index, world, 1, 0, &[axis(0, 1, 0.0)]).await;
    index.remove(world.tenant(1), world.conversation(0)).await.unwrap();
    index.replace(world.tenant(1), 9, world.facets(0), Vec::new()).await.unwrap();
    assert_eq!(find(index, world, &axis(0, 1, 0.0)).await, [(0, 0)]);
}

pub async fn later_versions_win(index: Index<'_>, world: &World) {
    put(index, world, 5, 0, &[axis(0, 1, 0.0), axis(1, 0, 0.0), axis(2, 0, 0.0)]).await;
    put(index, world, 4, 0, &[axis(3, 0, 0.0)]).await;
    assert_eq!(find(index, world, &axis(0, 1, 0.3)).await, [(0, 0), (0, 1), (0, 2)]);
    put(index, world, 6, 0, &[axis(4, 0, 0.0)]).await;
    let hits = index.search(world.tenant(0), &axis(4, 0, 0.0), &SearchFilter::default(), 10).await.unwrap();
    assert_eq!(world.places(&hits), [(0, 0)]);
    assert!(hits[0].score > 0.999);
    put(index, world, 7, 0, &[]).await;
    put(index, world, 6, 0, &[axis(4, 0, 0.0)]).await;
    assert_eq!(find(index, world, &axis(4, 0, 0.0)).await, []);
}

pub async fn the_same_version_may_be_written_again(index: Index<'_>, world: &World) {
    for _ in 0..3 {
        put(index, world, 1, 0, &[axis(0, 1, 0.0), axis(1, 0, 0.0)]).await;
        assert_eq!(find(index, world, &axis(0, 1, 0.2)).await, [(0, 0), (0, 1)]);
    }
}

pub async fn facets_change_while_vectors_stay(index: Index<'_>, world: &World) {
    let write = async |version, tags: &[&str], speakers: &[&str], occurred: Option<&str>| {
        let facets =
            ConversationFacets { tags: strings(tags), occurred_at: occurred.map(at), ..world.facets(0) };
        let passages = vec![(world.passage(0, 0, "", speakers), axis(0, 1, 0.0))];
        index.replace(world.tenant(0), version, facets, passages).await.unwrap();
    };
    let hits = async |filter: SearchFilter| {
        index.search(world.tenant(0), &axis(0, 1, 0.0), &filter, 10).await.unwrap().len()
    };
    let tagged = |tag: &str| SearchFilter { tags: strings(&[tag]), ..SearchFilter::default() };
    let said = |label: &str| SearchFilter { speakers: strings(&[label]), ..SearchFilter::default() };
    let since =
        || SearchFilter { occurred_from: Some(at("2026-01-01T00:00:00Z")), ..SearchFilter::default() };
    write(1, &["old"], &["Speaker 1"], Some("2026-02-01T00:00:00Z")).await;
    assert_eq!((hits(tagged("old")).await, hits(said("speaker 1")).await, hits(since()).await), (1, 1, 1));
    write(2, &["new"], &["Ann"], None).await;
    assert_eq!((hits(tagged("old")).await, hits(said("speaker 1")).await, hits(since()).await), (0, 0, 0));
    assert_eq!((hits(tagged("new")).await, hits(said("ann")).await), (1, 1));
    assert_eq!(hits(SearchFilter::default()).await, 1);
}

pub async fn a_removed_conversation_stays_out(index: Index<'_>, world: &World) {
    put(index, world, 1, 0, &[axis(0, 1, 0.0)]).await;
    put(index, world, 1, 1, &[axis(0, 1, 0.1)]).await;
    for _ in 0..2 {
        index.remove(world.tenant(0), world.conversation(0)).await.unwrap();
        assert_eq!(find(index, world, &axis(0, 1, 0.0)).await, [(1, 0)]);
    }
    put(index, world, 99, 0, &[axis(0, 1, 0.0)]).await;
    index.remove(world.tenant(0), world.conversation(2)).await.unwrap();
    put(index, world, 99, 2, &[axis(0, 1, 0.0)]).await;
    assert_eq!(find(index, world, &axis(0, 1, 0.0)).await, [(1, 0)]);
}

pub async fn an_organization_may_lose_all_and_begin_again(index: Index<'_>, world: &World) {
    let mut vectors = Vectors::new(3);
    assert_eq!(find(index, world, &axis(0, 1, 0.0)).await, []);
    for round in 0..3 {
        let many: Vec<_> = (0..40).map(|_| vectors.draw()).collect();
        put(index, world, 1, round, &many).await;
        assert_eq!(find(index, world, &many[7]).await.len(), 40);
        assert_eq!(find(index, world, &many[7]).await[0], (round, 7));
        index.remove(world.tenant(0), world.conversation(round)).await.unwrap();
        assert_eq!(find(index, world, &many[7]).await, []);
    }
}

pub async fn vectors_of_another_length_are_refused(index: Index<'_>, world: &World) {
    let tenant = world.tenant(0);
    let short = vec![1.0; DIMENSIONS - 1];
    let passages = vec![(world.passage(0, 0, "", &[]), short.clone())];
    let refused = index.replace(tenant, 1, world.facets(0), passages).await.unwrap_err();
    assert_eq!(refused.code(), "VECTOR_DIMENSIONS");
    let refused = index.search(tenant, &short, &SearchFilter::default(), 10).await.unwrap_err();
    assert_eq!(refused.code(), "VECTOR_DIMENSIONS");
    let refused =
        index.search(tenant, &[f32::NAN; DIMENSIONS], &SearchFilter::default(), 10).await.unwrap_err();
    assert_eq!(refused.code(), "VECTOR_NOT_FINITE");
}

pub async fn a_vector_of_nothing_is_near_to_nothing(index: Index<'_>, world: &World) {
    put(index, world, 1, 0, &[vec![0.0; DIMENSIONS], axis(0, 1, 0.0)]).await;
    assert_eq!(find(index, world, &axis(0, 1, 0.0)).await, [(0, 1)]);
    assert_eq!(find(index, world, &[0.0; DIMENSIONS]).await, []);
}

/// What was put, to be searched by hand.
#[derive(Default)]
struct Mirror(HashMap<PassageId, (ConversationFacets, PassageDocument, Vec<f32>)>);

impl Mirror {
    fn nearest(&self, query: &[f32], filter: &SearchFilter, limit: usize) -> Vec<(PassageId, f32)> {
        let known = |passage: &PassageDocument| -> Vec<Known> {
            passage.people.iter().map(|id| Known { id: *id, key: String::new() }).collect()
        };
        let mut found: Vec<(PassageId, f32)> = self
            .0
            .values()
            .filter(|(facets, passage, _)| {
                filter.matches(&HitFacets {
                    conversation_id: facets.conversation_id,
                    kind: facets.kind,
                    tags: facets.tags.iter().map(String::as_str).collect(),
                    speakers: passage.speakers.iter().map(String::as_str).collect(),
                    occurred_at: facets.occurred_at,
                    language: facets.language,
                    people: &known(passage),
                })
            })
            .map(|(_, passage, vector)| (passage.id, cosine(query, vector)))
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(limit);
        found
    }

    /// Of the best ten, the part that was found; and every hit must be what it says.
    async fn recall(&self, index: Index<'_>, world: &World, query: &[f32], filter: &SearchFilter) -> f64 {
        let hits = index.search(world.tenant(0), query, filter, 10).await.unwrap();
        let best = self.nearest(query, filter, 10);
        assert_eq!(hits.len(), best.len(), "as many as there are: {filter:?}");
        for hit in &hits {
            let (facets, _, vector) = &self.0[&hit.passage_id];
            assert_eq!(facets.conversation_id, hit.conversation_id);
            assert!((cosine(query, vector) - hit.score).abs() < 1e-4);
            let allowed = self.nearest(query, filter, usize::MAX);
            assert!(allowed.iter().any(|(id, _)| *id == hit.passage_id), "the filter is exact: {filter:?}");
        }
        if best.is_empty() {
            return 1.0;
        }
        let worst = best[best.len() - 1].1 - 1e-5;
        hits.iter().filter(|hit| hit.score >= worst).count() as f64 / best.len() as f64
    }
}

fn varied(world: &World, vectors: &mut Vectors, n: u32) -> ConversationFacets {
    let rng = vectors.rng();
    let start = at("2026-01-01T00:00:00Z");
    let tags: Vec<String> = (0..8).filter(|_| rng.random_bool(0.3)).map(|t| format!("Tag {t}")).collect();
    ConversationFacets {
        kind: ConversationKind::ALL[rng.random_range(0..4)],
        tags,
        language: language(["en", "de", "ja"][rng.random_range(0..3)]),
        occurred_at: rng.random_bool(0.9).then(|| start + TimeDelta::minutes(rng.random_range(0..400_000))),
        ..world.facets(n)
    }
}

fn random_filter(world: &World, vectors: &mut Vectors) -> SearchFilter {
    let rng = vectors.rng();
    let mut filter = SearchFilter::default();
    let start = at("2026-01-01T00:00:00Z");
    if rng.random_bool(0.4) {
        filter.kinds = ConversationKind::ALL.into_iter().filter(|_| rng.random_bool(0.5)).collect();
    }
    if rng.random_bool(0.4) {
        filter.tags = vec![format!("tag {}", rng.random_range(0..9))];
    }
    if rng.random_bool(0.4) {
        filter.speakers =
            (0..rng.random_range(1..3)).map(|_| format!("speaker {}", rng.random_range(0..12))).collect();
    }
    if rng.random_bool(0.4) {
        filter.occurred_from = Some(start + TimeDelta::minutes(rng.random_range(0..400_000)));
    }
    if rng.random_bool(0.4) {
        filter.occurred_before = Some(start + TimeDelta::minutes(rng.random_range(0..400_000)));
    }
    if rng.random_bool(0.2) {
        filter.languages = ["de", "fr"].into_iter().filter_map(language).collect();
    }
    if rng.random_bool(0.2) {
        filter.conversation_ids =
            (0..rng.random_range(1..20)).map(|_| world.conversation(rng.random_range(0..120))).collect();
    }
    filter
}

async fn fill(
    index: Index<'_>,
    world: &World,
    vectors: &mut Vectors,
    mirror: &mut Mirror,
    version: i64,
    n: u32,
) {
    mirror.0.retain(|_, (facets, ..)| facets.conversation_id != world.conversation(n));
    let facets = varied(world, vectors, n);
    let count = vectors.rng().random_range(10..30);
    let mut passages = Vec::new();
    for i in 0..count {
        let speaker = format!("Speaker {}", vectors.rng().random_range(0..12));
        let passage = world.passage(n, i, "", &[&speaker]);
        let vector = vectors.draw();
        mirror.0.insert(passage.id, (facets.clone(), passage.clone(), vector.clone()));
        passages.push((passage, vector));
    }
    index.replace(world.tenant(0), version, facets, passages).await.unwrap();
}

/// About 2,000 vectors, some rewritten, some removed, under random filters.
pub async fn filters_are_exact_against_brute_force(index: Index<'_>, world: &World) {
    let (mut vectors, mut mirror) = (Vectors::new(11), Mirror::default());
    for n in 0..110 {
        fill(index, world, &mut vectors, &mut mirror, 1, n).await;
    }
    for n in (0..110).step_by(7) {
        fill(index, world, &mut vectors, &mut mirror, 2, n).await;
    }
    for n in (0..110).step_by(11) {
        index.remove(world.tenant(0), world.conversation(n)).await.unwrap();
        mirror.0.retain(|_, (facets, ..)| facets.conversation_id != world.conversation(n));
    }
    let (mut plain, mut filtered) = (0.0, 0.0);
    for _ in 0..100 {
        let query = vectors.draw();
        plain += mirror.recall(index, world, &query, &SearchFilter::default()).await;
        let filter = random_filter(world, &mut vectors);
        filtered += mirror.recall(index, world, &query, &filter).await;
    }
    assert!(plain / 100.0 >= 0.95, "recall@10 {}", plain / 100.0);
    assert!(filtered / 100.0 >= 0.95, "recall@10 with filters {}", filtered / 100.0);
}

/// Every conversation is rewritten several times over.
pub async fn recall_survives_churn(index: Index<'_>, world: &World) {
    let (mut vectors, mut mirror) = (Vectors::new(5), Mirror::default());
    for version in 1..=4 {
        for n in 0..50 {
            fill(index, world, &mut vectors, &mut mirror, version, n).await;
        }
    }
    let mut recall = 0.0;
    for _ in 0..200 {
        recall += mirror.recall(index, world, &vectors.draw(), &SearchFilter::default()).await;
    }
    assert!(recall / 200.0 >= 0.95, "recall@10 {}", recall / 200.0);
}
