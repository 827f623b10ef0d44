//! A vector server for tests, where no Qdrant can be had: the services that `qdrant-client` ships, over a small engine in
//! memory. It does what Colloquy asks of a server, is strict about it, and answers `unimplemented` to the rest. It is
//! code of tests, and nothing but tests may use it.

#![allow(clippy::unwrap_used, reason = "a test ends where something is amiss")]

/// Calls that nobody makes so far.
macro_rules! answer_unimplemented {
    ($($name:ident($request:ident) -> $reply:ident,)*) => {$(
        // As the attribute writes it, which does not see into macros.
        fn $name<'s, 'f>(
            &'s self,
            _: Request<$request>,
        ) -> std::pin::Pin<Box<dyn Future<Output = Answer<$reply>> + Send + 'f>>
        where
            's: 'f,
            Self: 'f,
        {
            Box::pin(async { Err(Status::unimplemented("the stand-in does not know this call")) })
        }
    )*};
}

mod collections;
mod engine;
mod filter;
mod points;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use qdrant_client::qdrant::{
    HealthCheckReply, HealthCheckRequest,
    collections_server::CollectionsServer,
    points_server::PointsServer,
    qdrant_server::{Qdrant, QdrantServer},
};
use tokio::{runtime::Builder, sync::oneshot};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, transport::Server};

use crate::engine::Engine;

/// The version that it says it is.
pub const VERSION: &str = "1.17.0";

/// One server; it ends when it is dropped, and what it holds with it.
pub struct StandIn {
    address: SocketAddr,
    shared: Shared,
    running: Option<(oneshot::Sender<()>, thread::JoinHandle<()>)>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    engine: Engine,
    /// What the next calls are answered with, the last first.
    refusals: Vec<Code>,
    /// The key that came with the last call.
    key: Option<String>,
}

type Answer<T> = Result<Response<T>, Status>;

impl Shared {
    /// What the engine says, unless the call is to be refused.
    fn answer<Q, T>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(&mut Engine, Q) -> Result<T, Status>,
    ) -> Answer<T> {
        let mut inner = self.0.lock().unwrap();
        let key = request.metadata().get("api-key");
        inner.key = key.map(|key| key.to_str().unwrap().to_owned());
        if let Some(code) = inner.refusals.pop() {
            return Err(Status::new(code, "as the test wants it"));
        }
        work(&mut inner.engine, request.into_inner()).map(Response::new)
    }
}

#[tonic::async_trait]
impl Qdrant for Shared {
    async fn health_check(&self, request: Request<HealthCheckRequest>) -> Answer<HealthCheckReply> {
        self.answer(request, |_, _| {
            let title = "a stand-in".to_owned();
            Ok(HealthCheckReply { title, version: VERSION.to_owned(), commit: None })
        })
    }
}

impl StandIn {
    /// On a free port of this machine.
    pub fn start() -> Self {
        let mut this =
            Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), shared: Shared::default(), running: None };
        this.go_on();
        this
    }

    /// As a release left its collections that did not filter by this field.
    pub fn forget_field(&self, field: &str) {
        let mut inner = self.shared.0.lock().unwrap();
        for collection in inner.engine.collections.values_mut() {
            collection.indexed.remove(field);
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Nobody is answered any more, and connections are cut, as if the server were gone. What it holds stays.
    pub fn stop(&mut self) {
        if let Some((stop, running)) = self.running.take() {
            drop(stop);
            running.join().unwrap();
        }
    }

    /// Serves again, at the same address.
    pub fn go_on(&mut self) {
        self.stop();
        let listener = TcpListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = self.shared.clone();
        // In a runtime of its own: with it end the tasks of its connections.
        let running = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(shared, listener, stopped));
        });
        self.running = Some((stop, running));
    }

    /// The next calls are refused with these codes, the first first.
    pub fn refuse(&self, codes: &[Code]) {
        self.shared.0.lock().unwrap().refusals = codes.iter().rev().copied().collect();
    }

    /// Calls that are to be refused still.
    pub fn refusals_left(&self) -> usize {
        self.shared.0.lock().unwrap().refusals.len()
    }

    /// The key that came with the last call.
    pub fn last_key(&self) -> Option<String> {
        self.shared.0.lock().unwrap().key.clone()
    }

    /// The names of the collections, in order.
    pub fn collections(&self) -> Vec<String> {
        self.shared.0.lock().unwrap().engine.collections.keys().cloned().collect()
    }

    /// Drops a collection behind everybody's back.
    pub fn lose(&self, collection: &str) {
        self.shared.0.lock().unwrap().engine.collections.remove(collection).unwrap();
    }

    /// Changes what a collection holds, behind everybody's back: each point whose payload has this text in this field is
    /// given to `change`, and goes where that says no.
    pub fn tamper(
        &self,
        collection: &str,
        field: &str,
        text: &str,
        mut change: impl FnMut(&mut Tampered<'_>) -> bool,
    ) -> usize {
        let mut inner = self.shared.0.lock().unwrap();
        let points = &mut inner.engine.collections.get_mut(collection).unwrap().points;
        let before = points.len();
        let mut seen = 0;
        points.retain(|_, point| {
            if filter::text(point.payload.get(field)) != Some(text) {
                return true;
            }
            seen += 1;
            change(&mut Tampered(point))
        });
        assert!(points.len() <= before);
        seen
    }
}

async fn serve(shared: Shared, listener: TcpListener, stopped: oneshot::Receiver<()>) {
    let served = Server::builder()
        .add_service(QdrantServer::new(shared.clone()))
        .add_service(CollectionsServer::new(shared.clone()))
        .add_service(PointsServer::new(shared).max_decoding_message_size(usize::MAX));
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let connections = TcpListenerStream::new(listener);
    tokio::select! {
        served = served.serve_with_incoming(connections) => served.unwrap(),
        _ = stopped => {}
    }
}

/// A point that a test changes.
pub struct Tampered<'a>(&'a mut engine::Point);

impl Tampered<'_> {
    /// A conversation's marker is no passage.
    pub fn is_passage(&self) -> bool {
        self.0.payload.contains_key("passage_id")
    }

    pub fn set_text(&mut self, field: &str, text: &str) {
        self.0.payload.insert(field.to_owned(), text.to_owned().into());
    }

    pub fn set_number(&mut self, field: &str, number: i64) {
        self.0.payload.insert(field.to_owned(), number.into());
    }

    pub fn turn_vector(&mut self) {
        self.0.vectors.values_mut().for_each(|vector| vector.reverse());
    }
}
