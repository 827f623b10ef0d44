//! For the machines that watch this process: is it alive, is it ready, what does it count, and how many of its
//! kind are needed.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use serde::Serialize;

use crate::{
    edge::{Check, Edge, Readiness},
    fault::Fault,
    negotiate::Format,
    request_id::RequestId,
    server::Lifecycle,
};

#[derive(Clone)]
struct Watched {
    edge: Arc<dyn Edge>,
    lifecycle: Lifecycle,
}

pub(crate) fn routes(edge: Arc<dyn Edge>, lifecycle: Lifecycle) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route(SCALER, get(scaler))
        .with_state(Watched { edge, lifecycle })
}

/// What KEDA's scaler `metrics-api`, and whatever else reads a number out of JSON, asks.
pub(crate) const SCALER: &str = "/scaler/queues/{queue}";

/// A dependency that takes longer to answer is not well.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Report {
    ready: bool,
    checks: Vec<Check>,
}

async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(watched): State<Watched>) -> Response {
    let failing = |name: &'static str, detail: &'static str| Check {
        name: name.into(),
        ok: false,
        detail: detail.into(),
    };
    let readiness = if watched.lifecycle.shutdown.is_cancelled() {
        Readiness { checks: vec![failing("process", "is shutting down")] }
    } else {
        match tokio::time::timeout(PATIENCE, watched.edge.ready()).await {
            Ok(readiness) => readiness,
            Err(_elapsed) => {
                Readiness { checks: vec![failing("readiness", "the checks did not end in time")] }
            }
        }
    };
    let ready = readiness.ok();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = Json(Report { ready, checks: readiness.checks });
    (status, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}

async fn scaler(
    State(watched): State<Watched>,
    Path(queue): Path<String>,
    Extension(id): Extension<RequestId>,
) -> Response {
    let fault = match tokio::time::timeout(PATIENCE, watched.edge.queue(&queue)).await {
        Ok(Ok(Some(load))) => return ([(header::CACHE_CONTROL, "no-store")], Json(load)).into_response(),
        Ok(Ok(None)) => Fault::new(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            "there is no queue of this name; `queues` lists them",
        ),
        Ok(Err(error)) => error.into(),
        Err(_elapsed) => Fault::not_ready("the jobs of the queue could not be counted in time"),
    };
    fault.into_response(&id, Some(Format::Json))
}

async fn metrics(State(watched): State<Watched>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], watched.edge.metrics())
}
