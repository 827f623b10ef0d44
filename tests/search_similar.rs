//! More like this.

use serde_json::{Value, json};

use crate::support::{Client, Import, World, eventually, world};

const TALKS: [(&str, &str); 4] = [
    ("Orchard", "Ann: We prune the apple trees of the orchard in winter,\nAnn: before the sap rises.\n"),
    ("Trees", "Bo: Apple trees bear more when the orchard is pruned,\nBo: and winter is the time for it.\n"),
    ("Harbour", "Cy: The keeper painted the harbour wall green\nCy: and mended the boats.\n"),
    ("Boats", "Di: The boats lie in the harbour,\nDi: and the wall is green with weed.\n"),
];

async fn talks(client: &Client) -> Vec<String> {
    let mut ids = Vec::new();
    for (title, text) in TALKS {
        let import = Import { title: Some(title), text, tags: &[title], ..Import::default() };
        ids.push(client.imported(import).await);
    }
    ids
}

async fn similar(client: &Client, arguments: &str) -> Value {
    let query = format!(
        "{{ similar({arguments}) {{ byWords degraded hits {{ conversation {{ title }} passage {{ id }} score
            textMatch {{ rank }} semanticMatch {{ rank }} }} explanation {{ engines {{ leg }} }} }} }}"
    );
    client.data(&query, json!({})).await["similar"].clone()
}

fn titles(found: &Value) -> Vec<&str> {
    let hits = found["hits"].as_array().expect("a list").iter();
    hits.map(|hit| hit["conversation"]["title"].as_str().expect("a text")).collect()
}

async fn looks_for_its_like(world: &World, by_words: bool) {
    let server = world.standalone().await;
    let client = server.owner();
    let ids = talks(&client).await;
    let mode = if by_words { "TEXT" } else { "SEMANTIC" };
    eventually("all is found", async || {
        let found = client.titles(&format!("query: \"apple harbour trees boats\", mode: {mode}")).await;
        (found.len() == 4).then_some(())
    })
    .await;
    for (id, like) in ids.iter().zip(["Trees", "Orchard", "Boats", "Harbour"]) {
        let own = TALKS[ids.iter().position(|of| of == id).expect("it is there")].0;
        let found = similar(&client, &format!("conversationId: \"{id}\"")).await;
        assert_eq!(found["byWords"], by_words);
        assert_eq!(titles(&found)[0], like, "{found:#?}");
        assert!(!titles(&found).contains(&own), "never the thing itself: {found:#?}");
        let filter = format!("conversationId: \"{id}\", filter: {{ tags: [\"boats\"] }}");
        let narrowed = similar(&client, &filter).await;
        assert!(titles(&narrowed).iter().all(|title| *title == "Boats" && own != "Boats"), "{narrowed:#?}");
    }
    let hits = client.search(&format!("query: \"orchard\", mode: {mode}, first: 1")).await;
    let (passage, own) =
        (hits[0]["passage"]["id"].as_str().expect("a text"), hits[0]["conversation"]["title"].clone());
    let found = similar(&client, &format!("passageId: \"{passage}\", first: 1")).await;
    let like = if own == "Orchard" { "Trees" } else { "Orchard" };
    assert_eq!(titles(&found), [like]);
    for arguments in ["first: 3", &format!("conversationId: \"{0}\", passageId: \"{0}\"", ids[0])] {
        let answer = client.ask(&format!("{{ similar({arguments}) {{ byWords }} }}"), json!({})).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{arguments}");
    }
    assert_eq!(similar(&client, &format!("passageId: \"{}\"", ids[0])).await, Value::Null, "of another kind");
}

#[tokio::test]
async fn what_is_like_a_talk_or_a_passage_is_found_by_meaning() {
    let world = world!();
    looks_for_its_like(&world, false).await;
}

#[tokio::test]
async fn without_a_model_what_is_like_it_has_words_in_common() {
    let mut world = world!();
    world.set("COLLOQUY_EMBEDDING_MODEL", "none");
    looks_for_its_like(&world, true).await;
}
