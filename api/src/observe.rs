//! What operators see of each request: its span with the request id, one line in the log, counters and gauges.
//! Labels have few values: never an id, an address or anything else that a client can invent.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use async_graphql::parser::types::OperationType;
use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use colloquy_domain::{ports::trace::TraceContext, time::IdGen};
use http::Method;
use metrics::{counter, gauge, histogram};
use tracing::Instrument;

use crate::{
    health,
    request_id::{self, RequestId},
};

pub(crate) const SOCKETS: &str = "colloquy_websockets";
pub(crate) const STREAMS: &str = "colloquy_graphql_streams";

/// What is asked again and again by machines: not worth a line at info.
const QUIET: [&str; 4] = ["/livez", "/readyz", "/metrics", health::SCALER];

/// Where a request's id and trace come from.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) ids: Arc<dyn IdGen>,
    pub(crate) trace: Arc<dyn TraceContext>,
    pub(crate) trusted_proxies: usize,
}

/// The outermost layer: gives the request its id and sees how it ends.
pub(crate) async fn observe(State(origin): State<Origin>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let caller = request_id::caller(peer, request.headers(), origin.trusted_proxies);
    let id = RequestId::of(request.headers(), &*origin.ids).from(caller);
    let path = request.extensions().get::<MatchedPath>().cloned();
    let route = path.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = method_name(request.method());
    let span = tracing::info_span!("request", request_id = id.as_str(), method, route);
    if let Some(traceparent) = request.headers().get("traceparent").and_then(|value| value.to_str().ok()) {
        origin.trace.continue_from(&span, traceparent);
    }
    request.extensions_mut().insert(id.clone());

    let mut response = next.run(request).instrument(span.clone()).await;

    let (status, elapsed) = (response.status().as_u16(), started.elapsed());
    if let Some(value) = id.header() {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    let duration_ms = elapsed.as_secs_f64() * 1000.0;
    span.in_scope(|| match (status, QUIET.contains(&route)) {
        (500.., false) => tracing::warn!(status, duration_ms, "request failed"),
        (_, false) => tracing::info!(status, duration_ms, "request served"),
        (_, true) => tracing::debug!(status, duration_ms, "request served"),
    });
    let route = route.to_owned();
    histogram!("colloquy_http_request_duration_seconds", "route" => route.clone())
        .record(elapsed.as_secs_f64());
    let status = status.to_string();
    counter!("colloquy_http_requests_total", "route" => route, "method" => method, "status" => status)
        .increment(1);
    response
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

pub(crate) fn operation_name(operation: OperationType) -> &'static str {
    match operation {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}

pub(crate) fn operation(kind: &'static str, outcome: &'static str) {
    counter!("colloquy_graphql_operations_total", "type" => kind, "outcome" => outcome).increment(1);
}

/// One more of something for as long as this lives.
pub(crate) struct Gauge(&'static str);

impl Gauge {
    pub(crate) fn new(name: &'static str) -> Self {
        gauge!(name).increment(1.0);
        Self(name)
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1.0);
    }
}
