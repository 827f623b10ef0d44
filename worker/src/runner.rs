//! A worker: claims what dispatch brings, or what the ledger has where dispatch does not serve, runs it, and
//! has its ends written. Asked to stop, it takes nothing new, gives running handlers their grace, and hands
//! the rest back.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use colloquy_domain::{
    accounts::SystemScope,
    jobs::{ClaimedJob, Queue, limits::JobLimits},
    ports::{
        Ports,
        jobs::{Completion, Dispatcher, Ledger, OnDispatch, Signals, WorkerNode},
    },
    time::Clock,
};
use tokio::{
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, mpsc, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    claimer::Claimer,
    completer::Completer,
    direct,
    execute::{self, Handlers, Limits, Work, execute},
    held::{self, Held, Stops},
    lasting::{PATIENCE, lasting, safely},
    meters,
    settings::WorkerSettings,
    trouble::Trouble,
    watch::Watch,
};

pub(crate) const SCOPE: SystemScope = SystemScope::because("a worker runs the jobs of every organization");
/// For dispatch and completions to end once every handler has.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long suspects wait until nothing runs beside them, and how long they are put off where something still does.
const SOLITUDE: Duration = Duration::from_secs(20);

/// A name that no other run of any process has, for logs, leases and dispatch.
pub fn process_name(run: Uuid) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .unwrap_or_default();
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    let host = if host.is_empty() { "host" } else { &host };
    format!("{host}-{}-{}", std::process::id(), run.simple())
}

pub struct Worker {
    name: String,
    queues: Vec<(Queue, usize)>,
    dispatcher: Arc<dyn Dispatcher>,
    settings: WorkerSettings,
    pub(crate) shop: Arc<Shop>,
    completer: Completer,
}

impl Worker {
    /// Serves `queues`: those of the search engines (`index`, `embed`) only where this process has them.
    /// `name` is of [`process_name`].
    pub fn new(
        ports: &Ports,
        dispatcher: Arc<dyn Dispatcher>,
        settings: WorkerSettings,
        limits: JobLimits,
        queues: &[Queue],
        name: String,
    ) -> Self {
        let work = Arc::new(Handlers { ports: ports.clone(), searches: Arc::default() });
        let (ledger, signals) = (ports.ledger.clone(), ports.signals.clone());
        Self::with_work(
            work,
            ledger,
            signals,
            ports.clock.clone(),
            dispatcher,
            settings,
            limits,
            queues,
            name,
        )
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the seam where tests put other handlers and another ledger"
    )]
    pub(crate) fn with_work(
        work: Arc<dyn Work>,
        ledger: Arc<dyn Ledger>,
        signals: Arc<dyn Signals>,
        clock: Arc<dyn Clock>,
        dispatcher: Arc<dyn Dispatcher>,
        settings: WorkerSettings,
        limits: JobLimits,
        queues: &[Queue],
        name: String,
    ) -> Self {
        let held = Arc::new(Held::default());
        let (completions, completer) = Completer::new(ledger.clone(), held.clone());
        let queues: Vec<_> = queues.iter().map(|queue| (*queue, settings.concurrency.of(*queue))).collect();
        let lanes = queues.iter().map(|(queue, handlers)| (*queue, Arc::new(Lane::new(*handlers)))).collect();
        let shop = Shop {
            claimer: Claimer::new(ledger.clone(), name.clone(), settings.lease(), limits),
            lease: settings.lease(),
            work,
            ledger,
            signals,
            clock,
            held,
            completions,
            lanes,
            stop: CancellationToken::new(),
            closing: CancellationToken::new(),
            company: RwLock::new(()),
            watch: Watch::default(),
        };
        Self { name, queues, dispatcher, settings, shop: Arc::new(shop), completer }
    }

    /// The handlers that run.
    pub fn watch(&self) -> Watch {
        self.shop.watch.clone()
    }

    /// Until `stop` is cancelled, and then for `grace` and a few seconds at most.
    pub async fn run(self, stop: CancellationToken, grace: Duration) {
        let Self { name, queues, dispatcher, settings, shop, completer } = self;
        let ledger = shop.ledger.clone();
        let mut completing = tokio::spawn(completer.run());
        // Ends with this function, however that ends.
        let mut background = JoinSet::new();
        let (held, extending, lease) = (shop.held.clone(), ledger.clone(), shop.lease);
        background.spawn(async move {
            let keep = || held::keep(held.clone(), extending.clone(), lease);
            lasting("keep leases", &CancellationToken::new(), keep).await;
        });
        let mut beating = JoinSet::new();
        let (heart, named, served) = (shop.clone(), name.clone(), queues.clone());
        beating.spawn(async move {
            let beat = || beat(heart.clone(), named.clone(), served.clone());
            lasting("tell that the worker lives", &heart.stop, beat).await;
        });

        let mut serving = JoinSet::new();
        for (queue, handlers) in &queues {
            let (dispatcher, handler) = (dispatcher.clone(), shop.clone());
            let (queue, handlers) = (*queue, *handlers);
            serving.spawn(async move {
                let serve = || dispatcher.serve(queue, handlers, handler.clone(), handler.stop.clone());
                lasting("serve dispatches", &handler.stop, serve).await;
            });
            let shop = shop.clone();
            serving.spawn(async move {
                lasting("claim directly", &shop.stop, || direct::run(shop.clone(), queue)).await;
            });
        }
        let (watched, pinged) = (shop.clone(), dispatcher.clone());
        background.spawn(async move {
            let watch = || direct::watch_dispatch(watched.clone(), pinged.clone(), settings.clone());
            lasting("watch dispatch", &watched.stop, watch).await;
        });
        tracing::info!(worker = name, queues = ?queues, "the worker serves");

        tokio::select! {
            () = stop.cancelled() => {}
            ended = &mut completing => {
                // What runs is given back when its lease ends; whoever runs the worker ends the process.
                tracing::error!(worker = name, panicked = ended.is_err(), "nobody writes how jobs end");
                return;
            }
        }
        tracing::info!(worker = name, running = shop.held.count(), "the worker drains");
        shop.stop.cancel();
        beating.shutdown().await;
        // Before the last handlers end, so that nothing more is dispatched on this worker's account.
        if let Err(error) = safely("sign off", LAST_WORDS, ledger.leave(SCOPE, &name)).await {
            tracing::warn!(error = error.chain(), "could not sign off, the silence will tell");
        }
        drain(serving, &shop, grace).await;
        drop(background);
        drop(shop);
        match timeout(LAST_WORDS, completing).await {
            Ok(_) => tracing::info!(worker = name, "the worker has ended"),
            Err(_) => tracing::warn!(worker = name, "completions were left unwritten, their jobs run again"),
        }
    }
}

