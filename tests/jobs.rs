//! Background work on bad days: workers that are killed, a Redis that forgets everything or goes away.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Client, Import, Process, Redis, Server, World, eventually, tiny, world};

async fn owner(server: &Server) -> Client {
    let input = json!({ "email": "ada@example.com", "password": "correct horse", "name": "Ada", "organizationName": "Ada" });
    let session = server.anonymous().change("signUp", "session { accessToken }", input).await;
    server.with(session["session"]["accessToken"].as_str().expect("a token"))
}

/// Jobs that do nothing, through the whole path.
async fn probes(world: &World, jobs: usize) {
    let sql = format!(
        "INSERT INTO jobs (id, queue, kind, payload, max_attempts)
        SELECT gen_random_uuid(), 'default', 'probe', '{{}}', 5 FROM generate_series(1, {jobs})"
    );
    world.sql().await.batch_execute(&sql).await.expect("probes are written");
}

const PLAIN: &str = "state = 'DONE' AND queue NOT IN ('index', 'embed')";

async fn done(world: &World) -> i64 {
    world.number(&format!("SELECT count(*) FROM jobs WHERE {PLAIN}")).await
}

async fn until_done(world: &World, jobs: i64) {
    eventually("all jobs end", async || (done(world).await >= jobs).then_some(())).await;
}

/// Each conversation has been cut and analysed, each job has had its effect, and each effect is there once.
async fn assert_each_once(world: &World, conversations: i64) {
    let followed = "SELECT count(*) FROM (
        SELECT conversation_id, kind FROM jobs GROUP BY 1, 2 HAVING conversation_id IS NOT NULL AND count(*) = 1) once";
    assert_eq!(world.number(followed).await, 4 * conversations, "one job of each kind for each conversation");
    assert_eq!(
        world.number("SELECT count(*) FROM jobs WHERE conversation_id IS NOT NULL").await,
        4 * conversations
    );
    let analysed = "SELECT count(*) FROM (
        SELECT c.id FROM conversations c JOIN analyses a ON a.conversation_id = c.id GROUP BY 1 HAVING count(*) = 1) once";
    assert_eq!(world.number(analysed).await, conversations);
    let cut = "SELECT count(*) FROM (
        SELECT conversation_id FROM passages GROUP BY 1 HAVING count(*) = 1 AND min(ordinal) = 0) once";
    assert_eq!(world.number(cut).await, conversations);
    let told = "SELECT count(*) FROM events WHERE kind = 'PROGRESS' AND detail::text LIKE '%ANALYZED%'";
    assert_eq!(world.number(told).await, conversations, "told once");
    let lost = format!("SELECT count(*) FROM jobs WHERE queue NOT IN ('index', 'embed') AND NOT ({PLAIN})");
    assert_eq!(world.number(&lost).await, 0);
}

async fn import(client: &Client, numbers: std::ops::Range<usize>) {
    for number in numbers {
        client.imported(Import { text: &tiny(number), ..Import::default() }).await;
    }
}

fn workers(world: &World) -> [Process; 2] {
    [(); 2].map(|()| world.worker(&["--concurrency", "2"]))
}

#[tokio::test]
async fn workers_that_are_killed_in_the_middle_of_a_thousand_jobs_lose_and_double_nothing() {
    const CONVERSATIONS: usize = 100;
    const PROBES: usize = 800;
    let mut world = world!();
    world.set("COLLOQUY_WORKER_LEASE_MS", "1500");
    world.set("COLLOQUY_STEWARD_DISPATCH_DEADLINE_MS", "2000");
    let api = world.api().await;
    import(&owner(&api).await, 0..CONVERSATIONS).await;
    probes(&world, PROBES).await;
    let mut workers = workers(&world);
    let mut killed_with_work = 0;
    for (round, at) in [50, 200, 350, 500].into_iter().enumerate() {
        eventually("work is under way", async || (done(&world).await >= at).then_some(())).await;
        let worker = &mut workers[round % 2];
        // With the process of its handlers.
        worker.signal_group(Signal::SIGKILL);
        worker.kill();
        killed_with_work += world.number("SELECT count(*) FROM jobs WHERE state = 'RUNNING'").await;
        *worker = world.worker(&["--concurrency", "2"]);
    }
    assert!(killed_with_work > 0, "they were killed while they worked");
    until_done(&world, (2 * CONVERSATIONS + PROBES) as i64).await;
    assert_each_once(&world, CONVERSATIONS as i64).await;
    assert_eq!(
        world.number("SELECT count(*) FROM jobs WHERE kind = 'probe' AND state = 'DONE'").await,
        PROBES as i64
    );
}

