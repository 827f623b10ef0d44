//! An engine on a server, which any number of processes share. It is opened when it is first needed, and again tried by
//! the next call where the server does not answer: a process starts without it. What the server has lost is made again,
//! and filled.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    jobs::JobKind,
    ports::{
        Ports,
        search::Standing,
        store::generations::{GenerationStore, Generations},
    },
};
use colloquy_worker::Trouble;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{
    breaker::Breaker,
    search::{LOOK, SCOPE, enqueue_all, without_lost},
};

/// How long a call waits for another one to open the engine.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries to open it.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked whether the server still has it.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);

/// One product, by its settings.
#[async_trait]
pub(crate) trait Product: Send + Sync + 'static {
    type Index: Clone + Send + Sync;

    const LOOKING_AFTER: &'static str;
    /// What fills it.
    const FILLED_BY: JobKind;

    /// With the generation that is live, and whether it began anew.
    async fn open(&self, found: &Generations) -> Result<(Self::Index, bool)>;

    async fn align(index: &Self::Index, standing: Standing) -> Result<()>;

    /// Whether the live generation is complete, as the server has it; `None` where it is not there.
    async fn look(index: &Self::Index) -> Result<Option<bool>>;

    async fn mark_complete(index: &Self::Index) -> Result<()>;
}

pub(crate) struct OnServer<P: Product> {
    product: P,
    store: Arc<dyn GenerationStore>,
    opened: RwLock<Option<Arc<Opened<P::Index>>>>,
    /// When it last failed.
    opening: Mutex<Option<Instant>>,
    /// For whatever is searched.
    pub(super) breaker: Breaker,
}

struct Opened<I> {
    index: I,
    is_enqueued: AtomicBool,
    is_complete: AtomicBool,
}

impl<P: Product> OnServer<P> {
    pub(super) fn new(product: P, ports: &Ports) -> Arc<Self> {
        Arc::new(Self {
            product,
            store: ports.generations.clone(),
            opened: RwLock::default(),
            opening: Mutex::default(),
            breaker: Breaker::new(ports.search_rules.deadline()),
        })
    }

    pub(crate) async fn index(&self) -> Result<P::Index> {
        Ok(self.opened().await?.index.clone())
    }

    pub(crate) fn known(&self) -> Option<P::Index> {
        self.there().map(|opened| opened.index.clone())
    }

    fn there(&self) -> Option<Arc<Opened<P::Index>>> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, opened: Option<Arc<Opened<P::Index>>>) {
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = opened;
    }

    /// One call opens it. The others wait for a moment, and not for each other.
    async fn opened(&self) -> Result<Arc<Opened<P::Index>>> {
        const DOING: &str = "open a search engine";
        if let Some(opened) = self.there() {
            return Ok(opened);
        }
        let Ok(mut failed_at) = timeout(PATIENCE, self.opening.lock()).await else {
            return Err(Error::unavailable(DOING, "it does not answer yet"));
        };
        if let Some(opened) = self.there() {
            return Ok(opened);
        }
        if failed_at.is_some_and(|at| at.elapsed() < PAUSE) {
            return Err(Error::unavailable(DOING, "that failed a moment ago"));
        }
        let opened = self.open().await.map(Arc::new);
        *failed_at = opened.is_err().then(Instant::now);
        self.set(opened.as_ref().ok().cloned());
        opened
    }

    async fn open(&self) -> Result<Opened<P::Index>> {
        let found = self.store.find(SCOPE).await?;
        let (index, is_new) = self.product.open(&found).await?;
        let aligned = P::align(&index, found.standing).await;
        if let Some(standing) = without_lost(&self.store, found.standing, aligned).await? {
            P::align(&index, standing).await?;
        }
        Ok(Opened { index, is_enqueued: AtomicBool::new(false), is_complete: AtomicBool::new(!is_new) })
    }

    /// Until it is dropped: generations come and go as PostgreSQL has it. Where the index began anew, and this process
    /// works on it (`fills`), every conversation is enqueued for it; a crash in between begins again.
    pub(crate) fn watch(
        self: &Arc<Self>,
        ports: &Ports,
        fills: bool,
    ) -> impl Future<Output = ()> + Send + use<P> {
        let (this, ports) = (self.clone(), ports.clone());
        async move {
            let mut trouble = Trouble::new(P::LOOKING_AFTER);
            let mut looked_at = Instant::now();
            loop {
                trouble.note(this.look(&ports, fills, &mut looked_at).await);
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    async fn look(&self, ports: &Ports, fills: bool, looked_at: &mut Instant) -> Result<()> {
        let opened = self.opened().await?;
        P::align(&opened.index, self.store.find(SCOPE).await?.standing).await?;
        if looked_at.elapsed() >= BETWEEN_LOOKS {
            *looked_at = Instant::now();
            let found = P::look(&opened.index).await?;
            // One that was complete and is not has been made anew by another process.
            if !found.is_some_and(|complete| complete || !opened.is_complete.load(Ordering::Relaxed)) {
                tracing::warn!("a search index is not on its server any more, and is made again");
                self.set(None);
                return Ok(());
            }
        }
        if fills && !opened.is_complete.load(Ordering::Relaxed) {
            self.fill(ports, &opened).await?;
        }
        Ok(())
    }

    async fn fill(&self, ports: &Ports, opened: &Opened<P::Index>) -> Result<()> {
        if !opened.is_enqueued.load(Ordering::Relaxed) {
            let conversations = enqueue_all(ports, &[P::FILLED_BY]).await?;
            tracing::info!(
                conversations,
                jobs = P::FILLED_BY.as_str(),
                "a search index is being built again"
            );
            opened.is_enqueued.store(true, Ordering::Relaxed);
        }
        P::mark_complete(&opened.index).await?;
        opened.is_complete.store(true, Ordering::Relaxed);
        Ok(())
    }
}
