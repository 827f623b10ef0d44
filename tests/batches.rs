//! Batches: planned for nothing, fed little by little, never beyond their cap, and steered while they run.

use std::{collections::BTreeSet, fs, time::Duration};

use serde_json::{Value, json};

use crate::support::{Client, Import, Server, World, eventually, tiny, world};

const BATCH: &str = "id kind state total fed done failed skipped cancelled cap reserved spent reason
    plan { conversations segments characters tokens price pricePer1000Tokens durationMs durationBasis
        impossible { reason conversations } }
    report { done failed skipped cancelled spent durationMs failures { message conversations } }";

async fn import(client: &Client, numbers: std::ops::Range<usize>) -> Vec<String> {
    let mut ids = Vec::new();
    for number in numbers {
        ids.push(client.imported(Import { text: &tiny(number), ..Import::default() }).await);
    }
    ids
}

async fn plan(client: &Client, input: Value) -> Value {
    client.change("planBatch", &format!("batch {{ {BATCH} }}"), input).await["batch"].clone()
}

async fn start(client: &Client, input: Value) -> Value {
    let select = format!("batch {{ {BATCH} }} recount {{ conversations price }} movedBy cursor");
    client.change("startBatch", &select, input).await
}

async fn steer(client: &Client, how: &str, input: Value) -> Value {
    client.change(how, &format!("batch {{ {BATCH} }}"), input).await["batch"].clone()
}

async fn batch(client: &Client, id: &Value) -> Value {
    let query = format!("query($id: ID!) {{ batch(id: $id) {{ {BATCH} }} }}");
    client.data(&query, json!({ "id": id })).await["batch"].clone()
}

/// The batch, once it is in this state.
async fn until(client: &Client, id: &Value, state: &str) -> Value {
    eventually(&format!("a batch is {state}"), async || {
        let batch = batch(client, id).await;
        (batch["state"] == state).then_some(batch)
    })
    .await
}

async fn owner(server: &Server) -> Client {
    let input = json!({ "email": "ada@example.com", "password": "correct horse", "name": "Ada", "organizationName": "Ada" });
    let session = server.anonymous().change("signUp", "session { accessToken }", input).await;
    server.with(session["session"]["accessToken"].as_str().expect("a token"))
}

/// PostgreSQL itself refuses any write by which a batch would go beyond its cap.
async fn guard_caps(world: &World) {
    let guard = "ALTER TABLE batches ADD CHECK (cap IS NULL OR spent + reserved <= cap)";
    world.sql().await.batch_execute(guard).await.expect("a check");
}

/// Conversations without bytes or jobs, as rows alone, of the only organization.
async fn rows(world: &World, conversations: usize) {
    let sql = format!(
        "WITH made AS (
            INSERT INTO conversations (id, organization_id, kind, title, content_hash, object_key, revision, report, created_at, updated_at, segment_count, characters)
            SELECT gen_random_uuid(), (SELECT id FROM organizations), 'MEETING', 'Talk ' || n, sha256(convert_to('talk ' || n, 'UTF8')),
                'rows/' || n, 1, '{{\"format\":\"NAMED_LINES\",\"cues_read\":1,\"segments\":1,\"cues_dropped\":0,\"cues_merged\":0,\"speakers\":[],\"duration_ms\":null,\"notes\":[],\"notes_omitted\":0}}', now(), now(), 1, 40
            FROM generate_series(1, {conversations}) AS n RETURNING id, organization_id
        )
        INSERT INTO segments (id, organization_id, conversation_id, sequence, text, valid_from)
        SELECT gen_random_uuid(), organization_id, id, 0, 'Forty characters of text, more or less..', 1 FROM made"
    );
    world.sql().await.batch_execute(&sql).await.expect("rows are written");
}

