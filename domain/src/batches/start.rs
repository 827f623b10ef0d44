//! Starting what was planned, under a cap.

use crate::{
    Error, Result,
    accounts::{Actor, Role},
    audit::{self, NewAuditEntry, Origin},
    batches::{Batch, BatchState, Plan, Steering, control::refusal, plan},
    events::LogPosition,
    ids::BatchId,
    money::MicroDollars,
    ports::{Ports, store::batches::Steered},
};

pub struct StartInput {
    pub batch_id: BatchId,
    pub cap: Option<MicroDollars>,
    /// A cap that does not hold the whole batch is meant.
    pub accept_partial: bool,
    pub per_minute: Option<u32>,
}

#[derive(Debug, Clone)]
pub struct Started {
    pub batch: Batch,
    /// As it was counted now; the batch has the plan of before. `None` where it had been started already.
    pub recount: Option<Plan>,
    /// The log as it was before.
    pub cursor: LogPosition,
}

/// Started twice, it is the same batch. One that was cancelled does not begin.
pub async fn start(ports: &Ports, actor: &Actor, origin: &Origin, input: StartInput) -> Result<Started> {
    let entry = NewAuditEntry::new(ports, actor, origin, "batches.start")
        .on(input.batch_id)
        .with("cap", input.cap.map(|cap| cap.0))
        .with("perMinute", input.per_minute)
        .with("acceptPartial", input.accept_partial.then_some(true));
    let started = try_to_start(ports, actor, input, entry.again(ports)).await;
    audit::settle(ports, entry, started).await
}

async fn try_to_start(
    ports: &Ports,
    actor: &Actor,
    input: StartInput,
    entry: NewAuditEntry,
) -> Result<Started> {
    actor.require(Role::Admin)?;
    let tenant = actor.tenant();
    let cursor = ports.events.bounds().await?.position();
    let batch = super::control::get(ports, tenant, input.batch_id).await?;
    if batch.is_rebuild() {
        actor.require(Role::Owner)?;
    }
    let steering = Steering::Start { cap: input.cap, per_minute: input.per_minute };
    if batch.state != BatchState::Planned {
        if !steering.is_met_by(batch.state) {
            return Err(refusal(batch.state, batch.reason.as_deref(), steering));
        }
        ports.audit.insert(entry.changed(false)).await?;
        return Ok(Started { batch, recount: None, cursor });
    }
    if input.per_minute == Some(0) {
        return Err(Error::invalid("perMinute", "INVALID_RATE", "at least one a minute; pause it for none"));
    }
    let recount = plan::count(ports, tenant, batch.kind, &batch.filter, batch.options).await?;
    check_cap(recount.price, input.cap, input.accept_partial)?;
    let steered = ports.batches.steer(tenant, input.batch_id, steering, entry).await?;
    // Somebody else may have been quicker.
    let Steered { batch, changed } = steered.ok_or_else(|| Error::not_found("batch", input.batch_id))?;
    if !changed && !steering.is_met_by(batch.state) {
        return Err(refusal(batch.state, batch.reason.as_deref(), steering));
    }
    Ok(Started { batch, recount: changed.then_some(recount), cursor })
}

pub(crate) fn check_cap(price: MicroDollars, cap: Option<MicroDollars>, accept_partial: bool) -> Result<()> {
    match cap {
        None if price > MicroDollars::ZERO => {
            let message = format!(
                "this batch is estimated at {price} ({} micro-dollars): give a cap of what it may cost",
                price.0
            );
            Err(Error::invalid("cap", "CAP_MISSING", message))
        }
        Some(cap) if cap < price && !accept_partial => {
            let message = format!(
                "the cap of {cap} ({}) is below the estimate of {price} ({}): raise it, or say `acceptPartial: true` to have as much done as it holds",
                cap.0, price.0
            );
            Err(Error::invalid("cap", "CAP_BELOW_ESTIMATE", message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_below_the_estimate_must_be_meant() {
        let code = |price, cap: Option<u64>, partial| {
            check_cap(MicroDollars(price), cap.map(MicroDollars), partial).err().map(|error| error.code())
        };
        assert_eq!(code(0, None, false), None);
        assert_eq!(code(5, None, true), Some("CAP_MISSING"));
        assert_eq!(code(5, Some(4), false), Some("CAP_BELOW_ESTIMATE"));
        assert_eq!(code(5, Some(4), true), None);
        assert_eq!(code(5, Some(5), false), None);
        let told = check_cap(MicroDollars(5), Some(MicroDollars(4)), false).unwrap_err().to_string();
        assert!(told.contains("$0.000004") && told.contains("$0.000005"), "{told}");
    }
}
