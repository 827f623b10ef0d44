//! What a collector of traces gets.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span};
use prost::Message;

use crate::support::{Import, LINES, world};

/// A collector as far as we need one: OTLP over HTTP, and what came.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    /// And its endpoint.
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        (collector, format!("http://{address}"))
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.lock().expect("nobody has panicked").clone()
    }
}

async fn take(State(collector): State<Collector>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP in protobuf");
    let scopes = request.resource_spans.into_iter().flat_map(|of| of.scope_spans);
    collector.spans.lock().expect("nobody has panicked").extend(scopes.flat_map(|scope| scope.spans));
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    let value = found.and_then(|attribute| attribute.value.clone()).and_then(|value| value.value);
    match value {
        Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text)) => text,
        _ => String::new(),
    }
}

#[tokio::test]
async fn an_import_is_one_trace_from_the_request_to_its_last_job_and_none_of_it_is_lost_at_the_end() {
    let mut world = world!();
    let (collector, endpoint) = Collector::start().await;
    world.set("COLLOQUY_TELEMETRY_OTLP_ENDPOINT", &endpoint);
    // Nothing is sent before the process ends.
    world.set("OTEL_BSP_SCHEDULE_DELAY", "600000");
    let mut server = world.standalone().await;
    let client = server.owner();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let caller = "00f067aa0ba902b7";
    let query =
        "mutation($text: String) { importConversation(input: { text: $text }) { conversation { id } } }";
    let body = serde_json::json!({ "query": query, "variables": { "text": LINES } });
    let request = client.post().header("traceparent", format!("00-{trace}-{caller}-01")).json(&body);
    let answer = client.send(request).await.data();
    client.ready(answer["importConversation"]["conversation"]["id"].as_str().unwrap()).await;
    // Another one, with which it must not be mixed up.
    let other =
        client.imported(Import { text: "A: one thing\nB: another thing\n", ..Import::default() }).await;
    client.ready(&other).await;
    client.idle().await;
    assert_eq!(collector.spans(), [], "spans are sent in batches");
    server.process.signal(Signal::SIGTERM);
    assert!(server.process.ended().await.success());

    let spans = collector.spans();
    let of_trace: Vec<&Span> = spans.iter().filter(|span| hex::encode(&span.trace_id) == trace).collect();
    let named = |name: &str, kind: &str| {
        let mut found = of_trace
            .iter()
            .filter(|span| span.name == name && (name != "job" || attribute(span, "kind") == kind));
        let one = found.next().unwrap_or_else(|| panic!("no span {name} {kind} in {of_trace:#?}"));
        assert!(found.next().is_none(), "{name} {kind} is there once");
        one
    };
    let request = named("request", "");
    assert_eq!(hex::encode(&request.parent_span_id), caller, "it continues the caller's trace");
    assert_eq!(
        (attribute(request, "method"), attribute(request, "route")),
        ("POST".to_owned(), "/graphql".to_owned())
    );
    let ingest = named("job", "ingest_conversation");
    assert_eq!(ingest.parent_span_id, request.span_id, "the mutation enqueued it");
    for kind in ["index_passages", "embed_passages", "analyze_conversation"] {
        assert_eq!(named("job", kind).parent_span_id, ingest.span_id, "{kind} follows from the ingest");
    }
    let jobs = spans.iter().filter(|span| span.name == "job");
    let elsewhere: Vec<&Span> = jobs.filter(|span| hex::encode(&span.trace_id) != trace).collect();
    assert_eq!(elsewhere.len(), 4, "the other import's jobs are a trace of their own");
    assert!(elsewhere.iter().all(|span| span.trace_id == elsewhere[0].trace_id), "{elsewhere:#?}");
    assert!(!format!("{spans:?}").contains("one thing"), "nothing that was said is in a span");
}
