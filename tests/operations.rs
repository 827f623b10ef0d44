//! What operators rely on: probes, metrics, logs, refusals at the start, and ends without remains.

use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{
    Import, LINES, PATIENCE, Process, Redis, Server, World, alive, children_of, eventually, tiny, world,
};

#[tokio::test]
async fn probes_and_metrics_tell_how_it_is() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    assert_eq!(server.get("livez").await, (200, "ok\n".to_owned()));
    let (status, report) = server.get("readyz").await;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((status, &report["ready"]), (200, &json!(true)), "{report}");
    let id = client.imported(Import { text: LINES, ..Import::default() }).await;
    client.ready(&id).await;
    client.search("query: \"numbers\", mode: HYBRID").await;
    for (name, labels) in [
        ("colloquy_http_requests_total", &["route=\"/graphql\"", "status=\"200\""][..]),
        ("colloquy_http_request_duration_seconds_count", &["route=\"/graphql\""]),
        ("colloquy_graphql_operations_total", &["type=\"mutation\""]),
        ("colloquy_jobs_total", &["kind=\"ingest_conversation\"", "outcome=\"done\""]),
        ("colloquy_job_duration_seconds_count", &["kind=\"analyze_conversation\""]),
        ("colloquy_job_pickup_seconds_count", &["queue=\"ingest\""]),
        ("colloquy_searches_total", &["mode=\"hybrid\"", "outcome=\"ok\""]),
        ("colloquy_search_duration_seconds_count", &["mode=\"hybrid\""]),
        ("colloquy_passages_embedded_total", &[]),
    ] {
        let value = server.metric(name, labels).await;
        assert!(value >= 1.0, "{name} {labels:?}: {value}\n{}", server.get("metrics").await.1);
    }
    // Gauges of the queues, by state, once the steward has looked.
    world.sql().await.batch_execute("UPDATE jobs SET state = 'DEAD' WHERE queue = 'analyze'").await.unwrap();
    eventually("jobs are counted by queue and state", async || {
        let dead = server.metric("colloquy_jobs", &["queue=\"analyze\"", "state=\"DEAD\""]).await;
        (dead == 1.0).then_some(())
    })
    .await;
    let (_, text) = server.get("metrics").await;
    assert!(text.contains("colloquy_queue_oldest_ready_seconds{queue=\"ingest\"}"), "{text}");
    assert!(!text.contains(&id), "no label has an id");
    // How many were done is a counter; a gauge of what nobody counts would be a lie.
    for state in ["DONE", "CANCELLED"] {
        assert!(!text.contains(&format!("state=\"{state}\"")), "{text}");
    }
    assert_eq!(server.get("nothing-here").await.0, 404);
}

#[tokio::test]
async fn an_autoscaler_reads_how_much_there_is_to_do_from_an_api_and_a_worker() {
    let mut world = world!();
    world.set("COLLOQUY_WORKER_HEALTH_BIND", "127.0.0.1:0");
    let api = world.api().await;
    let sql = "INSERT INTO jobs (id, queue, kind, payload, max_attempts, run_at, state, deadline)
        SELECT gen_random_uuid(), 'embed', 'embed_passages', '{}', 5, now() - interval '90 s', state, deadline
        FROM (VALUES ('READY', NULL), ('READY', NULL), ('RUNNING', now() + interval '1 hour')) AS j (state, deadline)";
    world.sql().await.batch_execute(sql).await.unwrap();
    let mut worker = world.worker(&["--queues", "mail"]);
    eventually("the worker is ready", async || (probe(&mut worker, "readyz").await.0 == 200).then_some(()))
        .await;
    let answers = [api.get("scaler/queues/embed").await, probe(&mut worker, "scaler/queues/embed").await];
    for (status, text) in answers {
        let load: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status, 200, "{load}");
        let counts = ["queue", "value", "ready", "running"].map(|name| load[name].clone());
        assert_eq!(counts, [json!("embed"), json!(3), json!(2), json!(1)], "{load}");
        assert!(load["oldestReadySeconds"].as_u64().is_some_and(|age| (90..150).contains(&age)), "{load}");
        assert_eq!(load.as_object().map(|load| load.len()), Some(5), "and nothing else: {load}");
    }
    let (status, idle) = api.get("scaler/queues/mail").await;
    let idle: Value = serde_json::from_str(&idle).unwrap();
    assert_eq!((status, &idle["value"], &idle["oldestReadySeconds"]), (200, &json!(0), &json!(0)));
    let (status, unknown) = api.get("scaler/queues/nonsense").await;
    assert!(status == 404 && unknown.contains("NOT_FOUND"), "{status} {unknown}");
}

