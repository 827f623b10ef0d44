//! Many transcripts at once: an archive by the API and by the shell, good files and bad ones in it, once and again.

use std::{fs, io::Write, path::Path};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::support::{Client, LINES, SRT, Server, VTT, World, eventually, world};

pub(crate) const IMPORT_ARCHIVE: &str =
    "mutation($input: ImportArchiveInput!) { importArchive(input: $input) {
    archiveImport { id state fileName isDryRun entryCount createdBy { id } job { kind } }
    userErrors { code message field line } } }";

const LOOK: &str = "query($id: ID!, $outcome: ArchiveEntryOutcome) { archiveImport(id: $id) {
    id fileName state finishedAt counts { created existing wouldImport failed passedOver } problem { code message }
    entries(first: 100, outcome: $outcome) { edges { node { name outcome
        conversation { id title kind fileName tags { name } } report { format segments } problem { code message line } } } } } }";

pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, SimpleFileOptions::default()).expect("a file");
        archive.write_all(bytes).expect("its bytes");
    }
    archive.finish().expect("an archive").into_inner()
}

fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut archive = tar::Builder::new(encoder);
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *bytes).expect("a file");
    }
    archive.into_inner().and_then(flate2::write::GzEncoder::finish).expect("an archive")
}

async fn sign_up(server: &Server) -> Client {
    let input = json!({ "email": "ada@example.com", "password": "correct horse", "name": "Ada", "organizationName": "Ada" });
    let session = server.anonymous().change("signUp", "session { accessToken }", input).await;
    server.with(session["session"]["accessToken"].as_str().expect("a token"))
}

/// The id of an archive that is taken in.
async fn brought(client: &Client, name: &str, bytes: Vec<u8>, input: Value) -> String {
    let payload = client.upload_to(IMPORT_ARCHIVE, name, bytes, input).await.data()["importArchive"].clone();
    assert_eq!(payload["userErrors"], json!([]));
    payload["archiveImport"]["id"].as_str().expect("an id").to_owned()
}

/// How it ended.
async fn ended(client: &Client, id: &str) -> Value {
    eventually("an archive is imported", async || {
        let look = client.data(LOOK, json!({ "id": id })).await["archiveImport"].clone();
        let is_over = !["QUEUED", "RUNNING"].contains(&look["state"].as_str().expect("a state"));
        is_over.then_some(look)
    })
    .await
}

/// Name, outcome and code of each entry.
fn told(look: &Value) -> Vec<(&str, &str, &str)> {
    let edges = look["entries"]["edges"].as_array().expect("a list").iter().map(|edge| &edge["node"]);
    fn text(value: &Value) -> &str {
        value.as_str().unwrap_or_default()
    }
    edges.map(|node| (text(&node["name"]), text(&node["outcome"]), text(&node["problem"]["code"]))).collect()
}

const MIXED: &[(&str, &[u8])] = &[
    ("talks/walk.vtt", VTT.as_bytes()),
    ("talks/deeper/outage.srt", SRT.as_bytes()),
    ("../numbers.txt", LINES.as_bytes()),
    ("numbers.txt", LINES.as_bytes()),
    ("broken.vtt", b"WEBVTT\n\n00:00 --> 00:01\nHi.\n"),
    ("noise.txt", b"a\0b\0c"),
    ("inner.zip", b"PK\x03\x04"),
    ("slides.pdf", b"%PDF"),
    ("__MACOSX/._numbers.txt", b"x"),
    ("again.txt", LINES.as_bytes()),
];

