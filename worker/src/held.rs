//! The claims that this process holds. One task extends all their leases; a handler whose lease is lost is
//! cancelled, since nothing that it does will count.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use colloquy_domain::{
    accounts::SystemScope,
    ids::ClaimToken,
    jobs::Claim,
    ports::jobs::{Lease, Ledger},
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::trouble::Trouble;

const SCOPE: SystemScope = SystemScope::because("a worker's leases are over jobs of every organization");
/// Claims a statement.
const PAGE: usize = 1000;

#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<ClaimToken, (Claim, CancellationToken)>>);

impl Held {
    /// The token is cancelled when the lease is lost.
    pub(crate) fn take(&self, claim: Claim) -> CancellationToken {
        let lost = CancellationToken::new();
        self.lock().insert(claim.token, (claim, lost.clone()));
        lost
    }

    /// Completed, or given up.
    pub(crate) fn release(&self, claim: Claim) {
        self.lock().remove(&claim.token);
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lose(&self, claim: Claim) {
        if let Some((_, lost)) = self.lock().remove(&claim.token) {
            lost.cancel();
        }
    }

    fn claims(&self) -> Vec<Claim> {
        self.lock().values().map(|(claim, _)| *claim).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClaimToken, (Claim, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            let Some(leases) = trouble.note(ledger.extend(SCOPE, claims, lease).await) else {
                break;
            };
            for (claim, lease) in claims.iter().zip(leases) {
                if lease == Lease::Lost {
                    held.lose(*claim);
                }
            }
        }
    }
}
