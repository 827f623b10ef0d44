//! What goes out: transcripts as files, by the API and by the shell, and the same files taken back.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Import, LINES, VTT, world};

const TURNS: &str = "query($id: ID!) { conversation(id: $id) { title segments(first: 100) {
    edges { node { text startMs endMs participant { label } } } } } }";

#[tokio::test]
async fn an_export_of_every_form_comes_back_as_the_same_transcript() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let imported =
        client.import(Import { text: VTT, title: Some("Walk: & talk"), ..Import::default() }).await;
    let id = imported["conversation"]["id"].clone();
    let turns = client.data(TURNS, json!({ "id": id })).await;
    for format in ["WEB_VTT", "SRT", "JSON", "MARKDOWN", "TEXT"] {
        let query = "query($id: ID!, $format: ExportFormat!) { conversation(id: $id) {
            export(format: $format) { fileName mediaType content } } }";
        let found = client.data(query, json!({ "id": id, "format": format })).await;
        let export = &found["conversation"]["export"];
        assert!(
            export["fileName"].as_str().is_some_and(|name| name.starts_with("Walk talk.")),
            "{export:#?}"
        );
        let text = export["content"].as_str().expect("text");
        let again = client
            .import(Import { text, title: (format == "SRT").then_some("Walk: & talk"), ..Import::default() })
            .await;
        assert_eq!(again["created"], true, "{again:#?}");
        let back = client.data(TURNS, json!({ "id": again["conversation"]["id"] })).await;
        assert_eq!(back, turns, "{text}");
    }
}

#[tokio::test]
async fn a_past_revision_is_exported_as_it_was_and_comes_back_so() {
    const EXPORT: &str = "query($id: ID!, $format: ExportFormat!, $revision: Int) { conversation(id: $id) {
        export(format: $format, revision: $revision) { fileName content } } }";
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let id = client.imported(Import { text: VTT, title: Some("Walk"), ..Import::default() }).await;
    let before = client.data(TURNS, json!({ "id": id })).await;
    let query = "query($id: ID!) { conversation(id: $id) { participants { id } segments { edges { node { id } } } } }";
    let talk = client.data(query, json!({ "id": id })).await["conversation"].clone();
    let (first, mara) = (&talk["segments"]["edges"][0]["node"]["id"], &talk["participants"][0]["id"]);
    let edit = json!({ "conversationId": id, "expectedRevision": 1, "segmentId": first, "text": "Nothing of the kind was said." });
    client.change("editSegment", "", edit).await;
    let rename =
        json!({ "conversationId": id, "expectedRevision": 2, "participantId": mara, "label": "Somebody" });
    client.change("renameParticipant", "", rename).await;

    for format in ["WEB_VTT", "SRT", "JSON", "MARKDOWN", "TEXT"] {
        let asked = json!({ "id": id, "format": format, "revision": 1 });
        let export = client.data(EXPORT, asked).await["conversation"]["export"].clone();
        let name = export["fileName"].as_str().expect("a name");
        assert!(name.starts_with("Walk (revision 1)."), "{name}");
        let text = export["content"].as_str().expect("text");
        assert!(!text.contains("Somebody") && !text.contains("of the kind"), "{text}");
        let title = (format == "SRT").then_some("Walk");
        let again = client.import(Import { text, title, ..Import::default() }).await;
        let back = client.data(TURNS, json!({ "id": again["conversation"]["id"] })).await;
        assert_eq!(back, before, "{text}");
    }
    let content = async |revision: Value| {
        let asked = json!({ "id": id, "format": "JSON", "revision": revision });
        client.data(EXPORT, asked).await["conversation"]["export"]["content"].clone()
    };
    let named = content(json!(3)).await;
    assert!(named.as_str().is_some_and(|text| text.contains("Somebody") && text.contains("of the kind")));
    assert_eq!(content(Value::Null).await, named, "the current one is meant where none is named");
    for strange in [0, -1, 4] {
        let asked = json!({ "id": id, "format": "TEXT", "revision": strange });
        assert_eq!(client.ask(EXPORT, asked).await.code(), "NO_SUCH_REVISION");
    }

    let folder = world.folder().join("out").display().to_string();
    let export = async |args: &[&str]| world.run(&[&["export", "--format", "txt"], args].concat()).await;
    let printed = export(&[&id, "--revision", "2", "-o", "-"]).await.well();
    assert!(printed.contains("Mara: Nothing of the kind was said."), "{printed}");
    let written = export(&[&id, "--revision", "1", "-o", &folder]).await.well();
    assert!(written.contains("Walk (revision 1).txt"), "{written}");
    let missing = export(&[&id, "--revision", "4", "-o", &folder]).await;
    assert_eq!(missing.code, Some(1), "{missing:#?}");
    assert!(missing.stderr.contains("there is no revision 4: the conversation is at 3"), "{missing:#?}");
    for wrong in
        [&["--all", "--revision", "1"][..], &[&id, &id, "--revision", "1"], &[&id, "--revision", "0"]]
    {
        assert_eq!(export(wrong).await.code, Some(2), "{wrong:?}");
    }
}

#[tokio::test]
async fn what_has_no_times_is_exported_without_and_never_with_made_up_ones() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let imported = client.import(Import { text: LINES, ..Import::default() }).await;
    let id = &imported["conversation"]["id"];
    let query = "query($id: ID!) { conversation(id: $id) { export(format: SRT) { content } } }";
    assert_eq!(client.ask(query, json!({ "id": id })).await.code(), "NO_TIMES");
}

#[tokio::test]
async fn the_shell_writes_each_conversation_once() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    client.import(Import { text: VTT, title: Some("Weekly"), tags: &["pay"], ..Import::default() }).await;
    client.import(Import { text: LINES, title: Some("Weekly"), ..Import::default() }).await;
    let folder = world.folder().join("out");
    let path = folder.display().to_string();
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    for outcome in ["written", "already-there"] {
        let ended = world.run(&["export", "--all", "--format", "md", "-o", &path, "--json"]).await;
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let told: Vec<Value> = ended.json();
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(|line| line["outcome"] == outcome), "{told:#?}");
        assert_eq!(names(), ["Weekly (2).md", "Weekly.md"]);
    }
    let printed = world.run(&["export", "--tag", "pay", "--format", "vtt", "-o", "-"]).await;
    assert!(printed.stdout.starts_with("WEBVTT - Weekly\n"), "{printed:#?}");
    let timeless = world.run(&["export", "--all", "--format", "srt", "-o", &path]).await;
    assert_eq!(timeless.code, Some(1), "one has no times: {timeless:#?}");
    let missing = world.run(&["export", "Q29udmVyc2F0aW9uOm5vbmU", "-o", &path]).await;
    assert_eq!(missing.code, Some(1), "{missing:#?}");
    let nothing = world.run(&["export"]).await;
    assert_eq!(nothing.code, Some(2), "{nothing:#?}");
}
