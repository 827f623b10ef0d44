//! Changes of a transcript by hand, as a member makes them: each is a revision, shows what others did, and can be undone.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Client, Import, World, eventually, world};

const TALK: &str = "Ana: The harbour is frozen today.\nBen: And the harbour wall is wet.\n\
    Ana: Thank you for watching this programme.\nBen: Then let us walk along the canal.\n";
const MADE: &str = "conversation { revision } revision { number kind reason author { email } revertedTo }
    jobs { kind } cursor conflict { currentRevision }";

async fn talk(client: &Client, text: &str) -> String {
    let id = client.imported(Import { title: Some("Talk"), text, ..Import::default() }).await;
    client.ready(&id).await;
    id
}

/// The ids of the current segments, in order, and of those who speak.
async fn ids(client: &Client, id: &str) -> (Vec<Value>, Vec<Value>) {
    const QUERY: &str = "query($id: ID!) { conversation(id: $id) { participants { id }
        segments(first: 100) { edges { node { id } } } } }";
    let data = client.data(QUERY, json!({ "id": id })).await;
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let segments = list(&data["conversation"]["segments"]["edges"]);
    (
        segments.iter().map(|edge| edge["node"]["id"].clone()).collect(),
        list(&data["conversation"]["participants"]).iter().map(|one| one["id"].clone()).collect(),
    )
}

/// Who says what in a revision, in short; `None` for the current one.
async fn said(client: &Client, id: &str, number: Option<i32>) -> Vec<String> {
    const STATE: &str = "segments(first: 100) { edges { node { sequence text participant { label } } } }";
    let of = match number {
        Some(number) => format!("found: revisionAt(number: {number}) {{ {STATE} }}"),
        None => STATE.to_owned(),
    };
    let query = format!("query($id: ID!) {{ conversation(id: $id) {{ {of} }} }}");
    let data = client.data(&query, json!({ "id": id })).await;
    let state = if number.is_some() { &data["conversation"]["found"] } else { &data["conversation"] };
    let edges = state["segments"]["edges"].as_array().expect("a list").iter().enumerate();
    let line = |(place, edge): (usize, &Value)| {
        assert_eq!(edge["node"]["sequence"], place, "no gaps");
        let label = edge["node"]["participant"]["label"].as_str().unwrap_or("?");
        format!("{label}: {}", edge["node"]["text"].as_str().expect("a text"))
    };
    edges.map(line).collect()
}

fn with(id: &str, expected: i32, more: Value) -> Value {
    let mut input = json!({ "conversationId": id, "expectedRevision": expected });
    for (name, value) in more.as_object().expect("fields") {
        input[name] = value.clone();
    }
    input
}

