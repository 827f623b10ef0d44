//! `graphql-transport-ws`, rule by rule.

use std::{sync::atomic::Ordering, time::Duration};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    live::Socket,
    support::{TestServer, eventually},
};

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

#[tokio::test]
async fn a_subscription_runs_to_its_end() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("a", "subscription{count(to:2)}").await;
    assert_eq!(socket.hear().await, json!({"id": "a", "type": "next", "payload": {"data": {"count": 1}}}));
    assert_eq!(socket.hear().await, json!({"id": "a", "type": "next", "payload": {"data": {"count": 2}}}));
    assert_eq!(socket.hear().await, json!({"id": "a", "type": "complete"}));
    // The id is free again.
    socket.subscribe("a", "{hello readyMade}").await;
    let data = json!({"hello": "world", "readyMade": [{"id": 1}, {"id": 2}]});
    assert_eq!(socket.hear().await["payload"]["data"], data);
    assert_eq!(socket.hear().await["type"], "complete");
    socket.subscribe("b", "mutation{slow(ms:1)}").await;
    assert_eq!(socket.hear().await["payload"]["data"], json!({"slow": 1}));
    assert_eq!(socket.hear().await, json!({"id": "b", "type": "complete"}));
}

#[tokio::test]
async fn the_graphql_path_takes_websockets_too() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(&server, "/graphql", &[PROTOCOL]).await.expect("a socket");
    socket.say(json!({"type": "connection_init", "payload": {"anything": 1}})).await;
    assert_eq!(socket.hear().await, json!({"type": "connection_ack"}));
}

#[tokio::test]
async fn operations_run_side_by_side() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("slow", "{slow(ms:300)}").await;
    socket.subscribe("quick", "{hello}").await;
    assert_eq!(socket.hear().await["id"], "quick");
}

#[tokio::test]
async fn refusals_are_errors_and_failures_are_results() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{nothing}", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription{nothing}", "GRAPHQL_VALIDATION_FAILED"),
        ("{...A} fragment A on Query{...A}", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        socket.subscribe("a", query).await;
        let message = socket.hear().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("a")), "{message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{message}");
        assert!(message["payload"][0]["extensions"]["requestId"].is_string());
    }
    for (query, code) in [
        ("{coded}", "NOT_FOUND"),
        ("{panics}", "INTERNAL"),
        ("{leaks}", "INTERNAL"),
        ("subscription{forbidden}", "FORBIDDEN"),
    ] {
        socket.subscribe("a", query).await;
        let message = socket.hear().await;
        assert_eq!(message["type"], "next", "{message}");
        assert_eq!(message["payload"]["errors"][0]["extensions"]["code"], code, "{message}");
        assert_eq!(message["payload"]["data"], Value::Null);
        assert_eq!(socket.hear().await, json!({"id": "a", "type": "complete"}));
    }
    // A panic in a stream ends the stream and nothing else.
    socket.subscribe("a", "subscription{panics}").await;
    assert_eq!(socket.hear().await["payload"]["data"], json!({"panics": 0}));
    assert_eq!(socket.hear().await["payload"]["errors"][0]["extensions"]["code"], "INTERNAL");
    assert_eq!(socket.hear().await["type"], "complete");
}

#[tokio::test]
async fn complete_ends_an_operation_without_an_answer() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("a", "subscription{silence}").await;
    assert_eq!(socket.hear().await["payload"]["data"], json!({"silence": 0}));
    socket.say(json!({"type": "complete", "id": "a"})).await;
    socket.say(json!({"type": "complete", "id": "never began"})).await;
    eventually("the stream's end", || server.seen.streams_dropped.load(Ordering::SeqCst) == 1).await;
    socket.say(json!({"type": "ping"})).await;
    assert_eq!(socket.hear().await, json!({"type": "pong"}));
    socket.subscribe("a", "{hello}").await;
    assert_eq!(socket.hear().await["id"], "a");
}

#[tokio::test]
async fn pings_are_answered_even_before_the_beginning() {
    let server = TestServer::start().await;
    let mut socket = Socket::raw(&server).await;
    socket.say(json!({"type": "ping", "payload": {"n": [1]}})).await;
    assert_eq!(socket.hear().await, json!({"type": "pong", "payload": {"n": [1]}}));
    socket.say(json!({"type": "pong"})).await;
    socket.0.send(Message::Ping(vec![7].into())).await.expect("sent");
    assert_eq!(socket.0.next().await.expect("an answer").expect("well"), Message::Pong(vec![7].into()));
}

