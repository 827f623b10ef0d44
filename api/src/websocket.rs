//! GraphQL over WebSocket: the protocol `graphql-transport-ws`, and no other. This is the door: who may open a
//! socket, and how many; what is said on it is `connection`'s.

use std::sync::Arc;

use async_graphql::Executor;
use axum::{
    Extension,
    extract::{State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    response::Response,
};
use http::{HeaderMap, StatusCode, Uri, header};
use tracing::Instrument;

use crate::{
    auth,
    fault::Fault,
    request_id::RequestId,
    server::{Server, Shared},
};

mod connection;
mod protocol;

use connection::Connection;

/// A connection costs about 12 kB with these, 138 kB without: the library reads into 128 KiB by default.
const READ_BUFFER_BYTES: usize = 2048;
const WRITE_BUFFER_BYTES: usize = 0;

/// `/graphql/ws`.
pub(crate) async fn get<E: Executor>(
    State(server): State<Shared<E>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Ok(upgrade) => self::upgrade(server, id, headers, upgrade).await,
        Err(_) => Fault::new(StatusCode::UPGRADE_REQUIRED, "UPGRADE_REQUIRED", "this is for WebSockets")
            .into_response(&id, None),
    }
}

pub(crate) async fn upgrade<E: Executor>(
    server: Shared<E>,
    id: RequestId,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    match Box::pin(open(server, &id, &headers, upgrade)).await {
        Ok(response) => response,
        Err(fault) => fault.into_response(&id, None),
    }
}

async fn open<E: Executor>(
    server: Arc<Server<E>>,
    id: &RequestId,
    headers: &HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Fault> {
    if !origin_allowed(headers, &server.settings.cors_origins) {
        let message = "pages of this origin may not connect; http.cors_origins names those that may";
        return Err(Fault::new(StatusCode::FORBIDDEN, "FORBIDDEN", message));
    }
    // Programs may sign in by header; pages cannot, and do it in connection_init.
    let who = auth::authenticate(&*server.edge, headers).await?;
    let Ok(permit) = Arc::clone(&server.connections).try_acquire_owned() else {
        return Err(Fault::busy("too many live connections are open"));
    };
    let limit = server.settings.live.max_message_bytes;
    let upgrade = upgrade
        .protocols([protocol::NAME])
        .max_message_size(limit)
        .max_frame_size(limit)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES);
    let understood = upgrade.selected_protocol().is_some();
    let (tasks, id) = (server.lifecycle.tasks.clone(), id.clone());
    let span = tracing::info_span!(parent: None, "websocket", request_id = id.as_str());
    Ok(upgrade.on_upgrade(move |socket| {
        let connection = Connection::new(server, socket, id, who, permit);
        let talk = async move {
            if understood { connection.run().await } else { connection.refuse_protocol().await }
        };
        tasks.track_future(talk.instrument(span))
    }))
}

/// A browser sends cookies and lets pages open sockets to any host, so the server must look where a page is from.
/// What is no page sends no `Origin`.
fn origin_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else { return false };
    if allowed.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let from = origin.parse::<Uri>().ok();
    let authority = from.as_ref().and_then(Uri::authority);
    matches!((authority, host), (Some(authority), Some(host)) if authority.as_str().eq_ignore_ascii_case(host))
}
