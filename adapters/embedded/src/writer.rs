//! Group commit: a thread for each engine takes all writes that wait, applies them as one, commits once and
//! answers every caller. While a commit runs, the next writes gather. A write that fails, or panics, is
//! parted from its neighbours: after a failed group each of its writes is tried alone.

use std::{
    any::Any,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use colloquy_domain::{Error, Result};
use tokio::sync::oneshot;

use crate::lock::FolderLock;

/// Bounds how much a failure makes us do again.
const LARGEST_GROUP: usize = 256;

/// What a writer thread drives.
pub(crate) trait Engine: Send + 'static {
    type Write: Send + 'static;
    const NAME: &'static str;

    /// All of it durable and searchable, or none of it and an error.
    fn apply(&mut self, writes: &[&Self::Write]) -> Result<()>;

    /// Back to the last commit, after a failure or a panic.
    fn recover(&mut self) -> Result<()>;
}

struct Waiting<W> {
    write: W,
    done: oneshot::Sender<Result<()>>,
}

impl<W> Waiting<W> {
    fn answer(self, outcome: Result<()>) {
        // A caller that has gone away is no fault.
        let _ = self.done.send(outcome);
    }
}

enum Message<W> {
    Write(Waiting<W>),
    Stop,
}

/// The door to a writer thread. The thread ends when it is told to, or when nobody can write any more.
pub(crate) struct Writer<E: Engine> {
    inbox: Sender<Message<E::Write>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
}

impl<E: Engine> Writer<E> {
    /// The lock is given back when the engine is closed.
    pub(crate) fn start(engine: E, gather: Duration, lock: Arc<FolderLock>) -> Result<Self> {
        let (inbox, waiting) = mpsc::channel();
        let commits = Arc::new(AtomicU64::new(0));
        let worker = Worker { engine, gather, damaged: false, commits: commits.clone(), _lock: lock };
        let thread = thread::Builder::new()
            .name(format!("{}-index", E::NAME))
            .spawn(move || worker.run(&waiting))
            .map_err(|e| Error::unavailable("start the index writer", e))?;
        Ok(Self { inbox, thread: Mutex::new(Some(thread)), commits })
    }

    /// Returns when the write is durable and searchable.
    pub(crate) async fn write(&self, write: E::Write) -> Result<()> {
        let (done, answer) = oneshot::channel();
        let closed = || Error::unavailable("write to the search index", "the index is closed");
        self.inbox.send(Message::Write(Waiting { write, done })).map_err(|_returned| closed())?;
        answer.await.map_err(|_dropped| closed())?
    }

    /// Lets what has been handed in be written, then ends the thread.
    pub(crate) fn stop(&self) {
        // A thread that is gone already needs no word.
        let _ = self.inbox.send(Message::Stop);
    }

    /// Waits for the end of the thread; blocks.
    pub(crate) fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(engine = E::NAME, "index writer ended by a panic");
        }
    }

    /// Commits since the start.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

struct Worker<E: Engine> {
    engine: E,
    gather: Duration,
    /// The engine could not go back to its last commit; it is tried again before the next write.
    damaged: bool,
    commits: Arc<AtomicU64>,
    _lock: Arc<FolderLock>,
}

impl<E: Engine> Worker<E> {
    fn run(mut self, inbox: &Receiver<Message<E::Write>>) {
        let mut open = true;
        while open {
            let mut group = Vec::new();
            open = self.collect(inbox, &mut group);
            if !group.is_empty() {
                self.commit(group);
            }
        }
    }

    /// False when this was the last group.
    fn collect(&self, inbox: &Receiver<Message<E::Write>>, group: &mut Vec<Waiting<E::Write>>) -> bool {
        match inbox.recv() {
            Ok(Message::Write(first)) => group.push(first),
            Ok(Message::Stop) | Err(_) => return false,
        }
        let deadline = Instant::now() + self.gather;
        while group.len() < LARGEST_GROUP {
            // One writer alone is served at once; where there are two there may be more.
            let patience = match group.len() {
                1 => Duration::ZERO,
                _ => deadline.saturating_duration_since(Instant::now()),
            };
            match inbox.recv_timeout(patience) {
                Ok(Message::Write(next)) => group.push(next),
                Err(RecvTimeoutError::Timeout) => break,
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    fn commit(&mut self, group: Vec<Waiting<E::Write>>) {
        if group.len() > 1 {
            let writes: Vec<&E::Write> = group.iter().map(|waiting| &waiting.write).collect();
            match self.attempt(&writes) {
                Ok(()) => return group.into_iter().for_each(|waiting| waiting.answer(Ok(()))),
                Err(error) => {
                    let (writes, error) = (writes.len(), error.chain());
                    tracing::warn!(
                        engine = E::NAME,
                        writes,
                        error,
                        "group failed, each write is tried alone"
                    );
                }
            }
        }
        for waiting in group {
            let outcome = self.attempt(&[&waiting.write]);
            waiting.answer(outcome);
        }
    }

    fn attempt(&mut self, writes: &[&E::Write]) -> Result<()> {
        if self.damaged {
            self.recover()?;
        }
        let started = Instant::now();
        let outcome = guard(|| self.engine.apply(writes));
        match &outcome {
            Ok(()) => {
                self.commits.fetch_add(1, Ordering::Relaxed);
                let duration_ms = started.elapsed().as_millis() as u64;
                tracing::debug!(engine = E::NAME, writes = writes.len(), duration_ms, "index committed");
            }
            Err(_) => {
                if let Err(error) = self.recover() {
                    tracing::error!(
                        engine = E::NAME,
                        error = error.chain(),
                        "index could not go back to its last commit"
                    );
                }
            }
        }
        outcome
    }

    fn recover(&mut self) -> Result<()> {
        self.damaged = true;
        guard(|| self.engine.recover())?;
        self.damaged = false;
        Ok(())
    }
}

/// Runs library code whose panic must not end the thread.
pub(crate) fn guard<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Error::internal("write to the search index", format!("panicked: {}", text.unwrap_or_default()))
}