#[tokio::test]
async fn an_archive_becomes_a_conversation_a_file_and_a_second_run_brings_what_is_new() {
    let world = world!();
    let server = world.standalone().await;
    let owner = server.owner();
    let dry = brought(&owner, "talks.zip", zip(MIXED), json!({ "dryRun": true })).await;
    let dry = ended(&owner, &dry).await;
    let counts = json!({ "created": 0, "existing": 0, "wouldImport": 4, "failed": 4, "passedOver": 2 });
    assert_eq!((&dry["state"], &dry["counts"]), (&json!("DONE"), &counts));
    assert_eq!(dry["entries"]["edges"][0]["node"]["report"]["format"], "WEB_VTT");
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 0);

    let input = json!({ "kind": "COACHING", "tags": ["Archive"] });
    let id = brought(&owner, "C:\\all\\talks.zip", zip(MIXED), input.clone()).await;
    let look = ended(&owner, &id).await;
    assert_eq!((&look["state"], &look["fileName"]), (&json!("DONE"), &json!("talks.zip")));
    let of_mixed = [
        ("talks/walk.vtt", "CREATED", ""),
        ("talks/deeper/outage.srt", "CREATED", ""),
        ("../numbers.txt", "FAILED", "UNSAFE_NAME"),
        ("numbers.txt", "CREATED", ""),
        ("broken.vtt", "FAILED", "MALFORMED"),
        ("noise.txt", "FAILED", "UNKNOWN_FORMAT"),
        ("inner.zip", "FAILED", "NESTED_ARCHIVE"),
        ("slides.pdf", "PASSED_OVER", "NO_TRANSCRIPT_BY_NAME"),
        ("__MACOSX/._numbers.txt", "PASSED_OVER", "HIDDEN"),
        ("again.txt", "EXISTING", ""),
    ];
    assert_eq!(told(&look), of_mixed);
    let entry = |at: usize| look["entries"]["edges"][at]["node"].clone();
    let conversation = json!({ "id": entry(1)["conversation"]["id"], "title": "outage", "kind": "COACHING",
        "fileName": "outage.srt", "tags": [{ "name": "Archive" }] });
    assert_eq!((&entry(1)["conversation"], &entry(1)["report"]["format"]), (&conversation, &json!("SRT")));
    assert_eq!(entry(4)["problem"]["line"], 3);
    assert_eq!(entry(9)["conversation"]["id"], entry(3)["conversation"]["id"]);
    let failed = owner.data(LOOK, json!({ "id": id, "outcome": "FAILED" })).await;
    assert_eq!(told(&failed["archiveImport"]).len(), 4);
    let before = world.number("SELECT count(*) FROM conversations").await;
    let again = brought(&owner, "talks.zip", zip(MIXED), json!({ "dryRun": true })).await;
    let again = ended(&owner, &again).await;
    let counts = json!({ "created": 0, "existing": 4, "wouldImport": 0, "failed": 4, "passedOver": 2 });
    assert_eq!(again["counts"], counts);
    assert_eq!(again["entries"]["edges"][1]["node"]["conversation"]["id"], entry(1)["conversation"]["id"]);
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, before);
    // Nothing is left of the archives but what was imported.
    eventually("the archives are gone", async || (world.objects().len() == 3).then_some(())).await;

    let more = [MIXED, &[("new.txt", b"Ada: A new one.\nBen: Yes.\n")]].concat();
    let second = brought(&owner, "talks.tgz", tar_gz(&[&MIXED[..2], &more[10..]].concat()), input).await;
    let second = ended(&owner, &second).await;
    let expected = [
        ("talks/walk.vtt", "EXISTING", ""),
        ("talks/deeper/outage.srt", "EXISTING", ""),
        ("new.txt", "CREATED", ""),
    ];
    assert_eq!(told(&second), expected);
    let list = "{ archiveImports { edges { node { fileName } } } }";
    let names = owner.data(list, json!({})).await["archiveImports"]["edges"].clone();
    let name = |at: usize| names[at]["node"]["fileName"].clone();
    assert_eq!([0, 1, 2, 3].map(name), ["talks.tgz", "talks.zip", "talks.zip", "talks.zip"]);

    // What is found is the archive's; what is deleted leaves no name.
    let created = second["entries"]["edges"][2]["node"]["conversation"]["id"].as_str().expect("an id");
    owner.ready(created).await;
    owner.change("deleteConversation", "deletedId", json!({ "id": entry(1)["conversation"]["id"] })).await;
    let look = owner.data(LOOK, json!({ "id": id })).await["archiveImport"].clone();
    let node = &look["entries"]["edges"][1]["node"];
    assert_eq!((&node["outcome"], &node["name"]), (&json!("CREATED"), &Value::Null));
    assert_eq!((&node["conversation"], &node["report"]), (&Value::Null, &Value::Null));
    let left =
        "SELECT count(*) FROM archive_entries e WHERE e::text LIKE '%outage%' AND outcome <> 'WOULD_IMPORT'";
    assert_eq!(world.number(left).await, 0);
    let node = "query($id: ID!) { node(id: $id) { ... on ArchiveImport { fileName } } }";
    assert_eq!(owner.data(node, json!({ "id": id })).await["node"]["fileName"], "talks.zip");
}

