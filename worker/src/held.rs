//! The claims that this process holds. One task extends all their leases; a handler whose lease is lost is
//! cancelled, since nothing that it does will count, and one whose job nobody wants any more, too.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use colloquy_domain::{
    accounts::SystemScope,
    ids::ClaimToken,
    jobs::Claim,
    ports::jobs::{Lease, Ledger},
};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{lasting::safely, trouble::Trouble};

const SCOPE: SystemScope = SystemScope::because("a worker's leases are over jobs of every organization");
/// Claims a statement.
const PAGE: usize = 1000;

#[derive(Default)]
pub(crate) struct Held {
    claims: Mutex<HashMap<ClaimToken, Holding>>,
    released: Notify,
}

struct Holding {
    claim: Claim,
    stops: Stops,
    /// Its handler has ended, and that is not written yet.
    ended: bool,
}

/// What stops a handler, by why.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stops {
    /// The lease is lost.
    pub(crate) lost: CancellationToken,
    /// Somebody wants the job cancelled.
    pub(crate) unwanted: CancellationToken,
}

impl Held {
    pub(crate) fn take(&self, claim: Claim) -> Stops {
        let stops = Stops::default();
        self.lock().insert(claim.token, Holding { claim, stops: stops.clone(), ended: false });
        stops
    }

    /// Its completion is on its way.
    pub(crate) fn end(&self, claim: Claim) {
        if let Some(holding) = self.lock().get_mut(&claim.token) {
            holding.ended = true;
        }
    }

    /// Completed, or given up.
    pub(crate) fn release(&self, claim: Claim) {
        self.lock().remove(&claim.token);
        self.released.notify_waiters();
    }

    /// Until the ends of all handlers that have ended are written.
    pub(crate) async fn settled(&self) {
        loop {
            let mut released = pin!(self.released.notified());
            released.as_mut().enable();
            if !self.lock().values().any(|holding| holding.ended) {
                return;
            }
            released.await;
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Gives the claim up when dropped, unless its end is on its way.
    pub(crate) fn guard(self: &Arc<Self>, claim: Claim) -> Guard {
        Guard { held: self.clone(), claim: Some(claim) }
    }

    fn lose(&self, claim: Claim) {
        if let Some(holding) = self.lock().remove(&claim.token) {
            holding.stops.lost.cancel();
        }
        self.released.notify_waiters();
    }

    fn refuse(&self, claim: Claim) {
        if let Some(holding) = self.lock().get(&claim.token) {
            holding.stops.unwanted.cancel();
        }
    }

    fn claims(&self) -> Vec<Claim> {
        self.lock().values().map(|holding| holding.claim).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClaimToken, Holding>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handler that panics past its bounds, or is dropped, keeps no lease for good.
pub(crate) struct Guard {
    held: Arc<Held>,
    claim: Option<Claim>,
}

impl Guard {
    /// Whoever writes the end releases the claim.
    pub(crate) fn hand_over(mut self) {
        self.claim = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(claim) = self.claim {
            self.held.release(claim);
        }
    }
}

/// Extends leases three times as often as they run out, for good. While PostgreSQL is away nobody else can
/// claim either, so handlers go on.
pub(crate) async fn keep(held: Arc<Held>, ledger: Arc<dyn Ledger>, lease: Duration) {
    let mut trouble = Trouble::new("renew the leases of running jobs");
    let mut ticks = interval(lease / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for claims in held.claims().chunks(PAGE) {
            let extend = ledger.extend(SCOPE, claims, lease);
            let Some(leases) = trouble.note(safely("extend leases", lease, extend).await) else {
                break;
            };
            for (claim, lease) in claims.iter().zip(leases) {
                match lease {
                    Lease::Held => {}
                    Lease::Unwanted => held.refuse(*claim),
                    Lease::Lost => held.lose(*claim),
                }
            }
        }
    }
}
