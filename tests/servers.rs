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
    async fn start(here: &str) -> Option<Self> {
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

    async fn import(&self, numbers: std::ops::Range<usize>) -> Vec<String> {
        let mut ids = Vec::new();
        for number in numbers {
            let title = format!("Talk {number}");
            let talk = Import { text: &tiny(number), title: Some(&title), ..Import::default() };
            ids.push(self.client.imported(talk).await);
        }
        ids
    }

    async fn search(&self, mode: &str) -> Value {
        let query = format!(
            "{{ search(query: \"notes talk\", mode: {mode}, first: 50) {{ degraded edges {{ node {{ conversation {{ id }} }} }} }} }}"
        );
        self.client.data(&query, json!({})).await["search"].clone()
    }

    async fn suggestions(&self, prefix: &str) -> Value {
        let query = format!(
            "{{ searchSuggestions(prefix: \"{prefix}\") {{ degraded suggestions {{ text kind count }} }} }}"
        );
        self.client.data(&query, json!({})).await["searchSuggestions"].clone()
    }

    /// Conversations that a mode finds, in number.
    async fn count(&self, mode: &str) -> usize {
        let found = self.search(mode).await;
        assert!(found["degraded"].is_null(), "{mode}: {found:#?}");
        let edges = found["edges"].as_array().expect("a list");
        let ids: std::collections::BTreeSet<_> =
            edges.iter().map(|edge| edge["node"]["conversation"]["id"].to_string()).collect();
        ids.len()
    }

    async fn finds(&self, conversations: usize) {
        for mode in ["TEXT", "SEMANTIC", "HYBRID"] {
            assert_eq!(self.count(mode).await, conversations, "{mode}");
        }
    }

    async fn standing(&self) -> Value {
        let query = "{ searchIndex { live building previous } }";
        self.client.data(query, json!({})).await["searchIndex"].clone()
    }

    async fn rebuild(&self) -> Value {
        let planned = json!({ "kind": "REINDEX", "everywhere": true });
        let planned = self.client.change("planBatch", "batch { id }", planned).await["batch"].clone();
        let input = json!({ "batchId": planned["id"] });
        self.client.change("startBatch", "batch { id state }", input).await;
        planned["id"].clone()
    }

    async fn ends(&self, batch: &Value) {
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
        match Fleet::start(std::any::type_name_of_val(&here)).await {
            Some(fleet) => fleet,
            None => return,
        }
    }};
}

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
    for name in ["vectors", "text index"] {
        let check = check(name);
        assert_eq!(check["ok"], true, "{check:#?}");
        let detail = check["detail"].as_str().expect("a text");
        for part in ["colloquy-passages-2", "alias colloquy-passages", "generation 2", "passages"] {
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
    let found = fleet.suggestions("some note").await;
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