/// Kilobytes that a process has held at most.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test]
async fn a_priced_batch_costs_what_was_planned_and_what_stands_already_costs_nothing() {
    let mut world = world!();
    world.set("COLLOQUY_ANALYSIS_TEST_ANALYZER_PRICE", "1000");
    let server = world.standalone().await;
    guard_caps(&world).await;
    let client = server.owner();
    let ids = import(&client, 0..8).await;
    client.idle().await;

    assert_eq!(client.refused("planBatch", json!({ "kind": "REANALYZE" })).await, "EVERYTHING_IS_MEANT");
    let nothing = json!({ "kind": "REANALYZE", "filter": { "tags": ["nobody bears this"] } });
    assert_eq!(client.refused("planBatch", nothing).await, "NOTHING_TO_DO");
    let planned = plan(&client, json!({ "kind": "REANALYZE", "filter": { "conversationIds": ids }, "options": { "analyzer": "TEST_PRICED" } })).await;
    assert_eq!((&planned["state"], &planned["plan"]["conversations"]), (&json!("PLANNED"), &json!(8)));
    let characters = world.number("SELECT sum(char_length(text)) FROM segments").await;
    assert_eq!(planned["plan"]["characters"], characters);
    // A conversation's tokens are rounded up, and 1,000 tokens cost 1,000.
    let tokens = "SELECT sum(ceil(c / 4.0))::bigint FROM (SELECT sum(char_length(text)) AS c FROM segments GROUP BY conversation_id) AS s";
    let price = world.number(tokens).await;
    assert_eq!((&planned["plan"]["tokens"], &planned["plan"]["price"]), (&json!(price), &json!(price)));
    assert_eq!(
        world.number("SELECT count(*) FROM jobs WHERE batch_id IS NOT NULL").await,
        0,
        "planning does nothing"
    );

    let id = &planned["id"];
    assert_eq!(client.refused("startBatch", json!({ "batchId": id })).await, "CAP_MISSING");
    assert_eq!(
        client.refused("startBatch", json!({ "batchId": id, "cap": price - 1 })).await,
        "CAP_BELOW_ESTIMATE"
    );
    let more = import(&client, 8..9).await;
    let started = start(&client, json!({ "batchId": id, "cap": price })).await;
    assert_eq!(
        (&started["movedBy"], &started["batch"]["cap"]),
        (&json!(0), &json!(price)),
        "it names its conversations"
    );
    let again = start(&client, json!({ "batchId": id, "cap": price * 2 })).await;
    assert_eq!(
        (&again["batch"]["id"], &again["batch"]["cap"], &again["recount"]),
        (id, &json!(price), &Value::Null)
    );

    let done = until(&client, id, "DONE").await;
    assert_eq!((&done["done"], &done["spent"], &done["reserved"]), (&json!(8), &json!(price), &json!(0)));
    assert_eq!((&done["report"]["done"], &done["report"]["spent"]), (&json!(8), &json!(price)));
    // The new analysis is shown; the old one is kept.
    let query = "query($id: ID!) { conversation(id: $id) { analysis { analyzer } } }";
    for id in &ids {
        let data = client.data(query, json!({ "id": id })).await;
        assert_eq!(data["conversation"]["analysis"]["analyzer"], "test-priced");
    }
    client.ready(&more[0]).await;
    assert_eq!(world.number("SELECT count(*) FROM analyses WHERE analyzer = 'extractive'").await, 9);

    // Everything, with one that is new: only that one is paid for.
    let planned =
        plan(&client, json!({ "kind": "REANALYZE", "all": true, "options": { "analyzer": "TEST_PRICED" } }))
            .await;
    let price = &planned["plan"]["price"];
    start(&client, json!({ "batchId": planned["id"], "cap": price })).await;
    let done = until(&client, &planned["id"], "DONE").await;
    assert_eq!((&done["done"], &done["skipped"]), (&json!(1), &json!(8)));
    assert!(done["spent"].as_i64() < price.as_i64() && done["reserved"] == 0, "{done:#?}");
}

#[tokio::test]
async fn a_cap_binds_to_the_last_conversation_that_it_holds_and_a_higher_one_goes_on() {
    let mut world = world!();
    world.set("COLLOQUY_ANALYSIS_TEST_ANALYZER_PRICE", "1000000");
    let server = world.standalone().await;
    guard_caps(&world).await;
    let client = server.owner();
    import(&client, 10..40).await;
    client.idle().await;
    let planned =
        plan(&client, json!({ "kind": "REANALYZE", "all": true, "options": { "analyzer": "TEST_PRICED" } }))
            .await;
    let (id, price) = (&planned["id"], planned["plan"]["price"].as_i64().expect("a price"));
    // These talks are of one length, so of one price.
    let each = price / 30;
    assert_eq!(each * 30, price);
    let cap = each * 11 + each - 1;
    let started = json!({ "batchId": id, "cap": cap, "acceptPartial": true });
    start(&client, started).await;
    let stopped = until(&client, id, "STOPPED").await;
    assert_eq!(
        (&stopped["done"], &stopped["spent"], &stopped["reserved"]),
        (&json!(11), &json!(each * 11), &json!(0))
    );
    assert!(stopped["reason"].as_str().expect("a reason").contains("higher cap"), "{stopped:#?}");
    assert_eq!(world.number("SELECT count(*) FROM jobs WHERE batch_id IS NOT NULL").await, 11);

    assert_eq!(client.refused("resumeBatch", json!({ "batchId": id, "cap": each })).await, "CAP_BELOW_SPENT");
    steer(&client, "resumeBatch", json!({ "batchId": id, "cap": each * 30 })).await;
    let done = until(&client, id, "DONE").await;
    assert_eq!((&done["done"], &done["spent"]), (&json!(30), &json!(price)));
    assert_eq!(world.number("SELECT count(*) FROM analyses WHERE analyzer = 'test-priced'").await, 30);
}