/// Until all that was received has been handled, by itself or by force.
async fn drain(mut serving: JoinSet<()>, shop: &Shop, grace: Duration) {
    let served = async { while serving.join_next().await.is_some() {} };
    tokio::pin!(served);
    if timeout(grace, &mut served).await.is_ok() {
        return;
    }
    shop.closing.cancel();
    if timeout(LAST_WORDS, served).await.is_err() {
        tracing::warn!("handlers did not stop in time, their jobs run again when the leases end");
    }
}

/// Says that the worker lives, what it serves, and how much has ended here.
async fn beat(shop: Arc<Shop>, name: String, queues: Vec<(Queue, usize)>) {
    let mut trouble = Trouble::new("tell that the worker lives");
    let mut ticks = interval(shop.lease / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let ended: Vec<_> =
            shop.lanes().map(|(queue, lane)| (queue, lane.ended.swap(0, Ordering::Relaxed))).collect();
        let node = WorkerNode { name: name.clone(), queues: queues.clone(), ended };
        let beat = shop.ledger.beat(SCOPE, &node);
        if trouble.note(safely("tell that the worker lives", shop.lease, beat).await).is_none() {
            for (queue, jobs) in node.ended {
                if let Some(lane) = shop.lane(queue) {
                    lane.ended.fetch_add(jobs, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Where claimed jobs are run.
pub(crate) struct Shop {
    pub(crate) claimer: Arc<Claimer>,
    pub(crate) lease: Duration,
    work: Arc<dyn Work>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) signals: Arc<dyn Signals>,
    clock: Arc<dyn Clock>,
    pub(crate) held: Arc<Held>,
    completions: mpsc::Sender<Completion>,
    lanes: HashMap<Queue, Arc<Lane>>,
    /// Nothing new is claimed.
    pub(crate) stop: CancellationToken,
    /// Handlers are stopped.
    closing: CancellationToken,
    /// Held together by handlers, and alone by a suspect's.
    company: RwLock<()>,
    watch: Watch,
}

/// One queue as this process serves it.
pub(crate) struct Lane {
    /// A running chunk holds one, whether dispatch brought it or it was claimed directly.
    pub(crate) slots: Arc<Semaphore>,
    handlers: usize,
    /// Chunks that run.
    busy: AtomicUsize,
    /// When a chunk last began or ended here.
    lively: Mutex<Instant>,
    /// Dispatches received since the start …
    received: AtomicUsize,
    /// … and those of them that brought a job.
    brought: AtomicUsize,
    /// Jobs that have ended since the last heartbeat.
    ended: AtomicU64,
    /// Whether the queue is claimed from the ledger directly.
    pub(crate) direct: watch::Sender<bool>,
}

impl Lane {
    fn new(handlers: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(handlers)),
            handlers,
            busy: AtomicUsize::new(0),
            lively: Mutex::new(Instant::now()),
            received: AtomicUsize::new(0),
            brought: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
            direct: watch::Sender::new(false),
        }
    }

    pub(crate) fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn brought(&self) -> usize {
        self.brought.load(Ordering::Relaxed)
    }

    /// How long a handler has had nothing to do while nothing began or ended here.
    pub(crate) fn idle_for(&self) -> Duration {
        if self.busy.load(Ordering::Relaxed) >= self.handlers {
            return Duration::ZERO;
        }
        self.lively.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn enter(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.stir();
        Busy(self)
    }

    fn stir(&self) {
        *self.lively.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// Until it is dropped, however that comes.
struct Busy<'a>(&'a Lane);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.stir();
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What runs in the process beside the jobs of a claim, until it is dropped.
enum Company<'a> {
    Others(#[expect(dead_code, reason = "held for as long as they run")] RwLockReadGuard<'a, ()>),
    Nobody(#[expect(dead_code, reason = "held for as long as they run")] RwLockWriteGuard<'a, ()>),
    /// It did not become nobody in time.
    Crowded,
}

impl Shop {
    pub(crate) fn lane(&self, queue: Queue) -> Option<&Arc<Lane>> {
        self.lanes.get(&queue)
    }

    pub(crate) fn lanes(&self) -> impl Iterator<Item = (Queue, &Arc<Lane>)> {
        self.lanes.iter().map(|(queue, lane)| (*queue, lane))
    }

    /// Runs the jobs of one claim one after another. Their leases are kept from now until their ends are
    /// written, which this does not wait for.
    pub(crate) async fn run(&self, queue: Queue, jobs: Vec<ClaimedJob>) {
        let Some(lane) = self.lane(queue) else { return };
        let _busy = lane.enter();
        let now = self.clock.now();
        let take = |job: ClaimedJob| (self.held.take(job.claim), self.held.guard(job.claim), job);
        let taken: Vec<_> = jobs.into_iter().map(take).collect();
        // Suspects have claims of their own. Of the others none waits for one that comes between them.
        let company = match taken.iter().any(|(_, _, job)| job.is_suspect) {
            true => timeout(SOLITUDE, self.company.write()).await.map_or(Company::Crowded, Company::Nobody),
            false => Company::Others(self.company.read().await),
        };
        for (stops, claim, job) in taken {
            meters::picked_up(&job, now);
            let completion = if stops.lost.is_cancelled() {
                None
            } else if self.stop.is_cancelled() {
                Some(execute::hand_back(&job))
            } else if matches!(company, Company::Crowded) {
                Some(execute::put_off(&job, SOLITUDE))
            } else if job.is_suspect {
                self.execute_alone(&job, stops).await
            } else {
                self.execute(&job, stops).await
            };
            if let Some(completion) = completion {
                lane.ended.fetch_add(1, Ordering::Relaxed);
                self.held.end(job.claim);
                // It fails only when the completer is gone, and then the lease ends by itself.
                if self.completions.send(completion).await.is_ok() {
                    claim.hand_over();
                }
            }
        }
        drop(company);
    }

    async fn execute(&self, job: &ClaimedJob, stops: Stops) -> Option<Completion> {
        let limits = Limits { lost: stops.lost, unwanted: stops.unwanted, closing: self.closing.clone() };
        let _watched = self.watch.enter(job, self.work.rules(job.kind).timeout);
        execute(self.work.as_ref(), job, &limits).await
    }

    /// In nobody's company, and once there is nothing else that it could take along: no end of a job that is not
    /// written yet.
    async fn execute_alone(&self, job: &ClaimedJob, stops: Stops) -> Option<Completion> {
        if timeout(SOLITUDE, self.held.settled()).await.is_err() {
            return Some(execute::put_off(job, SOLITUDE));
        }
        match safely("begin a job alone", PATIENCE, self.ledger.begin(SCOPE, job.claim)).await {
            Ok(true) => self.execute(job, stops).await,
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(error = error.chain(), "could not begin a job alone");
                Some(execute::hand_back(job))
            }
        }
    }
}

#[async_trait]
impl OnDispatch for Shop {
    async fn handle(&self, queue: Queue, dispatch: Uuid) {
        let Some(lane) = self.lane(queue) else { return };
        lane.received.fetch_add(1, Ordering::Relaxed);
        let Ok(_slot) = lane.slots.acquire().await else {
            return;
        };
        if self.stop.is_cancelled() {
            return;
        }
        let jobs = self.claimer.dispatch(dispatch).await;
        // One that comes too late brings nothing, and must not look like work.
        if !jobs.is_empty() {
            lane.brought.fetch_add(1, Ordering::Relaxed);
            self.run(queue, jobs).await;
        }
    }
}

/// A moment that ends early when `stop` is cancelled.
pub(crate) async fn pause(stop: &CancellationToken, duration: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = sleep(duration) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lane_is_idle_while_a_handler_is_free_and_nothing_begins_or_ends() {
        const A_WHILE: Duration = Duration::from_millis(30);
        let lane = Lane::new(2);
        let one = lane.enter();
        sleep(A_WHILE).await;
        assert!(lane.idle_for() >= A_WHILE, "one job may run for long");
        let two = lane.enter();
        assert_eq!(lane.idle_for(), Duration::ZERO);
        sleep(A_WHILE).await;
        drop(two);
        assert!(lane.idle_for() < A_WHILE);
        drop(one);
    }
}