#[tokio::test]
async fn every_change_is_a_revision_that_can_be_read_compared_and_undone() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let id = talk(&client, TALK).await;
    let (segments, speakers) = ids(&client, &id).await;
    let first = said(&client, &id, None).await;
    assert_eq!(first[0], "Ana: The harbour is frozen today.");

    let edit = json!({ "segmentId": segments[3], "text": " Then let us skate along the canal. ",
        "reason": "She said skate." });
    let edited = client.change("editSegment", MADE, with(&id, 1, edit)).await;
    assert_eq!(edited["conversation"]["revision"], 2);
    let author = client.data("{ viewer { user { email } } }", json!({})).await["viewer"]["user"].clone();
    let made = json!({ "number": 2, "kind": "EDIT_SEGMENT", "reason": "She said skate.", "author": author,
        "revertedTo": null });
    assert_eq!((&edited["revision"], &edited["conflict"]), (&made, &Value::Null));
    let jobs = edited["jobs"].as_array().expect("a list").iter();
    let kinds: BTreeSet<_> = jobs.filter_map(|job| job["kind"].as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["analyze_conversation", "embed_passages", "index_passages"]));
    let progress =
        "subscription($id: ID!, $after: Cursor) { conversationProgress(conversationId: $id, after: $after) {
        ... on ConversationProgress { stage revision } } }";
    let after = json!({ "id": id, "after": edited["cursor"] });
    let mut progress = client.subscribe(progress, after).await;
    assert_eq!(progress.event().await, json!({ "stage": "IMPORTED", "revision": 2 }));

    client.change("removeSegments", MADE, with(&id, 2, json!({ "segmentIds": [segments[2]] }))).await;
    let rename = json!({ "participantId": speakers[1], "label": "Benjamin" });
    client.change("renameParticipant", MADE, with(&id, 3, rename)).await;
    let split = json!({ "participantId": speakers[1], "segmentIds": [segments[3]], "label": "Cleo" });
    client.change("splitParticipant", MADE, with(&id, 4, split)).await;
    let now = [
        "Ana: The harbour is frozen today.",
        "Benjamin: And the harbour wall is wet.",
        "Cleo: Then let us skate along the canal.",
    ];
    assert_eq!(said(&client, &id, None).await, now);
    let merge = json!({ "participantIds": [speakers[0]], "intoParticipantId": speakers[1] });
    client.change("mergeParticipants", MADE, with(&id, 5, merge)).await;
    let nobody = json!({ "segmentIds": [segments[3]], "participantId": null });
    client.change("reassignSegments", MADE, with(&id, 6, nobody)).await;
    let now = [
        "Benjamin: The harbour is frozen today.",
        "Benjamin: And the harbour wall is wet.",
        "?: Then let us skate along the canal.",
    ];
    assert_eq!(said(&client, &id, None).await, now);
    let same =
        client.change("reassignSegments", MADE, with(&id, 7, json!({ "segmentIds": [segments[3]] }))).await;
    assert_eq!(
        (&same["revision"], &same["jobs"], &same["conversation"]["revision"]),
        (&Value::Null, &json!([]), &json!(7))
    );

    let reverted = client.change("revertConversation", MADE, with(&id, 7, json!({ "revision": 1 }))).await;
    assert_eq!(
        (&reverted["revision"]["kind"], &reverted["revision"]["revertedTo"]),
        (&json!("REVERT"), &json!(1))
    );
    assert_eq!(said(&client, &id, None).await, first);
    client.change("revertConversation", MADE, with(&id, 8, json!({ "revision": 7 }))).await;
    assert_eq!(said(&client, &id, None).await, now, "an undo is undone the same way");
    assert_eq!(said(&client, &id, Some(1)).await, first);

    const ALL: &str = "query($id: ID!, $after: String) { conversation(id: $id) { revisions(first: 5, after: $after) {
        edges { node { number kind } } pageInfo { hasNextPage endCursor } } revisionAt(number: 12) { number } } }";
    let listed = client.data(ALL, json!({ "id": id })).await["conversation"].clone();
    let kinds = |listed: &Value| -> Vec<Value> {
        let edges = listed["revisions"]["edges"].as_array().expect("a list").iter();
        edges.map(|edge| edge["node"]["kind"].clone()).collect()
    };
    assert_eq!(kinds(&listed), ["REVERT", "REVERT", "REASSIGN", "MERGE", "SPLIT"]);
    assert_eq!(listed["revisionAt"], Value::Null);
    let after = &listed["revisions"]["pageInfo"]["endCursor"];
    let rest = client.data(ALL, json!({ "id": id, "after": after })).await["conversation"].clone();
    assert_eq!(kinds(&rest), ["RENAME", "REMOVE_SEGMENTS", "EDIT_SEGMENT", "IMPORT"]);
    assert_eq!(rest["revisions"]["pageInfo"]["hasNextPage"], false);

    let compared = compare(&client, &id, 1, 4).await;
    let text = |text: &str| json!({ "text": text });
    assert_eq!(
        compared["segments"]["edges"],
        json!([
            { "node": { "kind": "REMOVED", "before": text("Thank you for watching this programme."), "after": null } },
            { "node": { "kind": "CHANGED", "before": text("Then let us walk along the canal."),
                "after": text("Then let us skate along the canal.") } },
        ])
    );
    let label = |label: &str| json!({ "label": label });
    let renamed = json!([{ "kind": "CHANGED", "before": label("Ben"), "after": label("Benjamin") }]);
    assert_eq!(compared["participants"], renamed);
    assert_eq!(compare(&client, &id, 4, 1).await["segments"]["edges"][0]["node"]["kind"], "ADDED");
    assert_eq!(compare(&client, &id, 1, 8).await["segments"]["edges"], json!([]));
    let strange = "query($id: ID!) { compareRevisions(conversationId: $id, from: 0, to: 1) { from } }";
    assert_eq!(client.ask(strange, json!({ "id": id })).await.code(), "NO_SUCH_REVISION");
}