#[tokio::test]
async fn a_hundred_thousand_conversations_are_planned_and_fed_in_little_memory_and_short_statements() {
    const CONVERSATIONS: usize = 100_000;
    const FED: u64 = 20_000;
    let mut world = world!();
    world.set("COLLOQUY_DATABASE_STATEMENT_TIMEOUT_MS", "3000");
    let api = world.api().await;
    let client = owner(&api).await;
    rows(&world, CONVERSATIONS).await;
    // More together than `Int` holds.
    let long = "UPDATE conversations SET characters = 400000";
    world.sql().await.batch_execute(long).await.expect("they are long");
    let before = peak(api.process.pid());
    let planned = plan(&client, json!({ "kind": "PURGE", "all": true })).await;
    assert_eq!(planned["plan"]["conversations"], CONVERSATIONS);
    assert_eq!(
        (&planned["plan"]["tokens"], &planned["plan"]["price"]),
        (&json!(CONVERSATIONS * 100_000), &json!(0))
    );
    let id = &planned["id"];
    start(&client, json!({ "batchId": id })).await;
    // Nobody works here; the test ends the jobs, as many at a time as there are.
    let end = "WITH ended AS (DELETE FROM jobs WHERE batch_id IS NOT NULL RETURNING conversation_id),
        kept AS (INSERT INTO seen SELECT conversation_id FROM ended)
        UPDATE batches SET done = done + (SELECT count(*) FROM ended)";
    let sql = world.sql().await;
    sql.batch_execute("CREATE TABLE seen (id uuid)").await.unwrap();
    let mut most = 0;
    eventually("a fifth is fed", async || {
        for _ in 0..20 {
            let waiting: i64 = sql.query_one("SELECT count(*) FROM jobs", &[]).await.unwrap().get(0);
            most = most.max(waiting);
            sql.batch_execute(end).await.unwrap();
        }
        (batch(&client, id).await["done"].as_u64() >= Some(FED)).then_some(())
    })
    .await;
    assert!((500..=1000).contains(&most), "{most} jobs stood in the ledger at once");
    let seen = world.number("SELECT count(DISTINCT id) FROM seen").await;
    assert_eq!(seen, world.number("SELECT count(*) FROM seen").await, "none was fed twice");
    assert_eq!(seen, world.number("SELECT done FROM batches").await);
    // In the order of ids none was left out.
    let passed =
        "SELECT count(*) FROM conversations WHERE id <= (SELECT id FROM seen ORDER BY id DESC LIMIT 1)";
    assert_eq!(seen, world.number(passed).await);
    let grown = peak(api.process.pid()) - before;
    assert!(grown < 40_000, "{grown} kB more than before");
}

