//! Gives back jobs whose worker fell silent or whose dispatch was lost.

use std::{collections::BTreeMap, convert::Infallible};

use colloquy_domain::{
    jobs::Queue,
    ports::{Ports, jobs::Dispatcher},
};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::{meters, settings::StewardSettings, steward::SCOPE, trouble::Trouble};

pub(crate) async fn run(
    ports: &Ports,
    dispatcher: &dyn Dispatcher,
    settings: &StewardSettings,
) -> Infallible {
    let mut trouble = Trouble::new("reconcile jobs");
    let mut ticks = interval(settings.reconcile_every());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(found) = trouble.note(ports.ledger.reconcile(SCOPE).await) else {
            continue;
        };
        let (expired_leases, missed_dispatches) = (found.expired_leases, found.missed_dispatches.len());
        if expired_leases == 0 && missed_dispatches == 0 {
            continue;
        }
        meters::reconciled(expired_leases, missed_dispatches);
        tracing::warn!(expired_leases, missed_dispatches, "jobs were given back");
        withdraw(dispatcher, found.missed_dispatches).await;
    }
}

/// Workers that are behind would take these first, find nothing, and be as late for those made in their place: for
/// good, once more are missed in a deadline's time than can be taken in it.
async fn withdraw(dispatcher: &dyn Dispatcher, missed: Vec<(Queue, Uuid)>) {
    let mut queues: BTreeMap<Queue, Vec<Uuid>> = BTreeMap::new();
    for (queue, id) in missed {
        queues.entry(queue).or_default().push(id);
    }
    for (queue, ids) in queues {
        if let Err(error) = dispatcher.withdraw(queue, &ids).await {
            let (queue, error) = (queue.as_str(), error.chain());
            tracing::debug!(queue, error, "missed dispatches stay where they are");
        }
    }
}
