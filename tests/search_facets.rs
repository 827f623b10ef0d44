//! What there is to narrow a search by.

use serde_json::{Value, json};

use crate::support::{Client, Import, world};

async fn talks(client: &Client) {
    let talks = [
        (
            "COACHING",
            Some("2026-01-10T09:00:00Z"),
            &["Boats"][..],
            "Mara: The meadow\nMara: by the harbour.\n",
        ),
        (
            "MEETING",
            Some("2026-03-10T09:00:00Z"),
            &["plants", "boats"],
            "Hana: The meadow is mown.\nMARA: Good.\n",
        ),
        ("MEETING", None, &[], "Priya: Across the meadow,\nPriya: and no harbour.\n"),
        ("ADVICE", Some("2026-03-11T09:00:00Z"), &["plants"], "Priya: Nothing but\nPriya: tomatoes.\n"),
    ];
    for (kind, occurred_at, tags, text) in talks {
        let import = Import { kind: Some(kind), occurred_at, tags, text, ..Import::default() };
        let id = client.imported(import).await;
        client.ready(&id).await;
    }
}

async fn facets(client: &Client, arguments: &str, of: &str) -> Value {
    let query = format!(
        "{{ search({arguments}) {{ facets{of} {{ matching degraded kinds {{ value count }} tags {{ value count }}
            speakers {{ value count }} histogram {{ interval buckets {{ from before count }} }} }} }} }}"
    );
    let found = client.data(&query, json!({})).await["search"]["facets"].clone();
    assert_eq!(found["degraded"], Value::Null);
    found
}

fn counts(list: &Value) -> Vec<(&str, i64)> {
    let values = list.as_array().expect("a list").iter();
    values
        .map(|of| (of["value"].as_str().expect("a text"), of["count"].as_i64().expect("a number")))
        .collect()
}

#[tokio::test]
async fn facets_count_what_another_choice_would_find() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    talks(&client).await;
    for mode in ["TEXT", "HYBRID"] {
        let all = facets(&client, &format!("query: \"meadow\", mode: {mode}"), "").await;
        assert_eq!(all["matching"], 3, "{mode}");
        assert_eq!(counts(&all["kinds"]), [("MEETING", 2), ("COACHING", 1)]);
        assert_eq!(counts(&all["tags"]), [("boats", 2), ("plants", 1)]);
        assert_eq!(counts(&all["speakers"]), [("mara", 2), ("hana", 1), ("priya", 1)]);
        // Fields of the query are filters, too.
        for narrowed in ["query: \"meadow kind:meeting\"", "query: \"meadow\", filter: { kinds: [MEETING] }"]
        {
            let of = facets(&client, &format!("{narrowed}, mode: {mode}"), "").await;
            assert_eq!(of["matching"], 2, "{narrowed}");
            assert_eq!(of["kinds"], all["kinds"], "{narrowed}: the kinds ignore their own filter");
            assert_eq!(counts(&of["tags"]), [("boats", 1), ("plants", 1)], "{narrowed}");
        }
        let without =
            facets(&client, &format!("query: \"meadow -harbour\", mode: {mode}"), "(values: 1)").await;
        assert_eq!((&without["matching"], counts(&without["tags"])), (&json!(1), vec![("boats", 1)]));
    }
    let near = facets(&client, "query: \"meadow\", mode: SEMANTIC, filter: { tags: [\"plants\"] }", "").await;
    assert_eq!(near["matching"], 2, "all that the filters leave");
    let nothing = facets(&client, "query: \"meadow tag:plants\", filter: { tags: [\"boats\"] }", "").await;
    assert_eq!((&nothing["matching"], &nothing["kinds"]), (&json!(0), &json!([])));
    let stranger = "filter: { tags: [\"boats\"] }, query: \"meadow\", first: 1";
    let some = facets(&client, stranger, "").await;
    assert_eq!(some["matching"], 2, "pages have nothing to do with it");
}

#[tokio::test]
async fn a_histogram_has_few_buckets_or_those_that_were_asked_for() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    talks(&client).await;
    let query = "query: \"meadow OR tomatoes\", mode: TEXT";
    let months = facets(&client, query, "(interval: MONTH)").await["histogram"].clone();
    assert_eq!(months["interval"], "MONTH");
    let buckets = months["buckets"].as_array().expect("a list");
    let counted: Vec<_> = buckets.iter().map(|of| of["count"].as_i64().expect("a number")).collect();
    assert_eq!(counted, [1, 0, 2]);
    assert_eq!(buckets[1]["from"], "2026-02-01T00:00:00+00:00");
    assert_eq!(buckets[1]["before"], "2026-03-01T00:00:00+00:00");
    let chosen = facets(&client, query, "").await["histogram"].clone();
    assert_eq!(chosen["interval"], "WEEK");
    assert!(chosen["buckets"].as_array().expect("a list").len() <= 40);
    // It ignores filters on time, and heeds others.
    let march = facets(&client, "query: \"meadow after:2026-03-01\", mode: TEXT", "(interval: YEAR)").await;
    assert_eq!(march["matching"], 1);
    assert_eq!(march["histogram"]["buckets"][0]["count"], 2);
    let timeless = facets(&client, "query: \"across\", mode: TEXT", "").await;
    assert_eq!((&timeless["matching"], &timeless["histogram"]), (&json!(1), &Value::Null));
    for values in [0, 101, -1] {
        let query = format!("{{ search(query: \"meadow\") {{ facets(values: {values}) {{ matching }} }} }}");
        let code = client.ask(&query, json!({})).await.code().to_owned();
        assert!(["VALUES_OUT_OF_RANGE", "BAD_USER_INPUT"].contains(&code.as_str()), "{values}: {code}");
    }
}
