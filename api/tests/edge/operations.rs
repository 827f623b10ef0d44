//! What operators see: health, metrics, the page, and the end.

use std::{sync::atomic::Ordering, time::Duration};

use crate::support::{TestServer, code, eventually};

#[tokio::test]
async fn readiness_names_what_is_not_well() {
    let server = TestServer::start().await;
    let get = |path| server.client.get(server.url(path)).send();
    assert_eq!(get("/livez").await.expect("an answer").status(), 200);
    let response = get("/readyz").await.expect("an answer");
    assert_eq!(response.status(), 200);
    server.edge.well.store(false, Ordering::SeqCst);
    let response = get("/readyz").await.expect("an answer");
    assert_eq!(response.status(), 503);
    let body: serde_json::Value = response.json().await.expect("JSON");
    let check = serde_json::json!({"name": "store", "ok": false, "detail": "does not answer"});
    assert_eq!(body, serde_json::json!({"ready": false, "checks": [check]}));
    assert_eq!(get("/livez").await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn metrics_are_in_the_text_format() {
    let server = TestServer::start().await;
    let response = server.client.get(server.url("/metrics")).send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(response.text().await.expect("text"), "toy_total 1\n");
}

#[tokio::test]
async fn the_load_of_a_queue_is_json_with_a_number_to_scale_by() {
    let server = TestServer::start().await;
    let get = async |queue: &str| {
        let url = server.url(&format!("/scaler/queues/{queue}"));
        let response = server.client.get(url).send().await.expect("an answer");
        (response.status().as_u16(), response.json::<serde_json::Value>().await.expect("JSON"))
    };
    let load = serde_json::json!({
        "queue": "toys", "value": 7, "ready": 4, "running": 3, "oldestReadySeconds": 2
    });
    assert_eq!(get("toys").await, (200, load));
    let (status, body) = get("nothing").await;
    assert_eq!((status, code(&body)), (404, "NOT_FOUND"));
    let (status, body) = get("broken").await;
    assert_eq!((status, code(&body)), (503, "UNAVAILABLE"));
    assert!(!body.to_string().contains("10.0.0.1"), "{body}");
}

#[test]
fn requests_are_counted_under_labels_that_no_client_can_invent() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // The recorder is this thread's, so everything runs on it.
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server = TestServer::start().await;
            server.answer("{hello}").await;
            server.answer("{nothing}").await;
            for n in 0..3 {
                let odd = format!("/nothing/{n}");
                server.client.get(server.url(&odd)).send().await.expect("an answer");
            }
        });
    });
    let text = handle.render();
    for line in [
        r#"colloquy_http_requests_total{route="/graphql",method="POST",status="200"} 1"#,
        r#"colloquy_http_requests_total{route="/graphql",method="POST",status="400"} 1"#,
        r#"colloquy_http_requests_total{route="unmatched",method="GET",status="404"} 3"#,
        r#"colloquy_graphql_operations_total{type="query",outcome="ok"} 1"#,
        r#"colloquy_graphql_operations_total{type="query",outcome="refused"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.contains("colloquy_http_request_duration_seconds"), "{text}");
}

#[tokio::test]
async fn the_page_is_compressed_and_keeps_to_itself() {
    let server = TestServer::start().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for path in ["/", "/graphql"] {
        let request = server.client.get(server.url(path)).header("accept", browser);
        let response = request.header("accept-encoding", "gzip, br").send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let headers = response.headers();
        assert_eq!(headers["content-encoding"], "gzip");
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(
            headers["content-security-policy"].to_str().expect("text").contains("frame-ancestors 'none'")
        );
        assert!(response.bytes().await.expect("bytes").starts_with(&[0x1f, 0x8b]));
    }
    for encoding in ["identity", "gzip;q=0", "br"] {
        let request = server.client.get(server.url("/")).header("accept-encoding", encoding);
        assert_eq!(request.send().await.expect("an answer").status(), 406, "{encoding}");
    }
}

#[tokio::test]
async fn what_is_in_flight_ends_before_the_server_does() {
    let server = TestServer::start().await;
    let seen = &server.seen;
    let request = tokio::spawn(server.ask("mutation{slow(ms:300)}").send());
    eventually("the mutation's beginning", || seen.mutations_begun.load(Ordering::SeqCst) == 1).await;
    server.shutdown.cancel();
    let response = request.await.expect("the request's task").expect("an answer");
    assert_eq!(response.status(), 200);
    server.served.await.expect("the server's task").expect("a good end");
    assert_eq!(seen.mutations_ended.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_mutation_whose_client_is_gone_ends_before_the_server_does() {
    let server = TestServer::with(|settings| settings.request_timeout_ms = 50).await;
    let (status, body) = server.answer("mutation{slow(ms:400)}").await;
    assert_eq!((status, code(&body)), (503, "TIMEOUT"));
    server.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(3), server.served)
        .await
        .expect("in time")
        .expect("a task")
        .expect("well");
    assert_eq!(server.seen.mutations_ended.load(Ordering::SeqCst), 1);
}
