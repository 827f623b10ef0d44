//! The commands as they are typed: what they print, for people and for programs, and how they end.

use std::{fs, io::Write, process::Stdio};

use serde_json::{Value, json};

use crate::support::{LINES, SRT, VTT, World, eventually, left_out, workspace, world};

fn folder_of_talks(world: &World) -> String {
    let talks = world.folder().join("talks");
    fs::create_dir_all(talks.join("deeper")).expect("a folder");
    let write = |name: &str, bytes: &[u8]| fs::write(talks.join(name), bytes).expect("a file");
    write("walk.vtt", VTT.as_bytes());
    write("deeper/outage.srt", SRT.as_bytes());
    write("numbers.txt", LINES.as_bytes());
    write("broken.vtt", b"WEBVTT\n\n00:00 --> 00:01\nHi.\n");
    write("picture.png", b"\x89PNG");
    talks.display().to_string()
}

fn outcomes(lines: &[Value]) -> Vec<(String, &str)> {
    let mut found: Vec<_> = lines
        .iter()
        .filter(|line| line["file"].is_string())
        .map(|line| {
            let file = line["file"].as_str().and_then(|path| path.rsplit('/').next()).expect("a file's name");
            (file.to_owned(), line["outcome"].as_str().expect("an outcome"))
        })
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn a_folder_is_imported_with_a_report_a_file_and_once_only() {
    let world = world!();
    let server = world.standalone().await;
    let talks = folder_of_talks(&world);
    let dry = world.run(&["import", "--dry-run", "--json", &talks]).await;
    assert_eq!(dry.code, Some(1), "{dry:#?}");
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 0);

    let first =
        world.run(&["import", "--json", "--wait", "--tag", "shell", "--kind", "coaching", &talks]).await;
    assert_eq!(first.code, Some(1), "one of the files is broken: {first:#?}");
    let lines = first.json();
    let files = [
        ("broken.vtt", "failed"),
        ("numbers.txt", "created"),
        ("outage.srt", "created"),
        ("walk.vtt", "created"),
    ];
    assert_eq!(outcomes(&lines), files.map(|(file, outcome)| (file.to_owned(), outcome)));
    let broken = lines.iter().find(|line| line["outcome"] == "failed").unwrap();
    assert_eq!(
        (&broken["errors"][0]["code"], &broken["errors"][0]["line"]),
        (&json!("MALFORMED"), &json!(3))
    );
    let walk = lines
        .iter()
        .find(|line| line["file"].as_str().is_some_and(|file| file.ends_with("walk.vtt")))
        .unwrap();
    assert_eq!((&walk["report"]["format"], &walk["report"]["cuesDropped"]), (&json!("WEB_VTT"), &json!(1)));
    assert_eq!(walk["ready"], true);
    let data =
        server.owner().data("{ conversations { edges { node { kind tags { name } } } } }", json!({})).await;
    for edge in data["conversations"]["edges"].as_array().unwrap() {
        assert_eq!(edge["node"], json!({ "kind": "COACHING", "tags": [{ "name": "shell" }] }));
    }

    fs::remove_file(world.folder().join("talks/broken.vtt")).unwrap();
    let second = world.run(&["import", "--json", &talks]).await;
    assert_eq!(second.code, Some(0), "{second:#?}");
    assert!(outcomes(&second.json()).iter().all(|(_, outcome)| *outcome == "already-there"), "{second:#?}");
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 3);
    // For people: every file by name, numbers, no control characters where no terminal is.
    let shown = world.run(&["import", &talks]).await.well();
    for part in ["walk.vtt", "outage.srt", "numbers.txt", "3 there already"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[tokio::test]
async fn a_search_prints_what_people_and_programs_read() {
    let world = world!();
    let _server = world.standalone().await;
    let talks = folder_of_talks(&world);
    world.run(&["import", "--wait", &talks]).await;
    let found = world.run(&["search", "--json", "--mode", "text", "lighthouse"]).await;
    assert_eq!(found.code, Some(0), "{found:#?}");
    let hits = found.json();
    let hit = &hits[0][0];
    assert_eq!(hit["conversation"]["title"], "walk");
    let marked = hit["fragments"].as_array().unwrap().iter().find(|piece| piece["isMatch"] == true);
    assert_eq!(marked.unwrap()["text"], "lighthouse", "{hit:#?}");
    let shown = world.run(&["search", "lighthouse"]).await.well();
    assert!(shown.contains("walk") && shown.contains("lighthouse"), "{shown}");
    let narrowed = world.run(&["search", "--mode", "text", "--speaker", "sam", "lighthouse"]).await.well();
    assert!(narrowed.contains("no hits"), "{narrowed}");
    let whole =
        world.run(&["search", "--group", "--varied", "--facets", "--explain", "lighthouse"]).await.well();
    for told in ["matching ", "speaker ", "semantic embedded answered", " checked, "] {
        assert!(whole.contains(told), "{told}: {whole}");
    }
    let whole = world.run(&["search", "--json", "--facets", "--explain", "lighthouse"]).await.json();
    assert_eq!(whole[0]["hits"][0]["conversation"]["title"], "walk", "{whole:#?}");
    assert_eq!(whole[0]["explanation"]["engines"][0]["leg"], "TEXT", "{whole:#?}");
    assert!(whole[0]["facets"]["matching"].as_u64() > Some(0), "{whole:#?}");
    eventually("a misspelt word is told", async || {
        let shown = world.run(&["search", "--mode", "text", "lighthuose", "tag:none"]).await.well();
        assert!(!shown.contains("did you mean"), "{shown}");
        let shown = world.run(&["search", "--mode", "text", "lighthuose -absent"]).await.well();
        let json = world.run(&["search", "--json", "lighthuose"]).await;
        assert_eq!(json.json().len(), 1, "{json:#?}");
        let is_told = shown.starts_with("did you mean: lighthouse -absent\n")
            && json.stderr.contains("did you mean: lighthouse");
        is_told.then_some(())
    })
    .await;
    let strange = world.run(&["search", "?!"]).await;
    assert!(strange.code == Some(1) && strange.stderr.contains("word"), "{strange:#?}");
}

#[tokio::test]
async fn without_a_standalone_a_command_starts_one_for_itself_and_ends_it() {
    let world = world!();
    let talks = folder_of_talks(&world);
    fs::remove_file(world.folder().join("talks/broken.vtt")).unwrap();
    let imported = world.run(&["import", "--json", &talks]).await;
    assert_eq!(imported.code, Some(0), "{imported:#?}");
    assert!(!world.data().join("server.json").exists(), "it has ended");
    let found = world.run(&["search", "--json", "lighthouse"]).await;
    assert_eq!(found.json()[0][0]["conversation"]["title"], "walk", "{found:#?}");
    // A file that a crash has left names nobody.
    fs::write(
        world.data().join("server.json"),
        r#"{"url":"http://127.0.0.1:9/","token":"cq_x","pid":1,"version":"0.1.0"}"#,
    )
    .unwrap();
    assert_eq!(world.run(&["search", "lighthouse"]).await.code, Some(0));
}

#[tokio::test]
async fn a_login_keeps_a_key_that_commands_use_and_logout_revokes() {
    let world = world!();
    let server = world.api().await;
    let input = json!({ "email": "ada@example.com", "password": "correct horse", "name": "Ada", "organizationName": "Ada & Co" });
    server.anonymous().change("signUp", "", input).await;
    let login = async |password: &str| {
        let args = ["login", "--server", &server.url, "--email", "ada@example.com", "--password-stdin"];
        let mut command = world.command(&args);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        tokio::task::spawn_blocking(move || crate::support::Ended::from(child.wait_with_output().unwrap()))
            .await
            .unwrap()
    };
    let wrong = login("wrong password").await;
    assert_eq!(wrong.code, Some(1), "{wrong:#?}");
    let signed_in = login("correct horse").await.well();
    assert!(signed_in.contains("Ada & Co") && !signed_in.contains("cq_"), "{signed_in}");
    let kept = world.folder().join("config/colloquy/credentials.json");
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&kept).unwrap());
    assert_eq!(mode & 0o077, 0, "only its owner reads it");

    let talk = world.folder().join("talk.txt");
    fs::write(&talk, LINES).unwrap();
    let import = ["import", "--server", &server.url, &talk.display().to_string()];
    assert_eq!(world.run(&import).await.code, Some(0));
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 1);
    let key =
        world.number("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL AND role = 'MEMBER'").await;
    assert_eq!(key, 1, "a key, since an import may outlive a session");
    world.run(&["logout"]).await.well();
    assert_eq!(world.number("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL").await, 0);
    let refused = world.run(&import).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("login"), "{refused:#?}");
}

