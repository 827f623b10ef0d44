//! Searches that are saved, and fire when what they look for comes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Import, Server, Subscription, eventually, world};

const SAVED: &str =
    "savedSearch { id name query mode threshold filter { tags kinds } createdBy { id } } cursor";
const MATCHED: &str = "subscription($id: ID, $query: String, $filter: SearchFilter, $mode: SavedSearchMode,
        $threshold: Float, $after: Cursor) {
    searchMatched(savedSearchId: $id, query: $query, filter: $filter, mode: $mode, threshold: $threshold,
        after: $after) {
        __typename
        ... on SearchMatched { cursor match { similarity at passage { text embeddingModel }
            conversation { title } fragments { text isMatch } } }
        ... on Lagged { cursor } } }";

/// A second is what is promised; the machine may be busy.
const SOON: Duration = Duration::from_secs(4);

async fn save(client: &Client, query: &str, more: Value) -> Value {
    let mut input = json!({ "name": "Mine", "query": query });
    for (field, value) in more.as_object().expect("fields") {
        input[field] = value.clone();
    }
    client.change("saveSearch", SAVED, input).await
}

async fn talk(client: &Client, title: &str, text: &str) -> String {
    let import = Import { title: Some(title), text, tags: &["boats"], ..Import::default() };
    let id = client.imported(import).await;
    client.ready(&id).await;
    client.idle().await;
    id
}

async fn watch(client: &Client, search: &Value) -> Subscription {
    client.subscribe(MATCHED, json!({ "id": search["savedSearch"]["id"], "after": search["cursor"] })).await
}

async fn titles(client: &Client, search: &Value) -> Vec<String> {
    const QUERY: &str = "query($id: ID!) { savedSearch(id: $id) {
        matches { edges { node { conversation { title } fragments { text isMatch } } } } } }";
    let data = client.data(QUERY, json!({ "id": search["savedSearch"]["id"] })).await;
    let edges = data["savedSearch"]["matches"]["edges"].as_array().expect("a list");
    let title = |edge: &Value| edge["node"]["conversation"]["title"].as_str().expect("a title").to_owned();
    edges.iter().map(title).collect()
}

fn marked(fragments: &Value) -> Vec<&str> {
    let fragments = fragments.as_array().expect("a list").iter();
    fragments.filter(|one| one["isMatch"] == true).map(|one| one["text"].as_str().expect("a text")).collect()
}

async fn member(owner: &Client, server: &Server, role: &str) -> Client {
    let invited = json!({ "email": format!("{role}@example.com"), "role": role });
    let invited = owner.change("inviteMember", "token", invited).await;
    let input = json!({ "email": format!("{role}@example.com"), "password": format!("correct horse {role}"),
        "name": role, "invitationToken": invited["token"] });
    let session = server.anonymous().change("signUp", "session { accessToken }", input).await;
    server.with(session["session"]["accessToken"].as_str().expect("a token"))
}

