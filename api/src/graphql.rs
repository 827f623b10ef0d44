//! GraphQL over HTTP: which request is one, and what status and media type its answer has.

use std::sync::Arc;

use async_graphql::{Executor, parser::types::OperationType};
use axum::{
    Extension,
    extract::{Request, State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use colloquy_domain::accounts::Actor;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use crate::{
    auth,
    edge::Authenticated,
    execute::{Prepared, Reply},
    fault::Fault,
    graphiql,
    negotiate::{self, Body, Format},
    params::Params,
    render,
    request_id::RequestId,
    server::{Server, Shared},
    sse, websocket,
};

mod body;
mod multipart;

/// A handler's answer: faults still want their request id and media type.
type Answer = Result<Response, Fault>;

pub(crate) async fn post<E: Executor>(
    State(server): State<Shared<E>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let format = negotiate::response_format(request.headers());
    let known = format.as_ref().ok().copied();
    let answer = match format {
        Ok(format) => Box::pin(post_as(&server, &id, request, format)).await,
        Err(fault) => Err(fault),
    };
    answer.unwrap_or_else(|fault| fault.into_response(&id, known))
}

/// `POST /graphql/stream`: an event stream, whatever `Accept` says.
pub(crate) async fn post_stream<E: Executor>(
    State(server): State<Shared<E>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let answer = Box::pin(post_as(&server, &id, request, Format::EventStream)).await;
    answer.unwrap_or_else(|fault| fault.into_response(&id, None))
}

pub(crate) async fn get<E: Executor>(
    State(server): State<Shared<E>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    uri: Uri,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if let Ok(upgrade) = upgrade {
        return Box::pin(websocket::upgrade(server, id, headers, upgrade)).await;
    }
    let names = |pair: &str| pair.starts_with("query=") || pair.starts_with("extensions=");
    let asks = uri.query().is_some_and(|text| text.split('&').any(names));
    if !asks && negotiate::wants_html(&headers) {
        return graphiql::page(&headers);
    }
    let format = negotiate::response_format(&headers);
    let known = format.as_ref().ok().copied();
    let answer = match format {
        Ok(format) => get_as(&server, &id, &headers, &uri, format).await,
        Err(fault) => Err(fault),
    };
    answer.unwrap_or_else(|fault| fault.into_response(&id, known))
}

/// `/`: the page, for those who type the address.
pub(crate) async fn home(headers: HeaderMap) -> Response {
    graphiql::page(&headers)
}

/// `GET /graphql/stream`.
pub(crate) async fn get_stream<E: Executor>(
    State(server): State<Shared<E>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let answer = get_as(&server, &id, &headers, &uri, Format::EventStream).await;
    answer.unwrap_or_else(|fault| fault.into_response(&id, None))
}

pub(crate) async fn other_method(Extension(id): Extension<RequestId>) -> Response {
    Fault::method("GET, POST", "send GraphQL requests by POST or GET").into_response(&id, None)
}

async fn post_as<E: Executor>(
    server: &Shared<E>,
    id: &RequestId,
    request: Request,
    format: Format,
) -> Answer {
    let (head, body) = request.into_parts();
    let kind = negotiate::body(&head.headers)?;
    if matches!(kind, Body::Multipart(_)) {
        negotiate::refuse_forgery(&head.headers)?;
    }
    let who = auth::authenticate(&*server.edge, &head.headers).await?;
    let (params, uploads, memory) = match kind {
        Body::Json => {
            (Params::from_json(&body::read(body, &head.headers, &server.settings).await?)?, Vec::new(), None)
        }
        Body::Multipart(_) if who.is_none() => return Err(Fault::unauthenticated("sign in to upload files")),
        Body::Multipart(boundary) => {
            let upload = multipart::read(server, &head.headers, body, boundary).await?;
            (upload.params, upload.files, Some(upload.memory))
        }
    };
    let prepared = match server.prepare(params, uploads, actor(who.as_ref()), id) {
        Ok(prepared) => prepared.holding(memory),
        Err(error) => return refuse(server, id, format, Reply::refused(error, id)),
    };
    respond(server, id, who, prepared, format).await
}

async fn get_as<E: Executor>(
    server: &Shared<E>,
    id: &RequestId,
    headers: &HeaderMap,
    uri: &Uri,
    format: Format,
) -> Answer {
    negotiate::refuse_forgery(headers)?;
    let who = auth::authenticate(&*server.edge, headers).await?;
    let params = Params::from_query(uri)?;
    let prepared = match server.prepare(params, Vec::new(), actor(who.as_ref()), id) {
        Ok(prepared) => prepared,
        Err(error) => return refuse(server, id, format, Reply::refused(error, id)),
    };
    if prepared.operation == OperationType::Mutation {
        return Err(Fault::method("POST", "send mutations by POST"));
    }
    if prepared.operation == OperationType::Subscription && format != Format::EventStream {
        return Err(Fault::method("POST", "subscribe by WebSocket or text/event-stream"));
    }
    respond(server, id, who, prepared, format).await
}

fn actor(who: Option<&Authenticated>) -> Option<&Actor> {
    who.map(|who| &who.actor)
}

async fn respond<E: Executor>(
    server: &Shared<E>,
    id: &RequestId,
    who: Option<Authenticated>,
    prepared: Prepared,
    format: Format,
) -> Answer {
    if format == Format::EventStream {
        return sse::respond(server, id, who.as_ref(), prepared);
    }
    if prepared.operation == OperationType::Subscription {
        let message = "subscribe by WebSocket at /graphql/ws or with Accept: text/event-stream";
        return Err(Fault::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message));
    }
    Ok(result(server.execute(prepared, id).await?, format))
}

/// An event stream carries even a refusal as an event: its clients look nowhere else.
fn refuse<E: Executor>(server: &Arc<Server<E>>, id: &RequestId, format: Format, reply: Reply) -> Answer {
    match format {
        Format::EventStream => sse::refuse(server, id, reply),
        Format::GraphqlJson | Format::Json => Ok(result(reply, format)),
    }
}

/// The status of a well-formed request's answer: 200, unless the media type lets the status tell a request error.
fn result(mut reply: Reply, format: Format) -> Response {
    let status = match (reply.request_error, format) {
        (true, Format::GraphqlJson) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let mut headers = std::mem::take(&mut reply.response.http_headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut out = Vec::with_capacity(1024);
    render::reply(&mut out, &reply);
    (status, headers, Bytes::from(out)).into_response()
}