#[tokio::test]
async fn what_is_no_archive_or_too_much_is_refused_before_anything_is_kept() {
    let mut world = world!();
    world.set("COLLOQUY_IMPORT_MAX_ARCHIVE_BYTES", "4000");
    world.set("COLLOQUY_IMPORT_MAX_ARCHIVE_ENTRIES", "3");
    let server = world.api().await;
    let client = sign_up(&server).await;
    let files: Vec<(String, &[u8])> = (0..4).map(|n| (format!("{n}.txt"), LINES.as_bytes())).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let whole = zip(&files[..3]);
    let document = zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<w/>")]);
    for (bytes, code, part) in [
        (LINES.as_bytes().to_vec(), "NOT_AN_ARCHIVE", "importConversation"),
        (document, "NOT_AN_ARCHIVE", "DOCX"),
        (vec![], "NOT_AN_ARCHIVE", "zip, tar or tar.gz"),
        (whole[..whole.len() - 30].to_vec(), "DAMAGED_ARCHIVE", "cut off"),
        (zip(&files), "TOO_MANY_ENTRIES", "more than 3 entries"),
        (vec![7; 4001], "ARCHIVE_TOO_LARGE", "4001 bytes, and 4000"),
    ] {
        let answer = client.upload_to(IMPORT_ARCHIVE, "a.zip", bytes, json!({})).await.data();
        let payload = &answer["importArchive"];
        let error = &payload["userErrors"][0];
        assert_eq!((&payload["archiveImport"], &error["code"]), (&Value::Null, &json!(code)));
        assert_eq!(error["field"], json!(["input", "file"]));
        assert!(error["message"].as_str().is_some_and(|told| told.contains(part)), "{error}");
    }
    let tags = json!({ "tags": [""] });
    let answer = client.upload_to(IMPORT_ARCHIVE, "a.zip", whole.clone(), tags).await.data();
    assert_eq!(answer["importArchive"]["userErrors"][0]["code"], "INVALID_TAG");
    assert_eq!(world.number("SELECT count(*) FROM archive_imports").await, 0);
    assert_eq!(world.objects().len(), 0);

    // Nobody unpacks here, so that they all are under way.
    for _ in 0..20 {
        brought(&client, "a.zip", whole.clone(), json!({})).await;
    }
    let answer = client.upload_to(IMPORT_ARCHIVE, "a.zip", whole, json!({})).await.data();
    assert_eq!(answer["importArchive"]["userErrors"][0]["code"], "TOO_MANY_ARCHIVES");
    assert_eq!((world.objects().len(), world.number("SELECT count(*) FROM jobs").await), (20, 20));
}