async fn compare(client: &Client, id: &str, from: i32, to: i32) -> Value {
    const QUERY: &str = "query($id: ID!, $from: Int!, $to: Int!) {
        compareRevisions(conversationId: $id, from: $from, to: $to) {
            segments { edges { node { kind before { text } after { text } } } }
            participants { kind before { label } after { label } } } }";
    client.data(QUERY, json!({ "id": id, "from": from, "to": to })).await["compareRevisions"].clone()
}

#[tokio::test]
async fn of_two_editors_one_wins_and_the_other_is_shown_what_has_changed() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let id = talk(&client, TALK).await;
    let (segments, speakers) = ids(&client, &id).await;
    const SELECT: &str = "conversation { revision } conflict { currentRevision changes { from to
        segments { edges { node { kind before { text } after { text } } } } participants { kind } } }
        userErrors { code field }";
    let edit = async |expected: i32, text: &str| {
        let query =
            format!("mutation($input: EditSegmentInput!) {{ editSegment(input: $input) {{ {SELECT} }} }}");
        let input = with(&id, expected, json!({ "segmentId": segments[0], "text": text }));
        client.data(&query, json!({ "input": input })).await["editSegment"].clone()
    };
    let (one, other) = tokio::join!(edit(1, "One came first."), edit(1, "The other came first."));
    let [won, lost] = if one["conflict"].is_null() { [one, other] } else { [other, one] };
    assert_eq!((&won["conversation"]["revision"], &won["userErrors"]), (&json!(2), &json!([])));
    assert_eq!(lost["conversation"], Value::Null);
    assert_eq!(
        lost["userErrors"],
        json!([{ "code": "REVISION_CONFLICT", "field": ["input", "expectedRevision"] }])
    );
    let text = said(&client, &id, None).await[0].trim_start_matches("Ana: ").to_owned();
    assert!(text.ends_with("came first."));
    let changes = json!({ "from": 1, "to": 2, "participants": [], "segments": { "edges": [{ "node": { "kind": "CHANGED",
        "before": { "text": "The harbour is frozen today." }, "after": { "text": text } } }] } });
    assert_eq!(lost["conflict"], json!({ "currentRevision": 2, "changes": changes }));

    // Who has seen it tries again; a tie is told the same.
    assert_eq!(edit(2, "Now I have seen it.").await["conversation"]["revision"], 3);
    let person =
        client.change("createPerson", "person { id }", json!({ "name": "Ana" })).await["person"].clone();
    let tie = json!({ "participantId": speakers[0], "personId": person["id"], "expectedRevision": 1 });
    assert_eq!(client.refused("setParticipantPerson", tie.clone()).await, "REVISION_CONFLICT");
    let tied = json!({ "participantId": speakers[0], "personId": person["id"], "expectedRevision": 3, "reason": "Her voice." });
    let tied = client.change("setParticipantPerson", "revision { number kind reason }", tied).await;
    assert_eq!(tied["revision"], json!({ "number": 4, "kind": "TIE", "reason": "Her voice." }));

    for (field, more, code) in [
        ("editSegment", json!({ "segmentId": segments[0], "text": " \n " }), "INVALID_TEXT"),
        ("editSegment", json!({ "segmentId": speakers[0], "text": "x" }), "NOT_FOUND"),
        ("removeSegments", json!({ "segmentIds": segments }), "NOTHING_LEFT"),
        ("removeSegments", json!({ "segmentIds": [] }), "NOTHING_GIVEN"),
        ("renameParticipant", json!({ "participantId": speakers[0], "label": "Ben" }), "LABEL_TAKEN"),
        ("renameParticipant", json!({ "participantId": speakers[0], "label": " " }), "INVALID_LABEL"),
        (
            "mergeParticipants",
            json!({ "participantIds": [speakers[0]], "intoParticipantId": speakers[0] }),
            "MERGED_INTO_ITSELF",
        ),
        (
            "splitParticipant",
            json!({ "participantId": speakers[0], "segmentIds": [segments[1]], "label": "Cleo" }),
            "NOT_OF_PARTICIPANT",
        ),
        ("revertConversation", json!({ "revision": 9 }), "NO_SUCH_REVISION"),
        ("revertConversation", json!({ "revision": 1, "expectedRevision": 9 }), "NO_SUCH_REVISION"),
        ("revertConversation", json!({ "revision": 1, "reason": "x".repeat(501) }), "INVALID_REASON"),
    ] {
        assert_eq!(client.refused(field, with(&id, 4, more)).await, code, "{field}");
    }
    assert_eq!(said(&client, &id, None).await.len(), 4);
}

