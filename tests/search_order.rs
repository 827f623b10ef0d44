//! Hits in another order than that of their scores, and what explains it.

use serde_json::{Value, json};

use crate::support::{Client, Import, world};

const SAME: &str = "We shall move the quarterly review of the orchard to the second week of March, since half of the growers are away at the fair until then.";

/// Three conversations on one subject, two of them with almost the same words.
async fn talks(client: &Client) {
    let filler =
        "Then there was much about ladders and baskets and about who would bring the cider. ".repeat(9);
    let talks = [
        (
            "First",
            format!("Ann: {SAME}\nBo: The orchard review, yes. {filler}\nAnn: The orchard again, {filler}\n"),
        ),
        ("Second", format!("Ann: {SAME}\nAnn: Right, so be it.\n")),
        ("Third", "Cy: An orchard needs pruning in winter,\nCy: and a review of its fences.\n".to_owned()),
    ];
    for (title, text) in talks {
        let id = client.imported(Import { title: Some(title), text: &text, ..Import::default() }).await;
        client.ready(&id).await;
    }
}

async fn found(client: &Client, arguments: &str) -> Vec<Value> {
    let query = format!(
        "{{ search(query: \"orchard review\", {arguments}) {{ edges {{ node {{
            furtherHits duplicates conversation {{ title }} passage {{ text }} score
            textMatch {{ score stretched }} semanticMatch {{ score stretched }} }} }} }} }}"
    );
    let data = client.data(&query, json!({})).await;
    data["search"]["edges"].as_array().expect("a list").iter().map(|edge| edge["node"].clone()).collect()
}

fn titles(hits: &[Value]) -> Vec<&str> {
    hits.iter().map(|hit| hit["conversation"]["title"].as_str().expect("a text")).collect()
}

#[tokio::test]
async fn hits_of_a_conversation_and_near_duplicates_stand_behind_the_best() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    talks(&client).await;
    for mode in ["TEXT", "SEMANTIC", "HYBRID"] {
        let plain = found(&client, &format!("mode: {mode}")).await;
        assert!(plain.len() > 3 && plain.iter().all(|hit| hit["furtherHits"] == 0), "{mode}: {plain:#?}");
        let grouped = found(&client, &format!("mode: {mode}, groupBy: CONVERSATION")).await;
        let mut each = titles(&grouped);
        assert_eq!(grouped[0]["passage"], plain[0]["passage"], "{mode}: the best comes first");
        each.sort_unstable();
        assert_eq!(each, ["First", "Second", "Third"], "{mode}");
        let further: i64 = grouped.iter().map(|hit| hit["furtherHits"].as_i64().expect("a number")).sum();
        assert_eq!(further as usize, plain.len() - 3, "{mode}");
    }
    let whole = found(&client, "mode: TEXT").await;
    let single = found(&client, "mode: TEXT, collapseDuplicates: true").await;
    assert!(whole.len() - single.len() <= 1, "no more than the one that is almost the same");
}

#[tokio::test]
async fn what_is_almost_the_same_is_shown_once() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    for (title, text) in [
        ("One", format!("Ann: {SAME}\nAnn: So be it.\n")),
        ("Two", format!("Ann: {SAME}\nAnn: Right, so be it.\n")),
        ("Other", "Cy: Prune\nCy: the orchard.\n".to_owned()),
    ] {
        let id = client.imported(Import { title: Some(title), text: &text, ..Import::default() }).await;
        client.ready(&id).await;
    }
    for mode in ["TEXT", "HYBRID"] {
        assert_eq!(found(&client, &format!("mode: {mode}")).await.len(), 3);
        let hits = found(&client, &format!("mode: {mode}, collapseDuplicates: true")).await;
        assert_eq!(hits.len(), 2, "{mode}: {hits:#?}");
        let counts: Vec<_> = hits.iter().map(|hit| hit["duplicates"].as_i64().expect("a number")).collect();
        assert_eq!(counts.iter().sum::<i64>(), 1, "{mode}");
        // Variety puts the other one before the second of the pair.
        let varied = found(&client, &format!("mode: {mode}, diversity: 0.9")).await;
        assert_eq!(titles(&varied)[1], "Other", "{mode}");
    }
}

#[tokio::test]
async fn an_answer_explains_itself() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    talks(&client).await;
    let query = "{ search(query: \"orchard review -ladders\") {
        edges { cursor node { score textMatch { score stretched } semanticMatch { score stretched } } }
        explanation { kept ranked checked dropped tookMs
            engines { leg engine outcome asked hits deadlineMs tookMs weight trust whole lowest highest } } } }";
    let data = client.data(query, json!({})).await["search"].clone();
    let explanation = &data["explanation"];
    let engines = explanation["engines"].as_array().expect("a list");
    assert_eq!(engines.len(), 2);
    assert_eq!((&engines[0]["leg"], &engines[1]["leg"]), (&json!("TEXT"), &json!("SEMANTIC")));
    for of in engines {
        assert_eq!(
            (&of["engine"], &of["outcome"], &of["asked"]),
            (&json!("embedded"), &json!("ANSWERED"), &json!(1_000))
        );
        assert_eq!((&of["deadlineMs"], &of["weight"]), (&json!(2_000), &json!(0.5)));
    }
    let hits = data["edges"].as_array().expect("a list");
    assert!(
        explanation["dropped"].as_u64().expect("it is there") >= 1,
        "meaning finds the ladders, too: {explanation:#?}"
    );
    assert_eq!(
        explanation["checked"].as_u64().expect("it is there"),
        explanation["dropped"].as_u64().expect("it is there") + hits.len() as u64
    );
    // The score is what the stretched scores add up to.
    let number = |of: &Value| of.as_f64().unwrap_or(0.0);
    for hit in hits {
        let (text, semantic) = (&hit["textMatch"]["stretched"], &hit["semanticMatch"]["stretched"]);
        let sum = 0.5 * number(&engines[0]["trust"]) * number(text) + 0.5 * number(semantic);
        assert!((sum - number(&hit["score"])).abs() < 1e-4, "{hit:#?} {engines:#?}");
        let raw = (number(&hit["textMatch"]["score"]) - number(&engines[0]["lowest"]))
            / (number(&engines[0]["highest"]) - number(&engines[0]["lowest"]));
        if !hit["textMatch"].is_null() && raw.is_finite() {
            assert!((raw - number(text)).abs() < 1e-4, "{hit:#?} {engines:#?}");
        }
    }
}
