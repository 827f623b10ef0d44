//! Threads that own an engine each and share a queue: queries first, passages when there are none. Both
//! parts of the queue are bounded, and callers wait for a place without holding a runtime thread. Work that
//! its caller gave up is skipped; a panic fails one piece of work and no more.

use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use colloquy_domain::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::EMBEDDING;

const STARTING: &str = "start the embedding threads";

/// Queries that may wait: at a few milliseconds each, what is behind them would time out.
const QUERY_PLACES: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    Query,
    Passages,
}

pub(super) struct Pool<E> {
    queue: Arc<Queue<E>>,
    query_places: Arc<Semaphore>,
    passage_places: Arc<Semaphore>,
    threads: Vec<JoinHandle<()>>,
}

struct Queue<E> {
    state: Mutex<State<E>>,
    changed: Condvar,
}

struct State<E> {
    queries: VecDeque<Job<E>>,
    passages: VecDeque<Job<E>>,
    closed: bool,
}

type Work<E> = Box<dyn FnOnce(&mut E) + Send>;

struct Job<E> {
    work: Work<E>,
    place: OwnedSemaphorePermit,
}

impl<E: Send + 'static> Pool<E> {
    /// Waits until every thread has made its engine. They make it themselves because memory that loading gives
    /// back is then used by the same thread's work: malloc keeps it for the thread that had it.
    pub(super) fn start(
        threads: usize,
        make: impl Fn() -> Result<E> + Send + Sync + 'static,
    ) -> Result<Self> {
        let state = State { queries: VecDeque::new(), passages: VecDeque::new(), closed: false };
        let mut pool = Self {
            queue: Arc::new(Queue { state: Mutex::new(state), changed: Condvar::new() }),
            query_places: Arc::new(Semaphore::new(QUERY_PLACES)),
            // A place a thread keeps all of them busy; more would only hold memory.
            passage_places: Arc::new(Semaphore::new(threads)),
            threads: Vec::with_capacity(threads),
        };
        let make = Arc::new(make);
        let (ready, made) = mpsc::channel();
        for number in 0..threads {
            let (queue, make, ready) = (Arc::clone(&pool.queue), Arc::clone(&make), ready.clone());
            let thread = thread::Builder::new()
                .name(format!("embed-{number}"))
                .spawn(move || run(&queue, &*make, ready))
                .map_err(|error| Error::unavailable(STARTING, error))?;
            pool.threads.push(thread);
        }
        drop(ready);
        for _ in 0..threads {
            made.recv().map_err(|died| Error::internal(STARTING, died))??;
        }
        Ok(pool)
    }

    /// Waits for a place in the queue, not for the work. Dropping what it returns calls the work off,
    /// unless it has begun.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        priority: Priority,
        work: impl FnOnce(&mut E) -> Result<T> + Send + 'static,
    ) -> Result<Pending<T>> {
        let places = match priority {
            Priority::Query => &self.query_places,
            Priority::Passages => &self.passage_places,
        };
        let place = Arc::clone(places).acquire_owned().await.map_err(|closed| stopped(closed.into()))?;
        let (reply, answer) = oneshot::channel();
        let work = Box::new(move |engine: &mut E| {
            if reply.is_closed() {
                return;
            }
            let result = catch_unwind(AssertUnwindSafe(|| work(engine)))
                .unwrap_or_else(|panic| Err(Error::internal(EMBEDDING, message(panic.as_ref()))));
            // An error here means that the caller has gone in the meantime.
            let _ = reply.send(result);
        });
        self.queue.push(priority, Job { work, place });
        Ok(Pending(answer))
    }
}

impl<E> Drop for Pool<E> {
    /// Waits for what the threads are computing, so that none of them is inside onnxruntime when the process
    /// takes the library down. What is queued is not computed.
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // Work catches its own panics.
            let _ = thread.join();
        }
    }
}

impl<E> Queue<E> {
    fn push(&self, priority: Priority, job: Job<E>) {
        let mut state = self.lock();
        match priority {
            Priority::Query => state.queries.push_back(job),
            Priority::Passages => state.passages.push_back(job),
        }
        self.changed.notify_one();
    }

    /// Waits for work; `None` when there will be none any more.
    fn next(&self) -> Option<Work<E>> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.queries.pop_front().or_else(|| state.passages.pop_front()) {
                drop(job.place);
                return Some(job.work);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.queries.clear();
        state.passages.clear();
        self.changed.notify_all();
    }