/// Of many passages, each of some segments.
fn long() -> String {
    let line = |n: usize| {
        let words: Vec<String> = (0..24).map(|word| format!("word{}", (n * 31 + word * 7) % 997)).collect();
        format!("{}: Number{n} {}.\n", if n.is_multiple_of(2) { "Ana" } else { "Ben" }, words.join(" "))
    };
    (0..120).map(line).collect()
}

#[tokio::test]
async fn what_follows_a_change_is_made_anew_and_the_rest_is_kept() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let id = talk(&client, &long()).await;
    let (segments, speakers) = ids(&client, &id).await;
    let vectors = async |world: &World| world.number("SELECT count(*) FROM vectors").await;
    let rows = async |world: &World| world.number("SELECT count(*) FROM segments").await;
    let (passages, before) = (world.number("SELECT count(*) FROM passages").await, vectors(&world).await);
    assert!(passages > 20 && before == passages, "{passages} passages, {before} vectors");
    let analysis = "query($id: ID!) { conversation(id: $id) { analysis { id revision isStale } } }";
    let analysis =
        async || client.data(analysis, json!({ "id": id })).await["conversation"]["analysis"].clone();
    let first = analysis().await;
    assert_eq!((&first["revision"], &first["isStale"]), (&json!(1), &json!(false)));

    let text = said(&client, &id, None).await[60].trim_start_matches("Ana: ").to_owned();
    let edit = json!({ "segmentId": segments[60], "text": text.replace("Number60", "Zwitscherkasten") });
    client.change("editSegment", "", with(&id, 1, edit)).await;
    client.ready(&id).await;
    client.idle().await;
    assert_eq!(vectors(&world).await, before + 1, "one passage has another text");
    assert_eq!(rows(&world).await, 121);
    for mode in ["TEXT", "HYBRID"] {
        let found = client.search(&format!("query: \"zwitscherkasten\", mode: {mode}")).await;
        assert!(found[0]["passage"]["text"].as_str().unwrap().contains("Zwitscherkasten"), "{mode}");
    }
    assert!(client.titles("query: \"number60\", mode: TEXT").await.is_empty(), "not what stood there");
    let verify = async || {
        let verified =
            client.change("verifyIndex", "checked differences { engine kind }", json!({ "first": 10 })).await;
        assert_eq!((&verified["checked"], &verified["differences"]), (&json!(1), &json!([])));
    };
    verify().await;
    let second = analysis().await;
    assert_eq!((&second["revision"], &second["isStale"]), (&json!(2), &json!(false)));
    let old = "query($id: ID!) { analysis(id: $id) { isStale measures { participants { participant { label } longestTurn { segment { text } } } } } }";
    let of_first = async || client.data(old, json!({ "id": first["id"] })).await["analysis"].clone();
    assert_eq!(of_first().await["isStale"], true, "stale, not lost");

    // Another label is another speaker for search, and no vector is made. The old analysis knows the old one.
    let rename = json!({ "participantId": speakers[0], "label": "Antonia" });
    client.change("renameParticipant", "", with(&id, 2, rename)).await;
    client.ready(&id).await;
    client.idle().await;
    assert_eq!((vectors(&world).await, rows(&world).await), (before + 1, 121));
    assert_eq!(client.titles("query: \"zwitscherkasten speaker:Antonia\", mode: TEXT").await, ["Talk"]);
    assert!(client.titles("query: \"zwitscherkasten speaker:Ana\", mode: TEXT").await.is_empty());
    let labels = of_first().await["measures"]["participants"].clone();
    assert_eq!(labels[0]["participant"]["label"], "Ana");

    // Who somebody is says nothing else: the analysis stands, and search goes on at once.
    let third = analysis().await;
    let person =
        client.change("createPerson", "person { id }", json!({ "name": "Toni" })).await["person"].clone();
    let expected = client.revision(&id).await;
    let tie = json!({ "participantId": speakers[0], "personId": person["id"], "expectedRevision": expected });
    client.change("setParticipantPerson", "", tie).await;
    assert_eq!(client.titles("query: \"zwitscherkasten person:toni\", mode: SEMANTIC").await.len(), 0);
    client.ready(&id).await;
    client.idle().await;
    assert_eq!(client.titles("query: \"zwitscherkasten person:toni\", mode: TEXT").await, ["Talk"]);
    assert_eq!(analysis().await, third);
    assert_eq!(world.number("SELECT count(*) FROM analyses").await, 3);
    verify().await;

    // What was undone is found again, by the vectors that were kept.
    client.change("revertConversation", "", with(&id, 4, json!({ "revision": 1 }))).await;
    client.ready(&id).await;
    client.idle().await;
    assert_eq!(vectors(&world).await, before + 1);
    assert_eq!(client.titles("query: \"number60\", mode: TEXT").await, ["Talk"]);
    assert!(client.titles("query: \"zwitscherkasten\", mode: TEXT").await.is_empty());
    verify().await;
}

