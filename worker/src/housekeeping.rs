//! What comes round every hour: finished jobs, old events, plans that nobody started and imports of archives of a month
//! ago go, and objects that nothing refers to.

use std::{convert::Infallible, time::Duration};

use chrono::TimeDelta;
use colloquy_domain::{Result, batches, bulk, conversations::objects, ports::Ports};
use tokio::time::sleep;

use crate::{settings::StewardSettings, steward::SCOPE, trouble::Trouble};

const EVERY: Duration = Duration::from_secs(60 * 60);
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// Rows a statement, so that no transaction is long.
const PAGE: usize = 1000;
/// Between two statements, for others' sake.
const BREATH: Duration = Duration::from_millis(20);

pub(crate) async fn run(ports: &Ports, settings: &StewardSettings) -> Infallible {
    let mut trouble = Trouble::new("tidy up");
    loop {
        let tidied = trouble.note(tidy(ports, settings).await);
        sleep(if tidied.is_some() { EVERY } else { AFTER_FAILURE }).await;
    }
}

async fn tidy(ports: &Ports, settings: &StewardSettings) -> Result<()> {
    let now = ports.clock.now();
    let before = now - TimeDelta::days(i64::from(settings.keep_jobs_days));
    let jobs = all(|| ports.ledger.prune(SCOPE, before, PAGE)).await?;
    let before = now - TimeDelta::days(i64::from(settings.keep_events_days));
    let events = all(|| ports.events.trim(SCOPE, before, PAGE)).await?;
    let plans = all(|| batches::prune(ports, SCOPE)).await?;
    let archives = all(|| bulk::prune(ports, SCOPE)).await?;
    let objects = objects::sweep(ports, SCOPE).await?;
    if jobs + events + plans + archives + objects > 0 {
        tracing::info!(jobs, events, plans, archives, objects, "tidied up");
    }
    Ok(())
}

/// Page by page, until one is not full.
async fn all<F: Future<Output = Result<usize>>>(delete: impl Fn() -> F) -> Result<usize> {
    let mut deleted = 0;
    loop {
        let page = delete().await?;
        deleted += page;
        if page < PAGE {
            return Ok(deleted);
        }
        sleep(BREATH).await;
    }
}
