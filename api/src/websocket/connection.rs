//! One WebSocket: a task that owns it, reads what the client says and writes what its operations give.
//!
//! Operations are asked for their next reply only when the last one has been taken by the socket, so that a slow
//! client holds nothing in memory but what its subscriptions themselves keep. A client that takes nothing for too
//! long, or does not answer a ping, is gone. So is one whose credential ends: it comes again with a fresh one.

use std::{ops::ControlFlow, pin::Pin, sync::Arc, time::Duration};

use async_graphql::{Executor, parser::types::OperationType};
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures::{Stream, StreamExt, stream, stream::BoxStream};
use http::StatusCode;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Interval, MissedTickBehavior, interval_at, timeout},
};
use tokio_stream::StreamMap;

use super::protocol::{ClientMessage, Close, ServerMessage};
use crate::{
    auth,
    edge::Authenticated,
    execute::Reply,
    fault::Fault,
    observe::{self, Gauge},
    params::Params,
    request_id::RequestId,
    server::Server,
};

/// How the connection ends: with a close frame, or (`None`) without, where nobody would read it.
type End = Option<Close>;
type Step = ControlFlow<End>;

/// One operation: its replies, and then once nothing, which says that it is complete.
struct Operation {
    replies: BoxStream<'static, Option<Reply>>,
    /// A subscription: it has no end of its own to wait for.
    lasting: bool,
}

impl Stream for Operation {
    type Item = Option<Reply>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.replies.poll_next_unpin(cx)
    }
}

pub(super) struct Connection<E> {
    server: Arc<Server<E>>,
    socket: WebSocket,
    id: RequestId,
    who: Option<Authenticated>,
    expiry: Pin<Box<dyn Future<Output = ()> + Send>>,
    acknowledged: bool,
    operations: StreamMap<String, Operation>,
    /// Whether the client was heard of since the last ping.
    heard: bool,
    draining: bool,
    _permit: OwnedSemaphorePermit,
    _gauge: Gauge,
}

impl<E: Executor> Connection<E> {
    pub(super) fn new(
        server: Arc<Server<E>>,
        socket: WebSocket,
        id: RequestId,
        who: Option<Authenticated>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let expiry = Box::pin(auth::expiry(auth::time_left(&*server.clock, who.as_ref())));
        Self {
            server,
            socket,
            id,
            who,
            expiry,
            acknowledged: false,
            operations: StreamMap::new(),
            heard: true,
            draining: false,
            _permit: permit,
            _gauge: Gauge::new(observe::SOCKETS),
        }
    }

    pub(super) async fn refuse_protocol(self) {
        self.close(Some(Close::BAD_PROTOCOL)).await;
    }

    pub(super) async fn run(mut self) {
        let end = self.talk().await;
        self.close(end).await;
    }

