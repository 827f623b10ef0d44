//! What becomes of collections.

use colloquy_conformance::fixtures::{DIMENSIONS, World, axis};
use colloquy_domain::{
    ports::search::{Standing, VectorIndex},
    search::query::SearchFilter,
};
use colloquy_qdrant::{Identity, Opened, QdrantIndex, QdrantSettings, report};
use uuid::Uuid;

use crate::{LOG, first, open};

fn standing(change: i64, live: i64, building: Option<i64>, previous: Option<i64>) -> Standing {
    Standing { change, live, building, previous }
}

async fn put(index: &dyn VectorIndex, world: &World, version: i64, n: u32, count: u32) {
    let passages =
        (0..count).map(|at| (world.passage(n, at, "", &[]), axis(0, 1, at as f32 * 0.1))).collect();
    index.replace(world.tenant(0), version, world.facets(n), passages).await.unwrap();
}

async fn found(index: &dyn VectorIndex, world: &World) -> Vec<(u32, u32)> {
    let hits =
        index.search(world.tenant(0), &axis(0, 1, 0.0), &SearchFilter::default(), 5_000).await.unwrap();
    let mut places = world.places(&hits);
    places.sort_unstable();
    places
}

pub(crate) async fn generations_stand_beside_each_other_until_one_is_dropped(settings: &QdrantSettings) {
    let world = World::new("generations");
    let index = open(settings).await;
    let vectors = index.vectors();
    put(&*vectors, &world, 1, 0, 1).await;
    index.align(standing(1, 1, Some(2), None)).await.unwrap();
    put(&*vectors, &world, 1, 1, 2).await;
    let (old, new) = (index.only(1).unwrap(), index.only(2).unwrap());
    assert_eq!(found(&*old.vectors, &world).await, [(0, 0), (1, 0), (1, 1)]);
    assert_eq!(found(&*new.vectors, &world).await, [(1, 0), (1, 1)], "what is built has what came since");
    assert_eq!(found(&*vectors, &world).await.len(), 3, "searches read the live one");
    let of = [(world.tenant(0), world.conversation(0)), (world.tenant(0), world.conversation(1))];
    assert_eq!(index.held(1, &of).await.unwrap(), [(Some(1), 1), (Some(1), 2)]);
    assert_eq!(index.held(2, &of).await.unwrap(), [(None, 0), (Some(1), 2)]);

    index.align(standing(2, 2, None, Some(1))).await.unwrap();
    assert_eq!(found(&*vectors, &world).await.len(), 2);
    vectors.remove(world.tenant(0), world.conversation(1)).await.unwrap();
    assert_eq!(found(&*old.vectors, &world).await, [(0, 0)], "the one of before has every change");
    index.align(standing(3, 1, None, Some(2))).await.unwrap();
    assert_eq!(found(&*vectors, &world).await, [(0, 0)], "rolled back");
    assert!(index.align(standing(2, 2, None, Some(1))).await.is_ok(), "an earlier change is passed over");
    assert_eq!(found(&*vectors, &world).await, [(0, 0)]);

    index.align(standing(4, 2, None, None)).await.unwrap();
    assert!(index.only(1).is_none());
    let told = report(settings).await.unwrap();
    assert_eq!((told.generation(), told.generations.as_slice()), (Some(2), [2].as_slice()), "{told:?}");
    assert_eq!((told.passages, told.conversations), (0, 1), "{told:?}");
    let lost = index.align(standing(5, 2, None, Some(1))).await.unwrap_err();
    assert_eq!(lost.code(), "GENERATION_LOST");
    crate::dropped(settings).await;
}

pub(crate) async fn a_collection_is_in_step_once_it_is_complete(settings: &QdrantSettings) {
    let world = World::new("complete");
    for _ in 0..2 {
        let opened = QdrantIndex::open(settings, first()).await.unwrap();
        assert!(matches!(opened, Opened::Rebuilt(_)), "{opened:?}");
    }
    let index = open(settings).await;
    put(&*index.vectors(), &world, 1, 0, 1).await;
    index.mark_complete().await.unwrap();
    let opened = QdrantIndex::open(settings, first()).await.unwrap();
    assert!(matches!(opened, Opened::InStep(_)), "{opened:?}");
    assert_eq!(found(&*opened.into_index().vectors(), &world).await, [(0, 0)]);
    crate::dropped(settings).await;
}

