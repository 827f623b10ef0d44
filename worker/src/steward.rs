//! What one process at a time does for all: relay, reconciler, numbering of events, schedules, batches, gauges,
//! housekeeping. Every `standalone`, `worker` and `api` is a candidate; whoever holds the office does the work until
//! it stops or loses the lock. Two that lead for a moment do no harm but double work: the ledger sees to that.

use std::{convert::Infallible, sync::Arc, time::Duration};

use colloquy_domain::{
    Error, Result,
    accounts::SystemScope,
    jobs::limits::JobLimits,
    ports::{
        Ports,
        jobs::{Dispatcher, Leaders, Leadership, Office},
    },
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    erasures, feeder, housekeeping, meters, numbering, reconciler, relay, scheduler,
    settings::StewardSettings, trouble::Trouble,
};

pub(crate) const SCOPE: SystemScope = SystemScope::because("the steward works for every organization");
/// A candidate asks over a connection of its own.
const CANDIDATE: Duration = Duration::from_secs(2);
const CONFIRM: Duration = Duration::from_secs(2);
const GAUGES: Duration = Duration::from_secs(5);
/// Counting a million jobs takes its time: of the database's, no more than one part in so many.
const SHARE: u32 = 20;

pub struct Steward {
    ports: Ports,
    leaders: Arc<dyn Leaders>,
    dispatcher: Arc<dyn Dispatcher>,
    settings: StewardSettings,
    limits: JobLimits,
}

impl Steward {
    pub fn new(
        ports: Ports,
        leaders: Arc<dyn Leaders>,
        dispatcher: Arc<dyn Dispatcher>,
        settings: StewardSettings,
        limits: JobLimits,
    ) -> Self {
        Self { ports, leaders, dispatcher, settings, limits }
    }

    /// Stands for the office, and holds it when elected, until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.stand() => {}
        }
    }

    async fn stand(&self) {
        let mut trouble = Trouble::new("stand for steward");
        loop {
            if let Some(Some(lead)) = trouble.note(self.leaders.try_lead(Office::Steward).await) {
                tracing::info!("this process is the steward");
                let error = self.lead(lead).await;
                tracing::warn!(error = error.chain(), "this process is not the steward any more");
                meters::queues(&[], &[]);
            }
            sleep(CANDIDATE).await;
        }
    }

    /// Until the office is lost; everything stops in the middle then, which every port call survives.
    async fn lead(&self, lead: Box<dyn Leadership>) -> Error {
        let Self { ports, dispatcher, settings, limits, .. } = self;
        let deadline = settings.dispatch_deadline();
        tokio::select! {
            error = hold(lead) => error,
            never = async {
                tokio::join!(
                    relay::run(ports.ledger.as_ref(), ports.signals.as_ref(), dispatcher.as_ref(), deadline, limits),
                    reconciler::run(ports, dispatcher.as_ref(), settings),
                    numbering::run(ports),
                    housekeeping::run(ports, settings),
                    scheduler::run(ports),
                    feeder::run(ports),
                    erasures::run(ports),
                    gauges(ports),
                )
            } => match never.0 {},
        }
    }
}

/// Until the lock is lost.
async fn hold(mut lead: Box<dyn Leadership>) -> Error {
    loop {
        sleep(CONFIRM).await;
        if let Err(error) = lead.confirm().await {
            return error;
        }
    }
}

async fn gauges(ports: &Ports) -> Infallible {
    let mut trouble = Trouble::new("count jobs");
    loop {
        let begun = Instant::now();
        trouble.note(show(ports).await);
        sleep(GAUGES.max(begun.elapsed() * SHARE)).await;
    }
}

async fn show(ports: &Ports) -> Result<()> {
    ports.ledger.sample(SCOPE).await?;
    let counts = ports.ledger.counts(SCOPE).await?;
    let stats = ports.ledger.queue_stats(SCOPE).await?;
    meters::queues(&counts, &stats);
    Ok(())
}