    async fn talk(&mut self) -> End {
        let live = &self.server.settings.live;
        let mut init_deadline = Box::pin(tokio::time::sleep(live.init_timeout()));
        let mut pings = self.pings();
        let shutdown = self.server.lifecycle.shutdown.clone();
        loop {
            let step = tokio::select! {
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(error)) => ControlFlow::Break(too_big(&error).then_some(Close::TOO_BIG)),
                    None => ControlFlow::Break(None),
                },
                Some((id, reply)) = self.operations.next() => self.deliver(&id, reply).await,
                _ = pings.tick() => self.ping().await,
                () = &mut init_deadline, if !self.acknowledged => ControlFlow::Break(Some(Close::INIT_TIMEOUT)),
                () = &mut self.expiry => ControlFlow::Break(Some(Close::EXPIRED)),
                () = shutdown.cancelled(), if !self.draining => {
                    self.drain();
                    ControlFlow::Continue(())
                }
            };
            if let ControlFlow::Break(end) = step {
                return end;
            }
            if self.draining && self.operations.is_empty() {
                return Some(Close::GOING_AWAY);
            }
        }
    }

    /// Not all sockets at the same moment: three to five quarters of the interval, by the request's id.
    fn pings(&self) -> Interval {
        let whole = self.server.settings.live.ping_interval();
        let spread = self.id.as_str().bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        let every = whole * 3 / 4 + whole * u32::from(spread) / 512;
        let mut pings = interval_at(Instant::now() + every, every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings
    }

    async fn hear(&mut self, message: Message) -> Step {
        self.heard = true;
        match message {
            Message::Text(text) => match ClientMessage::parse(&text) {
                Ok(message) => self.answer(message).await,
                Err(close) => ControlFlow::Break(Some(close)),
            },
            Message::Binary(_) => ControlFlow::Break(Some(Close::bad_message("messages must be text"))),
            Message::Close(_) => ControlFlow::Break(None),
            // The library answers pings.
            Message::Ping(_) | Message::Pong(_) => ControlFlow::Continue(()),
        }
    }

    async fn answer(&mut self, message: ClientMessage) -> Step {
        match message {
            ClientMessage::Init(_) if self.acknowledged => ControlFlow::Break(Some(Close::TOO_MANY_INITS)),
            ClientMessage::Init(authorization) => self.initialise(authorization).await,
            ClientMessage::Ping(payload) => self.say(ServerMessage::Pong(payload.as_deref())).await,
            ClientMessage::Pong => ControlFlow::Continue(()),
            ClientMessage::Subscribe { .. } if !self.acknowledged => {
                ControlFlow::Break(Some(Close::UNAUTHORIZED))
            }
            ClientMessage::Subscribe { id, params } => self.subscribe(id, params).await,
            ClientMessage::Complete { id } => {
                self.operations.remove(&id);
                ControlFlow::Continue(())
            }
        }
    }

    async fn initialise(&mut self, authorization: Option<String>) -> Step {
        if let Some(text) = authorization {
            match auth::check(&*self.server.edge, &text).await {
                Ok(who) => {
                    self.expiry = Box::pin(auth::expiry(auth::time_left(&*self.server.clock, Some(&who))));
                    self.who = Some(who);
                }
                Err(fault) => return ControlFlow::Break(Some(fault.into())),
            }
        }
        self.acknowledged = true;
        self.say(ServerMessage::Ack).await
    }

    async fn subscribe(&mut self, id: String, params: Params) -> Step {
        if self.operations.contains_key(&id) {
            return ControlFlow::Break(Some(Close::duplicate(&id)));
        }
        if self.draining {
            // The close that is coming tells the client to ask elsewhere.
            return ControlFlow::Continue(());
        }
        let limit = self.server.settings.live.max_operations;
        if self.operations.len() >= limit {
            let message = format!("{limit} operations are running on this connection; no more may");
            let fault = Fault::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_STREAMS", message);
            let errors = [fault.into_error(&self.id)];
            return self.say(ServerMessage::Error { id: &id, errors: &errors }).await;
        }
        let actor = self.who.as_ref().map(|who| &who.actor);
        match self.server.prepare(params, Vec::new(), actor, &self.id) {
            Ok(prepared) => {
                let lasting = prepared.operation == OperationType::Subscription;
                let replies = self.server.stream(prepared, &self.id).map(Some);
                let replies = replies.chain(stream::iter([None])).boxed();
                self.operations.insert(id, Operation { replies, lasting });
                ControlFlow::Continue(())
            }
            Err(error) => {
                let reply = Reply::refused(error, &self.id);
                self.say(ServerMessage::Error { id: &id, errors: &reply.response.errors }).await
            }
        }
    }

    async fn deliver(&mut self, id: &str, reply: Option<Reply>) -> Step {
        match reply {
            Some(reply) if reply.request_error => {
                self.operations.remove(id);
                self.say(ServerMessage::Error { id, errors: &reply.response.errors }).await
            }
            Some(reply) => self.say(ServerMessage::Next { id, reply: &reply }).await,
            None => {
                self.operations.remove(id);
                self.say(ServerMessage::Complete { id }).await
            }
        }
    }

    async fn ping(&mut self) -> Step {
        if !std::mem::take(&mut self.heard) {
            tracing::debug!("a client did not answer a ping");
            return ControlFlow::Break(None);
        }
        self.send(Message::Ping(bytes::Bytes::new())).await
    }

    /// Queries and mutations may end; subscriptions are cut, without `complete`, so that clients resume them.
    fn drain(&mut self) {
        self.draining = true;
        let lasting = self.operations.iter().filter(|(_, operation)| operation.lasting);
        let ids: Vec<_> = lasting.map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.operations.remove(&id);
        }
    }

    async fn say(&mut self, message: ServerMessage<'_>) -> Step {
        match Utf8Bytes::try_from(message.render()) {
            Ok(text) => self.send(Message::Text(text)).await,
            Err(error) => {
                tracing::error!(%error, "a rendered response is not UTF-8");
                ControlFlow::Break(Some(Close::INTERNAL))
            }
        }
    }

    async fn send(&mut self, message: Message) -> Step {
        match timeout(self.server.settings.live.send_timeout(), self.socket.send(message)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) => ControlFlow::Break(None),
            Err(_elapsed) => {
                tracing::debug!("a client did not take a message in time");
                ControlFlow::Break(None)
            }
        }
    }

    /// Says why, and gives the client a moment to close its side, so that the reason is not lost with the socket.
    async fn close(mut self, end: End) {
        self.operations.clear();
        let Some(close) = end else { return };
        tracing::debug!(code = close.code(), "websocket closed");
        let farewell = async {
            if self.socket.send(Message::Close(Some(close.frame()))).await.is_ok() {
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        let _ = timeout(Duration::from_secs(1), farewell).await;
    }
}

/// axum hides the library's error; its text is all there is to tell it by.
fn too_big(error: &axum::Error) -> bool {
    error.to_string().contains("too long")
}

/// A credential that is refused in `connection_init`.
impl From<Fault> for Close {
    fn from(fault: Fault) -> Self {
        if fault.refuses() { Self::forbidden(&fault.message()) } else { Self::INTERNAL }
    }
}