#[tokio::test]
async fn messages_that_break_the_protocol_close_with_4400() {
    let server = TestServer::start().await;
    for message in [
        "nonsense",
        "[]",
        "{}",
        r#"{"type":"hello"}"#,
        r#"{"type":"connection_ack"}"#,
        r#"{"type":"subscribe","payload":{"query":"{hello}"}}"#,
        r#"{"type":"subscribe","id":"","payload":{"query":"{hello}"}}"#,
        r#"{"type":"subscribe","id":1,"payload":{"query":"{hello}"}}"#,
        r#"{"type":"subscribe","id":"a"}"#,
        r#"{"type":"subscribe","id":"a","payload":{}}"#,
        r#"{"type":"subscribe","id":"a","payload":[{"query":"{hello}"}]}"#,
        r#"{"type":"subscribe","id":"a","payload":{"query":"{hello}","variables":1}}"#,
        r#"{"type":"complete"}"#,
        r#"{"type":"connection_init","payload":"x"}"#,
    ] {
        let mut socket = Socket::ready(&server).await;
        socket.say_text(message).await;
        assert_eq!(socket.closed().await, 4400, "{message}");
    }
    let mut socket = Socket::ready(&server).await;
    socket.0.send(Message::binary(b"{}".to_vec())).await.expect("sent");
    assert_eq!(socket.closed().await, 4400);
}

#[tokio::test]
async fn to_subscribe_before_the_acknowledgement_closes_with_4401() {
    let server = TestServer::start().await;
    let mut socket = Socket::raw(&server).await;
    socket.subscribe("a", "{hello}").await;
    assert_eq!(socket.closed().await, 4401);
}

#[tokio::test]
async fn a_credential_in_the_init_is_checked_and_a_bad_one_closes_with_4403() {
    let server = TestServer::start().await;
    for name in ["authorization", "Authorization"] {
        let mut socket = Socket::raw(&server).await;
        socket.say(json!({"type": "connection_init", "payload": {name: "Bearer good"}})).await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket.subscribe("a", "{role}").await;
        assert_eq!(socket.hear().await["payload"]["data"]["role"], "MEMBER");
        for bad in ["Bearer bad", "good", ""] {
            let mut socket = Socket::raw(&server).await;
            socket.say(json!({"type": "connection_init", "payload": {name: bad}})).await;
            assert_eq!(socket.closed().await, 4403, "{bad:?}");
        }
    }
    // That it could not be checked is our trouble: the client may come again.
    let mut socket = Socket::raw(&server).await;
    socket.say(json!({"type": "connection_init", "payload": {"authorization": "Bearer broken"}})).await;
    assert_eq!(socket.closed().await, 1011);
}

#[tokio::test]
async fn programs_may_sign_in_by_header() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(&server, "/graphql/ws", &[PROTOCOL, ("authorization", "Bearer good")])
        .await
        .expect("a socket");
    socket.say(json!({"type": "connection_init"})).await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
    socket.subscribe("a", "{role}").await;
    assert_eq!(socket.hear().await["payload"]["data"]["role"], "MEMBER");
    let refused = Socket::open(&server, "/graphql/ws", &[PROTOCOL, ("authorization", "Bearer bad")]).await;
    assert_eq!(refused.err().map(|status| status.as_u16()), Some(401));
}

#[tokio::test]
async fn a_socket_ends_with_its_credential() {
    let server = TestServer::start().await;
    let mut socket = Socket::raw(&server).await;
    socket.say(json!({"type": "connection_init", "payload": {"authorization": "Bearer brief"}})).await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
    socket.subscribe("a", "subscription{silence}").await;
    assert_eq!(socket.closed().await, 4403);
    eventually("the stream's end", || server.seen.streams_dropped.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn another_protocol_closes_with_4406() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(&server, "/graphql/ws", &[]).await.expect("a socket");
    assert_eq!(socket.closed().await, 4406);
}

#[tokio::test]
async fn no_init_in_time_closes_with_4408() {
    let server = TestServer::with(|settings| settings.live.init_timeout_ms = 50).await;
    let mut socket = Socket::raw(&server).await;
    socket.say(json!({"type": "ping"})).await;
    assert_eq!(socket.closed().await, 4408);
    // Who is acknowledged has all the time in the world.
    let mut socket = Socket::ready(&server).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    socket.say(json!({"type": "ping"})).await;
    assert_eq!(socket.hear().await["type"], "pong");
}

#[tokio::test]
async fn an_id_in_use_closes_with_4409() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    let long = "x".repeat(1000);
    socket.subscribe(&long, "subscription{silence}").await;
    assert_eq!(socket.hear().await["type"], "next");
    socket.subscribe(&long, "{hello}").await;
    assert_eq!(socket.closed().await, 4409);
}