#[tokio::test]
async fn a_saved_search_fires_soon_after_a_passage_is_indexed_and_says_why() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    talk(&client, "Before", "Mara: The old harbour wall.\nTobias: I see.\n").await;
    let words = save(&client, "\"harbour wall\" -flood", json!({ "filter": { "tags": ["Boats"] } })).await;
    assert_eq!(words["savedSearch"]["filter"], json!({ "tags": ["Boats"], "kinds": [] }));
    let meaning = save(&client, "walls", json!({ "mode": "SEMANTIC", "threshold": 0.01 })).await;
    let other = save(&client, "tomatoes", json!({})).await;
    let mut watched = watch(&client, &words).await;
    let mut meant = watch(&client, &meaning).await;
    let mut asked = client.subscribe(MATCHED, json!({ "query": "harbour" })).await;
    let mut asked_by_meaning =
        client.subscribe(MATCHED, json!({ "query": "walls", "mode": "SEMANTIC", "threshold": 0.01 })).await;
    // Whatever the subscriptions are still about to do is over then.
    tokio::time::sleep(Duration::from_millis(300)).await;

    let import = Import {
        title: Some("After"),
        text: "Mara: They painted walls: the harbour wall.\nTobias: I see.\n",
        tags: &["boats"],
        ..Import::default()
    };
    let id = client.imported(import).await;
    let indexed = eventually("it is indexed", async || {
        let progress = client
            .data("query($id: ID!) { conversation(id: $id) { progress { stage } } }", json!({ "id": id }))
            .await;
        progress.to_string().contains("INDEXED").then(Instant::now)
    })
    .await;
    let event = watched.event().await;
    assert!(indexed.elapsed() < SOON, "{:?}", indexed.elapsed());
    let found = &event["match"];
    assert_eq!(found["conversation"]["title"], "After");
    assert_eq!(marked(&found["fragments"]), ["harbour wall"]);
    assert_eq!((&found["similarity"], event["cursor"].is_string()), (&Value::Null, true));

    let event = asked.event().await;
    assert_eq!((&event["match"]["conversation"]["title"], &event["cursor"]), (&json!("After"), &Value::Null));
    assert_eq!(marked(&event["match"]["fragments"]), ["harbour"]);
    for event in [meant.event().await, asked_by_meaning.event().await] {
        let found = &event["match"];
        assert_eq!(found["conversation"]["title"], "After");
        assert!(found["similarity"].as_f64() > Some(0.01), "{event}");
        assert!(found["passage"]["embeddingModel"].is_string(), "{event}");
    }
    client.idle().await;
    assert_eq!(titles(&client, &words).await, ["After"]);
    assert_eq!(titles(&client, &meaning).await, ["After"]);
    assert_eq!(titles(&client, &other).await, [""; 0]);
    assert_eq!(world.number("SELECT count(*) FROM events WHERE kind = 'SEARCH_MATCHED'").await, 2);
    let detail =
        "SELECT count(*) FROM events WHERE kind = 'SEARCH_MATCHED' AND detail::text ILIKE '%harbour%'";
    assert_eq!(world.number(detail).await, 0, "an event holds no text");
}

#[tokio::test]
async fn a_text_fires_once_and_what_is_done_again_fires_nothing() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let early = talk(&client, "Early", "Mara: A meadow was here before.\nTobias: I see.\n").await;
    let search = save(&client, "meadow", json!({})).await;
    talk(&client, "One", "Mara: The meadow is mown on Monday.\nTobias: I see.\n").await;
    talk(&client, "Two", "Mara: The meadow is mown on Monday.\nTobias: Aha.\n").await;
    // The same passage of other bytes.
    talk(&client, "Same", "Tobias: The meadow is mown on Monday.\nMara: I see.\n").await;
    let fired = || world.number("SELECT count(*) FROM events WHERE kind = 'SEARCH_MATCHED'");
    assert_eq!(fired().await, 2, "each text once");
    assert_eq!(titles(&client, &search).await, ["Two", "One"], "newest first");

    // Tags are what filters see: the conversation is indexed again.
    client.change("tagConversation", "conversation { id }", json!({ "id": early, "tags": ["old"] })).await;
    for kind in ["REINDEX", "REEMBED"] {
        let planned =
            client.change("planBatch", "batch { id }", json!({ "kind": kind, "everywhere": true })).await;
        client.change("startBatch", "batch { id }", json!({ "batchId": planned["batch"]["id"] })).await;
        let batch = "query($id: ID!) { batch(id: $id) { state } }";
        eventually("it is built anew", async || {
            let data = client.data(batch, json!({ "id": planned["batch"]["id"] })).await;
            (data["batch"]["state"] == "DONE").then_some(())
        })
        .await;
    }
    client.idle().await;
    assert_eq!(fired().await, 2);

    // A cursor goes on from where it was, and tells the same again.
    let mut all = watch(&client, &search).await;
    let (first, second) = (all.event().await, all.event().await);
    assert_eq!(first["match"]["conversation"]["title"], "One");
    let after = json!({ "id": search["savedSearch"]["id"], "after": first["cursor"] });
    assert_eq!(client.subscribe(MATCHED, after).await.event().await, second);

    // Something else is looked for: what was found so far is no answer to that.
    let id = &search["savedSearch"]["id"];
    client.change("updateSavedSearch", "savedSearch { id }", json!({ "id": id, "name": "Theirs" })).await;
    assert_eq!(titles(&client, &search).await.len(), 2);
    let changed = json!({ "id": id, "query": "monday" });
    client.change("updateSavedSearch", "savedSearch { id }", changed).await;
    assert_eq!(titles(&client, &search).await, [""; 0]);
    talk(&client, "Three", "Mara: Until Monday, then.\nTobias: I see.\n").await;
    assert_eq!(titles(&client, &search).await, ["Three"]);
}