#[tokio::test]
async fn a_redis_that_forgets_everything_loses_no_job() {
    let mut world = world!();
    let Some(redis) = Redis::start(&[]) else { return };
    world.set("COLLOQUY_REDIS_URL", &redis.url());
    world.set("COLLOQUY_STEWARD_DISPATCH_DEADLINE_MS", "1000");
    let api = world.api().await;
    let client = owner(&api).await;
    let _workers = workers(&world);
    import(&client, 0..30).await;
    assert_eq!(redis.ask("FLUSHALL").as_deref(), Some("+OK"));
    import(&client, 30..60).await;
    assert_eq!(redis.ask("FLUSHALL").as_deref(), Some("+OK"));
    probes(&world, 200).await;
    until_done(&world, 2 * 60 + 200).await;
    assert_each_once(&world, 60).await;
    // And dispatch serves again, without the fallback.
    assert_eq!(redis.ask("FLUSHALL").as_deref(), Some("+OK"));
    import(&client, 60..61).await;
    until_done(&world, 2 * 61 + 200).await;
}

#[tokio::test]
async fn without_redis_jobs_run_through_postgresql_and_with_it_again_through_redis() {
    let mut world = world!();
    let Some(mut redis) = Redis::start(&[]) else { return };
    world.set("COLLOQUY_REDIS_URL", &redis.url());
    world.set("COLLOQUY_STEWARD_DISPATCH_DEADLINE_MS", "1000");
    let standalone = world.standalone().await;
    let client = standalone.owner();
    import(&client, 0..5).await;
    client.idle().await;
    redis.stop();
    import(&client, 5..25).await;
    client.idle().await;
    let directly = standalone.metric("colloquy_jobs_claimed_directly_total", &[]).await;
    assert!(directly > 0.0, "PostgreSQL was the way");
    // The API is ready all the while, and events go on.
    assert_eq!(standalone.get("readyz").await.0, 200);
    let id = client.imported(Import { text: &tiny(99), ..Import::default() }).await;
    let progress = "subscription($id: ID!) { conversationProgress(conversationId: $id) { ... on ConversationProgress { stage } } }";
    assert_eq!(client.subscribe(progress, json!({ "id": id })).await.rest().await.len(), 4);

    assert!(redis.run(), "Redis is back on its port");
    import(&client, 30..35).await;
    client.idle().await;
    eventually("dispatch serves again", async || {
        let before = standalone.metric("colloquy_jobs_claimed_directly_total", &[]).await;
        probes(&world, 20).await;
        let probes = "SELECT count(*) FROM jobs WHERE kind = 'probe' AND state <> 'DONE'";
        eventually("the probes end", async || (world.number(probes).await == 0).then_some(())).await;
        (standalone.metric("colloquy_jobs_claimed_directly_total", &[]).await == before).then_some(())
    })
    .await;
    assert_eq!(world.number("SELECT count(*) FROM jobs WHERE state <> 'DONE'").await, 0);
}