#[tokio::test]
async fn a_second_init_closes_with_4429() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.say(json!({"type": "connection_init"})).await;
    assert_eq!(socket.closed().await, 4429);
}

#[tokio::test]
async fn a_message_that_is_too_long_closes_with_1009() {
    let server = TestServer::with(|settings| settings.live.max_message_bytes = 1000).await;
    let mut socket = Socket::ready(&server).await;
    socket.say_text("x".repeat(2000)).await;
    assert_eq!(socket.closed().await, 1009);
}

#[tokio::test]
async fn operations_on_one_socket_and_sockets_on_one_server_are_bounded() {
    let server = TestServer::with(|settings| {
        settings.live.max_operations = 2;
        settings.live.max_connections = 1;
    })
    .await;
    let mut socket = Socket::ready(&server).await;
    for id in ["a", "b"] {
        socket.subscribe(id, "subscription{silence}").await;
        assert_eq!(socket.hear().await["type"], "next");
    }
    socket.subscribe("c", "{hello}").await;
    let message = socket.hear().await;
    assert_eq!(message["type"], "error");
    assert_eq!(message["payload"][0]["extensions"]["code"], "TOO_MANY_STREAMS");
    socket.say(json!({"type": "complete", "id": "a"})).await;
    socket.subscribe("c", "{hello}").await;
    assert_eq!(socket.hear().await["payload"]["data"]["hello"], "world");

    let refused = Socket::open(&server, "/graphql/ws", &[PROTOCOL]).await;
    assert_eq!(refused.err().map(|status| status.as_u16()), Some(503));
}

#[tokio::test]
async fn pages_of_other_origins_may_not_connect() {
    let server =
        TestServer::with(|settings| settings.cors_origins = vec!["https://app.example.com".into()]).await;
    let own = format!("http://{}", server.address);
    for (origin, allowed) in [
        (own.as_str(), true),
        ("https://app.example.com", true),
        ("https://evil.example", false),
        ("http://127.0.0.1:1", false),
        ("null", false),
    ] {
        let socket = Socket::open(&server, "/graphql/ws", &[PROTOCOL, ("origin", origin)]).await;
        assert_eq!(socket.err().map(|status| status.as_u16()), (!allowed).then_some(403), "{origin}");
    }
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_gone() {
    let server = TestServer::with(|settings| settings.live.ping_interval_ms = 100).await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("a", "subscription{silence}").await;
    assert_eq!(socket.hear().await["type"], "next");
    // The test's client answers pings only when it is read from.
    for _ in 0..6 {
        let _ = tokio::time::timeout(Duration::from_millis(50), socket.0.next()).await;
    }
    assert_eq!(server.seen.streams_dropped.load(Ordering::SeqCst), 0);
    eventually("the socket's end", || server.seen.streams_dropped.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn a_slow_client_is_not_read_ahead_for_and_is_gone_in_the_end() {
    let server = TestServer::with(|settings| settings.live.send_timeout_ms = 1500).await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("a", "subscription{flood}").await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let events = server.seen.events.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(server.seen.events.load(Ordering::SeqCst), events);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    while let Some(Ok(_)) = socket.0.next().await {}
    assert_eq!(server.seen.events.load(Ordering::SeqCst), events);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_cut_its_mutation() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("a", "mutation{slow(ms:300)}").await;
    eventually("the mutation's beginning", || server.seen.mutations_begun.load(Ordering::SeqCst) == 1).await;
    drop(socket);
    eventually("the mutation's end", || server.seen.mutations_ended.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn sockets_close_with_1001_when_the_server_ends_and_what_can_end_does() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("lasting", "subscription{silence}").await;
    assert_eq!(socket.hear().await["type"], "next");
    socket.subscribe("ending", "mutation{slow(ms:300)}").await;
    eventually("the mutation's beginning", || server.seen.mutations_begun.load(Ordering::SeqCst) == 1).await;
    server.shutdown.cancel();
    assert_eq!(socket.hear().await["payload"]["data"], json!({"slow": 300}));
    assert_eq!(socket.hear().await, json!({"id": "ending", "type": "complete"}));
    assert_eq!(socket.closed().await, 1001);
    server.served.await.expect("a task").expect("a good end");
}
