//! People: making them, saying who a participant is, and finding what they say under any label.

use serde_json::{Value, json};

use crate::support::{Client, Import, Server, eventually, world};

const FIRST: &str = "Ana: The harbour is frozen.\nBen: And the harbour wall is wet.\n";
const SECOND: &str = "Speaker 1: Another harbour entirely.\nSpeaker 2: No harbour at all.\n";

async fn talk(client: &Client, title: &str, text: &str) -> String {
    let id = client.imported(Import { title: Some(title), text, ..Import::default() }).await;
    client.ready(&id).await;
    id
}

async fn person(client: &Client, name: &str) -> Value {
    client.change("createPerson", "person { id name }", json!({ "name": name })).await["person"].clone()
}

async fn participants(client: &Client, conversation: &str) -> Vec<Value> {
    const QUERY: &str = "query($id: ID!) { conversation(id: $id) {
        participants { id label person { id name } suggestedPeople { id } } } }";
    let data = client.data(QUERY, json!({ "id": conversation })).await;
    let mut participants = data["conversation"]["participants"].as_array().expect("a list").clone();
    participants.iter_mut().for_each(|one| one["conversation"] = conversation.into());
    participants
}

async fn tie(client: &Client, participant: &Value, person: &Value) -> Value {
    let expected = client.revision(&participant["conversation"]).await;
    let input =
        json!({ "participantId": participant["id"], "personId": person["id"], "expectedRevision": expected });
    client.change("setParticipantPerson", "participant { id label person { name } }", input).await
}

async fn titles(client: &Client, query: &str, mode: &str, filter: &str) -> Vec<String> {
    let query = serde_json::to_string(query).expect("a text");
    let mut titles = client.titles(&format!("query: {query}, mode: {mode}, filter: {{ {filter} }}")).await;
    titles.sort();
    titles
}

async fn counts(client: &Client, arguments: &str) -> Vec<(String, i64)> {
    let query = format!(
        "{{ search({arguments}, mode: TEXT) {{ facets {{ people {{ person {{ name }} count }} }} }} }}"
    );
    let data = client.data(&query, json!({})).await;
    let people = data["search"]["facets"]["people"].as_array().expect("a list").clone();
    let one = |of: &Value| {
        (of["person"]["name"].as_str().expect("a name").to_owned(), of["count"].as_i64().expect("a number"))
    };
    people.iter().map(one).collect()
}

async fn stranger(server: &Server) -> Client {
    let input = json!({ "email": "eve@example.com", "password": "correct horse eve", "name": "Eve",
        "organizationName": "Eve" });
    let session = server.anonymous().change("signUp", "session { accessToken }", input).await;
    server.with(session["session"]["accessToken"].as_str().expect("a token"))
}

