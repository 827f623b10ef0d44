//! What language a talk is in, as its text tells it and as somebody sets it, and what search makes of that.

use serde_json::json;

use crate::support::{Import, eventually, world};

const GERMAN: &str = "Anna: Danke, dass Sie heute gekommen sind. Bevor wir über das Gehalt sprechen, möchte ich hören, wie die \
    letzten Verhandlungen gelaufen sind.\nBernd: Die Verhandlungen waren lang, aber am Ende haben wir uns mit allen \
    Häusern geeinigt.\n";
const SHORT: &str = "Carla: Plans.\nDan: No, planning!\n";

#[tokio::test]
async fn a_language_is_found_at_import_and_may_be_set_and_words_are_looked_for_by_its_rules() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let german = client.imported(Import { title: Some("Gehalt"), text: GERMAN, ..Import::default() }).await;
    let short = client.imported(Import { title: Some("Kurz"), text: SHORT, ..Import::default() }).await;
    client.ready(&german).await;
    client.ready(&short).await;

    let query =
        "query($id: ID!) { conversation(id: $id) { language importReport { language languageConfidence } } }";
    let found = client.ask(query, json!({ "id": german })).await.body["data"]["conversation"].clone();
    assert_eq!((&found["language"], &found["importReport"]["language"]), (&json!("de"), &json!("de")));
    assert!(found["importReport"]["languageConfidence"].as_f64().unwrap() > 0.9, "{found}");
    let found = client.ask(query, json!({ "id": short })).await.body["data"]["conversation"].clone();
    assert_eq!(found["language"], json!(null), "{found}");
    assert_eq!(found["importReport"]["language"], json!(null), "{found}");

    let titles = async |search: &str| client.titles(&format!("{search}, mode: TEXT")).await;
    assert_eq!(titles("query: \"Verhandlung\"").await, ["Gehalt"]);
    assert_eq!(titles("query: \"haus lang:de\"").await, ["Gehalt"]);
    assert_eq!(titles("query: \"haus lang:en\"").await, [""; 0]);
    assert_eq!(titles("query: \"planned\"").await, ["Kurz"]);
    assert_eq!(titles("query: \"planned\", filter: { languages: [\"en\"] }").await, [""; 0]);
    let hits = client.search("query: \"Verhandlung\", mode: TEXT").await;
    let fragments = hits[0]["fragments"].as_array().unwrap();
    assert!(fragments.iter().any(|piece| piece["isMatch"] == true && piece["text"] == "Verhandlungen"));

    let set = async |language: serde_json::Value| {
        client.change("updateConversation", "", json!({ "id": short, "language": language })).await;
    };
    set(json!("en-GB")).await;
    eventually("a filter sees the language", async || {
        let found = titles("query: \"planned\", filter: { languages: [\"en\"] }").await;
        (found == ["Kurz"]).then_some(())
    })
    .await;
    set(json!("de")).await;
    eventually("words are read by the new language", async || {
        titles("query: \"planned\"").await.is_empty().then_some(())
    })
    .await;
    let bad = "mutation($id: ID!) { updateConversation(input: { id: $id, language: \"german\" }) { userErrors { code } } }";
    let answer = client.ask(bad, json!({ "id": short })).await.body;
    assert_eq!(answer["data"]["updateConversation"]["userErrors"][0]["code"], "INVALID_LANGUAGE", "{answer}");
}
