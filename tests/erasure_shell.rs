//! Erasing from the shell: who is meant, what is asked before, and what is told afterwards.

use serde_json::{Value, json};

use crate::support::{Client, Import, LINES, VTT, world};

const NAMES: &str = "SELECT count(*) FROM segments WHERE text LIKE '%[erased]%'";

async fn person(client: &Client, name: &str) -> String {
    let made = client.change("createPerson", "person { id }", json!({ "name": name })).await;
    made["person"]["id"].as_str().expect("an id").to_owned()
}

/// Ties whoever has this label in the conversation to the person.
async fn tie(client: &Client, conversation: &str, label: &str, person: &str) {
    const QUERY: &str = "query($id: ID!) { conversation(id: $id) { participants { id label } } }";
    let data = client.data(QUERY, json!({ "id": conversation })).await;
    let participants = data["conversation"]["participants"].as_array().expect("a list").clone();
    let participant = participants.iter().find(|one| one["label"] == label).expect("a speaker")["id"].clone();
    let expected = client.revision(conversation).await;
    let input = json!({ "participantId": participant, "personId": person, "expectedRevision": expected });
    client.change("setParticipantPerson", "", input).await;
}

#[tokio::test]
async fn a_person_is_erased_by_name_or_id_and_once() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let talk = client.imported(Import { text: VTT, ..Import::default() }).await;
    client.ready(&talk).await;
    let mara = person(&client, "Mara Lindqvist").await;
    tie(&client, &talk, "Mara", &mara).await;
    let (first, second) = (person(&client, "Tobias").await, person(&client, "TOBIÁS").await);
    tie(&client, &talk, "Tobias", &first).await;
    client.idle().await;
    let erase = async |args: &[&str]| world.run(&[&["erase", "person"], args].concat()).await;

    // Nobody is asked here, and nothing goes by itself.
    let silent = erase(&["Mara Lindqvist"]).await;
    assert_eq!(silent.code, Some(2), "{silent:#?}");
    assert!(silent.stderr.contains("--yes"), "{silent:#?}");
    let unclear = erase(&["--yes", "tobias"]).await;
    assert_eq!(unclear.code, Some(1), "{unclear:#?}");
    assert!(unclear.stderr.contains("2 people are called tobias"), "{unclear:#?}");
    assert!(unclear.stderr.contains(&first) && unclear.stderr.contains(&second), "{unclear:#?}");
    let nearly = erase(&["--yes", "mara"]).await;
    assert_eq!(nearly.code, Some(1), "{nearly:#?}");
    assert!(nearly.stderr.contains(&format!("{mara}  Mara Lindqvist")), "{nearly:#?}");
    let nobody = erase(&["--yes", "Nobody"]).await;
    assert!(nobody.code == Some(1) && nobody.stderr.contains("nobody has the id or the name"), "{nobody:#?}");
    let refused = world.on_terminal(&["erase", "person", &mara], "n\n").await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stdout.contains("Mara Lindqvist (") && refused.stdout.contains("nobody was erased"));
    assert_eq!(world.number("SELECT count(*) FROM people").await, 3);
    assert_eq!(world.number("SELECT count(*) FROM erasures").await, 0);

    let erased = erase(&["--yes", "--wait", "mara  LINDQVIST"]).await.well();
    assert!(erased.starts_with("erased          Mara Lindqvist\n"), "{erased}");
    for part in [
        "1 conversation, 2 segments, 2 labels, 1 other text",
        "every store was looked through",
        "erase show ",
    ] {
        assert!(erased.contains(part), "{part}: {erased}");
    }
    assert_eq!(world.number(NAMES).await, 2);
    let again = erase(&["--yes", "--json", &mara]).await;
    assert_eq!(again.code, Some(0), "{again:#?}");
    let again = &again.json()[0];
    assert_eq!((&again["outcome"], &again["erasure"]["subjectId"]), (&json!("already-erased"), &json!(mara)));
    let by_id = erase(&["--yes", "--json", "--wait", &first]).await.json();
    assert_eq!(by_id[0]["outcome"], "erased", "{by_id:#?}");
    assert!(by_id[0]["erasure"]["sweeps"].as_u64() > Some(0), "it was waited for: {by_id:#?}");
    assert_eq!(world.number("SELECT count(*) FROM people").await, 1);

    let id = again["erasure"]["id"].as_str().expect("an id");
    for by in [id, &mara] {
        let shown = world.run(&["erase", "show", by]).await.well();
        assert!(
            shown.starts_with("person  ") && shown.contains(id) && shown.contains("2 segments"),
            "{shown}"
        );
    }
    let unknown = world.run(&["erase", "show", &second]).await;
    assert!(unknown.code == Some(1) && unknown.stderr.contains("there is no erasure"), "{unknown:#?}");
    let listed = world.run(&["erase", "list", "--json"]).await.json();
    let kinds: Vec<_> = listed[0].as_array().expect("a list").iter().map(|one| &one["subjectId"]).collect();
    assert_eq!(kinds, [&json!(first), &json!(mara)]);
}

