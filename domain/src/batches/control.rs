//! Pausing, resuming, cancelling, and running again what failed. The state changes at once; the steward brings
//! the batch's jobs to it within seconds, also after a restart.

use crate::{
    Error, Result,
    accounts::{Actor, Role, Tenant},
    audit::{self, NewAuditEntry, Origin},
    batches::{Batch, BatchState, Steering},
    ids::BatchId,
    money::MicroDollars,
    ports::{Ports, store::batches::Steered},
};

/// A batch that is paused already stays so.
pub async fn pause(ports: &Ports, actor: &Actor, origin: &Origin, id: BatchId) -> Result<Batch> {
    steer(ports, actor, origin, id, Steering::Pause).await
}

/// Also one that its cap has stopped, under a new cap, and a rebuild whose gaps have been filled.
pub async fn resume(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    id: BatchId,
    cap: Option<MicroDollars>,
) -> Result<Batch> {
    steer(ports, actor, origin, id, Steering::Resume { cap }).await
}

/// What waits is not begun any more, what runs is asked to stop.
pub async fn cancel(ports: &Ports, actor: &Actor, origin: &Origin, id: BatchId) -> Result<Batch> {
    steer(ports, actor, origin, id, Steering::Cancel).await
}

/// Only what failed; priced anew, and within the cap.
pub async fn retry_failures(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    id: BatchId,
    cap: Option<MicroDollars>,
) -> Result<Batch> {
    steer(ports, actor, origin, id, Steering::RetryFailures { cap }).await
}

pub async fn get(ports: &Ports, tenant: Tenant, id: BatchId) -> Result<Batch> {
    let found = ports.batches.find(tenant, &[id]).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found("batch", id))
}

async fn steer(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    id: BatchId,
    steering: Steering,
) -> Result<Batch> {
    let (action, cap) = match steering {
        Steering::Start { cap, .. } => ("batches.start", cap),
        Steering::Pause => ("batches.pause", None),
        Steering::Resume { cap } => ("batches.resume", cap),
        Steering::Cancel => ("batches.cancel", None),
        Steering::RetryFailures { cap } => ("batches.retryFailures", cap),
    };
    let entry = NewAuditEntry::new(ports, actor, origin, action).on(id).with("cap", cap.map(|cap| cap.0));
    let steered = try_to_steer(ports, actor, id, steering, entry.again(ports)).await;
    audit::settle(ports, entry, steered).await
}

async fn try_to_steer(
    ports: &Ports,
    actor: &Actor,
    id: BatchId,
    steering: Steering,
    entry: NewAuditEntry,
) -> Result<Batch> {
    actor.require(Role::Admin)?;
    let batch = get(ports, actor.tenant(), id).await?;
    if batch.is_rebuild() {
        actor.require(Role::Owner)?;
    }
    check_cap(&batch, steering)?;
    if let Steering::RetryFailures { cap } = steering
        && batch.counts.failed == 0
    {
        if cap.is_some() && cap != batch.cap {
            let message = "nothing of the batch has failed, so nothing runs again and its cap stays as it is";
            return Err(Error::conflict("NOTHING_FAILED", message));
        }
        ports.audit.insert(entry.changed(false)).await?;
        return Ok(batch);
    }
    let steered = ports.batches.steer(actor.tenant(), id, steering, entry).await?;
    // Somebody else may have been quicker: what counts is how it stands now.
    let Steered { batch, changed } = steered.ok_or_else(|| Error::not_found("batch", id))?;
    if changed || steering.is_met_by(batch.state) {
        return Ok(batch);
    }
    check_cap(&batch, steering)?;
    Err(refusal(batch.state, batch.reason.as_deref(), steering))
}

fn check_cap(batch: &Batch, steering: Steering) -> Result<()> {
    if let Steering::Resume { cap: Some(cap) } = steering
        && steering.is_met_by(batch.state)
        && batch.cap != Some(cap)
    {
        let stands = batch.cap.map_or("no cap".to_owned(), |cap| format!("a cap of {cap}"));
        let message = format!("the batch runs already with {stands}; to change that, pause it and resume it");
        return Err(Error::conflict("CAP_STANDS", message));
    }
    let (Steering::Resume { cap: Some(cap) } | Steering::RetryFailures { cap: Some(cap) }) = steering else {
        return Ok(());
    };
    let committed = batch.spent + batch.reserved;
    if cap < committed {
        let message = format!("{committed} of it are spent or promised already; a cap of {cap} is too late");
        return Err(Error::invalid("cap", "CAP_BELOW_SPENT", message));
    }
    Ok(())
}

/// `reason` is the batch's own.
pub(super) fn refusal(state: BatchState, reason: Option<&str>, steering: Steering) -> Error {
    let message = match (steering, state) {
        (_, BatchState::Planned) => "the batch has not been started".to_owned(),
        (Steering::RetryFailures { .. }, BatchState::Paused) => {
            "the batch is paused; resume it first".to_owned()
        }
        (_, BatchState::Stopped) => match reason {
            Some(reason) => format!("the batch stands still: {reason}"),
            None => "the batch stands still".to_owned(),
        },
        (_, BatchState::Cancelling | BatchState::Cancelled) => "the batch was cancelled".to_owned(),
        (_, BatchState::Done) => "the batch is done".to_owned(),
        (_, state) => format!("the batch is {}", state.as_str()),
    };
    Error::conflict("BATCH_STATE", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wish_changes_a_state_meets_it_or_is_refused_in_words() {
        let wishes = [
            Steering::Start { cap: None, per_minute: None },
            Steering::Pause,
            Steering::Resume { cap: None },
            Steering::Cancel,
            Steering::RetryFailures { cap: None },
        ];
        for wish in wishes {
            for state in BatchState::ALL {
                let changes = wish.from().contains(&state);
                assert!(!(changes && wish.is_met_by(state)), "{wish:?} {state:?}");
                if !changes && !wish.is_met_by(state) {
                    let told = refusal(state, None, wish).to_string();
                    assert!(told.starts_with("the batch"), "{wish:?} {state:?}");
                }
            }
            assert!(!wish.from().contains(&BatchState::Cancelled), "what was cancelled does not begin again");
        }
    }

    #[test]
    fn what_stands_still_says_why() {
        let told =
            refusal(BatchState::Stopped, Some("2 conversations could not be written"), Steering::Pause);
        assert_eq!(told.to_string(), "the batch stands still: 2 conversations could not be written");
    }
}