pub(crate) async fn another_databases_collection_is_not_touched(settings: &QdrantSettings) {
    let world = World::new("another");
    let index = open(settings).await;
    put(&*index.vectors(), &world, 1, 0, 1).await;
    let other = Identity { log_id: Uuid::from_u128(8), ..first() };
    assert_ne!(other.log_id, LOG);
    let refused = QdrantIndex::open(settings, other).await.unwrap_err();
    assert_eq!(refused.code(), "INDEX_OF_ANOTHER");
    assert_eq!(found(&*index.vectors(), &world).await, [(0, 0)]);
    crate::dropped(settings).await;
}

/// Two processes, one of which hears of each change before the other does.
pub(crate) async fn late_news_of_what_stands_undoes_nothing(settings: &QdrantSettings) {
    let (early, late) = (open(settings).await, open(settings).await);
    let stands = async || report(settings).await.unwrap().generations;
    early.align(standing(2, 1, Some(2), None)).await.unwrap();
    late.align(standing(1, 1, None, None)).await.unwrap();
    assert_eq!(stands().await, [1, 2]);
    late.align(standing(2, 1, Some(2), None)).await.unwrap();
    early.align(standing(3, 2, None, None)).await.unwrap();
    assert_eq!(stands().await, [2]);
    late.align(standing(3, 2, None, None)).await.unwrap();
    assert_eq!(report(settings).await.unwrap().generation(), Some(2));
    early.drop_all().await.unwrap();
}

/// More than one call a write.
pub(crate) async fn a_long_conversation_is_written_and_shortened_whole(settings: &QdrantSettings) {
    let world = World::new("long");
    let index = open(settings).await;
    let vectors = index.vectors();
    let count = async || found(&*vectors, &world).await.len();
    put(&*vectors, &world, 1, 0, 900).await;
    assert_eq!(count().await, 900);
    put(&*vectors, &world, 2, 0, 3).await;
    assert_eq!(count().await, 3);
    put(&*vectors, &world, 3, 0, 900).await;
    vectors.remove(world.tenant(0), world.conversation(0)).await.unwrap();
    assert_eq!(count().await, 0);
    crate::dropped(settings).await;
}

pub(crate) async fn another_models_vectors_are_not_searched_and_lapse_when_they_miss_some(
    settings: &QdrantSettings,
) {
    let world = World::new("models");
    let index = open(settings).await;
    put(&*index.vectors(), &world, 1, 0, 1).await;
    index.mark_complete().await.unwrap();
    let other = Identity { model: "another".to_owned(), dimensions: DIMENSIONS / 2, ..first() };
    let of_another = QdrantIndex::open(settings, other).await.unwrap().into_index();
    assert!(of_another.has_lapsed() && !open(settings).await.has_lapsed());
    let short = vec![1.0; DIMENSIONS / 2];
    let searched = of_another.vectors().search(world.tenant(0), &short, &SearchFilter::default(), 5).await;
    assert_eq!(searched.unwrap_err().code(), "UNAVAILABLE");
    let passages = vec![(world.passage(1, 0, "", &[]), short)];
    of_another.vectors().replace(world.tenant(0), 1, world.facets(1), passages).await.unwrap();
    let back = open(settings).await;
    assert!(back.has_lapsed(), "it lacks what came in meanwhile");
    let searched =
        back.vectors().search(world.tenant(0), &axis(0, 1, 0.0), &SearchFilter::default(), 5).await;
    assert_eq!(searched.unwrap_err().code(), "UNAVAILABLE");
    crate::dropped(settings).await;
}

pub(crate) async fn writers_that_race_leave_the_latest(settings: &QdrantSettings) {
    let world = World::new("race");
    let (one, two) = (open(settings).await, open(settings).await);
    for round in 0..10_u32 {
        let early = i64::from(round) * 2 + 1;
        tokio::join!(async { put(&*one.vectors(), &world, early, 0, 6).await }, async {
            put(&*two.vectors(), &world, early + 1, 0, 2).await
        },);
        assert_eq!(found(&*one.vectors(), &world).await, [(0, 0), (0, 1)], "round {round}");
    }
    tokio::join!(async { put(&*one.vectors(), &world, 1_000, 0, 6).await }, async {
        two.vectors().remove(world.tenant(0), world.conversation(0)).await.unwrap()
    },);
    assert_eq!(found(&*one.vectors(), &world).await, []);
    crate::dropped(settings).await;
}