#[tokio::test]
async fn conversations_are_erased_together_and_what_is_gone_is_told() {
    let mut world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let walk = client.imported(Import { text: VTT, title: Some("Walk"), ..Import::default() }).await;
    let numbers = client.imported(Import { text: LINES, title: Some("Numbers"), ..Import::default() }).await;
    let theirs = "Ada: This is mine.\nBen: And mine.\n";
    let input = json!({ "email": "eve@example.com", "password": "correct horse eve", "name": "Eve",
        "organizationName": "Eve" });
    let session = server.anonymous().change("signUp", "session { accessToken }", input).await;
    let eve = server.with(session["session"]["accessToken"].as_str().expect("a token"));
    let theirs = eve.imported(Import { text: theirs, ..Import::default() }).await;
    for id in [&walk, &numbers] {
        client.ready(id).await;
    }
    let asked = world.on_terminal(&["erase", "conversation", &walk, &walk, &numbers], "no\n").await;
    assert_eq!(asked.code, Some(1), "{asked:#?}");
    let question = "2 conversations would be erased for good: “Walk”, “Numbers”. Go on?";
    assert!(asked.stdout.contains(question), "{asked:#?}");
    let agreed = world.on_terminal(&["erase", "conversation", &walk], "y\n").await;
    assert_eq!(agreed.code, Some(0), "{agreed:#?}");
    assert!(agreed.stdout.contains("“Walk”") && agreed.stdout.contains("1 conversation"), "{agreed:#?}");
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 2);

    let strange = world.run(&["erase", "person", "--yes", &walk]).await;
    assert!(strange.code == Some(1) && strange.stderr.contains("nobody has the id"), "{strange:#?}");
    let args = ["erase", "conversation", "--yes", "--json", "--wait", &walk, &numbers, &theirs];
    let mixed = world.run(&args).await;
    assert_eq!(mixed.code, Some(1), "another organization's is not there: {mixed:#?}");
    let outcomes: Vec<(Value, Value)> =
        mixed.json().iter().map(|line| (line["id"].clone(), line["outcome"].clone())).collect();
    let expected = [(&numbers, "erased"), (&walk, "already-erased"), (&theirs, "failed")];
    assert_eq!(outcomes, expected.map(|(id, outcome)| (json!(id), json!(outcome))));
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 1);
    let again = world.run(&["erase", "conversation", "--yes", &walk, &numbers]).await.well();
    assert_eq!(again.matches("erased already").count(), 2, "{again}");
    eve.change("deleteConversation", "", json!({ "id": theirs })).await;
    let unknown = world.run(&["erase", "show", &theirs]).await;
    assert_eq!(unknown.code, Some(1), "of another organization's erasure nothing is told: {unknown:#?}");

    // A member may erase conversations, and is told what they may not know.
    let key = json!({ "name": "member", "role": "MEMBER" });
    let key = client.change("createApiKey", "secret", key).await["secret"].clone();
    world.set("COLLOQUY_TOKEN", key.as_str().expect("a key"));
    world.set("COLLOQUY_SERVER", &server.url);
    let last = client.imported(Import { text: VTT, ..Import::default() }).await;
    let erased = world.run(&["erase", "conversation", "--yes", "--wait", &last]).await;
    assert_eq!(erased.code, Some(0), "{erased:#?}");
    let gone = world.run(&["erase", "conversation", "--yes", &last]).await;
    assert!(gone.code == Some(1) && gone.stderr.contains("an administrator's key can tell"), "{gone:#?}");
    let list = world.run(&["erase", "list"]).await;
    assert!(list.code == Some(1) && list.stderr.contains("FORBIDDEN"), "{list:#?}");
}