#[tokio::test]
async fn nothing_is_left_of_what_is_deleted() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let (one, two) = (save(&client, "meadow", json!({})).await, save(&client, "monday", json!({})).await);
    let id = talk(&client, "One", "Mara: The meadow is mown on Monday.\nTobias: I see.\n").await;
    talk(&client, "Two", "Mara: Another meadow, another Monday.\nTobias: I see.\n").await;
    let matches = || world.number("SELECT count(*) FROM search_matches");
    assert_eq!(matches().await, 4);
    client.change("deleteConversation", "deletedId", json!({ "id": id })).await;
    client.idle().await;
    assert_eq!(matches().await, 2);
    assert_eq!(titles(&client, &one).await, ["Two"]);
    for search in [&one, &two] {
        let id = json!({ "id": search["savedSearch"]["id"] });
        client.change("deleteSavedSearch", "deletedId", id.clone()).await;
        assert_eq!(client.refused("deleteSavedSearch", id).await, "NOT_FOUND");
    }
    assert_eq!(matches().await, 0);
    let data = client.data("{ savedSearches { edges { node { id } } } }", json!({})).await;
    assert_eq!(data["savedSearches"]["edges"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_where_it_stands_and_roles_are_kept() {
    let world = world!();
    let server = world.standalone().await;
    let input = json!({ "email": "ada@example.com", "password": "correct horse ada", "name": "Ada",
        "organizationName": "Acme" });
    let session = server.anonymous().change("signUp", "session { accessToken }", input).await;
    let owner = server.with(session["session"]["accessToken"].as_str().expect("a token"));
    let (ben, eve) = (member(&owner, &server, "MEMBER").await, member(&owner, &server, "VIEWER").await);

    let query = "mutation($input: SaveSearchInput!) { saveSearch(input: $input) {
        userErrors { code field character } } }";
    let refused = async |input: Value| {
        let data = ben.data(query, json!({ "input": input })).await;
        data["saveSearch"]["userErrors"][0].clone()
    };
    let error = refused(json!({ "name": "x", "query": "meadow after:soon" })).await;
    assert_eq!(error, json!({ "code": "INVALID_FIELD", "field": ["input", "query"], "character": 14 }));
    for (more, code) in [
        (json!({ "query": "-only" }), "EMPTY_QUERY"),
        (json!({ "query": "x ".repeat(51) }), "QUERY_TOO_LONG"),
        (json!({ "query": "x tag:a", "filter": { "tags": ["b"] } }), "NOTHING_CAN_MATCH"),
        (json!({ "query": "x", "threshold": 0.5 }), "INVALID_THRESHOLD"),
        (json!({ "query": "x", "threshold": 1.5, "mode": "SEMANTIC" }), "INVALID_THRESHOLD"),
        (json!({ "query": "x", "name": " " }), "INVALID_NAME"),
    ] {
        let mut input = json!({ "name": "x" });
        for (field, value) in more.as_object().expect("fields") {
            input[field] = value.clone();
        }
        assert_eq!(refused(input).await["code"], code);
    }

    let kept = save(&ben, "meadow", json!({})).await;
    let theirs = save(&owner, "meadow", json!({})).await;
    let id = |of: &Value| json!({ "id": of["savedSearch"]["id"] });
    let ask = async |client: &Client, field: &str, of: &Value| {
        let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let query =
            format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ userErrors {{ code }} }} }}");
        client.ask(&query, json!({ "input": id(of) })).await
    };
    assert_eq!(ask(&ben, "deleteSavedSearch", &theirs).await.code(), "FORBIDDEN");
    assert_eq!(ask(&eve, "deleteSavedSearch", &kept).await.code(), "FORBIDDEN");
    let viewer = eve.ask(query, json!({ "input": { "name": "x", "query": "x" } })).await;
    assert_eq!(viewer.code(), "FORBIDDEN");
    assert_eq!(titles(&eve, &kept).await, [""; 0], "a viewer sees what there is");
    owner.change("deleteSavedSearch", "deletedId", id(&kept)).await;

    for (variables, code) in [
        (json!({}), "BAD_USER_INPUT"),
        (json!({ "id": theirs["savedSearch"]["id"], "query": "x" }), "BAD_USER_INPUT"),
        (json!({ "id": theirs["savedSearch"]["id"], "mode": "TEXT" }), "BAD_USER_INPUT"),
        (json!({ "query": "x", "after": theirs["cursor"] }), "BAD_USER_INPUT"),
        (json!({ "query": "x OR" }), "MISPLACED_OR"),
        (json!({ "id": kept["savedSearch"]["id"] }), "NOT_FOUND"),
    ] {
        assert_eq!(eve.subscribe(MATCHED, variables.clone()).await.refusal().await, code, "{variables}");
    }
    let log = "{ auditLog(first: 20) { edges { node { action outcome detail } } } }";
    let log = owner.data(log, json!({})).await["auditLog"]["edges"].to_string();
    for (action, detail) in [("searches.save", "\"mode\":\"TEXT\""), ("searches.delete", "FORBIDDEN")] {
        assert!(log.contains(action) && log.contains(detail), "{log}");
    }
    assert!(!log.contains("meadow"), "{log}");
}