#[tokio::test]
async fn an_api_is_not_ready_while_the_schema_is_behind() {
    let world = world!();
    let api = world.api().await;
    assert_eq!(api.get("readyz").await.0, 200);
    let sql = world.sql().await;
    let last = "SELECT version FROM __diesel_schema_migrations ORDER BY version DESC LIMIT 1";
    let version: String = sql.query_one(last, &[]).await.unwrap().get(0);
    sql.execute("DELETE FROM __diesel_schema_migrations WHERE version = $1", &[&version]).await.unwrap();
    let (status, report) = api.get("readyz").await;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((status, &report["ready"]), (503, &json!(false)));
    assert!(report.to_string().contains("colloquy migrate"), "{report}");
    assert_eq!(api.get("livez").await.0, 200, "a restart would not help");
    sql.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ($1)", &[&version]).await.unwrap();
    assert_eq!(api.get("readyz").await.0, 200);
}

/// Where a process says that health is served.
async fn probe(process: &mut Process, path: &str) -> (u16, String) {
    let address = process
        .says("health is served", |line| {
            let told = line["message"] == "health and metrics are served";
            told.then(|| line["address"].as_str().map(str::to_owned))?
        })
        .await;
    let answer = reqwest::get(format!("http://{address}/{path}")).await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a text"))
}

#[tokio::test]
async fn processes_that_start_before_the_migration_wait_for_it_alive_and_not_ready() {
    fn here() {}
    let Some(mut world) = World::unmigrated(std::any::type_name_of_val(&here)).await else { return };
    world.set("COLLOQUY_WORKER_HEALTH_BIND", "127.0.0.1:0");
    let (mut api, mut worker) = (world.start(&["api"]), world.worker(&[]));
    for process in [&mut api, &mut worker] {
        let (status, report) = probe(process, "readyz").await;
        assert!(status == 503 && report.contains("colloquy migrate"), "{status} {report}");
        assert_eq!(probe(process, "livez").await, (200, "ok\n".to_owned()));
        assert_eq!(probe(process, "metrics").await.0, 200);
    }
    let (status, answer) = probe(&mut api, "graphql?query=%7B__typename%7D").await;
    assert!(status == 503 && answer.contains("UNAVAILABLE"), "{status} {answer}");
    let (_, missing) = probe(&mut worker, "readyz").await;
    assert!(missing.contains("\"ready\":false"), "nobody but the operator migrates: {missing}");

    world.run(&["migrate"]).await.well();
    for process in [&mut api, &mut worker] {
        eventually("it is ready by itself", async || (probe(process, "readyz").await.0 == 200).then_some(()))
            .await;
    }
    let (status, answer) = probe(&mut api, "graphql?query=%7B__typename%7D").await;
    assert!(status == 400 && answer.contains("PREFLIGHT_REQUIRED"), "ready is served: {status} {answer}");
    let api = Server::api(api).await;
    let input = json!({ "email": "ada@example.com", "password": "correct horse", "name": "Ada", "organizationName": "Ada" });
    let session = api.anonymous().change("signUp", "session { accessToken }", input).await;
    let client = api.with(session["session"]["accessToken"].as_str().expect("a token"));
    client.imported(Import { text: LINES, ..Import::default() }).await;
    let ingested = "SELECT count(*) FROM jobs WHERE kind = 'ingest_conversation' AND state = 'DONE'";
    eventually("the worker works", async || (world.number(ingested).await == 1).then_some(())).await;
}