#[tokio::test]
async fn a_worker_that_is_killed_in_the_middle_doubles_nothing_and_loses_nothing() {
    const FILES: i64 = 160;
    let mut world = world!();
    world.set("COLLOQUY_WORKER_LEASE_MS", "1500");
    world.set("COLLOQUY_STEWARD_DISPATCH_DEADLINE_MS", "2000");
    let api = world.api().await;
    let client = sign_up(&api).await;
    let files: Vec<(String, String)> = (0..FILES)
        .map(|n| (format!("talk {n}.txt"), format!("Ada: This is talk {n}.\nBen: So it is.\n")))
        .collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let id = brought(&client, "many.tar.gz", tar_gz(&files), json!({})).await;
    for share in [1, 3] {
        let mut worker = world.worker(&["--queues", "ingest", "--concurrency", "2"]);
        eventually("some of it is imported", async || {
            let there = world.number("SELECT count(*) FROM conversations").await;
            (there >= share * FILES / 8).then_some(())
        })
        .await;
        worker.signal_group(Signal::SIGKILL);
        worker.kill();
        assert!(world.number("SELECT count(*) FROM archive_entries").await < FILES, "it was in the middle");
    }
    let _worker = world.worker(&["--queues", "ingest", "--concurrency", "2"]);
    eventually("all of it is imported", async || {
        (world.number("SELECT count(*) FROM conversations").await == FILES).then_some(())
    })
    .await;
    let look = ended(&client, &id).await;
    let counts = json!({ "created": FILES, "existing": 0, "wouldImport": 0, "failed": 0, "passedOver": 0 });
    assert_eq!((&look["state"], &look["counts"]), (&json!("DONE"), &counts));
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, FILES);
    let in_order =
        "SELECT count(*) FROM archive_entries WHERE outcome = 'CREATED' AND conversation_id IS NOT NULL
        AND name = 'talk ' || place || '.txt'";
    assert_eq!(world.number(in_order).await, FILES);
    let is_archive = |path: &Path| path.to_string_lossy().contains("objects/archives/");
    eventually("the archive is gone", async || {
        let objects = world.objects();
        (objects.len() as i64 >= FILES && !objects.iter().any(|path| is_archive(path))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn whoever_may_not_import_any_more_does_not_and_what_is_cancelled_stops() {
    let world = world!();
    let server = world.api().await;
    let client = sign_up(&server).await;
    let archive = zip(&[("a.txt", LINES.as_bytes())]);
    let cancelled = brought(&client, "a.zip", archive.clone(), json!({})).await;
    let job =
        client.data("{ jobs { edges { node { id kind } } } }", json!({})).await["jobs"]["edges"][0]["node"]
            .clone();
    assert_eq!(job["kind"], "unpack_archive");
    client.change("cancelJobs", "matched", json!({ "filter": { "ids": [job["id"]] } })).await;
    assert_eq!(ended(&client, &cancelled).await["state"], "CANCELLED");

    let revoked = brought(&client, "a.zip", archive, json!({})).await;
    world.sql().await.execute("UPDATE memberships SET role = 'VIEWER'", &[]).await.expect("a role less");
    let _worker = world.worker(&["--queues", "ingest"]);
    let look = ended(&client, &revoked).await;
    assert_eq!((&look["state"], &look["problem"]["code"]), (&json!("FAILED"), &json!("FORBIDDEN")));
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 0);
}

fn outcomes(lines: &[Value]) -> Vec<(&str, &str)> {
    let mut found: Vec<_> = lines
        .iter()
        .filter_map(|line| Some((line["file"].as_str()?, line["outcome"].as_str()?)))
        .map(|(file, outcome)| (file.split_once("talks/").map_or(file, |(_, file)| file), outcome))
        .collect();
    found.sort_unstable();
    found
}

fn folder_with_archives(world: &World) -> String {
    let talks = world.folder().join("talks");
    fs::create_dir_all(&talks).expect("a folder");
    let write = |name: &str, bytes: &[u8]| fs::write(talks.join(name), bytes).expect("a file");
    write("walk.vtt", VTT.as_bytes());
    write(
        "all.zip",
        &zip(&[
            ("outage.srt", SRT.as_bytes()),
            ("broken.vtt", b"WEBVTT\n\n00:00 --> 00:01\nHi.\n"),
            ("README.md", b"# Talks"),
            ("walk.vtt", VTT.as_bytes()),
        ]),
    );
    write("numbers.tgz", &tar_gz(&[("deeper/numbers.txt", LINES.as_bytes())]));
    talks.display().to_string()
}

#[tokio::test]
async fn archives_are_imported_by_the_shell_as_files_are_with_one_summary() {
    let world = world!();
    let _server = world.standalone().await;
    let talks = folder_with_archives(&world);
    let dry = world.run(&["import", "--dry-run", "--json", &talks]).await;
    assert_eq!(dry.code, Some(1), "{dry:#?}");
    let would = "would-import";
    let expected = [
        ("all.zip/broken.vtt", "failed"),
        ("all.zip/outage.srt", would),
        ("all.zip/walk.vtt", would),
        ("numbers.tgz/deeper/numbers.txt", would),
        ("walk.vtt", would),
    ];
    assert_eq!(outcomes(&dry.json()), expected);
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 0);

    let first =
        world.run(&["import", "--json", "--wait", "--tag", "shell", "--kind", "advice", &talks]).await;
    assert_eq!(first.code, Some(1), "one of the files is broken: {first:#?}");
    let lines = first.json();
    let expected = [
        ("all.zip/broken.vtt", "failed"),
        ("all.zip/outage.srt", "created"),
        ("all.zip/walk.vtt", "already-there"),
        ("numbers.tgz/deeper/numbers.txt", "created"),
        ("walk.vtt", "created"),
    ];
    assert_eq!(outcomes(&lines), expected);
    let ready = lines.iter().filter(|line| line["ready"] == true).count();
    assert_eq!(ready, 4, "{lines:#?}");
    let summary = &lines.last().expect("a summary")["summary"];
    assert_eq!((&summary["created"], &summary["alreadyThere"]), (&json!(3), &json!(1)));
    assert_eq!((&summary["failed"], &summary["passedOver"]), (&json!(1), &json!(1)));
    let tagged = "SELECT count(*) FROM conversation_tags";
    assert_eq!(world.number(tagged).await, 3);

    let again = world.run(&["import", &talks]).await;
    assert_eq!(again.code, Some(1), "{again:#?}");
    assert!(again.stdout.ends_with("4 there already, 1 failed, 1 passed over\n"), "{}", again.stdout);
    assert!(again.stdout.contains("all.zip/broken.vtt"), "{}", again.stdout);
    assert!(again.stderr.contains("all.zip: README.md"), "{}", again.stderr);
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 3);

    // By content, whatever it is called, and with no title of its own.
    let odd = world.folder().join("talks").join("numbers.backup");
    fs::copy(world.folder().join("talks").join("numbers.tgz"), &odd).expect("a copy");
    let odd = odd.display().to_string();
    let named = world.run(&["import", "--json", &odd]).await;
    assert_eq!(named.code, Some(0), "{named:#?}");
    assert_eq!(outcomes(&named.json()), [("numbers.backup/deeper/numbers.txt", "already-there")]);
    let titled = world.run(&["import", "--json", "--title", "Numbers", &odd]).await;
    assert_eq!(titled.code, Some(1));
    assert_eq!(titled.json()[0]["errors"][0]["code"], "TITLE_OF_ARCHIVE");
}