#[tokio::test]
async fn postgresql_connections_that_break_are_made_anew() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    import(&client, 0..3).await;
    let sql = world.sql().await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for round in 0..3 {
        sql.batch_execute(cut).await.unwrap();
        // A request may fail with a code that says to try again; soon none does.
        let text = tiny(10 + round);
        eventually("an import goes through", async || {
            let query = "mutation($text: String) { importConversation(input: { text: $text }) { conversation { id } } }";
            let answer = client.ask(query, json!({ "text": text })).await;
            let code = answer.body["errors"][0]["extensions"]["code"].as_str();
            assert!(code.is_none_or(|code| code == "UNAVAILABLE"), "{answer:#?}");
            code.is_none().then_some(())
        })
        .await;
    }
    eventually("the API has recovered", async || (server.get("readyz").await.0 == 200).then_some(())).await;
    client.idle().await;
    assert_eq!(client.search("query: \"talk number\", mode: TEXT").await.len(), 6);
}

#[tokio::test]
async fn a_job_that_cannot_be_done_dies_with_its_reason_and_the_queue_goes_on() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    // A payload that is another kind's: no attempt mends it.
    world
        .sql()
        .await
        .batch_execute(
            "INSERT INTO jobs (id, organization_id, queue, kind, payload, max_attempts)
            SELECT gen_random_uuid(), (SELECT id FROM organizations), 'ingest', 'ingest_conversation', jsonb_build_object('conversation_id', gen_random_uuid()), 5",
        )
        .await
        .unwrap();
    import(&client, 0..5).await;
    let query = "{ jobs(filter: { states: [DEAD] }) { edges { node { kind attempts errors { message } } } } queues { name dead workers } }";
    let data = eventually("the job is dead", async || {
        let data = client.data(query, json!({})).await;
        (data["jobs"]["edges"].as_array().unwrap().len() == 1).then_some(data)
    })
    .await;
    let dead = &data["jobs"]["edges"][0]["node"];
    assert!(!dead["errors"].as_array().unwrap().is_empty(), "{dead:#?}");
    let ingest = data["queues"].as_array().unwrap().iter().find(|queue| queue["name"] == "INGEST").unwrap();
    assert_eq!((&ingest["dead"], &ingest["workers"]), (&json!(1), &json!(1)));
    client.idle().await;
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 5);
}

/// Handlers that end their process, hold its threads or take its memory, among such that do nothing wrong.
#[tokio::test]
async fn a_broken_handler_takes_nobody_with_it_for_good() {
    const INNOCENT: i64 = 300;
    let mut world = world!();
    world.set("COLLOQUY_WORKER_MEMORY_LIMIT_MB", "600");
    let _api = world.api().await;
    probes(&world, INNOCENT as usize / 2).await;
    let sql = "INSERT INTO jobs (id, queue, kind, payload, max_attempts)
        SELECT gen_random_uuid(), 'default', 'probe', jsonb_build_object('misdeed', misdeed), 1
        FROM unnest(ARRAY['abort', 'hog', 'panic', 'fail']) AS misdeed";
    world.sql().await.execute(sql, &[]).await.expect(sql);
    probes(&world, INNOCENT as usize / 2).await;
    let worker = world.worker(&[]);
    eventually("every job has ended", async || {
        let open = "SELECT count(*) FROM jobs WHERE state NOT IN ('DONE', 'DEAD')";
        (world.number(open).await == 0).then_some(())
    })
    .await;
    let count = async |of: &str| world.number(&format!("SELECT count(*) FROM jobs WHERE {of}")).await;
    assert_eq!(count("state = 'DONE' AND payload = '{}'").await, INNOCENT);
    assert_eq!(count("state = 'DEAD' AND payload ? 'misdeed'").await, 4);
    assert_eq!(count("state = 'DEAD' AND errors->-1->>'message' LIKE '%worker vanished%'").await, 2);
    drop(worker);
}

