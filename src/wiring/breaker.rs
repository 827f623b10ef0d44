//! So that nobody waits for an engine that is known not to answer: after some failures in a row searches are refused at
//! once, but for one a moment that tries whether it answers again. Writes are not: they wait anyway.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use colloquy_domain::{Error, Result};
use tokio::time::Instant;

/// Failures in a row that count as an outage.
const FAILURES: u32 = 3;
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// Whoever gives up sooner has reasons of his own.
const LATE: Duration = Duration::from_secs(1);

pub(crate) struct Breaker {
    late: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// When the last one ended.
    failed_at: Option<Instant>,
    trying: bool,
}

impl State {
    fn fail(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(Instant::now());
        self.trying = false;
    }
}

impl Breaker {
    /// For searches that wait so long.
    pub(crate) fn new(deadline: Duration) -> Self {
        // A part of that goes into what is done before the engine is asked.
        Self { late: LATE.min(deadline / 2), state: Mutex::default() }
    }

    /// What the work gives, or a refusal at once.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        if !self.lets_through() {
            return Err(Error::unavailable("ask a search engine", "it did not answer a moment ago"));
        }
        let watch = Watch { breaker: self, since: Instant::now(), ended: false };
        let outcome = work.await;
        watch.end(&outcome);
        outcome
    }

    fn lets_through(&self) -> bool {
        let mut state = self.state();
        if state.failures < FAILURES {
            return true;
        }
        let waited = state.failed_at.is_none_or(|at| at.elapsed() >= PAUSE);
        let mine = waited && !state.trying;
        state.trying |= mine;
        mine
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes how a search ended, also where it was dropped because it took too long.
struct Watch<'a> {
    breaker: &'a Breaker,
    since: Instant,
    ended: bool,
}

impl Watch<'_> {
    fn end<T>(mut self, outcome: &Result<T>) {
        self.ended = true;
        let mut state = self.breaker.state();
        match outcome {
            Err(Error::Unavailable { .. }) => state.fail(),
            _ => *state = State::default(),
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let mut state = self.breaker.state();
        if self.since.elapsed() >= self.breaker.late {
            state.fail();
        } else if state.trying {
            // It told nothing; the next one tries no sooner than after a failure.
            state.failed_at = Some(Instant::now());
            state.trying = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fails(breaker: &Breaker) -> Option<()> {
        let mut asked = None;
        let work = async {
            asked = Some(());
            Err::<(), _>(Error::unavailable("search", "nobody is there"))
        };
        assert!(breaker.run(work).await.is_err());
        asked
    }

    #[tokio::test]
    async fn an_engine_that_does_not_answer_is_asked_once_a_moment_until_it_does() {
        let breaker = Breaker::new(Duration::from_secs(2));
        for _ in 0..FAILURES {
            assert!(fails(&breaker).await.is_some());
        }
        assert!(fails(&breaker).await.is_none(), "nobody waits");
        tokio::time::sleep(PAUSE).await;
        assert!(fails(&breaker).await.is_some());
        assert!(fails(&breaker).await.is_none());
        tokio::time::sleep(PAUSE).await;
        breaker.run(async { Ok(()) }).await.unwrap();
        assert!(fails(&breaker).await.is_some(), "it answers, and one failure is none in a row");
    }

    #[tokio::test]
    async fn a_refusal_that_is_no_outage_changes_nothing() {
        let breaker = Breaker::new(Duration::from_secs(2));
        for _ in 0..10 {
            let refused = breaker.run(async { Err::<(), _>(Error::invalid("x", "X", "no")) }).await;
            assert_eq!(refused.unwrap_err().code(), "X");
        }
    }

    #[tokio::test]
    async fn an_engine_that_lets_everybody_wait_is_not_asked_however_short_they_wait() {
        let breaker = Breaker::new(Duration::from_millis(500));
        let asked = async |waits: Duration| {
            let mut asked = false;
            let work = async {
                asked = true;
                std::future::pending::<Result<()>>().await
            };
            let _ = tokio::time::timeout(waits, breaker.run(work)).await;
            asked
        };
        for _ in 0..FAILURES {
            assert!(asked(Duration::from_millis(450)).await);
        }
        assert!(!asked(Duration::from_millis(450)).await);
        tokio::time::sleep(PAUSE).await;
        assert!(asked(Duration::from_millis(50)).await, "a try that is given up says nothing");
        assert!(!asked(Duration::from_millis(50)).await);
    }
}