#[tokio::test]
async fn a_member_cancels_an_archive_and_what_was_imported_stays() {
    const FILES: i64 = 400;
    const CANCEL: &str = "archiveImport { state }";
    let mut world = world!();
    // A run hears of it with the next heartbeat of its worker.
    world.set("COLLOQUY_WORKER_LEASE_MS", "1500");
    let api = world.api().await;
    let client = sign_up(&api).await;
    let key = async |role: &str| {
        let made = client.change("createApiKey", "secret", json!({ "name": role, "role": role })).await;
        api.with(made["secret"].as_str().expect("a key"))
    };
    let (member, viewer) = (key("MEMBER").await, key("VIEWER").await);
    let talk = |n| (format!("talk {n}.txt"), format!("Ada: This is talk {n}.\nBen: So it is.\n"));
    let files: Vec<(String, String)> = (0..FILES).map(talk).collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let archive = tar_gz(&files);
    let id = brought(&member, "many.tgz", archive.clone(), json!({})).await;
    let mutation = "mutation($id: ID!) { cancelArchiveImport(input: { id: $id }) { userErrors { code } } }";
    assert_eq!(viewer.ask(mutation, json!({ "id": id })).await.code(), "FORBIDDEN");
    let worker = world.worker(&["--queues", "ingest", "--concurrency", "2"]);
    let conversations = "SELECT count(*) FROM conversations";
    eventually("some of it is imported", async || (world.number(conversations).await >= 20).then_some(()))
        .await;
    for _ in 0..2 {
        let asked = member.change("cancelArchiveImport", CANCEL, json!({ "id": id })).await;
        let state = asked["archiveImport"]["state"].as_str().expect("a state");
        assert!(["RUNNING", "CANCELLED"].contains(&state), "{state}");
    }
    let look = ended(&member, &id).await;
    assert_eq!((&look["state"], &look["problem"]), (&json!("CANCELLED"), &Value::Null));
    let there = world.number(conversations).await;
    assert!((20..FILES).contains(&there), "{there}");
    assert!(look["counts"]["created"].as_i64() <= Some(there) && look["counts"]["failed"] == 0, "{look:#?}");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(world.number(conversations).await, there, "no more of it is begun");
    drop(worker);

    // The same archive brings what is missing, and one that has ended is as it is.
    let _worker = world.worker(&["--queues", "ingest"]);
    let second = brought(&member, "many.tgz", archive, json!({})).await;
    let look = ended(&member, &second).await;
    let counts = json!({ "created": FILES - there, "existing": there, "wouldImport": 0, "failed": 0, "passedOver": 0 });
    assert_eq!((&look["state"], &look["counts"]), (&json!("DONE"), &counts));
    assert_eq!(member.refused("cancelArchiveImport", json!({ "id": second })).await, "ARCHIVE_ENDED");
    assert_eq!(member.refused("cancelArchiveImport", json!({ "id": "nothing" })).await, "NOT_FOUND");
}

