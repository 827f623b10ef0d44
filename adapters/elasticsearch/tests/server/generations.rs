//! What becomes of indexes, on a real server.

use colloquy_conformance::fixtures::World;
use colloquy_domain::{
    ports::search::{Standing, TextIndex},
    search::query::{SearchFilter, TextQuery},
};
use colloquy_elasticsearch::{ElasticsearchIndex, ElasticsearchSettings, Identity, Opened, report};
use elasticsearch::{
    Elasticsearch,
    http::{Method, headers::HeaderMap, transport::Transport},
};
use uuid::Uuid;

use crate::{LOG, first, open};

fn standing(change: i64, live: i64, building: Option<i64>, previous: Option<i64>) -> Standing {
    Standing { change, live, building, previous }
}

async fn put(index: &dyn TextIndex, world: &World, n: u32, texts: &[&str]) {
    index.replace(world.tenant(0), 1, world.facets(n), world.passages(n, texts)).await.unwrap();
}

async fn found(index: &dyn TextIndex, world: &World, query: &str) -> Vec<(u32, u32)> {
    let query = TextQuery::parse(query).unwrap();
    let hits = index.search(world.tenant(0), &query, &SearchFilter::default(), 5_000).await.unwrap().hits;
    let mut places = world.places(&hits);
    places.sort_unstable();
    places
}

pub(crate) async fn generations_stand_beside_each_other_until_one_is_dropped(
    settings: &ElasticsearchSettings,
) {
    let world = World::new("generations");
    let index = open(settings).await;
    let text = index.text();
    put(&*text, &world, 0, &["word"]).await;
    index.align(standing(1, 1, Some(2), None)).await.unwrap();
    put(&*text, &world, 1, &["word", "more"]).await;
    let (old, new) = (index.only(1).unwrap(), index.only(2).unwrap());
    assert_eq!(found(&*old, &world, "word").await, [(0, 0), (1, 0)]);
    assert_eq!(found(&*new, &world, "word").await, [(1, 0)], "what is built has what came since");
    assert_eq!(found(&*text, &world, "word").await, [(0, 0), (1, 0)], "searches read the live one");
    let of = [(world.tenant(0), world.conversation(0)), (world.tenant(0), world.conversation(1))];
    assert_eq!(index.held(1, &of).await.unwrap(), [(Some(1), 1), (Some(1), 2)]);
    assert_eq!(index.held(2, &of).await.unwrap(), [(None, 0), (Some(1), 2)]);

    index.align(standing(2, 2, None, Some(1))).await.unwrap();
    assert_eq!(found(&*text, &world, "word").await, [(1, 0)]);
    text.remove(world.tenant(0), world.conversation(1)).await.unwrap();
    assert_eq!(found(&*old, &world, "word").await, [(0, 0)], "the one of before has every change");
    index.align(standing(3, 1, None, Some(2))).await.unwrap();
    assert_eq!(found(&*text, &world, "word").await, [(0, 0)], "rolled back");
    assert!(index.align(standing(2, 2, None, Some(1))).await.is_ok(), "an earlier change is passed over");
    assert_eq!(found(&*text, &world, "word").await, [(0, 0)]);

    index.align(standing(4, 2, None, None)).await.unwrap();
    assert!(index.only(1).is_none());
    let told = report(settings).await.unwrap();
    assert_eq!((told.generation, told.generations.as_slice()), (Some(2), [2].as_slice()), "{told:?}");
    assert_eq!((told.passages, told.conversations), (0, 1), "{told:?}");
    assert!(told.version.starts_with(|c: char| c.is_ascii_digit()), "{told:?}");
    let lost = index.align(standing(5, 2, None, Some(1))).await.unwrap_err();
    assert_eq!(lost.code(), "GENERATION_LOST");
}

pub(crate) async fn an_index_is_in_step_once_it_is_complete(settings: &ElasticsearchSettings) {
    let world = World::new("complete");
    for _ in 0..2 {
        let opened = ElasticsearchIndex::open(settings, first()).await.unwrap();
        assert!(matches!(opened, Opened::Rebuilt(_)), "{opened:?}");
    }
    let index = open(settings).await;
    put(&*index.text(), &world, 0, &["word"]).await;
    index.mark_complete().await.unwrap();
    let opened = ElasticsearchIndex::open(settings, first()).await.unwrap();
    assert!(matches!(opened, Opened::InStep(_)), "{opened:?}");
    assert_eq!(found(&*opened.into_index().text(), &world, "word").await, [(0, 0)]);
}

pub(crate) async fn another_databases_index_is_not_touched(settings: &ElasticsearchSettings) {
    let world = World::new("another");
    let index = open(settings).await;
    put(&*index.text(), &world, 0, &["word"]).await;
    let other = Identity { generation: 1, log_id: Uuid::from_u128(8) };
    assert_ne!(other.log_id, LOG);
    let refused = ElasticsearchIndex::open(settings, other).await.unwrap_err();
    assert_eq!(refused.code(), "INDEX_OF_ANOTHER");
    assert_eq!(found(&*index.text(), &world, "word").await, [(0, 0)]);
}

