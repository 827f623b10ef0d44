//! What every handler shares, and the end of it all: how the edge learns that it is to stop, and waits for what
//! must not be cut off.

use std::{future::IntoFuture, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, serve::ListenerExt};
use colloquy_domain::{
    ports::trace::TraceContext,
    time::{Clock, IdGen},
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{edge::Edge, persisted::Documents, settings::HttpSettings};

/// What the product puts in.
#[derive(Clone)]
pub struct Parts {
    pub edge: Arc<dyn Edge>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGen>,
    pub trace: Arc<dyn TraceContext>,
    pub lifecycle: Lifecycle,
}

/// The same value goes to the router and to [`serve`].
#[derive(Clone, Default)]
pub struct Lifecycle {
    pub(crate) shutdown: CancellationToken,
    /// Mutations and WebSockets: work that goes on when its HTTP connection is gone.
    pub(crate) tasks: TaskTracker,
}

impl Lifecycle {
    /// Cancelling `shutdown` begins the end.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self { shutdown, tasks: TaskTracker::new() }
    }
}

pub(crate) struct Server<E> {
    pub(crate) schema: E,
    pub(crate) edge: Arc<dyn Edge>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) settings: HttpSettings,
    pub(crate) documents: Documents,
    /// One permit a WebSocket or event stream.
    pub(crate) connections: Arc<Semaphore>,
    /// One permit a KiB of upload.
    pub(crate) upload_memory: Arc<Semaphore>,
}

pub(crate) type Shared<E> = Arc<Server<E>>;

impl<E> Server<E> {
    pub(crate) fn new(schema: E, parts: Parts, settings: HttpSettings) -> Self {
        let permits = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        // An upload of the greatest size must find room, or it would wait for ever.
        let upload_memory = settings.upload_memory_bytes.max(settings.max_upload_bytes).div_ceil(1024);
        Self {
            schema,
            edge: parts.edge,
            clock: parts.clock,
            lifecycle: parts.lifecycle,
            connections: Arc::new(Semaphore::new(settings.live.max_connections.min(Semaphore::MAX_PERMITS))),
            documents: Documents::new(settings.persisted_documents),
            upload_memory: Arc::new(Semaphore::new(permits(upload_memory))),
            settings,
        }
    }
}

/// Serves until the lifecycle's token is cancelled. Then no connection is taken any more, requests in flight and
/// mutations end, subscriptions are cut with 1001 (their clients resume elsewhere), and what is not done after
/// `grace` is dropped.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    lifecycle: Lifecycle,
    grace: Duration,
) -> io::Result<()> {
    let Lifecycle { shutdown, tasks } = lifecycle;
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not set TCP_NODELAY");
        }
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let finished = async {
        server.into_future().await?;
        tasks.wait().await;
        Ok(())
    };
    let overdue = async {
        shutdown.cancelled().await;
        tasks.close();
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        result = finished => result,
        () = overdue => {
            tracing::warn!(tasks = tasks.len(), "requests were still running at the end of the grace period");
            Ok(())
        }
    }
}