#[tokio::test]
async fn what_a_person_says_is_found_under_any_label_until_they_are_untied_or_deleted() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let (first, second) = (talk(&client, "First", FIRST).await, talk(&client, "Second", SECOND).await);
    let ana = person(&client, "Ana López").await;
    let ben = person(&client, "Ben").await;
    let [of_first, of_second] = [participants(&client, &first).await, participants(&client, &second).await];
    assert_eq!(of_first[0]["person"], Value::Null);
    assert_eq!(of_first[1]["suggestedPeople"], json!([{ "id": ben["id"] }]), "a label that is a name");
    assert_eq!(of_first[0]["suggestedPeople"], json!([]), "a part of a name is another name");

    let tied = tie(&client, &of_first[0], &ana).await;
    assert_eq!(tied["participant"]["person"]["name"], "Ana López");
    tie(&client, &of_second[0], &ana).await;
    tie(&client, &of_second[1], &ben).await;
    eventually("words and vectors know who speaks", async || {
        for mode in ["TEXT", "SEMANTIC"] {
            let found = titles(&client, "harbour person:\"ana LOPEZ\"", mode, "").await;
            if found != ["First", "Second"] {
                return None;
            }
        }
        (titles(&client, "harbour person:ben", "TEXT", "").await == ["Second"]).then_some(())
    })
    .await;
    client.idle().await;
    in_step(&client).await;
    let by_id = format!("personIds: [{}]", ben["id"]);
    for mode in ["TEXT", "SEMANTIC", "HYBRID"] {
        assert_eq!(titles(&client, "harbour", mode, &by_id).await, ["Second"], "{mode}");
        assert_eq!(titles(&client, "harbour person:Ben person:\"Ana López\"", mode, "").await.len(), 2);
        assert_eq!(titles(&client, "harbour person:Ben", mode, &by_id).await, ["Second"], "{mode}");
        assert_eq!(titles(&client, "harbour person:Ana", mode, "").await, [""; 0], "{mode}: nobody's name");
        let other = format!("personIds: [{}]", ana["id"]);
        assert_eq!(titles(&client, "harbour person:Ben", mode, &other).await, [""; 0], "{mode}");
    }
    let both = [("Ana López".to_owned(), 2), ("Ben".to_owned(), 1)];
    for arguments in [
        "query: \"harbour\"".to_owned(),
        "query: \"harbour person:ben\"".to_owned(),
        "query: \"harbour person:nobody\"".to_owned(),
        format!("query: \"harbour\", filter: {{ {by_id} }}"),
    ] {
        assert_eq!(counts(&client, &arguments).await, both, "{arguments}");
    }
    let hits = "{ search(query: \"frozen\", mode: TEXT) { edges { node { passage { speakers people { name } } } } } }";
    let hits = client.data(hits, json!({})).await;
    let passage = &hits["search"]["edges"][0]["node"]["passage"];
    assert_eq!(passage, &json!({ "speakers": ["Ana", "Ben"], "people": [{ "name": "Ana López" }] }));
    let spoken = "query($id: ID!) { person(id: $id) { name conversations { edges { node { title } } } }
        conversations(filter: { personIds: [$id] }) { edges { node { title } } } }";
    let spoken = client.data(spoken, json!({ "id": ana["id"] })).await;
    let newest_first = json!([{ "node": { "title": "Second" } }, { "node": { "title": "First" } }]);
    assert_eq!(spoken["person"]["conversations"]["edges"], newest_first);
    assert_eq!(spoken["conversations"]["edges"], newest_first);

    // Who has another name is found by that one, and nothing is indexed for it.
    let renamed = json!({ "id": ben["id"], "name": "Benjamin Okoro" });
    client.change("updatePerson", "person { name }", renamed).await;
    assert_eq!(titles(&client, "harbour person:\"benjamin okoro\"", "TEXT", "").await, ["Second"]);
    assert_eq!(titles(&client, "harbour person:Ben", "TEXT", "").await, [""; 0]);

    let untied = tie(&client, &of_second[0], &json!({ "id": null })).await;
    assert_eq!(untied["participant"]["person"], Value::Null);
    // PostgreSQL has the last word at once; the engine follows.
    assert_eq!(titles(&client, "harbour person:\"ana lopez\"", "TEXT", "").await, ["First"]);
    eventually("the engine counts no more", async || {
        let now = counts(&client, "query: \"harbour\"").await;
        (now == [("Ana López".to_owned(), 1), ("Benjamin Okoro".to_owned(), 1)]).then_some(())
    })
    .await;

    let deleted = client.change("deletePerson", "deletedId", json!({ "id": ana["id"] })).await;
    assert_eq!(deleted["deletedId"], ana["id"]);
    assert_eq!(titles(&client, "harbour person:\"ana lopez\"", "TEXT", "").await, [""; 0]);
    assert_eq!(participants(&client, &first).await[0]["person"], Value::Null);
    assert_eq!(client.refused("deletePerson", json!({ "id": ana["id"] })).await, "NOT_FOUND");
    client.idle().await;
    assert_eq!(counts(&client, "query: \"harbour\"").await, [("Benjamin Okoro".to_owned(), 1)]);
    in_step(&client).await;
}

/// The engines have of everybody what PostgreSQL has.
async fn in_step(client: &Client) {
    let input = json!({ "first": 10 });
    let verified = client.change("verifyIndex", "checked differences { engine kind }", input).await;
    assert_eq!((&verified["checked"], &verified["differences"]), (&json!(2), &json!([])));
}

