//! Subscriptions as they are for clients of other kinds: over server-sent events, and too slow for what happens.

use serde_json::{Value, json};

use crate::support::{Import, eventually, parts, tiny, world};

/// The place in the log that a cursor names.
fn position(event: &Value) -> i64 {
    let bytes = parts(event["cursor"].as_str().expect("a cursor"));
    i64::from_be_bytes(bytes[bytes.len() - 8..].try_into().expect("eight bytes"))
}

#[tokio::test]
async fn server_sent_events_tell_every_stage_and_resume_from_a_cursor() {
    const PROGRESS: &str = "subscription($id: ID!, $after: Cursor) {
        conversationProgress(conversationId: $id, after: $after) {
            ... on ConversationProgress { stage cursor conversation { id } } } }";
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let payload = client.import(Import { text: &tiny(1), ..Import::default() }).await;
    let (id, cursor) = (&payload["conversation"]["id"], &payload["cursor"]);
    for path in ["graphql", "graphql/stream"] {
        let events = client.stream(path, PROGRESS, json!({ "id": id, "after": cursor })).await;
        let reached: Vec<&Value> =
            events.iter().map(|event| &event["data"]["conversationProgress"]).collect();
        assert_eq!(reached.len(), 4, "{events:#?}");
        assert_eq!(reached[0]["stage"], "IMPORTED");
        assert!(reached.iter().all(|event| event["conversation"]["id"] == *id), "{events:#?}");
        let middle = &reached[1]["cursor"];
        let rest = client.stream(path, PROGRESS, json!({ "id": id, "after": middle })).await;
        assert_eq!(rest, events[2..], "from the middle on");
    }
    // An error is an event too: clients of streams look nowhere else.
    let refused = client.stream("graphql", PROGRESS, json!({ "id": "nonsense" })).await;
    assert_eq!(refused[0]["errors"][0]["extensions"]["code"], "NOT_FOUND", "{refused:#?}");
}

/// Many words about each change, so that what lies in sockets is soon full.
fn wordy() -> String {
    let words: String = (0..40).map(|n| format!(" again{n}: cursor")).collect();
    format!(
        "subscription($after: Cursor) {{ jobChanged(after: $after) {{ __typename
            ... on JobChange {{ id cursor{words} }} ... on Lagged {{ cursor }} }} }}"
    )
}

#[tokio::test]
async fn a_client_that_is_too_slow_is_told_from_where_to_resume_and_loses_nothing() {
    let world = world!();
    let server = world.standalone().await;
    let client = server.owner();
    let id = client.imported(Import { text: &tiny(1), ..Import::default() }).await;
    client.ready(&id).await;
    client.idle().await;
    let head = world.number("SELECT max(position) FROM events").await;
    let mut slow = client.subscribe_slowly(&wordy()).await;
    // What it has taken says that it follows; then it takes nothing while far more happens than is kept for it.
    client.import(Import { text: &tiny(2), ..Import::default() }).await;
    let mut seen = vec![position(&slow.event().await)];
    world
        .sql()
        .await
        .batch_execute(
            "INSERT INTO events (organization_id, kind, conversation_id, job_id, detail)
            SELECT e.organization_id, e.kind, e.conversation_id, e.job_id, e.detail
            FROM (SELECT * FROM events WHERE kind = 'JOB_CHANGED' ORDER BY sequence LIMIT 1) AS e,
                generate_series(1, 12000)",
        )
        .await
        .unwrap();
    eventually("all is numbered", async || {
        (world.number("SELECT count(*) FROM events WHERE position IS NULL").await == 0).then_some(())
    })
    .await;
    // For the reader of the log to have told them all: somebody who is not slow has seen the last.
    client.idle().await;
    let last = world.number("SELECT max(position) FROM events WHERE kind = 'JOB_CHANGED'").await;
    let mut lagged = loop {
        let event = slow.event().await;
        if event["__typename"] == "Lagged" {
            break event;
        }
        seen.push(position(&event));
    };
    assert_eq!(slow.rest().await, Vec::<Value>::new(), "the subscription ends there");
    assert!(seen.len() < 12_000, "it was told {} events before", seen.len());
    assert!(position(&lagged) >= *seen.last().unwrap(), "{lagged}");
    while *seen.last().unwrap() < last {
        let after = json!({ "after": lagged["cursor"] });
        let mut resumed = client.subscribe(&wordy(), after).await;
        loop {
            let event = resumed.event().await;
            if event["__typename"] == "Lagged" {
                lagged = event;
                break;
            }
            seen.push(position(&event));
            if *seen.last().unwrap() == last {
                break;
            }
        }
    }
    let sql = "SELECT position FROM events WHERE kind = 'JOB_CHANGED' AND position > $1 ORDER BY position";
    let rows = world.sql().await.query(sql, &[&head]).await.unwrap();
    let there: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    assert!(there.len() > 12_000);
    assert_eq!(seen, there, "every event once, in order");
}