#[tokio::test]
async fn what_waits_is_held_while_paused_goes_on_when_resumed_and_a_restart_doubles_nothing() {
    const CONVERSATIONS: i64 = 1_100;
    const BY_HAND: i64 = 850;
    let mut world = world!();
    world.set("COLLOQUY_WORKER_LEASE_MS", "1500");
    world.set("COLLOQUY_WORKER_CONCURRENCY_BATCH", "8");
    world.set("COLLOQUY_STEWARD_DISPATCH_DEADLINE_MS", "1000");
    let mut api = world.api().await;
    let client = owner(&api).await;
    rows(&world, CONVERSATIONS as usize).await;
    let planned = plan(&client, json!({ "kind": "REANALYZE", "all": true })).await;
    let id = &planned["id"];
    for how in ["pauseBatch", "resumeBatch", "retryBatchFailures"] {
        let outcome = steer_or_code(&client, how, id).await;
        assert!(outcome == "BATCH_STATE" || outcome == "PLANNED", "{how}: {outcome}");
    }
    start(&client, json!({ "batchId": id })).await;
    let jobs =
        |state: &str| format!("SELECT count(*) FROM jobs WHERE batch_id IS NOT NULL AND state IN ({state})");
    const WAITS: &str = "'READY'";
    eventually("the window is full", async || (world.number(&jobs(WAITS)).await == 1000).then_some(())).await;
    let paused = steer(&client, "pauseBatch", json!({ "batchId": id })).await;
    assert_eq!(paused["state"], "PAUSED");
    assert_eq!(steer(&client, "pauseBatch", json!({ "batchId": id })).await["state"], "PAUSED");
    eventually("all are held", async || (world.number(&jobs(WAITS)).await == 0).then_some(())).await;

    // A restart in the middle; a worker finds nothing to do.
    api.process.kill();
    let server = world.standalone().await;
    let login = json!({ "email": "ada@example.com", "password": "correct horse" });
    let session = server.anonymous().change("logIn", "session { accessToken }", login).await;
    let client = server.with(session["session"]["accessToken"].as_str().unwrap());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.number(&jobs("'WAITING'")).await, 1000);
    // Most are ended by hand, to be quick; the last hundred have yet to be fed.
    let end = format!(
        "WITH ended AS (DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE batch_id IS NOT NULL LIMIT {BY_HAND}) RETURNING 1)
        UPDATE batches SET done = done + (SELECT count(*) FROM ended)"
    );
    world.sql().await.batch_execute(&end).await.expect("jobs end");
    steer(&client, "resumeBatch", json!({ "batchId": id })).await;
    assert_eq!(steer(&client, "resumeBatch", json!({ "batchId": id })).await["state"], "RUNNING");
    eventually("some are done", async || {
        (batch(&client, id).await["done"].as_i64() > Some(BY_HAND + 20)).then_some(())
    })
    .await;
    let mut server = server;
    server.process.kill();
    let server = world.standalone().await;
    let client = server.with(session["session"]["accessToken"].as_str().unwrap());
    let done = until(&client, id, "DONE").await;
    assert_eq!(
        (&done["done"], &done["failed"], &done["fed"]),
        (&json!(CONVERSATIONS), &json!(0), &json!(CONVERSATIONS))
    );
    assert_eq!(
        world.number("SELECT count(DISTINCT conversation_id) FROM jobs WHERE batch_id IS NOT NULL").await,
        CONVERSATIONS - BY_HAND
    );
    assert_eq!(world.number(&jobs("'DONE'")).await, CONVERSATIONS - BY_HAND);
    assert_eq!(world.number("SELECT count(*) FROM analyses").await, CONVERSATIONS - BY_HAND);
    assert_eq!(steer_or_code(&client, "cancelBatch", id).await, "BATCH_STATE");
}

/// The state after it, or the code of what is against it.
async fn steer_or_code(client: &Client, how: &str, id: &Value) -> String {
    let kind = format!("{}{}Input", how[..1].to_uppercase(), &how[1..]);
    let query = format!(
        "mutation($input: {kind}!) {{ {how}(input: $input) {{ batch {{ state }} userErrors {{ code }} }} }}"
    );
    let payload = client.data(&query, json!({ "input": { "batchId": id } })).await[how].clone();
    let (state, code) = (&payload["batch"]["state"], &payload["userErrors"][0]["code"]);
    state.as_str().or(code.as_str()).expect("a state or a code").to_owned()
}