#[tokio::test]
async fn people_are_listed_by_name_page_by_page_and_each_change_is_in_the_log() {
    let world = world!();
    let server = world.api().await;
    let client = stranger(&server).await;
    for name in ["Zoë", "ana", "Ana María", "Ben"] {
        person(&client, name).await;
    }
    let page = async |arguments: &str| {
        let query = format!(
            "{{ people({arguments}) {{ edges {{ node {{ id name }} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        client.data(&query, json!({})).await["people"].clone()
    };
    let names = |page: &Value| -> Vec<String> {
        let edges = page["edges"].as_array().expect("a list").iter();
        edges.map(|edge| edge["node"]["name"].as_str().expect("a name").to_owned()).collect()
    };
    let first = page("first: 3").await;
    assert_eq!(names(&first), ["ana", "Ana María", "Ben"]);
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let rest = page(&format!("first: 3, after: {}", first["pageInfo"]["endCursor"])).await;
    assert_eq!((names(&rest), &rest["pageInfo"]["hasNextPage"]), (vec!["Zoë".to_owned()], &json!(false)));
    assert_eq!(names(&page("nameContains: \"MARIA\"").await), ["Ana María"]);
    assert_eq!(names(&page("nameContains: \"n\\u0000\"").await), ["ana", "Ana María", "Ben"]);
    let answer = client.ask("{ people(after: \"x\") { edges { cursor } } }", json!({})).await;
    assert_eq!(answer.code(), "BAD_USER_INPUT");
    for name in ["", " ", "a\nb", &"x".repeat(201)] {
        assert_eq!(client.refused("createPerson", json!({ "name": name })).await, "INVALID_NAME");
    }

    let ana = &first["edges"][0]["node"];
    for changed in [true, false] {
        let input = json!({ "id": ana["id"], "name": "Ana López" });
        client.change("updatePerson", "person { name }", input).await;
        assert_eq!(noted(&client, "people.update").await["detail"], json!({ "changed": changed }));
    }
    let id = client.imported(Import { text: FIRST, ..Import::default() }).await;
    let speaks = participants(&client, &id).await;
    for changed in [true, false] {
        tie(&client, &speaks[0], ana).await;
        let entry = noted(&client, "participants.setPerson").await;
        assert_eq!(entry["detail"]["changed"], changed);
        assert_eq!(entry["detail"]["person"].as_str().expect("an id").len(), 36);
    }
    client.change("deletePerson", "", json!({ "id": ana["id"] })).await;
    assert_eq!(noted(&client, "people.delete").await["detail"], json!({ "conversations": 1 }));
    let expected = client.revision(&id).await;
    let input =
        json!({ "participantId": speaks[0]["id"], "personId": ana["id"], "expectedRevision": expected });
    assert_eq!(client.refused("setParticipantPerson", input).await, "NOT_FOUND");
    let refused = noted(&client, "participants.setPerson").await;
    assert_eq!((&refused["outcome"], &refused["detail"]["code"]), (&json!("REFUSED"), &json!("NOT_FOUND")));
    let log = "{ auditLog(first: 100) { edges { node { action detail subject } } } }";
    let log = client.data(log, json!({})).await.to_string();
    assert!(log.contains("people.create") && !log.contains("López") && !log.contains("ana"), "{log}");
}

async fn noted(client: &Client, action: &str) -> Value {
    let query = format!(
        "{{ auditLog(first: 1, filter: {{ actions: [\"{action}\"] }}) {{ edges {{ node {{ outcome detail }} }} }} }}"
    );
    client.data(&query, json!({})).await["auditLog"]["edges"][0]["node"].clone()
}

#[tokio::test]
async fn a_search_that_is_saved_for_a_person_fires_when_somebody_says_who_speaks() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let saved = json!({ "name": "Ana's", "query": "harbour person:\"Ana Lopez\"" });
    let saved = client.change("saveSearch", "savedSearch { id }", saved).await["savedSearch"].clone();
    let ana = person(&client, "Ana López").await;
    let by_id = json!({ "name": "By id", "query": "harbour", "filter": { "personIds": [ana["id"]] } });
    let by_id = client.change("saveSearch", "savedSearch { id filter { personIds } }", by_id).await;
    assert_eq!(by_id["savedSearch"]["filter"]["personIds"], json!([ana["id"]]));
    let id = talk(&client, "First", FIRST).await;
    client.idle().await;
    let matches = async |id: &Value| {
        const QUERY: &str = "query($id: ID!) { savedSearch(id: $id) { matches { edges { node { conversation { title } } } } } }";
        let data = client.data(QUERY, json!({ "id": id })).await;
        data["savedSearch"]["matches"]["edges"].as_array().expect("a list").len()
    };
    assert_eq!((matches(&saved["id"]).await, matches(&by_id["savedSearch"]["id"]).await), (0, 0));
    tie(&client, &participants(&client, &id).await[0], &ana).await;
    client.idle().await;
    assert_eq!((matches(&saved["id"]).await, matches(&by_id["savedSearch"]["id"]).await), (1, 1));
}

#[tokio::test]
async fn nobody_finds_another_organizations_people_by_their_names() {
    let world = world!();
    let server = world.standalone().await;
    let (client, eve) = (server.owner(), stranger(&server).await);
    for client in [&client, &eve] {
        talk(client, "First", FIRST).await;
    }
    let theirs = person(&eve, "Ana").await;
    let of_eve = eve.data("{ conversations { edges { node { id } } } }", json!({})).await;
    let id = of_eve["conversations"]["edges"][0]["node"]["id"].as_str().expect("an id").to_owned();
    tie(&eve, &participants(&eve, &id).await[0], &theirs).await;
    eve.idle().await;
    assert_eq!(titles(&eve, "harbour person:ana", "TEXT", "").await, ["First"]);
    assert_eq!(counts(&eve, "query: \"harbour\"").await, [("Ana".to_owned(), 1)]);

    assert_eq!(titles(&client, "harbour person:ana", "TEXT", "").await, [""; 0]);
    let own = person(&client, "Ana").await;
    assert_eq!(titles(&client, "harbour person:ana", "TEXT", "").await, [""; 0]);
    for id in [&own["id"], &theirs["id"]] {
        assert_eq!(titles(&client, "harbour", "TEXT", &format!("personIds: [{id}]")).await, [""; 0]);
    }
    assert!(counts(&client, "query: \"harbour\"").await.is_empty());
    let refused = "query { search(query: \"harbour -person:ana\") { edges { cursor } } }";
    let refused = client.ask(refused, json!({})).await;
    assert_eq!(
        (refused.code(), &refused.body["errors"][0]["extensions"]["character"]),
        ("FIELD_NOT_NEGATABLE", &json!(9))
    );

    let suggested = "{ searchSuggestions(prefix: \"person:a\") { suggestions { text kind } } }";
    let suggested = client.data(suggested, json!({})).await;
    let own = json!([{ "text": "person:Ana", "kind": "PERSON" }]);
    assert_eq!(suggested["searchSuggestions"]["suggestions"], own);
}