    /// No code of others runs under the lock, so that a poisoned state is whole all the same.
    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run<E>(queue: &Queue<E>, make: &impl Fn() -> Result<E>, ready: mpsc::Sender<Result<()>>) {
    let (made, mut engine) = match make() {
        Ok(engine) => (Ok(()), Some(engine)),
        Err(error) => (Err(error), None),
    };
    // Nobody listens any longer where another thread has failed already; the queue is closed then.
    let _ = ready.send(made);
    drop(ready);
    while let Some(engine) = &mut engine
        && let Some(work) = queue.next()
    {
        work(engine);
    }
}

/// Work that is queued or under way.
pub(super) struct Pending<T>(oneshot::Receiver<Result<T>>);

impl<T> Pending<T> {
    pub(super) async fn done(self) -> Result<T> {
        self.0.await.map_err(|closed| stopped(closed.into()))?
    }
}

fn stopped(cause: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Unavailable { doing: EMBEDDING, source: cause }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    format!("panicked: {message}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Priority::*, *};

    /// An engine that remembers what it did.
    type Log = Arc<Mutex<Vec<&'static str>>>;

    fn pool() -> (Pool<Log>, Log) {
        let log = Log::default();
        let engine = Arc::clone(&log);
        (Pool::start(1, move || Ok(Arc::clone(&engine))).expect("starts"), log)
    }

    fn write(entry: &'static str) -> impl FnOnce(&mut Log) -> Result<()> {
        move |log| {
            log.lock().expect("not poisoned").push(entry);
            Ok(())
        }
    }

    /// Holds the only thread until the sender is dropped.
    async fn block(pool: &Pool<Log>) -> mpsc::Sender<()> {
        let (release, released) = mpsc::channel::<()>();
        let (begin, begun) = oneshot::channel();
        let hold = move |_: &mut Log| {
            let _ = begin.send(());
            let _ = released.recv();
            Ok(())
        };
        let pending = pool.submit(Passages, hold).await.expect("a place");
        tokio::spawn(pending.done());
        begun.await.expect("the work begins");
        release
    }

    #[test]
    fn an_engine_that_cannot_be_made_is_an_error_at_the_start() {
        let error = Pool::<Log>::start(3, || Err(stopped("no model".into()))).err().expect("no pool");
        assert!(error.chain().contains("no model"), "{error:?}");

        let error = Pool::<Log>::start(3, || panic!("boom")).err().expect("no pool");
        assert!(matches!(error, Error::Internal { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn queries_overtake_passages() {
        let (pool, log) = pool();
        let release = block(&pool).await;
        let passages = pool.submit(Passages, write("passages")).await.expect("a place");
        let query = pool.submit(Query, write("query")).await.expect("a place");
        drop(release);
        query.done().await.expect("is done");
        passages.done().await.expect("is done");
        assert_eq!(*log.lock().expect("not poisoned"), ["query", "passages"]);
    }

    #[tokio::test]
    async fn a_panic_fails_its_own_work_and_no_other() {
        let (pool, log) = pool();
        let failed = pool.submit::<()>(Query, |_| panic!("boom")).await.expect("a place").done().await;
        let error = failed.expect_err("a panic is an error");
        assert!(matches!(error, Error::Internal { .. }) && error.chain().contains("boom"), "{error:?}");

        pool.submit(Query, write("next")).await.expect("a place").done().await.expect("works on");
        assert_eq!(*log.lock().expect("not poisoned"), ["next"]);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_skipped() {
        let (pool, log) = pool();
        let release = block(&pool).await;
        drop(pool.submit(Passages, write("given up")).await.expect("a place"));
        drop(release);
        pool.submit(Passages, write("wanted")).await.expect("a place").done().await.expect("is done");
        assert_eq!(*log.lock().expect("not poisoned"), ["wanted"]);
    }

    #[tokio::test]
    async fn a_full_queue_makes_callers_wait() {
        let (pool, _log) = pool();
        let release = block(&pool).await;
        let _second = pool.submit(Passages, write("second")).await.expect("the one place");
        let third =
            tokio::time::timeout(Duration::from_millis(50), pool.submit(Passages, write("third"))).await;
        assert!(third.is_err(), "a third piece of work found a place");
        drop(release);
        pool.submit(Passages, write("third")).await.expect("a place again").done().await.expect("is done");
    }

    #[tokio::test]
    async fn dropping_the_pool_ends_its_threads_and_tells_who_waits() {
        let (pool, log) = pool();
        let release = block(&pool).await;
        let queued = pool.submit(Passages, write("queued")).await.expect("a place");
        let dropped = thread::spawn(move || drop(pool));
        let error = queued.done().await.expect_err("it was not computed");
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        drop(release);
        dropped.join().expect("the drop ends");
        assert_eq!(Arc::strong_count(&log), 1, "a thread still holds its engine");
        assert!(log.lock().expect("not poisoned").is_empty());
    }
}
