//! Serving one queue. apalis ends a worker at any error of Redis and at any message that it cannot read; each
//! time another begins under a new name, after what may have caused it has been taken away. Handlers that
//! were running go on meanwhile.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use apalis::prelude::{ParallelizeExt, TaskId, WorkerBuilder, WorkerBuilderExt, WorkerError};
use apalis_core::backend::ext::BackendExt;
use apalis_redis::RedisStorage;
use colloquy_domain::{jobs::Queue, ports::jobs::OnDispatch};
use futures::{FutureExt, future::BoxFuture};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    bell::{Armed, Bell},
    lane::Lane,
    upkeep::{self, Taken},
};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A worker that lived so long did not fail at its start.
const HEALTHY: Duration = Duration::from_secs(10);
/// A worker with a free handler that has not looked at its queue for so long hangs: it looks five times a second, and
/// Redis has ten seconds to answer.
const HANGS: Duration = Duration::from_secs(30);
/// How long the last words to Redis may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// Handled messages that are taken away in one call.
const FINISH_BATCH: usize = 128;

pub(crate) struct Server {
    lane: Lane,
    process: String,
    concurrency: usize,
    handler: Arc<dyn OnDispatch>,
    bell: Arc<Bell>,
    /// Holds over restarts, so that a new worker beside old handlers is not one too many.
    permits: Arc<Semaphore>,
    running: TaskTracker,
}

impl Server {
    pub(crate) fn new(
        lane: Lane,
        process: String,
        concurrency: usize,
        handler: Arc<dyn OnDispatch>,
        bell: Arc<Bell>,
    ) -> Self {
        let concurrency = concurrency.max(1);
        let permits = Arc::new(Semaphore::new(concurrency));
        Self { lane, process, concurrency, handler, bell, permits, running: TaskTracker::new() }
    }

    pub(crate) async fn run(self, stop: CancellationToken) {
        let (finished, finishing) = mpsc::unbounded_channel();
        let finisher = tokio::spawn(finish(self.lane.clone(), finishing));
        if let Err(error) = upkeep::sweep(&self.lane).await {
            tracing::debug!(queue = self.lane.queue.as_str(), error = %error, "could not sweep redis");
        }
        let mut pause = FIRST_PAUSE;
        // Workers that ended badly and that Redis has not been told of yet.
        let mut fallen: Vec<String> = Vec::new();
        let mut last = String::new();
        for restart in 0_u64.. {
            last = format!("{}-{}-{restart}", self.process, self.lane.queue.as_str());
            let began = Instant::now();
            let ended = self.work(&last, finished.clone(), stop.clone()).await;
            if stop.is_cancelled() {
                break;
            }
            if began.elapsed() >= HEALTHY {
                pause = FIRST_PAUSE;
            }
            let error = ended.err().unwrap_or_else(|| "it ended by itself".to_owned());
            let queue = self.lane.queue.as_str();
            if pause == FIRST_PAUSE {
                tracing::warn!(queue, error, "a dispatch worker ended, another begins");
            } else {
                tracing::debug!(queue, error, "a dispatch worker ended again");
            }
            fallen.push(last.clone());
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep(pause.mul_f64(jitter())) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            self.clear_away(&mut fallen).await;
        }
        self.running.close();
        self.running.wait().await;
        drop(finished);
        // It ends when the last sender is gone; a handler that apalis still holds keeps none.
        let queue = self.lane.queue.as_str();
        match timeout(FAREWELL, finisher).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(queue, %error, "handled messages were not taken away"),
            Err(_) => tracing::debug!(queue, "handled messages stay in redis for now"),
        }
        let farewell = async {
            for worker in &fallen {
                upkeep::retire(&self.lane, worker, false).await?;
            }
            upkeep::retire(&self.lane, &last, true).await
        };
        if let Ok(Err(error)) = timeout(FAREWELL, farewell).await {
            tracing::debug!(queue = self.lane.queue.as_str(), error = %error, "could not say goodbye to redis");
        }
    }

    /// One life of a worker. After `stop` it drains.
    async fn work(
        &self,
        name: &str,
        finished: mpsc::UnboundedSender<Taken>,
        stop: CancellationToken,
    ) -> Result<(), String> {
        self.bell.look();
        let worker = AssertUnwindSafe(self.worker(name, finished, stop.clone())).catch_unwind();
        // Handlers are tasks of their own: they outlive a worker that Redis keeps from draining.
        let overdue = async {
            stop.cancelled().await;
            sleep(FAREWELL).await;
        };
        tokio::select! {
            ended = worker => match ended {
                Ok(ended) => ended.map_err(|error| error.to_string()),
                Err(_panic) => Err("it panicked".to_owned()),
            },
            () = overdue => Ok(()),
            () = self.hung() => Err("it looks at its queue no more".to_owned()),
        }
    }

    async fn hung(&self) {
        while self.permits.available_permits() == 0 || self.bell.unheeded_for() < HANGS {
            sleep(HANGS / 10).await;
        }
    }

    /// Boxed here, where the compiler can still see that it is `Send`.
    fn worker(
        &self,
        name: &str,
        finished: mpsc::UnboundedSender<Taken>,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), WorkerError>> {
        let storage = RedisStorage::<String>::new(self.lane.connection.clone())
            .with_config(self.lane.config.clone())
            .poll_with_strategy(Armed::new(self.bell.clone()));
        let desk = Desk {
            queue: self.lane.queue,
            worker: name.to_owned(),
            handler: self.handler.clone(),
            permits: self.permits.clone(),
            finished,
        };
        let running = self.running.clone();
        let stopped = async move {
            stop.cancelled().await;
            Ok::<(), WorkerError>(())
        };
        WorkerBuilder::new(name)
            .backend(storage)
            .concurrency(self.concurrency)
            .parallelize(move |handling| running.spawn(handling))
            .catch_panic()
            .build(move |text: String, id: TaskId| desk.clone().take(text, id.to_string()))
            .run_until(stopped)
            .boxed()
    }

    /// Only what Redis answers counts as told.
    async fn clear_away(&self, fallen: &mut Vec<String>) {
        let cleared = async {
            while let Some(worker) = fallen.last() {
                upkeep::retire(&self.lane, worker, false).await?;
                fallen.pop();
            }
            upkeep::mend(&self.lane).await
        };
        match cleared.await {
            Ok(0) => {}
            Ok(count) => {
                tracing::warn!(queue = self.lane.queue.as_str(), count, "unreadable messages were dropped");
            }
            Err(error) => {
                tracing::debug!(queue = self.lane.queue.as_str(), error = %error, "redis does not answer yet");
            }
        }
    }
}

