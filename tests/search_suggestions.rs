//! What a search box suggests.

use serde_json::{Value, json};

use crate::support::{Client, Import, eventually, world};

async fn ask(client: &Client, prefix: &str, first: usize) -> Value {
    const QUERY: &str =
        "query($prefix: String!, $first: Int!) { searchSuggestions(prefix: $prefix, first: $first) {
        degraded suggestions { text kind count } } }";
    let data = client.data(QUERY, json!({ "prefix": prefix, "first": first })).await;
    assert_eq!(data["searchSuggestions"]["degraded"], Value::Null);
    data["searchSuggestions"]["suggestions"].clone()
}

async fn texts(client: &Client, prefix: &str, first: usize) -> Vec<String> {
    let found = ask(client, prefix, first).await;
    let found = found.as_array().expect("a list").iter();
    found.map(|one| one["text"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn a_search_box_completes_words_titles_speakers_and_tags() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let talks = [
        ("Orchard walk", "Oona Lee: The orchard is old, and the orchids are new.\nBen: Yes.\n", "Orchids"),
        ("ORCHARD WALK", "Oona Lee: An orchard once more.\nBen: Yes.\n", "outdoor work"),
        ("Budget 100%_", "Orla: Nothing but figures.\nBen: Yes.\n", "money"),
    ];
    for (title, text, tag) in talks {
        let import = Import { title: Some(title), text, tags: &[tag], ..Import::default() };
        client.imported(import).await;
    }
    let all = eventually("all is indexed", async || {
        let all = ask(&client, "The OR", 8).await;
        (all.as_array().expect("a list").len() == 2 && all[0]["count"] == 2).then_some(all)
    })
    .await;
    let word = |text: &str, count: u32| json!({ "text": text, "kind": "WORD", "count": count });
    assert_eq!(all, json!([word("The orchard", 2), word("The orchids", 1)]));

    let all = ask(&client, "or", 8).await;
    let named = |kind: &str, text: &str| json!({ "text": text, "kind": kind, "count": null });
    assert_eq!(all[0], word("orchard", 2));
    assert_eq!(all[1], word("orchids", 1));
    assert_eq!(all[2]["text"].as_str().expect("a text").to_lowercase(), "orchard walk", "once");
    assert_eq!(all[3], named("SPEAKER", "speaker:Orla"));
    assert_eq!(all[4], named("TAG", "tag:Orchids"));
    assert_eq!(all.as_array().expect("a list").len(), 5);

    assert_eq!(texts(&client, "oo", 8).await, ["speaker:\"Oona Lee\""]);
    assert_eq!(texts(&client, "figures speaker:\"Oona L", 8).await, ["figures speaker:\"Oona Lee\""]);
    assert_eq!(texts(&client, "tag:outdoor", 8).await, ["tag:\"outdoor work\""]);
    assert_eq!(texts(&client, "budget 100%", 8).await, ["Budget 100%_"]);
    assert_eq!(texts(&client, "or", 1).await, ["orchard"]);
    assert_eq!(texts(&client, "orl\0", 8).await, ["speaker:Orla"]);
    for none in ["", " ", "\"", "%", "_", "zz", "budget 100_", "kind:m"] {
        let found = texts(&client, none, 8).await;
        assert!(found.is_empty(), "{none:?}: {found:?}");
    }
    for (prefix, first, code) in [
        ("o", 0, "PAGE_OUT_OF_RANGE"),
        ("o", 21, "PAGE_OUT_OF_RANGE"),
        (&*"o".repeat(1_001), 8, "QUERY_TOO_LONG"),
    ] {
        let query = format!("{{ searchSuggestions(prefix: \"{prefix}\", first: {first}) {{ degraded }} }}");
        assert_eq!(client.ask(&query, json!({})).await.code(), code);
    }
}
