//! What is made of a talk without a model: measures that add up, and insights that quote what was said.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Import, sample, tiny, world};

const ANALYSIS: &str = "query($id: ID!) { conversation(id: $id) { segmentCount analysis {
    id revision analyzer analyzerVersion conversation { id }
    measures { segments turns words questions durationMs speakingMs segmentsWithoutTimes overlapMs notes
        silences { count totalMs longestStartMs longestEndMs }
        participants { participant { label } words turns questions shareOfWords shareOfTime speakingMs
            longestTurn { words segment { text } } } } } } }";
const INSIGHTS: &str = "query($id: ID!) { conversation(id: $id) { analysis { insights {
    id kind text score owner due participant { label }
    evidence { quote startMs endMs segments { sequence text startMs endMs } } } } } }";

/// Letters and digits alone, so that line breaks and spaces do not matter.
fn said(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_insight_of_the_samples_quotes_what_was_said() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let samples = [
        (
            "coaching-session.vtt",
            true,
            &["ACTION_ITEM", "QUESTION", "SUMMARY", "KEY_PHRASE", "SENTIMENT"][..],
        ),
        ("backend-interview.srt", true, &["ACTION_ITEM", "QUESTION", "SUMMARY", "KEY_PHRASE"]),
        ("career-advice.txt", false, &["ACTION_ITEM", "QUESTION", "SUMMARY", "RISK"]),
        ("product-meeting.vtt", true, &["ACTION_ITEM", "DECISION", "QUESTION", "RISK", "SUMMARY"]),
    ];
    for (name, has_times, kinds) in samples {
        let id = client.imported(Import { text: &sample(name), ..Import::default() }).await;
        client.ready(&id).await;
        let data = client.data(INSIGHTS, json!({ "id": id })).await;
        let insights = data["conversation"]["analysis"]["insights"].as_array().expect("a list");
        let found: BTreeSet<&str> = insights.iter().filter_map(|insight| insight["kind"].as_str()).collect();
        assert!(kinds.iter().all(|kind| found.contains(kind)), "{name}: {found:?}");
        for insight in insights {
            let evidence = insight["evidence"].as_array().expect("a list");
            assert!(!evidence.is_empty(), "{name}: {insight:#?}");
            for evidence in evidence {
                let segments = evidence["segments"].as_array().expect("a list");
                let text: Vec<String> =
                    segments.iter().map(|of| said(of["text"].as_str().expect("a text"))).collect();
                let quote = said(evidence["quote"].as_str().expect("a quote"));
                assert!(!quote.is_empty() && text.join(" ").contains(&quote), "{name}: {evidence:#?}");
                assert_eq!(!evidence["startMs"].is_null(), has_times, "{name}: {evidence:#?}");
                if has_times {
                    let (start, end) = (&evidence["startMs"], &evidence["endMs"]);
                    assert_eq!(start, &segments[0]["startMs"], "{name}");
                    assert!(end.as_i64() >= start.as_i64(), "{name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn measures_add_up_to_the_talk() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    for name in ["coaching-session.vtt", "career-advice.txt"] {
        let id = client.imported(Import { text: &sample(name), ..Import::default() }).await;
        client.ready(&id).await;
        let conversation = client.data(ANALYSIS, json!({ "id": id })).await["conversation"].clone();
        let analysis = &conversation["analysis"];
        assert_eq!((&analysis["analyzer"], &analysis["revision"]), (&json!("extractive"), &json!(1)));
        assert_eq!(analysis["conversation"]["id"], id.as_str());
        let measures = &analysis["measures"];
        assert_eq!(measures["segments"], conversation["segmentCount"], "{name}");
        let participants = measures["participants"].as_array().expect("a list");
        assert_eq!(participants.len(), 2, "{name}");
        for sum in ["words", "turns", "questions"] {
            let of_all: i64 = participants.iter().map(|of| of[sum].as_i64().expect("a number")).sum();
            assert_eq!(json!(of_all), measures[sum], "{name}: {sum}");
        }
        let share = |key: &str| participants.iter().map(|of| of[key].as_f64().unwrap_or(0.0)).sum::<f64>();
        assert!((share("shareOfWords") - 1.0).abs() < 1e-9, "{name}");
        let has_times = name.ends_with(".vtt");
        assert_eq!(measures["durationMs"].is_null(), !has_times, "no time is invented");
        assert_eq!(measures["notes"].as_array().is_some_and(Vec::is_empty), has_times, "{measures:#?}");
        if has_times {
            assert!(share("shareOfTime") > 0.99, "{name}");
            assert!(measures["silences"]["count"].as_i64() >= Some(2), "{measures:#?}");
        }
        // The same analysis by its id, and by kind of insight.
        let query = "query($id: ID!) { analysis(id: $id) { insights(kinds: [QUESTION, RISK]) { kind } } node(id: $id) { __typename } }";
        let data = client.data(query, json!({ "id": analysis["id"] })).await;
        assert_eq!(data["node"]["__typename"], "Analysis");
        let kinds = data["analysis"]["insights"].as_array().expect("a list").iter();
        let kinds: BTreeSet<&str> = kinds.filter_map(|insight| insight["kind"].as_str()).collect();
        assert!(!kinds.is_empty() && kinds.is_subset(&BTreeSet::from(["QUESTION", "RISK"])), "{kinds:?}");
    }
}

#[tokio::test]
async fn an_action_item_names_its_owner_and_its_day() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let id = client.imported(Import { text: &tiny(1), ..Import::default() }).await;
    client.ready(&id).await;
    let data = client.data(INSIGHTS, json!({ "id": id })).await;
    let insights = data["conversation"]["analysis"]["insights"].as_array().expect("a list");
    let items: Vec<&Value> = insights.iter().filter(|insight| insight["kind"] == "ACTION_ITEM").collect();
    assert_eq!(items.len(), 1, "{insights:#?}");
    assert_eq!((&items[0]["owner"], &items[0]["due"]), (&json!("Ben"), &json!("by Friday")));
    assert_eq!(items[0]["participant"]["label"], "Ben");
}