#[tokio::test]
async fn a_watched_process_that_waits_for_the_migration_tells_that_it_lives_and_goes_with_its_watcher() {
    fn here() {}
    let Some(world) = World::unmigrated(std::any::type_name_of_val(&here)).await else { return };
    let mut command = tokio::process::Command::from(world.command(&["worker", "--supervised"]));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let leash = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..10 {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it tells").unwrap();
        assert_eq!(line.as_deref(), Some("alive "), "it has no name before it takes jobs");
    }
    drop(leash);
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
    assert!(!ended.success());
}

#[tokio::test]
async fn a_worker_takes_no_job_while_the_schema_is_behind_and_ends_at_a_signal() {
    let mut world = world!();
    world.set("COLLOQUY_WORKER_HEALTH_BIND", "127.0.0.1:0");
    let api = world.api().await;
    let input = json!({ "email": "ada@example.com", "password": "correct horse", "name": "Ada", "organizationName": "Ada" });
    let session = api.anonymous().change("signUp", "session { accessToken }", input).await;
    let client = api.with(session["session"]["accessToken"].as_str().expect("a token"));
    client.imported(Import { text: LINES, ..Import::default() }).await;
    let sql = world.sql().await;
    // As it is for a program that is newer than its database.
    sql.batch_execute("ALTER TABLE __diesel_schema_migrations RENAME TO kept").await.unwrap();
    let mut workers = [world.worker(&[]), world.worker(&[])];
    for worker in &mut workers {
        assert_eq!(probe(worker, "readyz").await.0, 503);
    }
    // Longer than a worker needs that may.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let begun = "SELECT count(*) FROM jobs WHERE attempts > 0";
    assert_eq!(world.number(begun).await, 0, "no job was taken");
    let [mut impatient, mut patient] = workers;
    impatient.signal(Signal::SIGTERM);
    assert!(impatient.ended().await.success());

    sql.batch_execute("ALTER TABLE kept RENAME TO __diesel_schema_migrations").await.unwrap();
    eventually("jobs are taken", async || (world.number(begun).await > 0).then_some(())).await;
    assert_eq!(probe(&mut patient, "readyz").await.0, 200);
}

#[tokio::test]
async fn a_start_that_cannot_go_well_says_what_to_do() {
    fn here() {}
    let Some(mut world) = World::unmigrated(std::any::type_name_of_val(&here)).await else { return };
    let migrated = world.run(&["migrate"]).await;
    assert_eq!(migrated.code, Some(0), "{migrated:#?}");
    assert_eq!(world.run(&["migrate"]).await.code, Some(0), "again is no fault");

    world.unset("COLLOQUY_SECRETS_SIGNING_KEY_FILE");
    for role in ["api", "worker"] {
        let refused = world.run(&[role]).await;
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(refused.stderr.contains("signing_key_file"), "{refused:#?}");
    }
    world.set("COLLOQUY_SECRETS_SIGNING_KEY", "short");
    let refused = world.run(&["api"]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("32"), "{refused:#?}");
    assert!(!refused.stderr.contains("short\""), "a key is not shown: {refused:#?}");
    world.set("COLLOQUY_SECRETS_SIGNING_KEY", &"k".repeat(32));

    for (variable, value, part) in [
        ("COLLOQUY_HTTP_BINT", "127.0.0.1:0", "COLLOQUY_HTTP_BINT (`http.bint`): unknown field"),
        ("COLLOQUY_NONSENSE_KEY", "1", "COLLOQUY_NONSENSE (`nonsense`): unknown field"),
        ("COLLOQUY_AUTH_SIGN_UP", "ajar", "COLLOQUY_AUTH_SIGN_UP (`auth.sign_up`): unknown variant"),
        ("COLLOQUY_EMBEDDING_MODEL", "large", "COLLOQUY_EMBEDDING_MODEL (`embedding.model`)"),
        ("COLLOQUY_HTTP_BIND", "somewhere", "COLLOQUY_HTTP_BIND (`http.bind`)"),
        ("COLLOQUY_http_live_max_operations", "many", "COLLOQUY_http_live_max_operations (`http.live.max_op"),
        ("COLLOQUY_DATABASE_URL", "mysql://secret-password@localhost/x", "database.url"),
    ] {
        let mut command = world.command(&["api"]);
        let refused = command.env(variable, value).output().unwrap();
        let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(1) && stderr.contains(part), "{variable}: {stderr}");
        assert!(!stderr.contains("secret-password"), "{stderr}");
    }
    let refused = world.run(&["worker", "--queues", "index"]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("standalone"), "{refused:#?}");
    let refused = world.run(&["api", "--config", "missing.toml"]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("missing.toml"), "{refused:#?}");
}

