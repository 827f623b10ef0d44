//! What must not happen: forgery, leaks, requests that cost too much or take too long, work cut in the middle.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{TestServer, answer, code, eventually};

#[tokio::test]
async fn who_calls_reaches_the_resolver() {
    let server = TestServer::start().await;
    assert_eq!(
        server.answer("{role}").await,
        (200, json!({"data": {"role": null}, "extensions": {"cost": {"fields": 1, "depth": 1}}}))
    );
    for header in ["Bearer good", "bearer  good"] {
        let (_, body) = answer(server.ask("{role}").header("authorization", header)).await;
        assert_eq!(body["data"]["role"], "MEMBER");
    }
}

#[tokio::test]
async fn a_credential_that_does_not_hold_is_401() {
    let server = TestServer::start().await;
    for header in ["Bearer bad", "Bearer", "Bearer ", "Basic Z29vZA==", "good", ""] {
        let response = server.ask("{hello}").header("authorization", header).send().await.expect("an answer");
        assert_eq!(response.status(), 401, "{header:?}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let body: serde_json::Value = response.json().await.expect("JSON");
        assert_eq!(code(&body), "UNAUTHENTICATED");
        assert!(body.get("data").is_none());
    }
    // That it could not be checked is another thing, and why is nobody's business.
    let (status, body) = answer(server.ask("{hello}").bearer_auth("broken")).await;
    assert_eq!((status, code(&body)), (503, "UNAVAILABLE"));
    assert!(!body.to_string().contains("10.0.0.1"), "{body}");
}

#[tokio::test]
async fn what_a_page_can_send_unasked_is_refused() {
    let server = TestServer::start().await;
    let get = || server.client.get(server.url("/graphql?query=%7Bhello%7D"));
    assert_eq!(get().send().await.expect("an answer").status(), 400);
    for request in [
        get().header("graphql-require-preflight", "1"),
        get().header("apollo-require-preflight", "true"),
        get().header("content-type", "application/json"),
    ] {
        assert_eq!(request.send().await.expect("an answer").status(), 200);
    }
    let empty = get().header("graphql-require-preflight", "");
    assert_eq!(empty.send().await.expect("an answer").status(), 400);
}

#[tokio::test]
async fn other_origins_are_told_nothing_unless_they_are_named() {
    let preflight = |server: &TestServer, origin: &'static str| {
        let request = server.client.request(reqwest::Method::OPTIONS, server.url("/graphql"));
        let request = request.header("origin", origin).header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "content-type,authorization").send()
    };
    let server = TestServer::start().await;
    let response = preflight(&server, "https://app.example.com").await.expect("an answer");
    assert_eq!(response.status(), 405);
    assert!(!response.headers().keys().any(|name| name.as_str().starts_with("access-control")));

    let server =
        TestServer::with(|settings| settings.cors_origins = vec!["https://app.example.com".into()]).await;
    let response = preflight(&server, "https://app.example.com").await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example.com");
    let allowed = response.headers()["access-control-allow-headers"].to_str().expect("text");
    assert!(allowed.contains("authorization") && allowed.contains("content-type"), "{allowed}");
    let response = preflight(&server, "https://evil.example").await.expect("an answer");
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn bodies_are_bounded() {
    let server = TestServer::with(|settings| settings.max_body_bytes = 1000).await;
    let (status, body) = server.answer(&"x".repeat(2000)).await;
    assert_eq!((status, code(&body)), (413, "PAYLOAD_TOO_LARGE"));
    // Without Content-Length it is found out on the way.
    let pieces = futures::stream::iter((0..10).map(|_| Ok::<_, std::io::Error>(vec![b' '; 500])));
    let request = server.client.post(server.url("/graphql")).header("content-type", "application/json");
    let (status, body) = answer(request.body(reqwest::Body::wrap_stream(pieces))).await;
    assert_eq!((status, code(&body)), (413, "PAYLOAD_TOO_LARGE"));
}

/// The head and what follows it, up to and with the last chunk.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n0\r\n\r\n") {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer));
        match read.await.expect("an answer in time") {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(&buffer[..n]),
            Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&answer)),
        }
    }
    String::from_utf8(answer).expect("text")
}

