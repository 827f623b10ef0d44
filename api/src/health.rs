//! For the machines that watch this process: is it alive, is it ready, what does it count.

use std::{sync::Arc, time::Duration};

use async_graphql::Executor;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde::Serialize;

use crate::{
    edge::{Check, Readiness},
    server::Server,
};

/// A dependency that takes longer to answer is not well.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Report {
    ready: bool,
    checks: Vec<Check>,
}

pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

pub(crate) async fn readyz<E: Executor>(State(server): State<Arc<Server<E>>>) -> Response {
    let failing = |name: &'static str, detail: &'static str| Check {
        name: name.into(),
        ok: false,
        detail: detail.into(),
    };
    let readiness = if server.lifecycle.shutdown.is_cancelled() {
        Readiness { checks: vec![failing("process", "is shutting down")] }
    } else {
        match tokio::time::timeout(PATIENCE, server.edge.ready()).await {
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

pub(crate) async fn metrics<E: Executor>(State(server): State<Arc<Server<E>>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], server.edge.metrics())
}