#[tokio::test]
async fn ctrl_c_cancels_archives_and_the_same_command_brings_the_rest_later() {
    let mut world = world!();
    let api = world.api().await;
    let client = sign_up(&api).await;
    world.set("COLLOQUY_TOKEN", client.token());
    world.set("COLLOQUY_SERVER", &api.url);
    let talks = folder_with_archives(&world);
    let archive = format!("{talks}/numbers.tgz");
    // Nobody unpacks yet, so that it waits.
    let mut import = world.start(&["import", &archive]);
    let there = "SELECT count(*) FROM archive_imports";
    eventually("the archive is taken in", async || (world.number(there).await == 1).then_some(())).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    import.signal(Signal::SIGINT);
    assert_eq!(import.ended().await.code(), Some(130));
    let said = import.log();
    assert!(said.contains("cancelling archives") && said.contains("its import was cancelled"), "{said}");
    assert!(said.contains("interrupted: 1 failed"), "{said}");
    let list = "{ archiveImports { edges { node { id state } } } }";
    let node = client.data(list, json!({})).await["archiveImports"]["edges"][0]["node"].clone();
    assert_eq!(node["state"], "CANCELLED");

    let _worker = world.worker(&["--queues", "ingest"]);
    let again = world.run(&["import", "--json", &archive]).await;
    assert_eq!(outcomes(&again.json()), [("numbers.tgz/deeper/numbers.txt", "created")]);
    let look = client.data(LOOK, json!({ "id": node["id"] })).await["archiveImport"].clone();
    assert_eq!((&look["state"], told(&look).len()), (&json!("CANCELLED"), 0));
}