#[tokio::test]
async fn migrations_at_once_are_applied_once() {
    fn here() {}
    let Some(world) = World::unmigrated(std::any::type_name_of_val(&here)).await else { return };
    let migrated = futures::future::join_all((0..4).map(|_| world.run(&["migrate"]))).await;
    assert!(migrated.iter().all(|ended| ended.code == Some(0)), "{migrated:#?}");
    assert_eq!(
        world.number("SELECT count(*) - count(DISTINCT version) FROM __diesel_schema_migrations").await,
        0
    );
    assert!(world.number("SELECT count(*) FROM __diesel_schema_migrations").await > 0);
}

#[tokio::test]
async fn a_second_standalone_on_the_same_folder_says_who_is_there() {
    let world = world!();
    let server = world.standalone().await;
    let refused = world.run(&["standalone"]).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stderr.contains(&server.process.pid().to_string()), "{refused:#?}");
    assert!(refused.stderr.contains("--data-dir"), "{refused:#?}");
    assert_eq!(server.get("readyz").await.0, 200, "the first goes on");
}

#[tokio::test]
async fn every_role_ends_at_a_signal_with_its_work_done_or_given_back() {
    let world = world!();
    let mut server = world.standalone().await;
    let mut worker = world.worker(&[]);
    let mut api = world.api().await;
    for number in 0..30 {
        server.owner().imported(Import { text: &tiny(number), ..Import::default() }).await;
    }
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let began = std::time::Instant::now();
        for process in [&mut worker, &mut api.process, &mut server.process] {
            if process.has_ended().is_none() {
                process.signal(signal);
            }
        }
        for process in [&mut worker, &mut api.process, &mut server.process] {
            let status = process.ended().await;
            assert!([Some(0), Some(130)].contains(&status.code()), "{status}: {}", process.log());
            assert_eq!(children_of(process.pid()), [0; 0]);
        }
        assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
        assert_eq!(world.number("SELECT count(*) FROM jobs WHERE state = 'RUNNING'").await, 0, "{signal}");
        assert_eq!(world.number("SELECT count(*) FROM workers").await, 0, "they have signed off");
        assert!(!world.data().join("server.json").exists());
        if signal == Signal::SIGINT {
            server = world.standalone().await;
            worker = world.worker(&[]);
            api = world.api().await;
        }
    }
    let attempts = "SELECT count(*) FROM jobs WHERE attempts > 1";
    assert_eq!(world.number(attempts).await, 0, "what was given back costs no attempt");
}

#[tokio::test]
async fn a_signal_during_the_start_ends_it() {
    let mut world = world!();
    world.unset("COLLOQUY_DATABASE_URL");
    let mut starting = world.start(&["standalone"]);
    // From its first deed on.
    let lock = world.data().join("lock");
    eventually("it has begun", async || lock.exists().then_some(())).await;
    let children = eventually("it starts PostgreSQL", async || {
        Some(children_of(starting.pid())).filter(|of| !of.is_empty())
    })
    .await;
    starting.signal(Signal::SIGTERM);
    let status = starting.ended().await;
    assert!(status.success(), "{status}: {}", starting.log());
    eventually("its children end", async || children.iter().all(|child| !alive(*child)).then_some(())).await;
    let server = world.standalone().await;
    assert_eq!(server.get("readyz").await.0, 200, "the next start is none the worse");
}