#[tokio::test]
async fn what_is_set_for_a_kind_of_jobs_holds_for_it_alone() {
    let mut world = world!();
    for (setting, value) in [
        ("SEND_EMAIL_ATTEMPTS", "3"),
        ("SEND_EMAIL_BACKOFF_FIRST_MS", "10"),
        ("SEND_EMAIL_BACKOFF_LONGEST_MS", "20"),
        ("PROBE_TIMEOUT_MS", "250"),
    ] {
        world.set(&format!("COLLOQUY_JOBS_KINDS_{setting}"), value);
    }
    let server = world.standalone().await;
    let client = server.owner();
    // No mail can be written where a file stands in the place of the folder.
    std::fs::write(world.data().join("mail"), "").expect("a file");
    client.change("inviteMember", "", json!({ "email": "eve@example.com", "role": "VIEWER" })).await;
    // With the usual waits this takes half a minute.
    let before = std::time::Instant::now();
    let dead = async |kind: &str| {
        let query = format!(
            "{{ jobs(filter: {{ kinds: [\"{kind}\"], states: [DEAD] }}) {{ edges {{ node {{
                attempts maxAttempts errors {{ message }} }} }} }} }}"
        );
        eventually(&format!("{kind} is dead"), async || {
            let data = client.data(&query, json!({})).await;
            data["jobs"]["edges"].as_array().and_then(|edges| Some(edges.first()?["node"].clone()))
        })
        .await
    };
    let mail = dead("send_email").await;
    assert!(before.elapsed().as_secs_f64() < 3.0, "{:?}", before.elapsed());
    assert_eq!((&mail["attempts"], &mail["maxAttempts"]), (&json!(3), &json!(3)));
    assert_eq!(mail["errors"].as_array().map(Vec::len), Some(3), "{mail}");

    let sql = "INSERT INTO jobs (id, organization_id, queue, kind, payload, max_attempts)
        SELECT gen_random_uuid(), organization_id, 'default', 'probe', '{\"misdeed\": \"sleep\"}', 1
        FROM jobs WHERE kind = 'send_email'";
    world.sql().await.batch_execute(sql).await.expect("a probe is written");
    let slow = dead("probe").await;
    assert_eq!(slow["errors"][0]["message"], "the handler took longer than 0.25 s");

    client.imported(Import { text: &tiny(0), ..Import::default() }).await;
    let others =
        world.number("SELECT max_attempts::bigint FROM jobs WHERE kind = 'ingest_conversation'").await;
    assert_eq!(others, 5);
}

#[tokio::test]
async fn a_setting_of_jobs_that_makes_no_sense_is_refused_by_its_key_and_a_good_one_is_shown() {
    let world = world!();
    let send_email = "jobs.kinds.send_email";
    for (settings, key) in [
        (&["send_email.attempts=0"][..], "attempts"),
        (&["send_email.timeout_ms=0"], "timeout_ms"),
        (&["send_email.timeout_ms=-1"], "timeout_ms"),
        (&["send_email.backoff_first_ms=10", "send_email.backoff_longest_ms=9"], "backoff_first_ms"),
        (&["send_email.backoff_longest_ms=1999"], "backoff_longest_ms"),
        (&["send_email.backoff=1"], "backoff"),
    ] {
        let mut args = vec!["config".to_owned()];
        args.extend(settings.iter().flat_map(|set| ["--set".to_owned(), format!("jobs.kinds.{set}")]));
        let ended = world.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert!(ended.code != Some(0), "{settings:?}");
        assert!(ended.stderr.contains(&format!("{send_email}.{key}")), "{settings:?}: {}", ended.stderr);
    }
    for role in ["config", "worker", "standalone"] {
        let ended = world.run(&[role, "--set", "jobs.kinds.nonsense.attempts=1"]).await;
        assert!(ended.code != Some(0) && ended.stderr.contains("jobs.kinds.nonsense"), "{}", ended.stderr);
    }
    let set = ["config", "--json", "--set", "jobs.kinds.send_email.attempts=3"];
    let shown: serde_json::Value = serde_json::from_str(&world.run(&set).await.well()).expect("JSON");
    let kinds = &shown["jobs"]["kinds"];
    assert_eq!(
        (&kinds["send_email"]["attempts"], &kinds["send_email"]["timeout_ms"]),
        (&json!(3), &json!(60_000))
    );
    assert_eq!(kinds["probe"]["attempts"], 5);
}
