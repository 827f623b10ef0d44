//! Operations as event streams: the distinct-connections mode of the GraphQL over SSE protocol, one HTTP request
//! an operation. `next` carries a response, `complete` says that no more will come; comments keep the connection
//! open. A stream that ends without `complete` was cut, and its client begins again.
//!
//! The client's pace is ours: the next event is asked for when the last has been taken.

use std::{pin::Pin, sync::Arc};

use async_graphql::{Executor, parser::types::OperationType};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use http::{HeaderValue, header};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Interval, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::{
    auth,
    edge::Authenticated,
    execute::{Prepared, Reply},
    fault::Fault,
    negotiate::Format,
    render,
    request_id::RequestId,
    server::{Server, Shared},
};

const COMPLETE: &[u8] = b"event: complete\ndata:\n\n";
const KEEP_ALIVE: &[u8] = b":\n\n";

pub(crate) fn respond<E: Executor>(
    server: &Shared<E>,
    id: &RequestId,
    who: Option<&Authenticated>,
    prepared: Prepared,
) -> Result<Response, Fault> {
    let lasting = prepared.operation == OperationType::Subscription;
    let left = auth::time_left(&*server.clock, who);
    open(server, id, lasting, left, |server| server.stream(prepared, id))
}

pub(crate) fn refuse<E: Executor>(
    server: &Shared<E>,
    id: &RequestId,
    reply: Reply,
) -> Result<Response, Fault> {
    open(server, id, false, None, |_| stream::iter([reply]).boxed())
}

fn open<E: Executor>(
    server: &Arc<Server<E>>,
    id: &RequestId,
    lasting: bool,
    left: Option<std::time::Duration>,
    replies: impl FnOnce(&Arc<Server<E>>) -> BoxStream<'static, Reply>,
) -> Result<Response, Fault> {
    let Ok(permit) = Arc::clone(&server.connections).try_acquire_owned() else {
        return Err(Fault::busy("too many live connections are open"));
    };
    let every = server.settings.live.ping_interval();
    let mut keep_alive = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = Events {
        id: id.clone(),
        replies: replies(server),
        keep_alive,
        expiry: Box::pin(auth::expiry(left)),
        shutdown: lasting.then(|| server.lifecycle.shutdown.clone()),
        over: false,
        _permit: permit,
    };
    let body = stream::unfold(events, |mut events| async {
        let chunk = events.next().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), events))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(Format::EventStream.content_type())),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies that gather an answer before they pass it on know this header.
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

struct Events {
    id: RequestId,
    replies: BoxStream<'static, Reply>,
    keep_alive: Interval,
    expiry: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Cuts a subscription; other operations end by themselves.
    shutdown: Option<CancellationToken>,
    over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Events {
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        let cut = async {
            match &self.shutdown {
                Some(shutdown) => shutdown.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = cut => None,
            () = &mut self.expiry => {
                self.over = true;
                let error = Fault::unauthenticated("the credential has expired").into_error(&self.id);
                let mut event = event(|out| out.extend_from_slice(&render::errors(&[error])));
                event.extend_from_slice(COMPLETE);
                Some(event.into())
            }
            reply = self.replies.next() => match reply {
                Some(reply) => Some(event(|out| render::reply(out, &reply)).into()),
                None => {
                    self.over = true;
                    Some(Bytes::from_static(COMPLETE))
                }
            },
            _ = self.keep_alive.tick() => Some(Bytes::from_static(KEEP_ALIVE)),
        }
    }
}

/// JSON has line ends between its tokens only, where a space does as well; in an event they would end the line.
fn event(payload: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(b"event: next\ndata: ");
    let start = out.len();
    payload(&mut out);
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    out.extend_from_slice(b"\n\n");
    out
}