/// What it left is searched no more, and goes once the new one is being filled; unless it is another database's.
pub(crate) async fn an_earlier_releases_index_makes_way(settings: &ElasticsearchSettings) {
    let server = Elasticsearch::new(Transport::single_node(settings.url.as_deref().unwrap()).unwrap());
    let old = format!("/{}-passages-1", settings.index_prefix);
    let send = async |method, path: &str, body: Option<serde_json::Value>| {
        let body = body.map(|body| body.to_string());
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        server.send(method, path, headers, None::<&()>, body, None).await.unwrap().status_code().as_u16()
    };
    let left = |log: Uuid| serde_json::json!({ "mappings": { "_meta": { "log_id": log, "format": 1 } } });
    assert_eq!(send(Method::Put, &old, Some(left(Uuid::from_u128(8)))).await, 200);
    let refused = ElasticsearchIndex::open(settings, first()).await.unwrap_err();
    assert_eq!(refused.code(), "INDEX_OF_ANOTHER");
    assert_eq!(send(Method::Delete, &old, None).await, 200);

    assert_eq!(send(Method::Put, &old, Some(left(LOG))).await, 200);
    let opened = ElasticsearchIndex::open(settings, first()).await.unwrap();
    assert!(matches!(opened, Opened::Rebuilt(_)), "{opened:?}");
    assert_eq!(send(Method::Get, &old, None).await, 200);
    opened.into_index().mark_complete().await.unwrap();
    assert_eq!(send(Method::Get, &old, None).await, 404);
    assert_eq!(report(settings).await.unwrap().generation, Some(1));
}

pub(crate) async fn a_write_makes_no_index_by_itself(settings: &ElasticsearchSettings) {
    let world = World::new("gone");
    let index = open(settings).await;
    let text = index.text();
    put(&*text, &world, 0, &["word"]).await;
    let server = Elasticsearch::new(Transport::single_node(settings.url.as_deref().unwrap()).unwrap());
    let path = format!("/{}-passages-5.1", settings.index_prefix);
    let dropped = server
        .send(Method::Delete, &path, HeaderMap::new(), None::<&()>, None::<String>, None)
        .await
        .unwrap();
    assert!(dropped.status_code().is_success());

    let facets = world.facets(1);
    let written = text.replace(world.tenant(0), 1, facets, world.passages(1, &["word"])).await;
    assert_eq!(written.unwrap_err().code(), "UNAVAILABLE");
    let removed = text.remove(world.tenant(0), world.conversation(0)).await;
    assert_eq!(removed.unwrap_err().code(), "UNAVAILABLE");
    let query = TextQuery::parse("word").unwrap();
    let searched = text.search(world.tenant(0), &query, &SearchFilter::default(), 5).await;
    assert_eq!(searched.unwrap_err().code(), "UNAVAILABLE");
    assert_eq!(report(settings).await.unwrap().generations, [0; 0]);
}

/// Two processes, one of which hears of each change before the other does.
pub(crate) async fn late_news_of_what_stands_undoes_nothing(settings: &ElasticsearchSettings) {
    let (early, late) = (open(settings).await, open(settings).await);
    let stands = async || report(settings).await.unwrap().generations;
    early.align(standing(2, 1, Some(2), None)).await.unwrap();
    late.align(standing(1, 1, None, None)).await.unwrap();
    assert_eq!(stands().await, [1, 2]);
    late.align(standing(2, 1, Some(2), None)).await.unwrap();
    early.align(standing(3, 2, None, None)).await.unwrap();
    assert_eq!(stands().await, [2]);
    late.align(standing(3, 2, None, None)).await.unwrap();
    assert_eq!(report(settings).await.unwrap().generation, Some(2));
}

/// More than one bulk request, and more than one look for what is old.
pub(crate) async fn a_long_conversation_is_written_and_shortened_whole(settings: &ElasticsearchSettings) {
    let world = World::new("long");
    let index = open(settings).await;
    let text = index.text();
    let long: Vec<_> = (0..2_300).map(|n| world.passage(0, n, "word", &["Ann"])).collect();
    let count = async || {
        let query = TextQuery::parse("word").unwrap();
        text.search(world.tenant(0), &query, &SearchFilter::default(), 5_000).await.unwrap().hits.len()
    };
    text.replace(world.tenant(0), 1, world.facets(0), long.clone()).await.unwrap();
    assert_eq!(count().await, 2_300);
    text.replace(world.tenant(0), 2, world.facets(0), long[..3].to_vec()).await.unwrap();
    assert_eq!(count().await, 3);
    text.replace(world.tenant(0), 3, world.facets(0), long).await.unwrap();
    text.remove(world.tenant(0), world.conversation(0)).await.unwrap();
    assert_eq!(count().await, 0);
}