fn head(server: &TestServer, bytes: usize) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n",
        server.address
    )
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_learns_why_its_body_was_refused() {
    let server = TestServer::with(|settings| settings.max_body_bytes = 1000).await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let body = vec![b' '; 6 << 20];
    for _ in 0..2 {
        // More than the sockets hold: a server that does not read it cuts the client off.
        stream.write_all(head(&server, body.len()).as_bytes()).await.expect("the head is taken");
        stream.write_all(&body).await.expect("the whole body is taken");
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
    }
    // The connection is as good as before.
    let query = r#"{"query":"{hello}"}"#;
    stream.write_all(format!("{}{query}", head(&server, query.len())).as_bytes()).await.expect("taken");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_refused_body_without_an_end_is_read_for_a_moment_only() {
    let server = TestServer::with(|settings| settings.max_body_bytes = 1000).await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(head(&server, 1 << 30).as_bytes()).await.expect("the head is taken");
    // The answer is there before anything of the body.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
    let mut sent = 0;
    let sending = async {
        while stream.write_all(&[b' '; 64 << 10]).await.is_ok() {
            sent += 64 << 10;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), sending).await.expect("it is cut off");
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    // And one that stops in the middle.
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(head(&server, 1 << 20).as_bytes()).await.expect("the head is taken");
    let answer = read_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = TestServer::with(|settings| settings.body_timeout_ms = 50).await;
    let stalled = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let request = server.client.post(server.url("/graphql")).header("content-type", "application/json");
    let (status, body) = answer(request.body(reqwest::Body::wrap_stream(stalled))).await;
    assert_eq!((status, code(&body)), (408, "REQUEST_TIMEOUT"));
}

#[tokio::test]
async fn queries_that_ask_too_much_are_told_the_limit_and_the_cost() {
    let server = TestServer::start().await;
    let deep = format!("{}hello{}", "{again".repeat(20), "}".repeat(20)).replacen("hello", "{hello}", 1);
    let (status, body) = server.answer(&deep).await;
    let extensions = &body["errors"][0]["extensions"];
    assert_eq!((status, code(&body)), (400, "QUERY_TOO_LARGE"), "{body}");
    assert_eq!(
        (&extensions["measure"], &extensions["limit"], &extensions["cost"]),
        (&json!("depth"), &json!(15), &json!(21))
    );
    for bomb in ["{".repeat(19_000), format!("{{echo(text:{}", "[".repeat(19_000))] {
        let (status, body) = server.answer(&bomb).await;
        assert_eq!((status, code(&body)), (400, "QUERY_TOO_LARGE"));
    }
    let mut bomb = "{ ...F0 }".to_owned();
    for n in 0..24 {
        bomb += &format!(" fragment F{n} on Query {{ ...F{0} ...F{0} }}", n + 1);
    }
    let (status, body) = server.answer(&(bomb + " fragment F24 on Query { hello }")).await;
    assert_eq!((status, code(&body)), (400, "QUERY_TOO_LARGE"));
}

#[tokio::test]
async fn variables_nested_without_end_are_refused() {
    let server = TestServer::start().await;
    let nested = format!(r#"{{"query":"{{hello}}","variables":{{"a":{}}}}}"#, "[".repeat(100_000));
    let request = server.client.post(server.url("/graphql")).header("content-type", "application/json");
    let (status, body) = answer(request.body(nested)).await;
    assert_eq!((status, code(&body)), (400, "BAD_REQUEST"));
}

#[tokio::test]
async fn what_is_internal_stays_inside() {
    let server = TestServer::start().await;
    for query in ["{leaks}", "{panics}", "mutation{panics}"] {
        let (status, body) = server.answer(query).await;
        assert_eq!((status, code(&body)), (200, "INTERNAL"), "{body}");
        assert_eq!(body["errors"][0]["message"], "something went wrong on our side");
        assert!(body["errors"][0]["extensions"]["requestId"].is_string());
        assert!(body.get("data").is_some_and(|data| data.is_null()), "{body}");
        assert!(!body.to_string().contains("secret"), "{body}");
    }
    // A file that is not there is no way to a panic by an index either.
    let (_, body) = server.answer(r##"mutation{upload(file:"#__graphql_file__:7")}"##).await;
    assert_eq!(code(&body), "INTERNAL");
    assert_eq!(server.answer("{hello}").await.0, 200);
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_given_up() {
    let server = TestServer::with(|settings| settings.request_timeout_ms = 100).await;
    let (status, body) = server.answer("{slow(ms:500)}").await;
    assert_eq!((status, code(&body)), (503, "TIMEOUT"));
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(server.seen.queries_ended.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_mutation_that_takes_too_long_goes_on() {
    let server = TestServer::with(|settings| settings.request_timeout_ms = 100).await;
    let (status, body) = server.answer("mutation{slow(ms:400)}").await;
    assert_eq!((status, code(&body)), (503, "TIMEOUT"));
    eventually("the mutation's end", || server.seen.mutations_ended.load(Ordering::SeqCst) == 1).await;
}

/// Sends a request by hand and hangs up when `begun` says so.
async fn hang_up(server: &TestServer, query: &str, begun: impl Fn() -> bool) {
    let body = json!({ "query": query }).to_string();
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ";
    stream.write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes()).await.expect("written");
    eventually("the request's beginning", begun).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_cut_its_mutation() {
    let server = TestServer::start().await;
    let seen = &server.seen;
    hang_up(&server, "mutation{slow(ms:300)}", || seen.mutations_begun.load(Ordering::SeqCst) == 1).await;
    assert_eq!(seen.mutations_ended.load(Ordering::SeqCst), 0);
    eventually("the mutation's end", || seen.mutations_ended.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_its_query() {
    let server = TestServer::start().await;
    let started = std::time::Instant::now();
    hang_up(&server, "{slow(ms:400)}", || started.elapsed() > Duration::from_millis(100)).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(server.seen.queries_ended.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn request_ids_are_taken_where_they_are_fit_and_made_where_not() {
    let server = TestServer::start().await;
    for (given, taken) in
        [("a-B_c.9", true), (&"x".repeat(64), true), (&"x".repeat(65), false), ("a b", false), ("", false)]
    {
        let response = server.ask("{nothing}").header("x-request-id", given).send().await.expect("an answer");
        let id = response.headers()["x-request-id"].to_str().expect("text").to_owned();
        assert_eq!(id == given, taken, "{given:?} {id:?}");
        let body: serde_json::Value = response.json().await.expect("JSON");
        assert_eq!(body["errors"][0]["extensions"]["requestId"], id);
    }
}

#[tokio::test]
async fn json_that_a_resolver_made_is_put_out_as_it_is() {
    let server = TestServer::start().await;
    let (status, body) = server.answer("{hello readyMade}").await;
    assert_eq!(
        (status, &body["data"]),
        (200, &json!({"hello": "world", "readyMade": [{"id": 1}, {"id": 2}]}))
    );
}
