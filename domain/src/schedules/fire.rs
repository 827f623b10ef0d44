//! The leader's part: what is due becomes a job, in the transaction that moves the schedule on. A second leader finds
//! it moved.

use super::{
    MissedRuns, RunOutcome, Schedule,
    timing::{Timing, Turn, turn},
};
use crate::{
    Result,
    accounts::SystemScope,
    ids::{OrganizationId, ScheduleId},
    jobs::{JobKind, NewJob, Payload},
    ports::{
        Ports,
        store::schedules::{DueSchedule, Move},
    },
    time::Timestamp,
};

const PAGE: usize = 100;

/// Does what is due. How many runs were begun.
pub async fn advance(ports: &Ports, scope: SystemScope) -> Result<usize> {
    let (mut begun, mut after) = (0, None);
    loop {
        let page = ports.schedules.due(scope, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(begun) };
        after = Some(last.schedule.id);
        for due in &page {
            // One that is in trouble holds up no other.
            match advance_one(ports, scope, due).await {
                Ok(runs) => begun += usize::from(runs),
                Err(error) => {
                    let schedule_id = due.schedule.id;
                    tracing::warn!(%schedule_id, error = error.chain(), "a schedule could not be advanced");
                }
            }
        }
    }
}

async fn advance_one(ports: &Ports, scope: SystemScope, due: &DueSchedule) -> Result<bool> {
    let DueSchedule { schedule, is_busy, now } = due;
    let Some(at) = schedule.next_run_at else { return Ok(false) };
    let timing = match Timing::check(&schedule.cron, &schedule.time_zone) {
        Ok(timing) => timing,
        // Read by other rules, or in a zone that there was, when it was made.
        Err(error) => {
            let then = Move::Pass { outcome: RunOutcome::Refused, reason: error.to_string() };
            ports.schedules.advance(scope, schedule, at, None, then).await?;
            return Ok(false);
        }
    };
    // It waits for its turn.
    if *is_busy && schedule.missed == MissedRuns::RunAll {
        return Ok(false);
    }
    let Turn { at, runs, next } = turn(&timing, schedule.missed, at, *now);
    let then = match runs {
        true => Move::Run(job(ports, schedule.organization_id, schedule.id, at)),
        false => Move::Pass { outcome: RunOutcome::Missed, reason: missed(schedule, at) },
    };
    Ok(ports.schedules.advance(scope, schedule, at, next, then).await? && runs)
}

fn missed(schedule: &Schedule, at: Timestamp) -> String {
    let first = schedule.next_run_at.filter(|first| *first < at);
    let time = |at: Timestamp| at.format("%Y-%m-%d %H:%M UTC").to_string();
    match first {
        Some(first) => format!("nothing ran from {} to {}, when it was due", time(first), time(at)),
        None => format!("nothing ran at {}, when it was due", time(at)),
    }
}

/// The same run has the same key, so that it has one job whatever happens.
pub(super) fn job(
    ports: &Ports,
    organization_id: OrganizationId,
    schedule_id: ScheduleId,
    due: Timestamp,
) -> NewJob {
    let payload = Payload::Run { schedule_id, due };
    NewJob {
        unique_key: Some(format!("schedule:{schedule_id}:{}", due.timestamp_micros())),
        ..ports.new_job(JobKind::StartBatch, Some(organization_id), payload)
    }
}