#[tokio::test]
async fn private_services_start_once_and_leave_nothing_behind_however_it_ends() {
    let mut world = world!();
    world.unset("COLLOQUY_DATABASE_URL");
    world.unset("COLLOQUY_REDIS_URL");
    world.unset("COLLOQUY_SECRETS_SIGNING_KEY_FILE");
    let mut id = String::new();
    for (round, end) in [Signal::SIGTERM, Signal::SIGKILL, Signal::SIGINT].into_iter().enumerate() {
        let mut server = world.standalone().await;
        let client = server.owner();
        if round == 0 {
            id = client.imported(Import { text: LINES, ..Import::default() }).await;
            client.ready(&id).await;
        }
        let found = client.search("query: \"spreadsheet\", mode: TEXT").await;
        assert_eq!(found[0]["conversation"]["id"], id.as_str(), "round {round}");
        let children = children_of(server.process.pid());
        assert!(children.len() >= 4, "PostgreSQL and Redis with their keepers: {children:?}");
        let services = std::fs::read_to_string(world.data().join("services.json")).unwrap();
        let postgres: Value = serde_json::from_str(&services).unwrap();
        let url = postgres["database_url"].as_str().unwrap();
        assert!(url.contains("@127.0.0.1:"), "on loopback, with a password");
        let doctor = world.run(&["doctor", "--json"]).await;
        assert_eq!(doctor.code, Some(0), "{doctor:#?}");

        // As the terminal does at Ctrl-C: everybody in the group.
        server.process.signal_group(end);
        let status = server.process.ended().await;
        assert_eq!(status.code().is_none(), end == Signal::SIGKILL, "{status}");
        let gone = async || children.iter().all(|child| !alive(*child)).then_some(());
        eventually("the services have ended", gone).await;
        // The test's own end would be no proof: the group is gone before it.
        server.process.kill();
    }
}

#[tokio::test]
async fn a_standalone_starts_over_services_that_a_crash_has_just_left() {
    let mut world = world!();
    world.unset("COLLOQUY_DATABASE_URL");
    world.unset("COLLOQUY_REDIS_URL");
    let mut server = world.standalone().await;
    let id = server.owner().imported(Import { text: LINES, ..Import::default() }).await;
    let children = children_of(server.process.pid());
    server.process.kill();
    // At once, while they are still ending.
    let server = world.standalone().await;
    let data =
        server.owner().data("query($id: ID!) { conversation(id: $id) { id } }", json!({ "id": id })).await;
    assert_eq!(data["conversation"]["id"], id.as_str());
    server.owner().ready(&id).await;
    let left = children.iter().filter(|child| alive(**child)).count();
    assert_eq!(left, 0, "nobody of the first is left");
}

#[tokio::test]
async fn logs_are_json_on_a_pipe_with_ids_and_without_what_was_said() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let text = "Ada: The zwitscherkasten is my secret.\nBen: I will keep the zwitscherkasten by Friday.\n";
    let query = "mutation($text: String) { importConversation(input: { text: $text, title: \"zwitscherkasten\" }) { conversation { id } } }";
    let request = client.post().header("x-request-id", "request-from-a-proxy-7");
    let body = json!({ "query": query, "variables": { "text": text } });
    let answer = client.send(request.json(&body)).await.data();
    client.ready(answer["importConversation"]["conversation"]["id"].as_str().unwrap()).await;
    client.search("query: \"zwitscherkasten\"").await;
    let log = server.process.log();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for field in ["timestamp", "level", "message", "target"] {
            assert!(line[field].is_string(), "{field}: {line}");
        }
    }
    assert!(log.contains("request-from-a-proxy-7"), "the request is found by its id");
    assert!(!log.contains("zwitscherkasten"), "nothing that was said is in the log");
    assert!(!log.contains(&server.token), "no secret is in the log");
}

