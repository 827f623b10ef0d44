//! What subscribers see: every stage once, whenever they come, wherever they listen, from wherever they resume.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Client, FULL, Import, Server, forge, parts, sample, tiny, world};

const PROGRESS: &str = "subscription($id: ID!, $after: Cursor) { conversationProgress(conversationId: $id, after: $after) {
    __typename ... on ConversationProgress { stage revision cursor failedJob { kind } conversation { id } } } }";

fn stages(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["stage"].as_str().expect("a stage")).collect()
}

/// Every stage once, IMPORTED first.
fn assert_whole(events: &[Value]) {
    let stages = stages(events);
    assert_eq!(stages.first(), Some(&"IMPORTED"), "{events:#?}");
    assert_eq!(stages.len(), 4, "{events:#?}");
    assert_eq!(BTreeSet::from_iter(stages), BTreeSet::from(FULL), "{events:#?}");
}

async fn owner(server: &Server) -> Client {
    let input = json!({ "email": "ada@example.com", "password": "correct horse", "name": "Ada", "organizationName": "Ada" });
    let session = server.anonymous().change("signUp", "session { accessToken }", input).await;
    server.with(session["session"]["accessToken"].as_str().expect("a token"))
}

async fn import(client: &Client, text: &str) -> (Value, Value) {
    let payload = client.import(Import { text, ..Import::default() }).await;
    (payload["conversation"]["id"].clone(), payload["cursor"].clone())
}

#[tokio::test]
async fn each_stage_is_told_once_with_and_without_a_cursor_and_the_subscription_completes() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let (id, cursor) = import(&client, &sample("career-advice.txt")).await;
    let mut plain = client.subscribe(PROGRESS, json!({ "id": id })).await;
    let mut from_cursor = client.subscribe(PROGRESS, json!({ "id": id, "after": cursor })).await;
    let (plain, from_cursor) = tokio::join!(plain.rest(), from_cursor.rest());
    assert_whole(&plain);
    assert_whole(&from_cursor);
    assert!(plain.iter().all(|event| event["revision"] == 1 && event["conversation"]["id"] == id));

    // Whoever comes late sees the same: from the log, or the present state.
    for after in [&Value::Null, &cursor] {
        let late = client.subscribe(PROGRESS, json!({ "id": id, "after": after })).await.rest().await;
        assert_whole(&late);
    }
    // From the last event on there is nothing left to tell.
    let last = &from_cursor[3]["cursor"];
    assert_eq!(
        client.subscribe(PROGRESS, json!({ "id": id, "after": last })).await.rest().await,
        Vec::<Value>::new()
    );
}

#[tokio::test]
async fn a_subscriber_resumes_in_the_middle_without_gap_or_repeat() {
    let world = world!();
    let mut api = world.api().await;
    let client = owner(&api).await;
    let (id, cursor) = import(&client, &tiny(1)).await;
    let mut first = client.subscribe(PROGRESS, json!({ "id": id, "after": cursor })).await;
    let imported = first.event().await;
    assert_eq!(imported["stage"], "IMPORTED");
    drop(first);
    // The server goes, and comes back together with somebody who does the work.
    api.process.signal(Signal::SIGTERM);
    api.process.ended().await;
    let server = world.standalone().await;
    let login = json!({ "email": "ada@example.com", "password": "correct horse" });
    let session = server.anonymous().change("logIn", "session { accessToken }", login).await;
    let client = server.with(session["session"]["accessToken"].as_str().unwrap());
    let mut seen = vec![imported];
    // After every event the line breaks.
    while seen.len() < 4 {
        let after = seen.last().unwrap()["cursor"].clone();
        let mut subscription = client.subscribe(PROGRESS, json!({ "id": id, "after": after })).await;
        seen.push(subscription.event().await);
    }
    assert_whole(&seen);
    let after = seen.last().unwrap()["cursor"].clone();
    assert_eq!(
        client.subscribe(PROGRESS, json!({ "id": id, "after": after })).await.rest().await,
        Vec::<Value>::new()
    );
}

