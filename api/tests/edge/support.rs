//! A toy schema, an edge that knows a few tokens, and a server on a free port.

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_graphql::{
    Context, ContextSelectionSet, ErrorExtensions, Object, OutputType, Positioned, Result, Schema,
    ServerResult, Subscription, Upload, Value, parser::types::Field, registry::Registry,
};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use colloquy_api::{Authenticated, Check, Edge, HttpSettings, Lifecycle, Parts, QueueLoad, Readiness};
use colloquy_domain::{
    Error,
    accounts::{Actor, Credential, Role},
    ids::{OrganizationId, SessionId, UserId},
    time::{Clock, IdGen, Timestamp},
};
use futures::{Stream, StreamExt, stream};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What the resolvers did, for tests to look at.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) mutations_begun: AtomicUsize,
    pub(crate) mutations_ended: AtomicUsize,
    pub(crate) queries_ended: AtomicUsize,
    pub(crate) events: AtomicUsize,
    pub(crate) streams_dropped: AtomicUsize,
}

fn fall_over<T>() -> T {
    panic!("the toy schema panics")
}

pub(crate) struct Query;

#[Object]
impl Query {
    async fn hello(&self) -> &str {
        "world"
    }

    async fn echo(&self, text: String) -> String {
        text
    }

    /// The role of the caller.
    async fn role(&self, ctx: &Context<'_>) -> Option<String> {
        ctx.data_opt::<Actor>().map(|actor| actor.role.as_str().to_owned())
    }

    async fn again(&self) -> Query {
        Query
    }

    async fn coded(&self) -> Result<i32> {
        Err(async_graphql::Error::new("no such thing").extend_with(|_, e| e.set("code", "NOT_FOUND")))
    }

    /// An error of somebody else's, passed on by `?`.
    async fn leaks(&self) -> Result<i32> {
        Err(std::io::Error::other("postgres://user:secret@10.0.0.1"))?;
        Ok(1)
    }

    async fn panics(&self) -> i32 {
        fall_over()
    }

    async fn slow(&self, ctx: &Context<'_>, ms: u64) -> u64 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        ctx.data_unchecked::<Arc<Seen>>().queries_ended.fetch_add(1, Ordering::SeqCst);
        ms
    }

    async fn ready_made(&self) -> ReadyMade {
        ReadyMade
    }
}

/// A list that a resolver rendered as JSON by itself.
pub(crate) struct ReadyMade;

impl OutputType for ReadyMade {
    fn type_name() -> Cow<'static, str> {
        String::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        String::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::Binary(Bytes::from_static(b"[{\"id\":1},\n{\"id\":2}]")))
    }
}

pub(crate) struct Mutation;

#[Object]
impl Mutation {
    async fn slow(&self, ctx: &Context<'_>, ms: u64) -> u64 {
        let seen = ctx.data_unchecked::<Arc<Seen>>();
        seen.mutations_begun.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        seen.mutations_ended.fetch_add(1, Ordering::SeqCst);
        ms
    }

    async fn panics(&self) -> i32 {
        fall_over()
    }

    async fn upload(&self, ctx: &Context<'_>, file: Upload) -> Result<String> {
        let file = file.value(ctx)?;
        Ok(format!("{} {} {}", file.filename, file.content_type.unwrap_or_default(), file.content.len()))
    }

    async fn upload_all(&self, ctx: &Context<'_>, files: Vec<Upload>) -> Result<Vec<String>> {
        files.into_iter().map(|file| Ok(String::from_utf8(file.value(ctx)?.content.to_vec())?)).collect()
    }
}

pub(crate) struct Events;

#[Subscription]
impl Events {
    async fn count(&self, to: u32) -> impl Stream<Item = u32> {
        stream::iter(1..=to)
    }

    /// Counts without an end, as fast as it is asked.
    async fn flood(&self, ctx: &Context<'_>) -> impl Stream<Item = String> {
        let seen = Arc::clone(ctx.data_unchecked::<Arc<Seen>>());
        stream::repeat_with(move || {
            seen.events.fetch_add(1, Ordering::SeqCst);
            "x".repeat(10_000)
        })
    }

    /// Says `0` and then nothing, for ever.
    async fn silence(&self, ctx: &Context<'_>) -> impl Stream<Item = u32> {
        let guard = Dropped(Arc::clone(ctx.data_unchecked::<Arc<Seen>>()));
        stream::iter([0]).chain(stream::pending()).map(move |n| {
            let _alive = &guard;
            n
        })
    }