#[tokio::test]
async fn cancelling_ends_what_waits_gives_back_what_was_held_back_and_tells_its_watchers() {
    let mut world = world!();
    world.set("COLLOQUY_ANALYSIS_TEST_ANALYZER_PRICE", "1000");
    let api = world.api().await;
    guard_caps(&world).await;
    let client = owner(&api).await;
    rows(&world, 1_500).await;
    let planned =
        plan(&client, json!({ "kind": "REANALYZE", "all": true, "options": { "analyzer": "TEST_PRICED" } }))
            .await;
    let (id, price) = (&planned["id"], &planned["plan"]["price"]);
    assert_eq!(price, 15_000);
    let started = start(&client, json!({ "batchId": id, "cap": price })).await;
    const PROGRESS: &str =
        "subscription($id: ID!, $after: Cursor) { batchProgress(batchId: $id, after: $after) {
        __typename ... on BatchProgress { state total done cancelled spent rate secondsLeft cursor } } }";
    let mut live = client.subscribe(PROGRESS, json!({ "id": id })).await;
    let reserved = "SELECT reserved FROM batches";
    eventually("the window is fed", async || (world.number(reserved).await == 10_000).then_some(())).await;
    assert!(["CANCELLING", "CANCELLED"].contains(&steer_or_code(&client, "cancelBatch", id).await.as_str()));
    let cancelled = until(&client, id, "CANCELLED").await;
    assert_eq!(
        (&cancelled["cancelled"], &cancelled["reserved"], &cancelled["spent"]),
        (&json!(1000), &json!(0), &json!(0))
    );
    assert_eq!(world.number("SELECT count(*) FROM jobs WHERE state <> 'CANCELLED'").await, 0);
    assert_eq!(steer_or_code(&client, "cancelBatch", id).await, "CANCELLED");
    assert_eq!(steer_or_code(&client, "resumeBatch", id).await, "BATCH_STATE");
    assert_eq!(steer_or_code(&client, "startBatch", id).await, "BATCH_STATE", "it is not a batch that runs");

    let events = live.rest().await;
    let last = events.last().expect("events");
    assert_eq!(
        (&last["state"], &last["cancelled"], &last["total"]),
        (&json!("CANCELLED"), &json!(1000), &json!(1500))
    );
    let cursors: BTreeSet<&str> = events.iter().filter_map(|event| event["cursor"].as_str()).collect();
    assert_eq!(cursors.len(), events.len(), "each has a place of its own");
    // From the start on, and from the end on.
    let replayed =
        client.subscribe(PROGRESS, json!({ "id": id, "after": started["cursor"] })).await.rest().await;
    assert_eq!(replayed.last(), Some(last));
    let after = client.subscribe(PROGRESS, json!({ "id": id, "after": last["cursor"] })).await.rest().await;
    assert_eq!(after, Vec::<Value>::new());
}

#[tokio::test]
async fn only_what_failed_runs_again_and_a_reimport_writes_a_revision_only_where_the_transcript_differs() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let ids = import(&client, 0..6).await;
    client.idle().await;
    let sql = world.sql().await;
    // One was read by other rules, and the bytes of two are gone.
    let id_of = |number: usize| {
        format!("(SELECT conversation_id FROM segments WHERE text LIKE '%talk number {number}.' LIMIT 1)")
    };
    sql.batch_execute(&format!(
        "UPDATE segments SET text = 'as it was read once' WHERE conversation_id = {0} AND sequence = 1;
        UPDATE participants SET label = 'Then' WHERE conversation_id = {0} AND label = 'Ben'",
        id_of(0)
    ))
    .await
    .unwrap();
    let mut lost = Vec::new();
    for number in [1, 2] {
        let key: String = sql
            .query_one(&format!("SELECT object_key FROM conversations WHERE id = {}", id_of(number)), &[])
            .await
            .unwrap()
            .get(0);
        let path = world.data().join("objects").join(key);
        lost.push((path.clone(), fs::read(&path).expect("the bytes")));
        fs::remove_file(path).expect("they are removed");
    }
    let planned = plan(&client, json!({ "kind": "REIMPORT", "all": true })).await;
    assert_eq!(planned["plan"]["impossible"][0]["conversations"], 2, "{planned:#?}");
    let id = &planned["id"];
    start(&client, json!({ "batchId": id })).await;
    let done = until(&client, id, "DONE").await;
    assert_eq!(
        (&done["done"], &done["skipped"], &done["failed"]),
        (&json!(1), &json!(3), &json!(2)),
        "{done:#?}"
    );
    let failures = &done["report"]["failures"];
    assert_eq!(failures[0]["conversations"], 2, "{failures:#?}");
    assert!(failures[0]["message"].as_str().expect("a message").contains("bytes are gone"));
    let query = "query($id: ID!) { conversation(id: $id) { revision progress { stage } segments(first: 5) { edges { node { text } } }
        participants { label } analysis { measures { participants { participant { label } } } } } }";
    client.ready(&ids[0]).await;
    let data = client.data(query, json!({ "id": ids[0] })).await;
    assert_eq!(data["conversation"]["revision"], 2);
    // Who spoke as it was read once does not speak any more.
    let [ada, ben] = [json!({ "label": "Ada" }), json!({ "label": "Ben" })];
    assert_eq!(data["conversation"]["participants"], json!([ada, ben]));
    assert_eq!(
        data["conversation"]["analysis"]["measures"]["participants"],
        json!([{ "participant": ada }, { "participant": ben }])
    );
    assert!(
        data["conversation"]["segments"]["edges"][1]["node"]["text"]
            .as_str()
            .unwrap()
            .contains("notes of talk 0")
    );
    // What a batch could not do is no failure of the conversation.
    client.ready(&ids[1]).await;

    for (path, bytes) in &lost {
        fs::write(path, bytes).expect("they are back");
    }
    steer(&client, "retryBatchFailures", json!({ "batchId": id })).await;
    let done = until(&client, id, "DONE").await;
    assert_eq!(
        (&done["done"], &done["skipped"], &done["failed"]),
        (&json!(1), &json!(5), &json!(0)),
        "{done:#?}"
    );
    assert_eq!(done["report"]["failures"], json!([]));
    let runs = "SELECT count(*) FROM events WHERE kind = 'JOB_CHANGED' AND detail->>'kind' = 'reimport_conversation' AND detail->>'state' = 'RUNNING'";
    assert_eq!(world.number(runs).await, 8, "six, and two again");
    assert_eq!(
        steer(&client, "retryBatchFailures", json!({ "batchId": id })).await["state"],
        "DONE",
        "nothing is left"
    );
    let more = json!({ "batchId": id, "cap": 5 });
    assert_eq!(
        client.refused("retryBatchFailures", more).await,
        "NOTHING_FAILED",
        "the cap is not forgotten"
    );
}

