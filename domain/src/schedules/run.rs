//! A run: counts what the schedule is about now, and starts a batch of it. Batch, schedule and job are written in one
//! transaction under the job's claim, so a run that comes twice starts one batch.

use super::{RunOutcome, Work, manage};
use crate::{
    Error, Result,
    accounts::Tenant,
    batches::{Batch, Steering, TOO_MANY, plan, start::check_cap},
    ids::{ScheduleId, UserId},
    jobs::Claim,
    ports::{
        Ports,
        store::schedules::{RunEnd, Starting},
    },
    time::Timestamp,
};

/// `false` where the schedule has gone; else the job is completed.
pub async fn run(
    ports: &Ports,
    tenant: Tenant,
    claim: Claim,
    id: ScheduleId,
    due: Timestamp,
) -> Result<bool> {
    let Some(schedule) = ports.schedules.find(tenant, &[id]).await?.pop() else {
        return Ok(false);
    };
    let end = |outcome, reason| RunEnd { schedule_id: id, due, outcome, reason, starting: None };
    let end = match batch(ports, tenant, id, schedule.created_by, &schedule.work, due).await {
        Ok(Some(starting)) => RunEnd { starting: Some(starting), ..end(RunOutcome::Started, None) },
        Ok(None) => end(RunOutcome::NothingToDo, None),
        // What the schedule wants is not to be had now; the next run may.
        Err(error @ (Error::Invalid(_) | Error::Conflict(_))) => {
            end(RunOutcome::Refused, Some(error.to_string()))
        }
        Err(error) => return Err(error),
    };
    let refused = |message| RunEnd {
        outcome: RunOutcome::Refused,
        reason: Some(message),
        starting: None,
        ..end.clone()
    };
    match ports.schedules.end_run(tenant, claim, end.clone()).await {
        Err(error @ Error::Conflict(_)) if error.code() == TOO_MANY => {
            ports.schedules.end_run(tenant, claim, refused(error.to_string())).await?;
        }
        ended => ended?,
    }
    Ok(true)
}

/// `None` where no conversation fits.
async fn batch(
    ports: &Ports,
    tenant: Tenant,
    schedule_id: ScheduleId,
    created_by: Option<UserId>,
    work: &Work,
    due: Timestamp,
) -> Result<Option<Starting>> {
    manage::check_work(ports, work)?;
    let filter = work.filter_at(due);
    let counted = plan::count(ports, tenant, work.kind, &filter, work.options).await?;
    if counted.conversations == 0 {
        return Ok(None);
    }
    check_cap(counted.price, work.cap, work.accept_partial)?;
    let batch = Batch {
        schedule_id: Some(schedule_id),
        ..Batch::planned(ports, tenant, created_by, work.kind, filter, work.options, counted)
    };
    let steering = Steering::Start { cap: work.cap, per_minute: work.per_minute };
    Ok(Some(Starting { batch, steering }))
}