#[tokio::test]
async fn a_transcript_comes_through_a_pipe_too() {
    let world = world!();
    let _server = world.standalone().await;
    let mut command = world.command(&["import", "-", "--title", "Piped", "--json"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(LINES.as_bytes()).unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let title: String =
        world.sql().await.query_one("SELECT title FROM conversations", &[]).await.unwrap().get(0);
    assert_eq!(title, "Piped");
}

#[tokio::test]
async fn the_settings_are_shown_without_their_secrets() {
    let mut world = world!();
    world.set("COLLOQUY_DATABASE_URL", "postgres://someone:hunter2@db.internal/colloquy");
    world.set("COLLOQUY_REDIS_URL", "redis://:hunter2@redis.internal/0");
    world.unset("COLLOQUY_SECRETS_SIGNING_KEY_FILE");
    world.set("COLLOQUY_SECRETS_SIGNING_KEY", "hunter2hunter2hunter2hunter2hunter2");
    fs::write(world.folder().join("colloquy.toml"), "[auth]\nsign_up = \"closed\"\ninvitation_days = 3\n")
        .unwrap();
    world.set("COLLOQUY_AUTH_INVITATION_DAYS", "4");
    world.set("COLLOQUY_HTTP_LIVE_MAX_CONNECTIONS", "17");
    world.set("COLLOQUY_WORKER_CONCURRENCY_EMBED", "3");
    for args in [&["config"][..], &["config", "--json"]] {
        let shown = world.run(args).await.well();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("db.internal") && shown.contains("***"), "{shown}");
    }
    let shown: Value = serde_json::from_str(
        &world.run(&["config", "--json", "--set", "http.max_upload_files=3"]).await.well(),
    )
    .unwrap();
    assert_eq!(shown["auth"]["sign_up"], "closed", "from the file");
    assert_eq!(shown["auth"]["invitation_days"], 4, "the environment comes after the file");
    assert_eq!(shown["http"]["max_upload_files"], 3, "and the command line last");
    assert_eq!(shown["http"]["live"]["max_connections"], 17, "a section within a section");
    assert_eq!(shown["worker"]["concurrency"]["embed"], 3);
    assert_eq!(shown["data"]["dir"].as_str(), world.data().to_str());
}

#[tokio::test]
async fn the_schema_that_is_reviewed_is_the_one_that_is_served() {
    let world = world!();
    let printed = world.run(&["schema"]).await.well();
    let kept = fs::read_to_string(workspace().join("schema/schema.graphql")).expect("schema/schema.graphql");
    assert!(printed.trim() == kept.trim(), "schema/schema.graphql is behind; run `just schema`");
    for name in
        ["importConversation(", "conversationProgress(", "type PageInfo", "scalar Upload", "interface Node"]
    {
        assert!(printed.contains(name), "{name}");
    }
}

#[tokio::test]
async fn doctor_looks_at_everything_and_says_what_to_do() {
    let mut world = world!();
    let names = |checks: &Value, ok: bool| -> Vec<String> {
        let checks = checks.as_array().unwrap().iter().filter(|check| check["ok"] == ok);
        checks.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
    };
    let server = world.standalone().await;
    let well = world.run(&["doctor", "--json"]).await;
    assert_eq!(well.code, Some(0), "{well:#?}");
    let checks = &well.json()[0];
    for name in ["standalone", "postgresql", "migrations", "queues", "search index", "redis", "embedding"] {
        assert!(names(checks, true).contains(&name.to_owned()), "{name}: {checks:#?}");
    }
    assert!(world.run(&["doctor"]).await.well().contains("all is well"));
    drop(server);

    world.set("COLLOQUY_REDIS_URL", "redis://127.0.0.1:9/0");
    let sick = world.run(&["doctor", "--json"]).await;
    assert_eq!(sick.code, Some(1), "{sick:#?}");
    let checks = &sick.json()[0];
    assert_eq!(
        names(checks, false),
        ["standalone", "redis"],
        "it was killed, and that one is nowhere: {checks:#?}"
    );
    let hints =
        checks.as_array().unwrap().iter().filter(|check| check["ok"] == false && check["hint"].is_string());
    assert_eq!(hints.count(), 2, "{checks:#?}");
}

#[tokio::test]
async fn doctor_tells_an_index_that_is_not_of_its_database() {
    let world = world!();
    let index = async |world: &World| {
        let told = world.run(&["doctor", "--json"]).await;
        let checks = told.json()[0].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["name"] == "search index").expect("a check")
    };
    let none = index(&world).await;
    assert!(none["ok"] == true && none["detail"].as_str().unwrap().contains("there is none"), "{none}");
    for (sql, part) in [
        ("UPDATE search_generation SET number = number + 1", "no generation 2 that was completed"),
        ("UPDATE event_log SET log_id = gen_random_uuid()", "another database"),
    ] {
        let mut server = world.standalone().await;
        let well = index(&world).await;
        assert_eq!(well["ok"], true, "a start builds it anew: {well}");
        server.process.signal(nix::sys::signal::Signal::SIGTERM);
        assert!(server.process.ended().await.success());
        world.sql().await.batch_execute(sql).await.unwrap();
        let sick = index(&world).await;
        assert!(sick["ok"] == false && sick["detail"].as_str().unwrap().contains(part), "{sick}");
        assert!(sick["hint"].as_str().unwrap().contains("colloquy standalone"), "{sick}");
    }
    fs::remove_file(world.data().join("index/2/identity.json")).unwrap();
    let begun = index(&world).await;
    assert!(begun["ok"] == false && begun["detail"].as_str().unwrap().contains("completed"), "{begun}");
}

