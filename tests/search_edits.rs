//! Searches while a transcript is changed by hand: what stays as it was is found at every moment, and what was taken out
//! at none.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{Client, Import, world};

const MADE: &str = "conversation { revision }";

/// So many turns, three a passage, each with a word of its own.
async fn talk(client: &Client, turns: usize) -> (String, Vec<String>) {
    let turn = |n: usize| {
        format!("{}: On day{n} we {}.\n", ["Ada", "Ben"][n % 2], "walked along the quay and ".repeat(8))
    };
    let text: String = (0..turns).map(turn).collect();
    let id = client.imported(Import { title: Some("Walks"), text: &text, ..Import::default() }).await;
    client.ready(&id).await;
    const SEGMENTS: &str = "query($id: ID!, $after: String) { conversation(id: $id) {
        segments(first: 100, after: $after) { edges { node { id } } pageInfo { endCursor hasNextPage } } } }";
    let (mut segments, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = client.data(SEGMENTS, json!({ "id": id, "after": after })).await;
        let page = &data["conversation"]["segments"];
        let edges = page["edges"].as_array().expect("a list").iter();
        segments.extend(edges.map(|edge| edge["node"]["id"].as_str().expect("an id").to_owned()));
        if page["pageInfo"]["hasNextPage"] == false {
            assert_eq!(segments.len(), turns);
            return (id, segments);
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

async fn texts(client: &Client, word: &str, mode: &str) -> Vec<String> {
    let hits = client.search(&format!("query: \"{word}\", mode: {mode}")).await;
    hits.iter().map(|hit| hit["passage"]["text"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn what_stays_as_it_was_is_found_while_others_change_and_what_is_taken_out_is_not() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let (id, segments) = talk(&client, 60).await;
    let (over, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    // Nobody changes these: a passage before, between and after those that are changed.
    let watcher = {
        let (client, over, looks) = (server.owner(), over.clone(), looks.clone());
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                for word in ["day1", "day22", "day58"] {
                    let found = texts(&client, word, "TEXT").await;
                    let holds = found.iter().filter(|text| text.contains(&format!("{word} "))).count();
                    assert_eq!(holds, 1, "{word}: {found:?}");
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    };
    let mut expected = 1;
    let mut change = async |field: &str, mut input: Value| {
        input["conversationId"] = json!(id);
        input["expectedRevision"] = json!(expected);
        let made = client.change(field, MADE, input).await;
        expected += 1;
        assert_eq!(made["conversation"]["revision"], expected, "{field}");
    };
    for round in 0..6 {
        for n in [6, 30] {
            let text = format!("On day{n} in round{round} we stayed at home.");
            change("editSegment", json!({ "segmentId": segments[n], "text": text })).await;
            for mode in ["TEXT", "HYBRID"] {
                let before = format!("day{n} in round{} ", round - 1);
                let found = texts(&client, &before, mode).await;
                assert!(found.iter().all(|text| !text.contains(&before)), "{found:?}");
            }
        }
        // Those behind it move up.
        let gone = 40 - round as usize;
        change("removeSegments", json!({ "segmentIds": [segments[gone]] })).await;
        for mode in ["TEXT", "HYBRID"] {
            let word = format!("day{gone}");
            let found = texts(&client, &word, mode).await;
            assert!(found.iter().all(|text| !text.contains(&format!("{word} "))), "{found:?}");
        }
        for word in ["day1", "day22", "day58"] {
            let found = texts(&client, word, "HYBRID").await;
            assert!(found.iter().any(|text| text.contains(&format!("{word} "))), "{word}: {found:?}");
        }
    }
    let before = looks.load(Ordering::Relaxed);
    client.ready(&id).await;
    for n in [6, 30] {
        let found = texts(&client, &format!("day{n}"), "TEXT").await;
        assert!(found.iter().any(|text| text.contains(&format!("day{n} in round5 "))), "{found:?}");
    }
    assert_eq!(world.number("SELECT count(DISTINCT revision) FROM passages").await, 1);
    tokio::time::sleep(Duration::from_millis(100)).await;
    over.store(true, Ordering::Relaxed);
    watcher.await.expect("nothing was missed");
    assert!(before > 30, "it was looked {before} times while all that changed");
}

#[tokio::test]
async fn one_edit_of_a_long_talk_writes_one_passage_to_each_engine() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let (id, segments) = talk(&client, 500).await;
    client.idle().await;
    let all = world.number("SELECT count(*) FROM passages").await;
    assert!(all > 150, "{all}");
    const WRITTEN: &str = "colloquy_passages_written_total";
    let written =
        async |engine: &str| server.metric(WRITTEN, &[&format!("engine=\"{engine}\"")]).await as i64;
    let (text, vectors) = (written("text").await, written("vectors").await);
    assert!(text >= all, "{text}");
    let edits = [
        ("editSegment", json!({ "segmentId": segments[7], "text": "On day7 it rained all day." }), 1),
        ("editSegment", json!({ "segmentId": segments[400], "text": "Long. ".repeat(400) }), 8),
        ("removeSegments", json!({ "segmentIds": [segments[50]] }), 2),
    ];
    for (expected, (field, mut input, at_most)) in (1..).zip(edits) {
        let before = (written("text").await, written("vectors").await);
        (input["conversationId"], input["expectedRevision"]) = (json!(id), json!(expected));
        client.change(field, MADE, input).await;
        client.ready(&id).await;
        client.idle().await;
        let (text, vectors) = (written("text").await - before.0, written("vectors").await - before.1);
        assert!((1..=at_most).contains(&text), "{field}: {text} of {all} passages");
        assert!(vectors == 0 || vectors == text, "{field}: {vectors} vectors, {text} passages");
        let verified = client.change("verifyIndex", "differences { kind }", json!({ "first": 10 })).await;
        assert_eq!(verified["differences"], json!([]));
    }
    assert!(vectors == 0 || written("vectors").await > vectors);
}
