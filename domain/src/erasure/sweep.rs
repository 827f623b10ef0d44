//! Looking again for what was erased: soon after, and once every job has ended that ran then. What such a job brought
//! back goes again, and engines give up what they have only marked as deleted.

use std::time::Duration;

use super::{ErasureKind, ErasureState, person, settled_after};
use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    conversations::objects,
    ids::ConversationId,
    jobs::{JobKind, NewJob, Payload},
    ports::{
        Ports,
        jobs::Signal,
        store::erasures::{Due, Sweep},
    },
};

/// Erasures of an organization that one job sweeps, and conversations that are read at once.
const TOGETHER: usize = 1_000;
const PAGE: usize = 200;
/// An export that was begun before may have been written so much later.
const LATE: Duration = Duration::from_secs(60);

/// Jobs for what is due, over all organizations; how many erasures were due.
pub async fn enqueue(ports: &Ports, scope: SystemScope, limit: usize) -> Result<usize> {
    let due = ports.erasures.due(scope, limit).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let jobs = due.iter().map(|due| job(ports, due)).collect();
    ports.ledger.enqueue(scope, jobs).await?;
    ports.signals.raise(Signal::Jobs);
    Ok(due.len())
}

fn job(ports: &Ports, due: &Due) -> NewJob {
    let tenant = Tenant(due.organization_id);
    if due.state == ErasureState::Erasing {
        return person::job(ports, tenant, due.erasure_id);
    }
    let job = ports.new_job(JobKind::SweepErasures, Some(tenant.0), Payload::Nothing {});
    NewJob { unique_key: Some("sweep".to_owned()), ..job }
}

/// One round over an organization's erasures. It may be cut short anywhere, and is done again then.
pub async fn run(ports: &Ports, tenant: Tenant) -> Result<usize> {
    let settled_after = settled_after(&ports.job_rules);
    let sweeps = ports.erasures.to_sweep(tenant, settled_after, TOGETHER).await?;
    if sweeps.is_empty() {
        return Ok(0);
    }
    for sweep in &sweeps {
        sweep_one(ports, tenant, sweep).await?;
    }
    if let Some(text) = &ports.search.text {
        text.expunge().await?;
    }
    ports.erasures.swept(tenant, &sweeps, settled_after).await?;
    Ok(sweeps.len())
}

async fn sweep_one(ports: &Ports, tenant: Tenant, sweep: &Sweep) -> Result<()> {
    let mut after = None;
    loop {
        let page = ports.erasures.conversations(tenant, sweep.erasure_id, after, PAGE).await?;
        for id in &page {
            match sweep.kind {
                ErasureKind::Person => redact_again(ports, tenant, sweep, *id).await?,
                ErasureKind::Conversation => remove_again(ports, tenant, sweep, *id).await?,
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(*last),
            _ => return Ok(()),
        }
    }
}

async fn redact_again(ports: &Ports, tenant: Tenant, sweep: &Sweep, id: ConversationId) -> Result<()> {
    objects::delete_old(ports, tenant, id, sweep.age.saturating_sub(LATE)).await?;
    let follow = person::follow(ports, tenant, id).await?;
    if ports.erasures.redact_again(tenant, sweep.erasure_id, id, follow).await? {
        ports.signals.raise(Signal::Jobs);
        ports.signals.raise(Signal::Events);
    }
    Ok(())
}

async fn remove_again(ports: &Ports, tenant: Tenant, sweep: &Sweep, id: ConversationId) -> Result<()> {
    objects::delete_objects(ports, tenant, id).await?;
    ports.erasures.redact_again(tenant, sweep.erasure_id, id, Default::default()).await?;
    if let Some(text) = &ports.search.text {
        text.remove(tenant, id).await?;
    }
    if let Some(vectors) = &ports.search.vectors {
        vectors.remove(tenant, id).await?;
    }
    Ok(())
}
