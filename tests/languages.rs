//! What language a talk is in, as its text tells it and as somebody sets it, and what search makes of that.

use serde_json::{Value, json};

use crate::support::{Client, Import, eventually, world};

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

    let set = async |language: Value| {
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

async fn reindex(client: &Client, everywhere: bool) {
    let input = json!({ "kind": "REINDEX", "all": !everywhere, "everywhere": everywhere });
    let planned = client.change("planBatch", "batch { id }", input).await["batch"].clone();
    client.change("startBatch", "batch { id }", json!({ "batchId": planned["id"] })).await;
    let query = "query($id: ID!) { batch(id: $id) { state } }";
    eventually("a batch is done", async || {
        let batch = client.data(query, json!({ "id": planned["id"] })).await["batch"].clone();
        (batch["state"] == "DONE").then_some(())
    })
    .await;
    client.idle().await;
}

#[tokio::test]
async fn a_language_that_is_not_known_is_found_when_a_talk_is_indexed_anew_and_what_is_set_stays() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let mut ids = Vec::new();
    for (title, text) in [("Gehalt", GERMAN), ("Kurz", SHORT), ("Niederländisch", GERMAN)] {
        let text = format!("{text}Eva: {title}.\nEva: So ist es.\n");
        let id = client.imported(Import { title: Some(title), text: &text, ..Import::default() }).await;
        client.ready(&id).await;
        ids.push(id);
    }
    let set = async |id: &str, language: Value| {
        client.change("updateConversation", "", json!({ "id": id, "language": language })).await;
        client.idle().await;
    };
    set(&ids[2], json!("nl")).await;
    let languages = async || {
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Conversation { language } } }";
        let nodes = client.data(query, json!({ "ids": ids })).await["nodes"].clone();
        nodes.as_array().unwrap().iter().map(|node| node["language"].clone()).collect::<Vec<_>>()
    };
    let found = async || client.titles("query: \"Verhandlung\", mode: TEXT").await;
    for everywhere in [false, true] {
        // As one is that was imported before languages were found.
        set(&ids[0], Value::Null).await;
        assert_eq!(languages().await, [Value::Null, Value::Null, json!("nl")]);
        assert_eq!(found().await, [""; 0]);
        reindex(&client, everywhere).await;
        assert_eq!(languages().await, [json!("de"), Value::Null, json!("nl")]);
        assert_eq!(found().await, ["Gehalt"]);
    }
    let versions = "SELECT sum(version)::bigint FROM conversations";
    let before = world.number(versions).await;
    reindex(&client, false).await;
    assert_eq!(world.number(versions).await, before, "once found it is known");
}

const CHINESE: &str = "李华: 我们下周的会议讨论工资谈判，请大家准备好去年的数据。\n王明: 好的，我会把去年的报告带来。\n\
    李华: 也请财务部的同事参加。\n王明: 没问题。\n";
const JAPANESE: &str = "佐藤: 来週の会議ではデータベースの移行について話します。\n鈴木: わかりました。手順は私がまとめておきます。\n\
    佐藤: 資料は金曜日までに送ってください。\n鈴木: はい。\n";

