//! Conversations as lists and as objects: paging, filters, changes.

use serde_json::{Value, json};

use crate::support::{Client, Import, tiny, world};

async fn page(client: &Client, arguments: &str) -> Value {
    let query = format!(
        "{{ conversations({arguments}) {{ edges {{ cursor node {{ title }} }}
            pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
    );
    client.data(&query, json!({})).await["conversations"].clone()
}

fn titles(page: &Value) -> Vec<&str> {
    let edges = page["edges"].as_array().expect("a list").iter();
    edges.map(|edge| edge["node"]["title"].as_str().expect("a title")).collect()
}

#[tokio::test]
async fn the_list_is_paged_in_both_directions_without_gap_or_repeat() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    for number in 0..7 {
        let title = number.to_string();
        client.imported(Import { text: &tiny(number), title: Some(&title), ..Import::default() }).await;
    }
    let first = page(&client, "first: 3").await;
    assert_eq!(titles(&first), ["6", "5", "4"], "the newest first");
    assert_eq!(
        (&first["pageInfo"]["hasNextPage"], &first["pageInfo"]["hasPreviousPage"]),
        (&json!(true), &json!(false))
    );
    let second = page(&client, &format!("first: 3, after: {}", first["pageInfo"]["endCursor"])).await;
    assert_eq!(titles(&second), ["3", "2", "1"]);
    let third = page(&client, &format!("first: 3, after: {}", second["pageInfo"]["endCursor"])).await;
    assert_eq!(titles(&third), ["0"]);
    assert_eq!(third["pageInfo"]["hasNextPage"], false);
    let back = page(&client, &format!("last: 2, before: {}", third["pageInfo"]["startCursor"])).await;
    assert_eq!(titles(&back), ["2", "1"]);
    assert_eq!(back["pageInfo"]["hasPreviousPage"], true);
    assert_eq!(titles(&page(&client, "last: 2").await), ["1", "0"]);
    for arguments in ["first: 101", "first: -1", "first: 1, last: 1", "after: \"rubbish\""] {
        let query = format!("{{ conversations({arguments}) {{ edges {{ cursor }} }} }}");
        assert_eq!(client.ask(&query, json!({})).await.code(), "BAD_USER_INPUT", "{arguments}");
    }

    // The transcript is a list of the same kind.
    let query = "{ conversations(first: 1) { edges { node { segmentCount segments(first: 1) { edges { cursor node { text } } pageInfo { endCursor hasNextPage } } } } } }";
    let data = client.data(query, json!({})).await;
    let conversation = &data["conversations"]["edges"][0]["node"];
    assert_eq!(conversation["segmentCount"], 2);
    assert_eq!(conversation["segments"]["edges"][0]["node"]["text"], "This is talk number 6.");
    assert_eq!(conversation["segments"]["pageInfo"]["hasNextPage"], true);
}

#[tokio::test]
async fn the_list_is_narrowed_by_kind_tag_time_and_title() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let talks = [
        ("Start of year", "COACHING", Some("2026-01-05T10:00:00Z"), &["a", "b"][..]),
        ("Spring review", "MEETING", Some("2026-04-01T00:00:00Z"), &["B"]),
        ("Undated", "MEETING", None, &[]),
    ];
    for (number, (title, kind, occurred_at, tags)) in talks.into_iter().enumerate() {
        let import = Import { title: Some(title), kind: Some(kind), occurred_at, tags, ..Import::default() };
        client.imported(Import { text: &tiny(number), ..import }).await;
    }
    for (filter, expected) in [
        ("{}", &["Undated", "Spring review", "Start of year"][..]),
        ("{ kinds: [COACHING] }", &["Start of year"]),
        ("{ tags: [\"b\"] }", &["Spring review", "Start of year"]),
        ("{ tags: [\"A\", \"nothing\"] }", &["Start of year"]),
        ("{ occurredFrom: \"2026-04-01T00:00:00Z\" }", &["Spring review"]),
        ("{ occurredBefore: \"2026-04-01T00:00:00Z\" }", &["Start of year"]),
        ("{ titleContains: \"REVIEW\" }", &["Spring review"]),
        ("{ titleContains: \"%\" }", &[]),
        ("{ kinds: [MEETING], tags: [\"a\"] }", &[]),
        ("{ kinds: [MEETING], tags: [\"b\"], titleContains: \"spring\" }", &["Spring review"]),
    ] {
        assert_eq!(titles(&page(&client, &format!("filter: {filter}")).await), expected, "{filter}");
    }
    let data = client.data("{ tags { edges { node { tag { name } conversations } } } }", json!({})).await;
    assert_eq!(
        data["tags"]["edges"],
        json!([
            { "node": { "tag": { "name": "a" }, "conversations": 1 } },
            { "node": { "tag": { "name": "b" }, "conversations": 2 } },
        ]),
        "a tag is one whatever its case"
    );
}

#[tokio::test]
async fn a_change_is_seen_at_once_and_what_is_left_out_stays() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let import = Import {
        title: Some("Old"),
        occurred_at: Some("2026-01-05T10:00:00Z"),
        tags: &["a"],
        ..Import::default()
    };
    let id = client.imported(Import { text: &tiny(1), ..import }).await;
    const SHOWN: &str = "conversation { title kind occurredAt tags { name } revision }";
    let change = async |field: &str, mut input: Value| {
        input["id"] = id.as_str().into();
        client.change(field, SHOWN, input).await["conversation"].clone()
    };
    let titled = change("updateConversation", json!({ "title": " New ", "kind": "ADVICE" })).await;
    assert_eq!((&titled["title"], &titled["kind"]), (&json!("New"), &json!("ADVICE")));
    assert_eq!(titled["occurredAt"].as_str().unwrap()[..19], *"2026-01-05T10:00:00");
    assert_eq!(titled["revision"], 1, "the transcript has not changed");
    assert_eq!(change("updateConversation", json!({ "occurredAt": null })).await["occurredAt"], Value::Null);
    let tagged = change("tagConversation", json!({ "tags": ["A", "c", "b"] })).await;
    assert_eq!(tagged["tags"], json!([{ "name": "a" }, { "name": "b" }, { "name": "c" }]));
    let untagged = change("untagConversation", json!({ "tags": ["C", "nothing"] })).await;
    assert_eq!(untagged["tags"], json!([{ "name": "a" }, { "name": "b" }]));
    for (field, input, code) in [
        ("updateConversation", json!({ "id": id, "title": "two\nlines" }), "INVALID_TITLE"),
        ("tagConversation", json!({ "id": id, "tags": ["x".repeat(61)] }), "INVALID_TAG"),
        ("updateConversation", json!({ "id": "rubbish", "title": "x" }), "NOT_FOUND"),
    ] {
        assert_eq!(client.refused(field, input).await, code);
    }
    let node = client
        .data("query($id: ID!) { node(id: $id) { id ... on Conversation { title } } }", json!({ "id": id }))
        .await;
    assert_eq!(node["node"], json!({ "id": id, "title": "New" }));
}
