//! Search engines on servers that `api` and `worker` share, without a standalone: a real Elasticsearch and the stand-in of
//! Qdrant. They go away, and come back.

use std::time::Duration;

use colloquy_qdrant_stand_in::StandIn;
use serde_json::{Value, json};

use crate::support::{Client, Elasticsearch, Import, Process, Server, World, eventually, tiny};

/// What a test of this file stands on.
pub(crate) struct Fleet {
    pub(crate) world: World,
    pub(crate) words: Elasticsearch,
    pub(crate) vectors: StandIn,
    pub(crate) api: Server,
    pub(crate) worker: Process,
    pub(crate) client: Client,
}

impl Fleet {
    /// `None` where a server is missing, which is said.
    pub(crate) async fn start(here: &str) -> Option<Self> {
        let mut world = World::new(here).await?;
        let words = Elasticsearch::start(here)?;
        let vectors = StandIn::start();
        world.set("COLLOQUY_ELASTICSEARCH_URL", &words.url());
        world.set("COLLOQUY_ELASTICSEARCH_TIMEOUT_MS", "8000");
        world.set("COLLOQUY_QDRANT_URL", &vectors.url());
        world.set("COLLOQUY_QDRANT_TIMEOUT_MS", "2000");
        let key = world.run(&["owner-key"]).await.well();
        let api = world.api().await;
        let worker = world.worker(&[]);
        let client = api.with(key.trim());
        Some(Self { world, words, vectors, api, worker, client })
    }

    pub(crate) async fn import(&self, numbers: std::ops::Range<usize>) -> Vec<String> {
        let mut ids = Vec::new();
        for number in numbers {
            let title = format!("Talk {number}");
            let talk = Import { text: &tiny(number), title: Some(&title), ..Import::default() };
            ids.push(self.client.imported(talk).await);
        }
        ids
    }

    pub(crate) async fn search(&self, mode: &str) -> Value {
        let query = format!(
            "{{ search(query: \"notes talk\", mode: {mode}, first: 50) {{ degraded edges {{ node {{ conversation {{ id }} }} }} }} }}"
        );
        self.client.data(&query, json!({})).await["search"].clone()
    }

    pub(crate) async fn suggestions(&self, prefix: &str) -> Value {
        let query = format!(
            "{{ searchSuggestions(prefix: \"{prefix}\") {{ degraded suggestions {{ text kind count }} }} }}"
        );
        self.client.data(&query, json!({})).await["searchSuggestions"].clone()
    }

    /// Conversations that a mode finds, in number.
    pub(crate) async fn count(&self, mode: &str) -> usize {
        let found = self.search(mode).await;
        assert!(found["degraded"].is_null(), "{mode}: {found:#?}");
        let edges = found["edges"].as_array().expect("a list");
        let ids: std::collections::BTreeSet<_> =
            edges.iter().map(|edge| edge["node"]["conversation"]["id"].to_string()).collect();
        ids.len()
    }

    pub(crate) async fn finds(&self, conversations: usize) {
        for mode in ["TEXT", "SEMANTIC", "HYBRID"] {
            assert_eq!(self.count(mode).await, conversations, "{mode}");
        }
    }

    pub(crate) async fn standing(&self) -> Value {
        let query = "{ searchIndex { live building previous } }";
        self.client.data(query, json!({})).await["searchIndex"].clone()
    }

    pub(crate) async fn rebuild(&self) -> Value {
        let planned = json!({ "kind": "REINDEX", "everywhere": true });
        let planned = self.client.change("planBatch", "batch { id }", planned).await["batch"].clone();
        let input = json!({ "batchId": planned["id"] });
        self.client.change("startBatch", "batch { id state }", input).await;
        planned["id"].clone()
    }