#[tokio::test]
async fn conversations_are_exported_whole_and_purged_for_good_and_what_is_not_possible_is_said() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let kept = import(&client, 0..1).await;
    let talk = Import { text: &tiny(1), title: Some("Pay talk"), tags: &["pay"], ..Import::default() };
    let gone = client.imported(talk).await;
    client.idle().await;
    let planned =
        plan(&client, json!({ "kind": "EXPORT", "filter": { "tags": ["PAY"], "titleContains": "pay" } }))
            .await;
    assert_eq!(planned["plan"]["conversations"], 1);
    start(&client, json!({ "batchId": planned["id"], "perMinute": 600 })).await;
    let done = until(&client, &planned["id"], "DONE").await;
    assert_eq!(done["done"], 1);
    let exports: Vec<_> =
        world.objects().into_iter().filter(|path| path.to_string_lossy().contains("/exports/")).collect();
    assert_eq!(exports.len(), 1);
    let conversation = exports[0].parent().and_then(|folder| folder.file_name()).expect("a folder");
    let id: String = world
        .sql()
        .await
        .query_one("SELECT id::text FROM conversations WHERE title = 'Pay talk'", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(conversation.to_str(), Some(id.as_str()), "its exports stand together");
    let exported: Value = serde_json::from_slice(&fs::read(&exports[0]).unwrap()).unwrap();
    assert_eq!(
        (&exported["title"], &exported["tags"], &exported["segments"][0]["speaker"]),
        (&json!("Pay talk"), &json!(["pay"]), &json!("Ada"))
    );
    assert_eq!(exported["segments"].as_array().unwrap().len(), 2);

    let planned = plan(&client, json!({ "kind": "PURGE", "filter": { "tags": ["pay"] } })).await;
    start(&client, json!({ "batchId": planned["id"] })).await;
    until(&client, &planned["id"], "DONE").await;
    assert!(!exports[0].exists(), "what was exported of it goes with it");
    let query = "query($id: ID!) { conversation(id: $id) { id } }";
    assert_eq!(client.data(query, json!({ "id": gone })).await["conversation"], Value::Null);
    assert_eq!(client.data(query, json!({ "id": kept[0] })).await["conversation"]["id"], kept[0]);
    client.idle().await;
    assert!(client.titles("query: \"talk\", mode: TEXT").await.iter().all(|title| title != "Pay talk"));

    let priced = json!({ "kind": "REANALYZE", "all": true, "options": { "analyzer": "TEST_PRICED" } });
    assert_eq!(client.refused("planBatch", priced).await, "ANALYZER_UNAVAILABLE", "it is off by default");
    let query = "{ batches(first: 1) { edges { node { kind } } pageInfo { hasNextPage } } }";
    let listed = client.data(query, json!({})).await;
    assert_eq!(listed["batches"]["edges"][0]["node"]["kind"], "PURGE");
    assert_eq!(listed["batches"]["pageInfo"]["hasNextPage"], true);
}