#[tokio::test]
async fn two_api_processes_tell_the_same() {
    let world = world!();
    let standalone = world.standalone().await;
    let api = world.api().await;
    let (here, there) = (standalone.owner(), api.with(&standalone.token));
    let mut all_here = here
        .subscribe("subscription { jobChanged { ... on JobChange { id state cursor } } }", json!({}))
        .await;
    let mut all_there = there
        .subscribe("subscription { jobChanged { ... on JobChange { id state cursor } } }", json!({}))
        .await;
    for number in 0..5 {
        // In at one door, watched at both.
        let (id, cursor) = import(if number % 2 == 0 { &here } else { &there }, &tiny(number)).await;
        let variables = json!({ "id": id, "after": cursor });
        let mut at_one = here.subscribe(PROGRESS, variables.clone()).await;
        let mut at_other = there.subscribe(PROGRESS, variables).await;
        let (at_one, at_other) = tokio::join!(at_one.rest(), at_other.rest());
        assert_whole(&at_one);
        assert_eq!(at_one, at_other, "the same events at the same places");
    }
    here.idle().await;
    let changes = world.number("SELECT count(*) FROM events WHERE kind = 'JOB_CHANGED'").await;
    assert!(changes >= 5 * 4 * 2, "{changes}");
    for _ in 0..changes {
        assert_eq!(all_here.event().await, all_there.event().await);
    }
}

#[tokio::test]
async fn a_job_is_watched_to_its_end() {
    let world = world!();
    let mut api = world.api().await;
    let client = owner(&api).await;
    let payload = client.import(Import { text: &tiny(1), ..Import::default() }).await;
    let (job, cursor) = (&payload["jobs"][0]["id"], &payload["cursor"]);
    let query = "subscription($id: ID, $after: Cursor) { jobChanged(id: $id, after: $after) {
        ... on JobChange { id kind state cursor job { state attempts } } } }";
    let mut watched = client.subscribe(query, json!({ "id": job })).await;
    let present = watched.event().await;
    assert_eq!((&present["id"], &present["kind"]), (job, &json!("ingest_conversation")));
    assert_eq!(present["state"], "READY");
    let mut replayed = client.subscribe(query, json!({ "id": job, "after": cursor })).await;
    let mut worker = world.worker(&[]);
    let mut states = vec![];
    while states.last() != Some(&json!("DONE")) {
        states.push(watched.event().await["state"].clone());
    }
    let mut again = vec![];
    while again.last() != Some(&json!("DONE")) {
        again.push(replayed.event().await["state"].clone());
    }
    assert!(states.contains(&json!("RUNNING")), "{states:?}");
    assert!(again.ends_with(&states), "{again:?} has all of {states:?}");
    let data = client
        .data(
            "query($id: ID!) { job(id: $id) { state attempts startedAt finishedAt queue } }",
            json!({ "id": job }),
        )
        .await;
    assert_eq!((&data["job"]["state"], &data["job"]["attempts"]), (&json!("DONE"), &json!(1)));
    assert_eq!(data["job"]["queue"], "INGEST");
    worker.signal(Signal::SIGTERM);
    assert!(worker.ended().await.success());
    api.process.signal(Signal::SIGTERM);
    assert!(api.process.ended().await.success());
}

#[tokio::test]
async fn a_cursor_that_leads_nowhere_is_refused() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let (id, cursor) = import(&client, &tiny(1)).await;
    let bytes = parts(cursor.as_str().unwrap());
    let mut foreign = bytes.clone();
    foreign[4] ^= 0xff;
    let mut beyond = bytes.clone();
    let end = beyond.len();
    beyond[end - 8] = 1;
    for (bytes, code) in [(foreign, "CURSOR_EXPIRED"), (beyond, "CURSOR_EXPIRED")] {
        let mut subscription = client.subscribe(PROGRESS, json!({ "id": id, "after": forge(&bytes) })).await;
        assert_eq!(subscription.refusal().await, code);
    }
    client.ready(id.as_str().unwrap()).await;
    // What is no longer kept is told too.
    client.idle().await;
    world
        .sql()
        .await
        .batch_execute("UPDATE event_log SET trimmed = (SELECT max(position) FROM events); DELETE FROM events WHERE position IS NOT NULL")
        .await
        .unwrap();
    let mut trimmed = client.subscribe(PROGRESS, json!({ "id": id, "after": cursor })).await;
    assert_eq!(trimmed.refusal().await, "CURSOR_EXPIRED");
    assert_whole(&client.subscribe(PROGRESS, json!({ "id": id })).await.rest().await);
    for (id, code) in
        [(json!("rubbish"), "NOT_FOUND"), (json!(forge(&[b"c".as_slice(), &[7; 16]].concat())), "NOT_FOUND")]
    {
        assert_eq!(client.subscribe(PROGRESS, json!({ "id": id })).await.refusal().await, code);
    }
    let mut nobody = server.anonymous().subscribe(PROGRESS, json!({ "id": id })).await;
    assert_eq!(nobody.refusal().await, "UNAUTHENTICATED");
}
