//! Event streams: the distinct-connections mode of GraphQL over SSE.

use std::{sync::atomic::Ordering, time::Duration};

use futures::StreamExt;
use serde_json::json;

use crate::support::{TestServer, answer, code, eventually};

async fn text(request: reqwest::RequestBuilder) -> String {
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    response.text().await.expect("text")
}

fn stream(server: &TestServer, query: &str) -> reqwest::RequestBuilder {
    server.ask(query).header("accept", "text/event-stream")
}

const COUNTED: &str = "event: next\ndata: {\"data\":{\"count\":1}}\n\n\
                       event: next\ndata: {\"data\":{\"count\":2}}\n\n\
                       event: complete\ndata:\n\n";

#[tokio::test]
async fn a_subscription_is_a_stream_of_events_with_an_end() {
    let server = TestServer::start().await;
    let query = "subscription{count(to:2)}";
    assert_eq!(text(stream(&server, query)).await, COUNTED);
    let own_path = server.client.post(server.url("/graphql/stream")).json(&json!({ "query": query }));
    assert_eq!(text(own_path).await, COUNTED);
    let get = server.client.get(server.url("/graphql/stream?query=subscription%7Bcount(to:2)%7D"));
    assert_eq!(text(get.header("graphql-require-preflight", "1")).await, COUNTED);
}

#[tokio::test]
async fn queries_mutations_and_refusals_are_events_too() {
    let server = TestServer::start().await;
    let hello = text(stream(&server, "{hello}")).await;
    assert!(hello.starts_with("event: next\ndata: {\"data\":{\"hello\":\"world\"}"), "{hello}");
    assert!(hello.ends_with("event: complete\ndata:\n\n"), "{hello}");
    assert!(text(stream(&server, "mutation{slow(ms:0)}")).await.contains("{\"slow\":0}"));
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{nothing}", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription{nothing}", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription{forbidden}", "FORBIDDEN"),
        ("{panics}", "INTERNAL"),
        ("subscription{panics}", "INTERNAL"),
    ] {
        let text = text(stream(&server, query)).await;
        assert!(text.contains(code) && text.ends_with("event: complete\ndata:\n\n"), "{query}: {text}");
    }
}

#[tokio::test]
async fn what_a_resolver_rendered_cannot_break_an_event() {
    let server = TestServer::start().await;
    let text = text(stream(&server, "{readyMade}")).await;
    assert!(
        text.starts_with("event: next\ndata: {\"data\":{\"readyMade\":[{\"id\":1}, {\"id\":2}]}"),
        "{text}"
    );
}

#[tokio::test]
async fn the_same_doors_are_shut() {
    let server = TestServer::start().await;
    let (status, body) = answer(stream(&server, "{hello}").bearer_auth("bad")).await;
    assert_eq!((status, code(&body)), (401, "UNAUTHENTICATED"));
    let get = server.client.get(server.url("/graphql/stream?query=%7Bhello%7D"));
    let (status, body) = answer(get).await;
    assert_eq!((status, code(&body)), (400, "PREFLIGHT_REQUIRED"));
}

#[tokio::test]
async fn comments_keep_a_quiet_stream_open_and_its_client_ends_it() {
    let server = TestServer::with(|settings| settings.live.ping_interval_ms = 50).await;
    let response = stream(&server, "subscription{silence}").send().await.expect("an answer");
    let mut bytes = response.bytes_stream();
    let mut seen = String::new();
    while seen.matches(":\n\n").count() < 2 {
        let chunk = bytes.next().await.expect("more").expect("bytes");
        seen.push_str(std::str::from_utf8(&chunk).expect("text"));
    }
    assert!(seen.starts_with("event: next\ndata: {\"data\":{\"silence\":0}}\n\n:\n\n"), "{seen}");
    drop(bytes);
    eventually("the stream's end", || server.seen.streams_dropped.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_credential() {
    let server = TestServer::start().await;
    let text = text(stream(&server, "subscription{silence}").bearer_auth("brief")).await;
    assert!(text.contains("UNAUTHENTICATED") && text.ends_with("event: complete\ndata:\n\n"), "{text}");
}

#[tokio::test]
async fn live_connections_are_bounded() {
    let server = TestServer::with(|settings| settings.live.max_connections = 1).await;
    let first = stream(&server, "subscription{silence}").send().await.expect("an answer");
    let (status, body) = answer(stream(&server, "{hello}")).await;
    assert_eq!((status, code(&body)), (503, "TOO_MANY_CONNECTIONS"));
    drop(first);
    eventually("the stream's end", || server.seen.streams_dropped.load(Ordering::SeqCst) == 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(text(stream(&server, "{hello}")).await.contains("world"));
}

#[tokio::test]
async fn a_slow_reader_is_not_read_ahead_for() {
    let server = TestServer::start().await;
    let response = stream(&server, "subscription{flood}").send().await.expect("an answer");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let events = server.seen.events.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Socket buffers hold some megabytes; after that nothing moves.
    assert_eq!(server.seen.events.load(Ordering::SeqCst), events);
    drop(response);
}

#[tokio::test]
async fn a_stream_is_cut_when_the_server_ends() {
    let server = TestServer::start().await;
    let response = stream(&server, "subscription{silence}").send().await.expect("an answer");
    server.shutdown.cancel();
    let text = response.text().await.expect("a clean end");
    assert!(!text.contains("complete"), "{text}");
    server.served.await.expect("a task").expect("a good end");
}