#[tokio::test]
async fn nothing_is_watched_by_meaning_where_no_model_could_tell_it() {
    let mut world = world!();
    world.set("COLLOQUY_EMBEDDING_MODEL", "none");
    let server = world.standalone().await;
    let client = server.owner();
    let ask = async |field: &str, kind: &str, mut input: Value| {
        input["mode"] = json!("SEMANTIC");
        let query =
            format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ userErrors {{ code }} }} }}");
        client.ask(&query, json!({ "input": input })).await.code().to_owned()
    };
    let wanted = json!({ "name": "Walls", "query": "walls" });
    assert_eq!(ask("saveSearch", "SaveSearchInput", wanted).await, "UNAVAILABLE");
    let kept = save(&client, "walls", json!({})).await["savedSearch"]["id"].clone();
    assert_eq!(
        ask("updateSavedSearch", "UpdateSavedSearchInput", json!({ "id": kept })).await,
        "UNAVAILABLE"
    );
}

#[tokio::test]
async fn pages_within_pages_are_refused_before_they_are_read() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let matches = |n: usize| format!("m{n}: matches(first: 100) {{ edges {{ node {{ at }} }} }}");
    let ask = |times: usize| {
        let all: Vec<String> = (0..times).map(matches).collect();
        format!("{{ savedSearches(first: 100) {{ edges {{ node {{ {} }} }} }} }}", all.join(" "))
    };
    assert_eq!(client.ask(&ask(1), json!({})).await.body["errors"], Value::Null);
    let refused = client.ask(&ask(5), json!({})).await;
    assert_eq!(refused.code(), "QUERY_TOO_LARGE");
    assert_eq!(refused.body["errors"][0]["extensions"]["measure"], "complexity");
}
