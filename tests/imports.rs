//! What goes in: transcripts of three formats, inline and as uploads, once and again, good and bad.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Client, Import, LINES, SRT, VTT, World, eventually, sample, world};

/// Rows and files that an import could leave behind.
async fn kept(world: &World) -> (i64, usize) {
    let rows = "SELECT (SELECT count(*) FROM conversations) + (SELECT count(*) FROM segments)
        + (SELECT count(*) FROM tags) + (SELECT count(*) FROM jobs) + (SELECT count(*) FROM events)";
    (world.number(rows).await, world.objects().len())
}

/// The one user error of an import that was refused.
fn refusal(payload: &Value) -> (String, Value, String) {
    let errors = payload["userErrors"].as_array().expect("a list");
    assert!(errors.len() == 1 && payload["conversation"].is_null(), "{payload:#?}");
    let text = |key: &str| errors[0][key].as_str().expect("a text").to_owned();
    (text("code"), errors[0]["line"].clone(), text("message"))
}

#[tokio::test]
async fn three_formats_are_told_apart_by_content_and_reported_in_numbers() {
    let world = world!();
    let server = world.api().await;
    let client = owner(&server).await;
    let vtt = client.import(Import { text: VTT, ..Import::default() }).await;
    let report = &vtt["report"];
    assert_eq!(report["format"], "WEB_VTT");
    assert_eq!(report["speakers"], json!(["Mara", "Tobias"]));
    assert_eq!(report["durationMs"], 15_250);
    assert_eq!((&report["cuesRead"], &report["cuesDropped"]), (&json!(4), &json!(1)));
    assert_eq!(report["notes"][0]["action"], "DROPPED");
    assert_eq!(report["notes"][0]["line"], 9);
    let balance = report["segments"].as_i64().unwrap() + report["cuesMerged"].as_i64().unwrap();
    assert_eq!(balance, 3);
    let conversation = &vtt["conversation"];
    assert_eq!(conversation["segmentCount"], report["segments"]);
    assert_eq!(conversation["title"], "Untitled conversation");
    assert_eq!((&conversation["kind"], &conversation["revision"]), (&json!("MEETING"), &json!(1)));
    assert_eq!(
        conversation["participants"],
        json!([{ "label": "Mara", "ordinal": 0 }, { "label": "Tobias", "ordinal": 1 }])
    );
    assert_eq!(vtt["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(vtt["jobs"][0]["kind"], "ingest_conversation");

    let srt = client
        .import(Import { text: SRT, title: Some(" Outage "), kind: Some("INTERVIEW"), ..Import::default() })
        .await;
    assert_eq!(srt["report"]["format"], "SRT");
    assert_eq!(srt["report"]["speakers"], json!(["Priya", "Jonas"]));
    assert_eq!(
        (&srt["conversation"]["title"], &srt["conversation"]["kind"]),
        (&json!("Outage"), &json!("INTERVIEW"))
    );

    let lines = client
        .import(Import { text: LINES, tags: &["Career", "career", " first talk "], ..Import::default() })
        .await;
    assert_eq!(lines["report"]["format"], "NAMED_LINES");
    assert_eq!(lines["report"]["durationMs"], Value::Null);
    assert_eq!(lines["conversation"]["tags"], json!([{ "name": "Career" }, { "name": "first talk" }]));

    // The transcript is there, with the times of the source and none invented.
    let query = "query($id: ID!) { conversation(id: $id) { segments { edges { node { sequence text startMs endMs participant { label } } } } } }";
    let segments = async |payload: &Value| {
        let data = client.data(query, json!({ "id": payload["conversation"]["id"] })).await;
        data["conversation"]["segments"]["edges"].as_array().unwrap().clone()
    };
    let of_srt = segments(&srt).await;
    assert_eq!(
        of_srt[1]["node"],
        json!({ "sequence": 1, "text": "A queue filled up, and nobody had an alarm on it.",
            "startMs": 2_500, "endMs": 6_000, "participant": { "label": "Jonas" } })
    );
    assert!(segments(&lines).await.iter().all(|edge| edge["node"]["startMs"].is_null()));
    // A format that is given is not doubted.
    let wrong = json!({ "input": { "text": LINES, "format": "SRT" } });
    let data = client.data("mutation($input: ImportConversationInput!) { importConversation(input: $input) { conversation { id } userErrors { code line message } } }", wrong).await;
    assert_eq!(refusal(&data["importConversation"]).0, "MALFORMED");
}

#[tokio::test]
async fn an_upload_brings_file_and_name() {
    let world = world!();
    let server = world.api().await;
    let client = owner(&server).await;
    for (name, format, title) in [
        ("coaching-session.vtt", "WEB_VTT", "coaching-session"),
        ("backend-interview.srt", "SRT", "backend-interview"),
        ("career-advice.txt", "NAMED_LINES", "career-advice"),
        ("product-meeting.vtt", "WEB_VTT", "product-meeting"),
    ] {
        let bytes = sample(name).into_bytes();
        let answer =
            client.upload(&format!("C:\\talks\\{name}"), bytes.clone(), json!({ "kind": "ADVICE" })).await;
        let payload = answer.data()["importConversation"].clone();
        assert_eq!(payload["report"]["format"], format);
        let conversation = &payload["conversation"];
        assert_eq!((&conversation["title"], &conversation["fileName"]), (&json!(title), &json!(name)));
        assert!(conversation["segmentCount"].as_i64().unwrap() >= 60, "{name}");
        let kept = world.objects().iter().any(|file| std::fs::read(file).is_ok_and(|kept| kept == bytes));
        assert!(kept, "the original bytes of {name} are kept");
    }
    let answer = server.anonymous().upload("a.txt", LINES.into(), json!({})).await;
    assert_eq!((answer.status, answer.code()), (401, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn the_same_bytes_and_the_same_external_id_are_the_same_conversation() {
    let world = world!();
    let server = world.api().await;
    let client = owner(&server).await;
    let import = |text| Import { text, external_id: Some("crm-7"), ..Import::default() };
    let first = client.import(import(LINES)).await;
    assert_eq!(first["created"], true);
    let before = kept(&world).await;
    for again in [import(LINES), Import { text: LINES, title: Some("Other"), ..Import::default() }] {
        let payload = client.import(again).await;
        assert_eq!((&payload["created"], &payload["jobs"]), (&json!(false), &json!([])));
        assert_eq!(payload["conversation"]["id"], first["conversation"]["id"]);
        assert_eq!(payload["conversation"]["title"], "Untitled conversation", "it stays as it stands");
        assert_eq!(payload["report"], first["report"]);
    }
    // Other bytes under a known key are no new state of it, unless that is asked for.
    let taken = client.import(import(SRT)).await;
    let (code, _, message) = refusal(&taken);
    assert_eq!(code, "EXTERNAL_ID_TAKEN");
    assert!(message.contains("“Untitled conversation”"), "in words that clients know: {message}");
    // Known bytes under another key are the conversation that stands there.
    let other = client.import(Import { text: LINES, external_id: Some("crm-8"), ..Import::default() }).await;
    assert_eq!(other["conversation"]["id"], first["conversation"]["id"]);
    assert_eq!(kept(&world).await, before, "nothing was added");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_line_and_reason_and_leaves_nothing() {
    let mut world = world!();
    world.set("COLLOQUY_IMPORT_MAX_BYTES", "20000");
    world.set("COLLOQUY_IMPORT_MAX_LINE_BYTES", "5000");
    world.set("COLLOQUY_IMPORT_MAX_CUES", "500");
    let server = world.api().await;
    let client = owner(&server).await;
    let before = kept(&world).await;
    let png = [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &[0; 100]].concat();
    let long_line = format!("Ada: a\nBen: {}\n", "word ".repeat(1_200)).into_bytes();
    let many = "Ada: a\nBen: b\n".repeat(300).into_bytes();
    let cases: [(&str, Vec<u8>, &str, Value); 9] = [
        ("empty.vtt", Vec::new(), "EMPTY_TRANSCRIPT", Value::Null),
        ("head.vtt", b"WEBVTT\n".to_vec(), "EMPTY_TRANSCRIPT", Value::Null),
        ("prose.txt", b"It rained.\nWe left.\n".to_vec(), "UNKNOWN_FORMAT", json!(1)),
        ("times.vtt", b"WEBVTT\n\n00:00 --> 00:01\nHi.\n".to_vec(), "MALFORMED", json!(3)),
        ("bytes.txt", b"Ada: Hello.\nBen: Hi\0\0.\n".to_vec(), "NOT_TEXT", json!(2)),
        ("picture.vtt", png, "NOT_TEXT", json!(1)),
        ("huge.txt", vec![b'a'; 20_001], "TOO_LARGE", Value::Null),
        ("wide.txt", long_line, "LINE_TOO_LONG", json!(2)),
        ("many.txt", many, "TOO_MANY_CUES", json!(501)),
    ];
    for (name, bytes, code, line) in cases {
        for dry_run in [false, true] {
            let input = json!({ "dryRun": dry_run, "tags": ["kept?"] });
            let payload =
                client.upload(name, bytes.clone(), input).await.data()["importConversation"].clone();
            let (found, at, message) = refusal(&payload);
            assert_eq!((found.as_str(), &at), (code, &line), "{name}: {message}");
            assert!(message.len() > 15, "{name} has a reason: {message}");
        }
    }
    let inputs = [
        (json!({}), "NOTHING_TO_IMPORT"),
        (json!({ "text": LINES, "title": "two\nlines" }), "INVALID_TITLE"),
        (json!({ "text": LINES, "tags": [" "] }), "INVALID_TAG"),
        (
            json!({ "text": LINES, "tags": (0..51).map(|n| format!("t{n}")).collect::<Vec<_>>() }),
            "TOO_MANY_TAGS",
        ),
        (json!({ "text": LINES, "externalId": "" }), "INVALID_EXTERNAL_ID"),
    ];
    for (input, code) in inputs {
        assert_eq!(client.refused("importConversation", input).await, code);
    }
    let both = client.upload("a.txt", LINES.into(), json!({ "text": SRT })).await.data();
    assert_eq!(refusal(&both["importConversation"]).0, "FILE_AND_TEXT");
    assert_eq!(kept(&world).await, before, "nothing is left behind");
}

#[tokio::test]
async fn what_is_announced_to_be_too_long_is_refused_before_it_is_read() {
    let mut world = world!();
    world.set("COLLOQUY_HTTP_MAX_UPLOAD_BYTES", "100000");
    world.set("COLLOQUY_HTTP_MAX_BODY_BYTES", "50000");
    let server = world.api().await;
    let client = owner(&server).await;
    let before = kept(&world).await;
    let address = server.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    for (kind, bytes) in [("multipart/form-data; boundary=x", 100_001), ("application/json", 50_001)] {
        // The head alone: a client that sends the rest may be cut off before it reads the answer.
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {address}\r\naccept: application/json\r\ncontent-type: {kind}\r\n\
            content-length: {bytes}\r\ngraphql-require-preflight: 1\r\nauthorization: Bearer {}\r\n\r\n",
            client.token()
        );
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{kind}: {answer}");
        assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{kind}: {answer}");
    }
    assert_eq!(kept(&world).await, before);
}

#[tokio::test]
async fn a_dry_run_reports_and_writes_nothing() {
    let world = world!();
    let server = world.api().await;
    let client = owner(&server).await;
    let before = kept(&world).await;
    let import = || Import { text: VTT, tags: &["new"], external_id: Some("x"), ..Import::default() };
    let dry = client.import(Import { dry_run: true, ..import() }).await;
    assert_eq!(dry["preview"]["turns"][0]["speaker"], "Mara", "{dry:#?}");
    assert_eq!((&dry["created"], &dry["conversation"]), (&json!(false), &Value::Null));
    assert_eq!(dry["jobs"], json!([]));
    assert_eq!(kept(&world).await, before);
    let real = client.import(import()).await;
    assert_eq!(real["report"], dry["report"]);

    // What is there already is told as a real run tells it.
    let before = kept(&world).await;
    for again in [import(), Import { text: VTT, title: Some("Other"), ..Import::default() }] {
        let dry = client.import(Import { dry_run: true, ..again }).await;
        assert_eq!(dry["conversation"]["id"], real["conversation"]["id"], "{dry:#?}");
        assert_eq!(dry["conversation"]["title"], real["conversation"]["title"]);
        assert_eq!((&dry["created"], &dry["preview"]), (&json!(false), &Value::Null));
        assert_eq!((&dry["report"], &dry["jobs"]), (&real["report"], &json!([])));
    }
    let taken = client.import(Import { dry_run: true, text: LINES, ..import() }).await;
    assert_eq!(refusal(&taken).0, "EXTERNAL_ID_TAKEN");
    assert_eq!(kept(&world).await, before);
    let input = json!({ "email": "eve@example.com", "password": "correct horse", "name": "Eve", "organizationName": "Eve" });
    let session = server.anonymous().change("signUp", "session { accessToken }", input).await;
    let other = server.with(session["session"]["accessToken"].as_str().expect("a token"));
    let elsewhere = other.import(Import { dry_run: true, ..import() }).await;
    assert_eq!(elsewhere["conversation"], Value::Null, "of another organization nothing is told");
    assert_eq!(elsewhere["preview"]["turns"][0]["speaker"], "Mara");
}

#[tokio::test]
async fn ten_imports_of_the_same_bytes_at_once_make_one_conversation() {
    let world = world!();
    let server = world.api().await;
    let client = owner(&server).await;
    let ways = ["by content", "by key"];
    for (way, external_id) in ways.into_iter().zip([None, Some("k")]) {
        let text = format!("Ada: {way}\nBen: Yes.\n");
        let imports =
            (0..10).map(|_| client.import(Import { text: &text, external_id, ..Import::default() }));
        let payloads = futures::future::join_all(imports).await;
        let made = payloads.iter().filter(|payload| payload["created"] == true).count();
        assert_eq!(made, 1, "{way}: {payloads:#?}");
        assert!(
            payloads.iter().all(|payload| payload["conversation"]["id"] == payloads[0]["conversation"]["id"])
        );
    }
    // Ten with different bytes under one key: one is taken.
    let texts: Vec<String> = (0..10).map(|n| format!("Ada: version {n}\nBen: Yes.\n")).collect();
    let imports = texts
        .iter()
        .map(|text| client.import(Import { text, external_id: Some("one"), ..Import::default() }));
    let payloads = futures::future::join_all(imports).await;
    assert_eq!(payloads.iter().filter(|payload| payload["created"] == true).count(), 1);
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 3);
    assert_eq!(world.number("SELECT count(*) FROM jobs").await, 3);
    assert_eq!(world.objects().len(), 3, "the objects of those that came late are gone");
}

#[tokio::test]
async fn a_deleted_conversation_leaves_nothing_and_can_be_imported_anew() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let import = || Import { text: LINES, tags: &["numbers"], external_id: Some("x"), ..Import::default() };
    let id = client.imported(import()).await;
    client.ready(&id).await;
    assert_eq!(world.objects().len(), 1);
    let deleted = client.change("deleteConversation", "deletedId", json!({ "id": id })).await;
    assert_eq!(deleted["deletedId"], id.as_str());
    let rows = "SELECT (SELECT count(*) FROM conversations) + (SELECT count(*) FROM segments)
        + (SELECT count(*) FROM participants) + (SELECT count(*) FROM passages) + (SELECT count(*) FROM analyses)
        + (SELECT count(*) FROM insights) + (SELECT count(*) FROM revisions) + (SELECT count(*) FROM conversation_tags)";
    assert_eq!(world.number(rows).await, 0);
    assert_eq!(world.objects(), Vec::<std::path::PathBuf>::new());
    assert_eq!(client.refused("deleteConversation", json!({ "id": id })).await, "NOT_FOUND");
    let again = client.imported(import()).await;
    assert_ne!(again, id);
    client.ready(&again).await;
}

#[tokio::test]
async fn deleting_while_the_jobs_run_ends_well() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    for name in ["coaching-session.vtt", "product-meeting.vtt", "backend-interview.srt"] {
        let id = client.imported(Import { text: &sample(name), ..Import::default() }).await;
        client.change("deleteConversation", "", json!({ "id": id })).await;
    }
    client.idle().await;
    assert_eq!(world.number("SELECT count(*) FROM jobs WHERE state <> 'DONE'").await, 0);
    let rows = "SELECT (SELECT count(*) FROM passages) + (SELECT count(*) FROM analyses)";
    assert_eq!(world.number(rows).await, 0);
    assert_eq!(client.search("query: \"talk queue onboarding\"").await.len(), 0);
}

#[tokio::test]
async fn an_object_without_a_conversation_is_swept_once_it_is_old() {
    let world = world!();
    let objects = world.data().join("objects/conversations/0190a000-0000-7000-8000-000000000000");
    std::fs::create_dir_all(&objects).unwrap();
    let orphan = |name: &str| objects.join(format!("0190a000-0000-7000-8000-00000000000{name}"));
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    for (name, age) in [("1", day), ("2", std::time::Duration::ZERO)] {
        let file = std::fs::File::create(orphan(name)).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - age).unwrap();
    }
    let _server = world.api().await;
    eventually("the old orphan is swept", async || (!orphan("1").exists()).then_some(())).await;
    assert!(orphan("2").exists(), "a young one may belong to an import under way");
}

async fn owner(server: &crate::support::Server) -> Client {
    let input = json!({ "email": "ada@example.com", "password": "correct horse", "name": "Ada", "organizationName": "Ada" });
    let session = server.anonymous().change("signUp", "session { accessToken }", input).await;
    server.with(session["session"]["accessToken"].as_str().expect("a token"))
}