#[tokio::test]
async fn a_purge_leaves_what_was_taken_out_of_its_filter_while_it_waited() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let mut ids = Vec::new();
    for number in 0..3 {
        let talk = Import { text: &tiny(number), tags: &["old"], ..Import::default() };
        ids.push(client.imported(talk).await);
    }
    client.idle().await;
    client.change("pauseQueue", "", json!({ "queue": "BATCH" })).await;
    let planned = plan(&client, json!({ "kind": "PURGE", "filter": { "tags": ["OLD"] } })).await;
    let id = &planned["id"];
    start(&client, json!({ "batchId": id })).await;
    eventually("all have a job", async || (batch(&client, id).await["fed"] == 3).then_some(())).await;
    steer(&client, "pauseBatch", json!({ "batchId": id })).await;
    client.change("untagConversation", "", json!({ "id": ids[1], "tags": ["old"] })).await;
    steer(&client, "resumeBatch", json!({ "batchId": id })).await;
    client.change("resumeQueue", "", json!({ "queue": "BATCH" })).await;
    let done = until(&client, id, "DONE").await;
    assert_eq!((&done["done"], &done["skipped"], &done["failed"]), (&json!(2), &json!(1), &json!(0)));
    let query = "{ conversations { edges { node { id } } } }";
    let left = client.data(query, json!({})).await;
    assert_eq!(left["conversations"]["edges"], json!([{ "node": { "id": ids[1] } }]));
}

#[tokio::test]
async fn a_pace_is_kept_and_batches_are_for_administrators() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    import(&client, 0..30).await;
    client.idle().await;
    let planned = plan(&client, json!({ "kind": "EXPORT", "all": true })).await;
    start(&client, json!({ "batchId": planned["id"], "perMinute": 240 })).await;
    let done = until(&client, &planned["id"], "DONE").await;
    // The first two seconds' worth may come at once; at half the pace it would be thirteen seconds.
    let took = done["report"]["durationMs"].as_i64().expect("a duration");
    assert!((5_000..11_500).contains(&took), "30 at 240 a minute took {took} ms");

    let key = client.change("createApiKey", "secret", json!({ "name": "reader", "role": "MEMBER" })).await;
    let member = server.with(key["secret"].as_str().expect("a secret"));
    for query in [
        "{ batches { edges { node { id } } } }",
        "mutation { planBatch(input: { kind: PURGE, all: true }) { batch { id } } }",
    ] {
        assert_eq!(member.ask(query, json!({})).await.code(), "FORBIDDEN", "{query}");
    }
}

#[tokio::test]
async fn a_batch_is_planned_started_watched_and_listed_from_the_shell() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    import(&client, 0..3).await;
    client.idle().await;
    let refused = world.run(&["batch", "plan", "export"]).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stderr.contains("EVERYTHING_IS_MEANT"), "{refused:#?}");
    let planned = world.run(&["batch", "plan", "export", "--all", "--json"]).await.json();
    assert_eq!((&planned[0]["state"], &planned[0]["plan"]["conversations"]), (&json!("PLANNED"), &json!(3)));
    let id = planned[0]["id"].as_str().expect("an id");
    let shown = world.run(&["batch", "show", id]).await.well();
    assert!(shown.contains("3 conversations") && shown.contains("nothing is done yet"), "{shown}");
    let watched = world.run(&["batch", "start", id, "--cap", "0.5", "--watch", "--json"]).await;
    assert_eq!(watched.code, Some(0), "{watched:#?}");
    let last = watched.json().pop().expect("a line");
    assert_eq!((&last["state"], &last["done"], &last["cap"]), (&json!("DONE"), &json!(3), &json!(500_000)));
    let over = world.run(&["batch", "pause", id]).await;
    assert_eq!((over.code, over.stderr.contains("the batch is done")), (Some(1), true), "{over:#?}");
    let listed = world.run(&["batch", "list"]).await.well();
    assert!(listed.contains(id) && listed.contains("3 done"), "{listed}");
    assert_eq!(world.run(&["batch", "retry", id]).await.code, Some(0), "nothing failed, nothing to do");
}