#[tokio::test]
async fn a_reimport_leaves_alone_what_was_changed_by_hand_unless_it_is_told_otherwise() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let id = talk(&client, TALK).await;
    let other = talk(&client, "Eve: Another talk.\nFay: Of other things.\n").await;
    let (segments, speakers) = ids(&client, &id).await;
    let edit = json!({ "segmentId": segments[0], "text": "The harbour has thawed." });
    client.change("editSegment", "", with(&id, 1, edit)).await;
    let (_, of_other) = ids(&client, &other).await;
    let person =
        client.change("createPerson", "person { id }", json!({ "name": "Eve" })).await["person"].clone();
    let expected = client.revision(&other).await;
    let tie = json!({ "participantId": of_other[0], "personId": person["id"], "expectedRevision": expected });
    client.change("setParticipantPerson", "", tie).await;
    client.idle().await;

    let run = async |options: Value| {
        let input = json!({ "kind": "REIMPORT", "all": true, "options": options });
        let planned = client
            .change("planBatch", "batch { id plan { impossible { reason conversations } } }", input)
            .await;
        let batch = planned["batch"].clone();
        client.change("startBatch", "", json!({ "batchId": batch["id"] })).await;
        let done = eventually("the batch is done", async || {
            let query = "query($id: ID!) { batch(id: $id) { state done skipped failed } }";
            let now = client.data(query, json!({ "id": batch["id"] })).await["batch"].clone();
            (now["state"] == "DONE").then_some(now)
        });
        let done = done.await;
        client.idle().await;
        (batch["plan"]["impossible"].clone(), done["done"].clone(), done["skipped"].clone())
    };
    let (impossible, done, skipped) = run(json!({})).await;
    assert_eq!((done, skipped), (json!(0), json!(2)), "one has nothing new");
    assert_eq!(impossible[0]["conversations"], 1, "who somebody is stays, and is no reason: {impossible:#?}");
    assert!(impossible[0]["reason"].as_str().unwrap().contains("changed by hand"));
    assert_eq!(said(&client, &id, None).await[0], "Ana: The harbour has thawed.");

    let (impossible, done, _) = run(json!({ "overwriteEdits": true })).await;
    assert_eq!((impossible, done), (json!([]), json!(1)));
    assert_eq!(said(&client, &id, None).await[0], "Ana: The harbour is frozen today.");
    assert_eq!(ids(&client, &id).await.1, speakers, "labels keep their participants");
    let (impossible, ..) = run(json!({})).await;
    assert_eq!(impossible, json!([]), "it is as it was read again");
    client.change("revertConversation", "", with(&id, 3, json!({ "revision": 2 }))).await;
    assert_eq!(said(&client, &id, None).await[0], "Ana: The harbour has thawed.");
    client.idle().await;
    assert_eq!(run(json!({})).await.0[0]["conversations"], 1);

    // The shell says how, and does it.
    let batch = async |args: &[&str]| world.run(&[&["batch"], args].concat()).await;
    let told = batch(&["plan", "reimport", "--all"]).await.well();
    assert!(told.contains("1 conversation: they were changed by hand"), "{told}");
    assert!(told.contains("unless --overwrite-edits is given with the plan"), "{told}");
    let planned = batch(&["plan", "reimport", "--id", &id, "--overwrite-edits", "--json"]).await.json();
    assert_eq!(planned[0]["plan"]["impossible"], json!([]));
    let started = batch(&["start", planned[0]["id"].as_str().expect("an id"), "--watch"]).await;
    assert_eq!(started.code, Some(0), "{started:#?}");
    assert_eq!(said(&client, &id, None).await[0], "Ana: The harbour is frozen today.");
    let strange = batch(&["plan", "purge", "--all", "--overwrite-edits"]).await;
    assert!(strange.code == Some(2) && strange.stderr.contains("`reimport`"), "{strange:#?}");
}