#[tokio::test]
async fn the_trace_of_a_request_is_in_its_jobs() {
    let mut world = world!();
    // Nobody listens there; spans that cannot be sent harm nothing.
    world.set("COLLOQUY_TELEMETRY_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let server = world.standalone().await;
    let client = server.owner();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = client.post().header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    let query =
        "mutation($text: String) { importConversation(input: { text: $text }) { conversation { id } } }";
    let body = json!({ "query": query, "variables": { "text": LINES } });
    let answer = client.send(request.json(&body)).await.data();
    client.ready(answer["importConversation"]["conversation"]["id"].as_str().unwrap()).await;
    client.idle().await;
    let in_trace = format!("SELECT count(*) FROM jobs WHERE traceparent LIKE '00-{trace}-%'");
    assert_eq!(world.number(&in_trace).await, 4, "the import's job and the three that follow");
}

#[tokio::test]
async fn redis_is_reached_by_tls_where_its_certificate_is_trusted() {
    let mut world = world!();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let (certificate_file, key_file) = (world.folder().join("redis.pem"), world.folder().join("redis.key"));
    std::fs::write(&certificate_file, certificate.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let (certificate_file, key_file) =
        (certificate_file.display().to_string(), key_file.display().to_string());
    let _redis = Redis::start(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate_file,
        "--tls-key-file",
        &key_file,
        "--tls-ca-cert-file",
        &certificate_file,
        "--tls-auth-clients",
        "no",
    ])
    .expect("a Redis with TLS");
    world.set("COLLOQUY_REDIS_URL", &format!("rediss://localhost:{port}/0"));
    let redis = async |world: &World| {
        let told = world.run(&["doctor", "--json"]).await;
        told.json()
            .into_iter()
            .flat_map(|line| line.as_array().cloned().unwrap_or(vec![line]))
            .find(|check| check["name"] == "redis")
            .expect("a check")
    };
    let unknown = redis(&world).await;
    assert_eq!(unknown["ok"], false, "nobody trusts a certificate that a test has made: {unknown}");
    assert!(unknown["detail"].as_str().unwrap().contains("certificate"), "{unknown}");
    world.set("SSL_CERT_FILE", &certificate_file);
    let known = redis(&world).await;
    assert_eq!(known["ok"], true, "{known}");
    let server = world.standalone().await;
    let client = server.owner();
    let id = client.imported(Import { text: LINES, ..Import::default() }).await;
    client.ready(&id).await;
    assert_eq!(server.metric("colloquy_jobs_claimed_directly_total", &[]).await, 0.0, "Redis dispatches");
}

#[tokio::test]
async fn a_demo_that_is_interrupted_at_its_start_leaves_nothing_behind() {
    let mut world = world!();
    let temporary = world.folder().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    world.set("TMPDIR", &temporary.display().to_string());
    for (ms, signal) in [
        (50, Signal::SIGINT),
        (200, Signal::SIGINT),
        (600, Signal::SIGINT),
        (1200, Signal::SIGTERM),
        (2500, Signal::SIGINT),
        (5000, Signal::SIGINT),
    ] {
        let mut demo = world.start(&["demo"]);
        tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
        let children = children_of(demo.pid());
        // As the terminal does at Ctrl-C.
        demo.signal_group(signal);
        let status = demo.ended().await;
        // Nothing is caught before anything has been made, and a tour that is over has ended well.
        let is_over = status.code() == Some(0) && demo.log().contains("Ctrl-C");
        assert!(status.code() == Some(130) || ms == 50 || is_over, "after {ms} ms: {status} {}", demo.log());
        let left: Vec<_> =
            std::fs::read_dir(&temporary).unwrap().flatten().map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "after {ms} ms: {left:?} {}", demo.log());
        let gone = async || children.iter().all(|child| !alive(*child)).then_some(());
        eventually("its servers have ended", gone).await;
        let open = children_of(1).into_iter().filter(|pid| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&*temporary.to_string_lossy())
        });
        assert_eq!(open.count(), 0, "after {ms} ms");
    }
}