    pub(crate) async fn ends(&self, batch: &Value) {
        eventually("a rebuild is done", async || {
            let query = "query($id: ID!) { batch(id: $id) { state reason failed } }";
            let found = self.client.data(query, json!({ "id": batch })).await["batch"].clone();
            assert!(found["state"] != "CANCELLED" && found["state"] != "STOPPED", "{found:#?}");
            (found["state"] == "DONE").then_some(())
        })
        .await;
    }
}

macro_rules! fleet {
    () => {{
        fn here() {}
        match crate::servers::Fleet::start(std::any::type_name_of_val(&here)).await {
            Some(fleet) => fleet,
            None => return,
        }
    }};
}
pub(crate) use fleet;

#[tokio::test]
async fn engines_on_servers_are_searched_rebuilt_and_rolled_back_by_roles_that_share_them() {
    let fleet = fleet!();
    let ids = fleet.import(0..6).await;
    fleet.client.idle().await;
    fleet.finds(6).await;
    assert_eq!(fleet.standing().await, json!({ "live": 1, "building": null, "previous": null }));

    fleet.client.change("deleteConversation", "deletedId", json!({ "id": ids[0] })).await;
    fleet.client.idle().await;
    fleet.finds(5).await;

    let batch = fleet.rebuild().await;
    fleet.ends(&batch).await;
    eventually("the api reads the new generation", async || {
        (fleet.standing().await == json!({ "live": 2, "building": null, "previous": 1 })).then_some(())
    })
    .await;
    fleet.finds(5).await;
    assert_eq!(fleet.vectors.collections(), ["colloquy-passages-1", "colloquy-passages-2"]);
    let told = fleet.world.run(&["doctor", "--json"]).await;
    let checks = told.json();
    let check = |name: &str| {
        let all =
            checks.iter().flat_map(|line| line.as_array().cloned().unwrap_or_else(|| vec![line.clone()]));
        all.into_iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {told:#?}"))
    };
    for (name, index) in [("vectors", "colloquy-passages-2"), ("text index", "colloquy-passages-5.2")] {
        let check = check(name);
        assert_eq!(check["ok"], true, "{check:#?}");
        let detail = check["detail"].as_str().expect("a text");
        for part in [index, "alias colloquy-passages", "generation 2", "passages"] {
            assert!(detail.contains(part), "{name}: {detail}");
        }
    }

    fleet.import(6..8).await;
    fleet.client.idle().await;
    fleet.finds(7).await;
    let input = json!({ "toGeneration": 1 });
    fleet.client.change("rollBackSearchIndex", "searchIndex { live previous }", input).await;
    fleet.finds(7).await;
    assert_eq!(fleet.standing().await, json!({ "live": 1, "building": null, "previous": 2 }));
    drop(fleet.worker);
    drop(fleet.api);
}

/// Jobs wait for the engine without counting; searches go on with the other.
#[tokio::test]
async fn an_outage_of_either_engine_loses_nothing_and_searches_say_what_they_lack() {
    let mut fleet = fleet!();
    fleet.import(0..3).await;
    fleet.client.idle().await;
    fleet.finds(3).await;
    // A search box does not wait for long, and the server's first answer may take that.
    let found = eventually("words are suggested", async || {
        let found = fleet.suggestions("some note").await;
        found["degraded"].is_null().then_some(found)
    })
    .await;
    let word = json!({ "text": "some notes", "kind": "WORD", "count": 3 });
    assert_eq!(found, json!({ "degraded": null, "suggestions": [word] }));

    fleet.vectors.stop();
    let late = fleet.import(3..5).await;
    eventually("words of the new conversations are found", async || {
        let found = fleet.search("HYBRID").await;
        let lacks = found["degraded"].as_str().is_some_and(|lacks| lacks.contains("semantic"));
        assert!(lacks, "{found:#?}");
        (fleet.count("TEXT").await == 5).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let waiting = "SELECT count(*) FROM jobs WHERE kind = 'embed_passages' AND state IN ('READY', 'RUNNING') AND attempts = 0";
    assert_eq!(fleet.world.number(waiting).await, 2, "they wait without counting");
    fleet.client.change("deleteConversation", "deletedId", json!({ "id": late[0] })).await;
    fleet.vectors.go_on();
    fleet.client.idle().await;
    // The engine is asked again after a moment.
    eventually("everything is found by both", async || {
        let found = fleet.search("HYBRID").await;
        found["degraded"].is_null().then_some(())
    })
    .await;
    fleet.finds(4).await;

    fleet.words.stop();
    fleet.import(5..6).await;
    eventually("the meaning of the new conversation is found", async || {
        let found = fleet.search("HYBRID").await;
        let lacks = found["degraded"].as_str().is_some_and(|lacks| lacks.contains("text"));
        assert!(lacks, "{found:#?}");
        (fleet.count("SEMANTIC").await == 5).then_some(())
    })
    .await;
    let found = fleet.suggestions("talk 5").await;
    assert!(found["degraded"].as_str().is_some_and(|lacks| lacks.contains("text")), "{found:#?}");
    assert_eq!(found["suggestions"], json!([{ "text": "Talk 5", "kind": "TITLE", "count": null }]));
    fleet.words.go_on();
    fleet.client.idle().await;
    eventually("everything is found by both again", async || {
        let found = fleet.search("HYBRID").await;
        found["degraded"].is_null().then_some(())
    })
    .await;
    fleet.finds(5).await;
    assert_eq!(fleet.world.number("SELECT count(*) FROM jobs WHERE state = 'DEAD'").await, 0);
}

/// What `verify` says differs: kinds by engine.
pub(crate) async fn differences(
    world: &World,
    server: &Server,
    token: &str,
    repair: bool,
) -> Vec<(String, String)> {
    let mut args = vec!["verify", "--json", "--server", &server.url, "--token", token];
    args.extend(repair.then_some("--repair"));
    let ended = world.run(&args).await;
    let lines = ended.json();
    let differs = !lines.is_empty() && !repair;
    assert_eq!(ended.code, Some(i32::from(differs)), "{ended:#?}");
    let text = |line: &Value, key: &str| line[key].as_str().expect("a text").to_owned();
    let mut found: Vec<_> = lines.iter().map(|line| (text(line, "engine"), text(line, "kind"))).collect();
    found.sort();
    found
}

fn told(found: &[(&str, &str)]) -> Vec<(String, String)> {
    found.iter().map(|(engine, kind)| ((*engine).to_owned(), (*kind).to_owned())).collect()
}

/// Requests of the search server, as somebody makes them by hand.
pub(crate) struct ByHand(pub(crate) String);

impl ByHand {
    pub(crate) async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.0));
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await.expect("the server answers");
        let (status, text) = (answer.status(), answer.text().await.expect("a text"));
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The key and the document of a conversation's only passage.
    async fn passage(&self, conversation: &str) -> (String, Value) {
        let query = json!({ "query": { "bool": { "filter": [
            { "term": { "conversation_id": conversation } }, { "exists": { "field": "passage_id" } },
        ]}}});
        let found = self.ask(reqwest::Method::POST, "/colloquy-passages-5.1/_search", Some(query)).await;
        let hit = &found["hits"]["hits"][0];
        (hit["_id"].as_str().expect("a key").to_owned(), hit["_source"].clone())
    }

    /// As if it were Colloquy.
    async fn put(&self, key: &str, document: &Value) {
        let (organization, version) = (&document["organization"], &document["version"]);
        let routing = organization.as_str().expect("an id");
        let path = format!(
            "/colloquy-passages-5.1/_doc/{key}?routing={routing}&version={version}&version_type=external_gte&refresh=true"
        );
        self.ask(reqwest::Method::PUT, &path, Some(document.clone())).await;
    }
}

#[tokio::test]
async fn what_somebody_did_to_the_engines_by_hand_is_found_and_mended() {
    let fleet = fleet!();
    let ids = fleet.import(0..5).await;
    fleet.client.idle().await;
    fleet.client.change("deleteConversation", "deletedId", json!({ "id": ids[4] })).await;
    let token = fleet.client.token().to_owned();
    let differences = async |repair| differences(&fleet.world, &fleet.api, &token, repair).await;
    let sql = fleet.world.sql().await;
    let uuid = async |n: usize| -> String {
        let title = format!("Talk {n}");
        let row = sql.query_one("SELECT id::text FROM conversations WHERE title = $1", &[&title]).await;
        row.expect("a conversation").get(0)
    };
    fleet.client.idle().await;
    assert_eq!(differences(false).await, []);

    let words = ByHand(fleet.words.url());
    let gone = uuid::Uuid::from_u128(4).to_string();
    let (key, document) = words.passage(&uuid(0).await).await;
    let routing = document["organization"].as_str().expect("an id");
    let path = format!("/colloquy-passages-5.1/_doc/{key}?routing={routing}&refresh=true");
    words.ask(reqwest::Method::DELETE, &path, None).await;
    let (key, mut document) = words.passage(&uuid(1).await).await;
    document["exact"] = json!("other words");
    words.put(&key, &document).await;
    let (key, mut document) = words.passage(&uuid(2).await).await;
    document["passage_id"] = json!(gone);
    words.put(&format!("{key}-more"), &document).await;
    document["conversation_id"] = json!(gone);
    words.put(&format!("{key}-left"), &document).await;

    let collection = "colloquy-passages-1";
    let tampered = fleet.vectors.tamper(collection, "conversation_id", &uuid(0).await, |point| {
        point.turn_vector();
        true
    });
    assert_eq!(tampered, 2, "a passage and a marker");
    fleet.vectors.tamper(collection, "conversation_id", &uuid(1).await, |point| !point.is_passage());
    fleet.vectors.tamper(collection, "conversation_id", &uuid(2).await, |point| {
        if point.is_passage() {
            point.set_text("conversation_id", &gone);
        }
        true
    });
    fleet.vectors.tamper(collection, "conversation_id", &uuid(3).await, |point| {
        point.set_number("version", 0);
        true
    });
    let expected = told(&[
        ("TEXT", "ALTERED"),
        ("TEXT", "EXTRA"),
        ("TEXT", "MISSING"),
        ("TEXT", "ORPHANED"),
        ("VECTORS", "ALTERED"),
        ("VECTORS", "MISSING"),
        ("VECTORS", "MISSING"),
        ("VECTORS", "ORPHANED"),
        ("VECTORS", "STALE"),
    ]);
    assert_eq!(differences(false).await, expected);
    // What is mended for one engine is mended for the other, so that the latter may have it already.
    let mended = differences(true).await;
    assert!(mended.len() >= 4 && mended.iter().all(|one| expected.contains(one)), "{mended:#?}");
    fleet.client.idle().await;
    assert_eq!(differences(false).await, []);
    fleet.finds(4).await;
    let entries = "SELECT count(*) FROM audit_entries WHERE action = 'searchIndex.verify' AND detail->>'repair' = 'true'";
    assert!(fleet.world.number(entries).await >= 2, "each page that mends is in the log");
}

#[tokio::test]
async fn embedded_engines_that_are_behind_or_hold_what_is_gone_are_found_and_mended() {
    let world = crate::support::world!();
    let server = world.standalone().await;
    let client = server.owner();
    for number in 0..30 {
        let title = format!("Talk {number}");
        client.imported(Import { text: &tiny(number), title: Some(&title), ..Import::default() }).await;
    }
    client.idle().await;
    let token = client.token().to_owned();
    let differences = async |repair| differences(&world, &server, &token, repair).await;
    assert_eq!(differences(false).await, []);
    let sql = world.sql().await;
    sql.batch_execute("UPDATE conversations SET version = version + 1 WHERE title = 'Talk 1'")
        .await
        .expect("SQL");
    sql.batch_execute("UPDATE passages SET text = text || ' More.' WHERE conversation_id = (SELECT id FROM conversations WHERE title = 'Talk 2')").await.expect("SQL");
    sql.batch_execute("DELETE FROM conversations WHERE title = 'Talk 3'").await.expect("SQL");
    let expected = told(&[
        ("TEXT", "ALTERED"),
        ("TEXT", "ORPHANED"),
        ("TEXT", "STALE"),
        ("VECTORS", "ORPHANED"),
        ("VECTORS", "STALE"),
    ]);
    assert_eq!(differences(false).await, expected);
    // What is mended for one engine is mended for the other, so that the latter may have it already.
    let mended = differences(true).await;
    assert!(mended.len() >= 4 && mended.iter().all(|one| expected.contains(one)), "{mended:#?}");
    client.idle().await;
    assert_eq!(differences(false).await, []);
    assert_eq!(client.refused("verifyIndex", json!({ "after": "nowhere" })).await, "INVALID_CURSOR");
    assert_eq!(client.refused("verifyIndex", json!({ "first": 1_000 })).await, "PAGE_OUT_OF_RANGE");
}

/// Searches by both all the time: how often, and how often without one of them.
async fn search_on(client: Client, stop: std::sync::Arc<std::sync::atomic::AtomicBool>) -> (usize, usize) {
    let (mut searches, mut degraded) = (0, 0);
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        let query = "{ search(query: \"notes talk\", first: 50) { degraded edges { node { score } } } }";
        let found = client.data(query, json!({})).await["search"].clone();
        let hits = found["edges"].as_array().expect("a list").len();
        assert_eq!(hits, 10, "{found:#?}");
        searches += 1;
        degraded += usize::from(!found["degraded"].is_null());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (searches, degraded)
}

#[tokio::test]
async fn a_rebuild_outlives_restarts_of_its_servers_and_nothing_differs_afterwards() {
    let mut fleet = fleet!();
    fleet.import(0..10).await;
    fleet.client.idle().await;
    fleet.finds(10).await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let searching = tokio::spawn(search_on(fleet.client.clone(), stop.clone()));
    let planned = json!({ "kind": "REINDEX", "everywhere": true });
    let planned = fleet.client.change("planBatch", "batch { id }", planned).await["batch"]["id"].clone();
    let input = json!({ "batchId": planned, "perMinute": 120 });
    fleet.client.change("startBatch", "batch { id }", input).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    fleet.words.stop();
    tokio::time::sleep(Duration::from_secs(3)).await;
    fleet.words.go_on();
    eventually("words are found again", async || {
        let found =
            fleet.client.ask("{ search(query: \"notes\", mode: TEXT) { degraded } }", json!({})).await;
        found.body["errors"].is_null().then_some(())
    })
    .await;
    fleet.vectors.stop();
    tokio::time::sleep(Duration::from_secs(3)).await;
    fleet.vectors.go_on();
    let begun = std::time::Instant::now();
    let query = "query($id: ID!) { batch(id: $id) { state reason failed } }";
    loop {
        let batch = fleet.client.data(query, json!({ "id": planned })).await["batch"].clone();
        if batch["state"] == "DONE" {
            break;
        }
        assert!(batch["state"] == "RUNNING" && begun.elapsed() < Duration::from_secs(180), "{batch:#?}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let (searches, degraded) = searching.await.expect("no search failed");
    assert!(searches > 20 && degraded > 0, "{degraded} of {searches}");
    fleet.client.idle().await;
    assert_eq!(fleet.standing().await["live"], 2);
    let token = fleet.client.token().to_owned();
    assert_eq!(differences(&fleet.world, &fleet.api, &token, false).await, []);
    assert_eq!(fleet.world.number("SELECT count(*) FROM jobs WHERE state = 'DEAD'").await, 0);
}