#[tokio::test]
async fn who_a_label_was_taken_for_last_is_suggested_first_next_time() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let first = talk(&client, "Speaker 1: Good morning.\nBen: Good morning.\n").await;
    let person = async |name: &str| {
        client.change("createPerson", "person { id }", json!({ "name": name })).await["person"]["id"].clone()
    };
    let (named, ana, zoe) = (person("Speaker 1").await, person("Ana").await, person("Zoë").await);
    let (_, speakers) = ids(&client, &first).await;
    for (who, seen) in [(&zoe, 1), (&ana, 2)] {
        let tie = json!({ "participantId": speakers[0], "personId": who, "expectedRevision": seen });
        client.change("setParticipantPerson", "", tie).await;
    }
    let next = talk(&client, "SPEAKER 1: Good evening.\nBen: Good night.\n").await;
    let suggested = async || {
        const QUERY: &str =
            "query($id: ID!) { conversation(id: $id) { participants { suggestedPeople { id } } } }";
        let data = client.data(QUERY, json!({ "id": next })).await;
        data["conversation"]["participants"][0]["suggestedPeople"].clone()
    };
    assert_eq!(suggested().await, json!([{ "id": ana }, { "id": named }]));
    client.change("deletePerson", "", json!({ "id": ana })).await;
    assert_eq!(suggested().await, json!([{ "id": named }]));
    let of_then = "query($id: ID!) { conversation(id: $id) { revisionAt(number: 3) { participants { person { name } } } } }";
    let of_then = client.data(of_then, json!({ "id": first })).await;
    let nobody = json!([{ "person": null }, { "person": null }]);
    assert_eq!(of_then["conversation"]["revisionAt"]["participants"], nobody, "in no revision");
}