#[tokio::test]
async fn an_import_says_why_there_are_more_segments_than_cues() {
    let world = world!();
    let _server = world.standalone().await;
    let file = world.folder().join("voices.vtt");
    let text = "WEBVTT\n\n00:00.000 --> 00:04.000\n<v Ada>Shall we?</v> <v Ben>Yes, at once.</v>\n\n00:04.000 --> 00:06.000\n<v Ada>Good.</v>\n";
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let shown = world.run(&["import", &file]).await.well();
    for part in ["2 cues read", "3 segments", "1 segment more than cues: some cues have several voices"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let told = world.run(&["import", "--dry-run", "--json", &file]).await.json();
    let report = &told[0]["report"];
    assert_eq!(
        (&report["cuesRead"], &report["segments"], &report["cuesSplit"]),
        (&json!(2), &json!(3), &json!(1))
    );
}

#[tokio::test]
async fn the_tour_shows_every_step_and_ends_well() {
    let mut world = world!();
    world.set("COLLOQUY_CACHE", &crate::support::cache().display().to_string());
    let model = crate::support::cache().join("models/all-MiniLM-L6-v2/model.safetensors");
    if !model.is_file() {
        left_out("shell::the_tour_shows_every_step_and_ends_well", "the embedding model was not found");
        return;
    }
    for variable in [
        "COLLOQUY_DATABASE_URL",
        "COLLOQUY_REDIS_URL",
        "COLLOQUY_DATA_DIR",
        "COLLOQUY_SECRETS_SIGNING_KEY_FILE",
    ] {
        world.unset(variable);
    }
    world.unset("COLLOQUY_EMBEDDING_MODEL");
    let tour = world.run(&["demo", "--once"]).await;
    assert_eq!(tour.code, Some(0), "{tour:#?}");
    for part in ["coaching-session", "backend-interview", "career-advice", "product-meeting"] {
        assert!(tour.stdout.contains(part), "{part}: {}", tour.stdout);
    }
    assert!(!world.folder().join(".colloquy").exists(), "it leaves nothing behind");
}
