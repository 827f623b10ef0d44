//! Gives back jobs whose worker fell silent or whose dispatch was lost.

use std::convert::Infallible;

use colloquy_domain::ports::Ports;
use tokio::time::{MissedTickBehavior, interval};

use crate::{meters, settings::StewardSettings, steward::SCOPE, trouble::Trouble};

pub(crate) async fn run(ports: &Ports, settings: &StewardSettings) -> Infallible {
    let mut trouble = Trouble::new("reconcile jobs");
    let mut ticks = interval(settings.reconcile_every());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(found) = trouble.note(ports.ledger.reconcile(SCOPE).await) else {
            continue;
        };
        if found.expired_leases == 0 && found.missed_dispatches == 0 {
            continue;
        }
        meters::reconciled(found.expired_leases, found.missed_dispatches);
        let (expired_leases, missed_dispatches) = (found.expired_leases, found.missed_dispatches);
        tracing::warn!(expired_leases, missed_dispatches, "jobs were given back");
    }
}
