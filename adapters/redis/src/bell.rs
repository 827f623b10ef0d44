//! When a worker looks for messages: at once when its bell rings, and every 200 ms in case a ring got lost.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};
use colloquy_domain::jobs::Queue;
use futures::task::AtomicWaker;
use tokio::time::{Instant, Sleep, sleep};

const POLL: Duration = Duration::from_millis(200);
/// After a ring the queue is looked at once more: a fetch that was under way then may have missed the message.
const ECHO: Duration = Duration::from_millis(3);

pub(crate) struct Bell {
    rung: AtomicBool,
    waker: AtomicWaker,
    /// When the queue was last looked at.
    looked: Mutex<Instant>,
}

impl Default for Bell {
    fn default() -> Self {
        Self { rung: AtomicBool::new(false), waker: AtomicWaker::new(), looked: Mutex::new(Instant::now()) }
    }
}

impl Bell {
    pub(crate) fn look(&self) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long nobody has looked at the queue.
    pub(crate) fn unheeded_for(&self) -> Duration {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    pub(crate) fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// The bells of everybody in this process who serves a queue.
#[derive(Default)]
pub(crate) struct Bells(Mutex<Vec<(Queue, Weak<Bell>)>>);

impl Bells {
    pub(crate) fn hang(&self, queue: Queue) -> Arc<Bell> {
        let bell = Arc::new(Bell::default());
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.retain(|(_, bell)| bell.strong_count() > 0);
        bells.push((queue, Arc::downgrade(&bell)));
        bell
    }

    /// `None` rings them all.
    pub(crate) fn ring(&self, queue: Option<Queue>) {
        let bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (hung, bell) in bells.iter() {
            if let Some(bell) = bell.upgrade()
                && queue.is_none_or(|queue| queue == *hung)
            {
                bell.ring();
            }
        }
    }
}

/// apalis' own strategies replace a timer that fired without polling the new one, and so are never woken
/// again; this one polls until the timer is pending, which is when it knows whom to wake.
pub(crate) struct Armed {
    bell: Arc<Bell>,
    timer: Pin<Box<Sleep>>,
}

impl Armed {
    pub(crate) fn new(bell: Arc<Bell>) -> Self {
        Self { bell, timer: Box::pin(sleep(POLL)) }
    }
}

impl PollStrategy for Armed {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        self.bell.look();
        self.bell.waker.register(cx.waker());
        let mut fired = self.bell.rung.swap(false, Ordering::AcqRel);
        if fired {
            self.timer.as_mut().reset(Instant::now() + ECHO);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            fired = true;
            self.timer.as_mut().reset(Instant::now() + POLL);
        }
        if fired { Poll::Ready(Some(())) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use futures::task::{ArcWake, waker};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl ArcWake for Woken {
        fn wake_by_ref(woken: &Arc<Self>) {
            woken.0.store(true, Ordering::Release);
        }
    }

    #[tokio::test]
    async fn after_each_ring_and_each_interval_the_poller_will_be_woken_again() {
        let bell = Arc::new(Bell::default());
        let mut armed = Armed::new(bell.clone());
        let woken = Arc::new(Woken::default());
        let waker = waker(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let snapshot = PollSnapshot::new();
        for _ in 0..3 {
            assert!(armed.poll_drive(&mut cx, &snapshot).is_pending());
            bell.ring();
            assert!(woken.0.swap(false, Ordering::AcqRel), "the ring wakes");
            assert!(armed.poll_drive(&mut cx, &snapshot).is_ready());
            for wait in [ECHO, POLL, POLL] {
                sleep(wait + Duration::from_millis(2)).await;
                assert!(woken.0.swap(false, Ordering::AcqRel), "the timer wakes after {wait:?}");
                assert!(armed.poll_drive(&mut cx, &snapshot).is_ready());
            }
        }
    }

    #[test]
    fn a_ring_reaches_those_who_serve_the_queue_and_nobody_else() {
        let bells = Bells::default();
        let (mail, index) = (bells.hang(Queue::Mail), bells.hang(Queue::Index));
        bells.ring(Some(Queue::Mail));
        assert!(mail.rung.load(Ordering::Acquire) && !index.rung.load(Ordering::Acquire));
        bells.ring(None);
        assert!(index.rung.load(Ordering::Acquire));
    }
}