    async fn panics(&self) -> impl Stream<Item = u32> {
        stream::iter(0..2).map(|n| if n == 1 { fall_over() } else { n })
    }

    async fn forbidden(&self) -> Result<stream::Pending<u32>> {
        Err(async_graphql::Error::new("not yours").extend_with(|_, e| e.set("code", "FORBIDDEN")))
    }
}

struct Dropped(Arc<Seen>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.streams_dropped.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) struct TestEdge {
    pub(crate) well: AtomicBool,
}

#[async_trait]
impl Edge for TestEdge {
    async fn authenticate(&self, credential: &str) -> std::result::Result<Authenticated, Error> {
        let actor = Actor {
            user_id: UserId(Uuid::from_u128(1)),
            organization_id: OrganizationId(Uuid::from_u128(2)),
            role: Role::Member,
            credential: Credential::Session(SessionId(Uuid::from_u128(3))),
        };
        match credential {
            "good" => Ok(Authenticated { actor, expires_at: None }),
            "brief" => Ok(Authenticated { actor, expires_at: Some(BEGINNING + Duration::from_millis(300)) }),
            "broken" => Err(Error::unavailable("ask the store", "10.0.0.1 refused the connection")),
            _ => Err(Error::unauthenticated("the token is not valid")),
        }
    }

    async fn ready(&self) -> Readiness {
        let ok = self.well.load(Ordering::SeqCst);
        let detail = if ok { "answers" } else { "does not answer" };
        Readiness { checks: vec![Check { name: "store".into(), ok, detail: detail.into() }] }
    }

    async fn queue(&self, name: &str) -> std::result::Result<Option<QueueLoad>, Error> {
        match name {
            "toys" => {
                Ok(Some(QueueLoad { queue: "toys", value: 7, ready: 4, running: 3, oldest_ready_seconds: 2 }))
            }
            "broken" => Err(Error::unavailable("ask the store", "10.0.0.1 refused the connection")),
            _ => Ok(None),
        }
    }

    fn metrics(&self) -> String {
        "toy_total 1\n".to_owned()
    }
}

const BEGINNING: Timestamp = DateTime::UNIX_EPOCH;

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        BEGINNING
    }
}

#[derive(Default)]
struct Counted(AtomicU64);

impl IdGen for Counted {
    fn next(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)))
    }

    fn secret(&self) -> [u8; 32] {
        [0; 32]
    }
}

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    pub(crate) edge: Arc<TestEdge>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<std::io::Result<()>>,
    pub(crate) client: reqwest::Client,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut HttpSettings)) -> Self {
        let mut settings = HttpSettings::default();
        change(&mut settings);
        let seen = Arc::new(Seen::default());
        let edge = Arc::new(TestEdge { well: AtomicBool::new(true) });
        let shutdown = CancellationToken::new();
        let parts = Parts {
            trace: Arc::new(colloquy_domain::ports::trace::Untraced),
            edge: edge.clone(),
            clock: Arc::new(Stopped),
            ids: Arc::new(Counted::default()),
            lifecycle: Lifecycle::new(shutdown.clone()),
        };
        let schema = Schema::build(Query, Mutation, Events).data(Arc::clone(&seen)).finish();
        let lifecycle = parts.lifecycle.clone();
        let router = colloquy_api::router(schema, parts, settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let served = tokio::spawn(colloquy_api::serve(listener, router, lifecycle, Duration::from_secs(5)));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { address, seen, edge, shutdown, served, client }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A query as most clients send it.
    pub(crate) fn ask(&self, query: &str) -> reqwest::RequestBuilder {
        self.client.post(self.url("/graphql")).json(&json!({ "query": query }))
    }

    pub(crate) async fn answer(&self, query: &str) -> (u16, serde_json::Value) {
        answer(self.ask(query)).await
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, serde_json::Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.expect("JSON"))
}

pub(crate) fn code(body: &serde_json::Value) -> &str {
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or("none")
}

/// Waits until `check` holds, and fails when it does not within a few seconds.
pub(crate) async fn eventually(what: &str, check: impl Fn() -> bool) {
    for _ in 0..500 {
        if check() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen");
}
