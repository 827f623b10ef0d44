//! Handlers that run, and until when: for whoever watches from outside and ends a process whose handler neither
//! ends nor can be stopped.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use colloquy_domain::{ids::ClaimToken, jobs::ClaimedJob};

/// Beyond a handler's time-out, for it to notice that it is to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Clones see the same handlers.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<HashMap<ClaimToken, Running>>>);

struct Running {
    job: String,
    until: Instant,
}

impl Watch {
    /// The job of a handler that should have ended by now: it holds its thread, and only the end of the process
    /// ends it.
    pub fn overdue(&self) -> Option<String> {
        let now = Instant::now();
        self.lock().values().find(|running| running.until < now).map(|running| running.job.clone())
    }

    /// Until the guard is dropped.
    pub(crate) fn enter(&self, job: &ClaimedJob, timeout: Duration) -> Watched {
        let claim = job.claim;
        let running = Running {
            job: format!("{} {}", job.kind, claim.job_id),
            until: Instant::now() + timeout + GRACE.min(timeout),
        };
        self.lock().insert(claim.token, running);
        Watched { watch: self.clone(), token: claim.token }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClaimToken, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Watched {
    watch: Watch,
    token: ClaimToken,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.lock().remove(&self.token);
    }
}
