//! What every engine must do with who speaks, whatever their labels.

use colloquy_domain::{
    ids::PersonId,
    ports::search::{PassageDocument, TextIndex, VectorIndex},
    search::{
        facets::{Facet, ValueCount},
        query::{SearchFilter, TextQuery},
    },
};

use crate::fixtures::{World, axis};

/// Two conversations: Ana (0) in three passages under two labels, Ben (1) in two of those, nobody in the last.
fn passages(world: &World) -> [Vec<PassageDocument>; 2] {
    let passage = |n, ordinal, label: &str, people: &[u32]| PassageDocument {
        people: people.iter().map(|of| world.person(*of)).collect(),
        ..world.passage(n, ordinal, "word", &[label])
    };
    [
        vec![passage(0, 0, "Ana", &[0]), passage(0, 1, "Ana", &[0, 1])],
        vec![passage(1, 0, "Speaker 1", &[0, 1]), passage(1, 1, "Ana", &[])],
    ]
}

fn spoken_by(people: &[PersonId]) -> SearchFilter {
    SearchFilter { person_ids: people.to_vec(), ..SearchFilter::default() }
}

/// People, and where they speak.
type Spoken = (Vec<PersonId>, Vec<(u32, u32)>);

fn expected(world: &World) -> [Spoken; 4] {
    let [ana, ben, nobody] = [0, 1, 2].map(|n| world.person(n));
    [
        (vec![ana], vec![(0, 0), (0, 1), (1, 0)]),
        (vec![ben], vec![(0, 1), (1, 0)]),
        (vec![ben, nobody], vec![(0, 1), (1, 0)]),
        (vec![nobody], vec![]),
    ]
}

async fn write(index: &dyn TextIndex, world: &World) {
    for (n, passages) in (0..).zip(passages(world)) {
        index.replace(world.tenant(0), 1, world.facets(n), passages).await.unwrap();
    }
}

pub async fn a_person_is_found_where_they_speak(index: &dyn TextIndex, world: &World) {
    write(index, world).await;
    let find = async |tenant: u32, filter: &SearchFilter| {
        let query = TextQuery::parse("word").unwrap();
        let found = index.search(world.tenant(tenant), &query, filter, 10).await.unwrap();
        let mut places = world.places(&found.hits);
        places.sort_unstable();
        places
    };
    for (people, places) in expected(world) {
        assert_eq!(find(0, &spoken_by(&people)).await, places, "{people:?}");
        assert_eq!(find(1, &spoken_by(&people)).await, [], "nobody's of another organization");
    }
    // Whoever is tied to somebody else is found there alone.
    let [_, mut second] = passages(world);
    second[0].people = vec![world.person(2)];
    index.replace(world.tenant(0), 2, world.facets(1), second).await.unwrap();
    assert_eq!(find(0, &spoken_by(&[world.person(2)])).await, [(1, 0)]);
    assert_eq!(find(0, &spoken_by(&[world.person(1)])).await, [(0, 1)]);
}

pub async fn people_are_counted_and_ignore_their_own_filter(index: &dyn TextIndex, world: &World) {
    write(index, world).await;
    let [ana, ben] = [0, 1].map(|n| world.person(n));
    let count = async |filter: &SearchFilter| {
        let facets = [Facet::Person, Facet::Speaker];
        index.count(world.tenant(0), &TextQuery::default(), filter, &facets, 10).await.unwrap()
    };
    let value = |value: &str, count| ValueCount { value: value.to_owned(), count };
    let people = [value(&ana.to_string(), 3), value(&ben.to_string(), 2)];
    let all = count(&SearchFilter::default()).await;
    assert_eq!((all.matching, &all.values[0][..]), (4, &people[..]));
    let of_ben = count(&spoken_by(&[ben])).await;
    assert_eq!((of_ben.matching, &of_ben.values[0][..]), (2, &people[..]));
    assert_eq!(of_ben.values[1], [value("ana", 1), value("speaker 1", 1)]);
    let (any, of_ana) = (TextQuery::default(), spoken_by(&[ana]));
    let theirs = index.count(world.tenant(1), &any, &of_ana, &[Facet::Person], 10).await.unwrap();
    assert_eq!(theirs.values, [[]]);
}

pub async fn vectors_are_narrowed_by_who_speaks(index: &dyn VectorIndex, world: &World) {
    let vector = axis(0, 1, 0.1);
    let write = async |version, n, passages: Vec<PassageDocument>| {
        let passages = passages.into_iter().map(|passage| (passage, vector.clone())).collect();
        index.replace(world.tenant(0), version, world.facets(n), passages).await.unwrap();
    };
    let find = async |tenant: u32, filter: &SearchFilter| {
        let mut places =
            world.places(&index.search(world.tenant(tenant), &vector, filter, 10).await.unwrap());
        places.sort_unstable();
        places
    };
    for (n, passages) in (0..).zip(passages(world)) {
        write(1, n, passages).await;
    }
    for (people, places) in expected(world) {
        assert_eq!(find(0, &spoken_by(&people)).await, places, "{people:?}");
        assert_eq!(find(1, &spoken_by(&people)).await, [], "nobody's of another organization");
    }
    // The vectors stay, and who speaks is somebody else.
    let [_, mut second] = passages(world);
    second[0].people = vec![world.person(2)];
    write(2, 1, second).await;
    assert_eq!(find(0, &spoken_by(&[world.person(2)])).await, [(1, 0)]);
    assert_eq!(find(0, &spoken_by(&[world.person(1)])).await, [(0, 1)]);
    assert_eq!(find(0, &SearchFilter::default()).await.len(), 4);
}