#[tokio::test]
async fn a_question_in_chinese_or_japanese_is_found_by_its_parts_live_and_marked() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let query = json!({ "name": "工资", "query": "公司的工资谈判", "mode": "TEXT" });
    let saved = client.change("saveSearch", "savedSearch { id }", query).await["savedSearch"]["id"].clone();
    for (title, text) in [("Chinese", CHINESE), ("Japanese", JAPANESE)] {
        let id = client.imported(Import { title: Some(title), text, ..Import::default() }).await;
        client.ready(&id).await;
    }
    let titles = async |query: &str| {
        let query = serde_json::to_string(query).unwrap();
        client.titles(&format!("query: {query}, mode: TEXT")).await
    };
    assert_eq!(titles("请问工资谈判的会议是什么时候").await, ["Chinese"]);
    assert_eq!(titles("データベースの移行はいつですか").await, ["Japanese"]);
    assert_eq!(titles("\"工资谈判的会议\"").await, [""; 0]);
    assert_eq!(titles("\"工资谈判\"").await, ["Chinese"]);
    let hits = client.search("query: \"请问工资谈判的会议\", mode: TEXT").await;
    let fragments = hits[0]["fragments"].as_array().unwrap();
    let marked: Vec<&str> = fragments
        .iter()
        .filter(|piece| piece["isMatch"] == true)
        .filter_map(|piece| piece["text"].as_str())
        .collect();
    assert_eq!(marked, ["的会议", "工资谈判"]);
    let matches =
        "query($id: ID!) { savedSearch(id: $id) { matches { edges { node { conversation { title } } } } } }";
    eventually("a saved search fires", async || {
        let data = client.data(matches, json!({ "id": saved })).await;
        let edges = data["savedSearch"]["matches"]["edges"].as_array().unwrap().clone();
        let titles: Vec<&Value> = edges.iter().map(|edge| &edge["node"]["conversation"]["title"]).collect();
        (titles == ["Chinese"]).then_some(())
    })
    .await;
}

const SALARY: &str =
    "Anna: We should talk about the salary first.\nBernd: And the notice period after that.\n";

async fn synonyms(client: &Client) -> Value {
    client.data("{ synonyms }", json!({})).await["synonyms"].clone()
}

#[tokio::test]
async fn an_organization_finds_a_thing_under_the_names_it_gives_it_and_no_other_does() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let id = client.imported(Import { title: Some("Salary"), text: SALARY, ..Import::default() }).await;
    client.ready(&id).await;
    let person = json!({ "email": "eve@example.com", "password": "correct horse eve", "name": "Eve", "organizationName": "Eve" });
    let session =
        server.anonymous().change("signUp", "session { accessToken }", person).await["session"].clone();
    let eve = server.with(session["accessToken"].as_str().unwrap());
    let id = eve.imported(Import { title: Some("Salary"), text: SALARY, ..Import::default() }).await;
    eve.ready(&id).await;

    let titles = async |client: &Client, query: &str| {
        let query = serde_json::to_string(query).unwrap();
        client.titles(&format!("query: {query}, mode: TEXT")).await
    };
    assert_eq!(titles(&client, "wage").await, [""; 0]);
    let groups = json!([["Wage", " salary ", "SALARY"], ["cancellation deadline", "notice period"]]);
    let set = client.change("setSynonyms", "groups", json!({ "groups": groups })).await;
    assert_eq!(set["groups"], json!([["Wage", "salary"], ["cancellation deadline", "notice period"]]));
    assert_eq!(synonyms(&client).await, set["groups"]);
    assert_eq!(titles(&client, "wage").await, ["Salary"]);
    assert_eq!(titles(&client, "cancellation deadline").await, ["Salary"]);
    assert_eq!(titles(&client, "\"wage\"").await, [""; 0]);
    assert_eq!(titles(&client, "talk -wage").await, ["Salary"]);
    let hits = client.search("query: \"wage\", mode: TEXT").await;
    let fragments = hits[0]["fragments"].as_array().unwrap();
    assert!(fragments.iter().any(|piece| piece["isMatch"] == true && piece["text"] == "salary"));
    assert_eq!((titles(&eve, "wage").await, synonyms(&eve).await), (Vec::new(), json!([])));

    let refused = client.refused("setSynonyms", json!({ "groups": [["pay", "Pay"]] })).await;
    assert_eq!(refused, "INVALID_SYNONYMS");
    assert_eq!(synonyms(&client).await, set["groups"]);
    let log = "{ auditLog(filter: { actions: [\"synonyms.set\"] }) { edges { node { outcome detail } } } }";
    let log = client.data(log, json!({})).await;
    let noted = |n: usize| log["auditLog"]["edges"][n]["node"].clone();
    let refused = json!({ "outcome": "REFUSED", "detail": { "groups": 1, "code": "INVALID_SYNONYMS" } });
    assert_eq!(noted(0), refused);
    assert_eq!(noted(1), json!({ "outcome": "DONE", "detail": { "groups": 2, "changed": true } }));
}
