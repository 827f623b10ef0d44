//! The fallback. Dispatch is served all the time; where it brings nothing although it should, jobs are claimed
//! from the ledger as well, until something arrives or Redis answers again. Nothing stops meanwhile.

use std::{collections::HashMap, sync::Arc, time::Duration};

use colloquy_domain::{
    jobs::Queue,
    ports::jobs::{ClaimFrom, Dispatcher, Signal},
};
use tokio::time::sleep;

use crate::{
    lasting::{PATIENCE, safely},
    meters,
    runner::{SCOPE, Shop, pause},
    settings::WorkerSettings,
    trouble::Trouble,
};

const POLL: Duration = Duration::from_secs(1);
const PING: Duration = Duration::from_secs(1);
/// Looks at the ledger's ages, in pings.
const LOOK_EVERY: u32 = 5;
/// Failed pings in a row that count as an outage.
const PINGS: u32 = 2;

/// Claims one queue directly while its lane says so.
pub(crate) async fn run(shop: Arc<Shop>, queue: Queue) {
    let Some(lane) = shop.lane(queue).cloned() else {
        return;
    };
    let mut direct = lane.direct.subscribe();
    let mut ready = shop.signals.subscribe(Signal::Jobs);
    let mut running = tokio::task::JoinSet::new();
    loop {
        let slot = tokio::select! {
            () = shop.stop.cancelled() => break,
            slot = async {
                direct.wait_for(|direct| *direct).await.ok()?;
                lane.slots.clone().acquire_owned().await.ok()
            } => slot,
        };
        let Some(slot) = slot else { break };
        // It may have changed while the slot was waited for.
        if !*direct.borrow() {
            continue;
        }
        ready.mark_unchanged();
        let jobs = shop.claimer.claim(ClaimFrom::Queue { queue, limit: queue.chunk() }).await;
        while running.try_join_next().is_some() {}
        if jobs.is_empty() {
            drop(slot);
            tokio::select! {
                _ = ready.changed() => {}
                () = pause(&shop.stop, POLL) => {}
            }
            continue;
        }
        meters::claimed_directly(queue, jobs.len());
        let shop = shop.clone();
        running.spawn(async move {
            shop.run(queue, jobs).await;
            drop(slot);
        });
    }
    while running.join_next().await.is_some() {}
}

/// Decides for each lane whether dispatch serves it.
pub(crate) async fn watch_dispatch(
    shop: Arc<Shop>,
    dispatcher: Arc<dyn Dispatcher>,
    settings: WorkerSettings,
) {
    let mut trouble = Trouble::new("reach the dispatch");
    let mut looking = Trouble::new("look at the queues");
    let mut failed_pings = 0;
    let mut judges: HashMap<Queue, Judge> = HashMap::new();
    for round in 0_u32.. {
        sleep(PING).await;
        let answers = trouble.note(safely("ping dispatch", PATIENCE, dispatcher.ping()).await).is_some();
        failed_pings = if answers { 0 } else { failed_pings + 1 };
        let waiting = match round % LOOK_EVERY {
            0 => {
                let look = shop.ledger.waiting_since(SCOPE, settings.stuck_after());
                looking.note(safely("look at the queues", PATIENCE, look).await)
            }
            _ => None,
        };
        for (queue, lane) in shop.lanes() {
            let seen = Seen {
                is_away: failed_pings >= PINGS,
                answers,
                received: lane.received(),
                brought: lane.brought(),
                waits: waiting.as_ref().map(|waiting| waiting.contains(&queue)),
                is_idle: lane.idle_for() >= settings.stuck_after(),
            };
            let direct = judges.entry(queue).or_default().judge(seen);
            let changed = lane.direct.send_if_modified(|now| std::mem::replace(now, direct) != direct);
            if changed && direct {
                tracing::warn!(queue = queue.as_str(), "dispatch does not serve, jobs are claimed directly");
            } else if changed {
                tracing::info!(queue = queue.as_str(), "dispatch serves again");
            }
        }
    }
}

/// What is known of one lane at one moment.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Pings have failed in a row.
    is_away: bool,
    /// The last ping was answered.
    answers: bool,
    received: usize,
    /// Of those received, the dispatches that brought a job.
    brought: usize,
    /// Jobs have waited for long; `None` where it was not looked at.
    waits: Option<bool>,
    /// And a handler has had nothing to do for as long.
    is_idle: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Judge {
    #[default]
    Serves,
    /// Until the first ping that is answered.
    Away,
    /// Until a dispatch brings a job, or one arrives while none waits for long: an answer to a ping was there all
    /// along, and dispatches that come too late say nothing.
    Stuck { received: usize, brought: usize },
}

impl Judge {
    /// Whether the lane is to be claimed directly.
    fn judge(&mut self, seen: Seen) -> bool {
        *self = match *self {
            Self::Away if !seen.answers => Self::Away,
            Self::Stuck { received, brought }
                if seen.brought == brought && (seen.received == received || seen.waits != Some(false)) =>
            {
                Self::Stuck { received, brought }
            }
            _ if seen.is_away => Self::Away,
            _ if seen.waits == Some(true) && seen.is_idle => {
                Self::Stuck { received: seen.received, brought: seen.brought }
            }
            _ => Self::Serves,
        };
        *self != Self::Serves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Seen =
        Seen { is_away: false, answers: true, received: 0, brought: 0, waits: None, is_idle: false };
    const STUCK: Seen = Seen { waits: Some(true), is_idle: true, ..FINE };

    #[test]
    fn an_outage_ends_with_the_first_answer() {
        let mut judge = Judge::default();
        assert!(!judge.judge(Seen { answers: false, ..FINE }));
        assert!(judge.judge(Seen { answers: false, is_away: true, ..FINE }));
        assert!(!judge.judge(FINE));
    }

    #[test]
    fn a_stuck_lane_is_claimed_directly_until_dispatch_brings_something() {
        let mut judge = Judge::default();
        assert!(!judge.judge(Seen { is_idle: false, ..STUCK }));
        assert!(judge.judge(STUCK));
        assert!(judge.judge(FINE));
        assert!(judge.judge(Seen { waits: Some(false), ..FINE }));
        assert!(!judge.judge(Seen { received: 1, brought: 1, ..FINE }));
    }

    #[test]
    fn dispatches_that_bring_nothing_do_not_end_it_while_jobs_wait() {
        let mut judge = Judge::default();
        assert!(judge.judge(STUCK));
        assert!(judge.judge(Seen { received: 9, is_idle: false, ..STUCK }));
        assert!(judge.judge(Seen { received: 10, ..FINE }));
        assert!(!judge.judge(Seen { received: 10, waits: Some(false), ..FINE }));
    }
}