/// Where a worker hands over what it received.
#[derive(Clone)]
struct Desk {
    queue: Queue,
    worker: String,
    handler: Arc<dyn OnDispatch>,
    permits: Arc<Semaphore>,
    finished: mpsc::UnboundedSender<Taken>,
}

impl Desk {
    /// Always well, for apalis: what comes of a job is the ledger's to know.
    async fn take(self, text: String, id: String) {
        let _finish = Finish { taken: Some(Taken { worker: self.worker, id }), finished: self.finished };
        let Ok(_permit) = self.permits.acquire().await else {
            return;
        };
        match text.parse::<Uuid>() {
            Ok(dispatch) => self.handler.handle(self.queue, dispatch).await,
            Err(error) => {
                tracing::warn!(queue = self.queue.as_str(), error = %error, "an unreadable message was dropped");
            }
        }
    }
}

/// Tells the finisher, also of a handler that panicked.
struct Finish {
    taken: Option<Taken>,
    finished: mpsc::UnboundedSender<Taken>,
}

impl Drop for Finish {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            let _ = self.finished.send(taken);
        }
    }
}

/// Takes handled messages away, as many a call as have come in. What cannot be taken away goes when the
/// worker is retired.
async fn finish(lane: Lane, mut finishing: mpsc::UnboundedReceiver<Taken>) {
    let mut batch = Vec::with_capacity(FINISH_BATCH);
    while finishing.recv_many(&mut batch, FINISH_BATCH).await > 0 {
        match AssertUnwindSafe(upkeep::finish(&lane, &batch)).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(queue = lane.queue.as_str(), error = %error, "handled messages stay in redis for now");
            }
            Err(_panic) => {
                tracing::error!(queue = lane.queue.as_str(), "handled messages stay in redis: it panicked");
            }
        }
        batch.clear();
    }
}

/// Between a half and one and a half, so that workers that fell together do not rise together.
fn jitter() -> f64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "spreads reconnections; nothing to be tested depends on it"
    )]
    let share: f64 = rand::random();
    0.5 + share
}
