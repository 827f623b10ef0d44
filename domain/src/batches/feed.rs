//! Feeding: batches become jobs, a page at a time, so that the ledger never holds more than a window of them.
//! The steward calls [`advance`] again and again. What is fed, how far that is and what it holds back are
//! written in one transaction that checks the cap, so a crash or a second steward doubles nothing and spends
//! nothing beyond.

use serde::Deserialize;

use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    batches::{Batch, BatchState, Counts, plan::price},
    jobs::{BatchShare, Job, JobKind, JobState, NewJob, Payload},
    money::MicroDollars,
    ports::{
        Ports,
        jobs::{JobFilter, Signal},
        store::batches::{Feeding, Item, Retrying},
    },
};

/// Unfinished jobs of one batch in the ledger.
pub const WINDOW: u64 = 1000;
/// Jobs that one transaction writes.
const PAGE: u64 = 500;
/// Below the work that people wait for.
const PRIORITY: i16 = -10;
/// Seconds' worth of a paced batch that may wait in the ledger, so that it cannot come in a burst later.
const PACED_SECONDS: u64 = 10;

/// Brings every batch one step further. Whether anything was fed, so that more may be at once.
pub async fn advance(ports: &Ports, scope: SystemScope) -> Result<bool> {
    let mut fed = false;
    for batch in ports.batches.active(scope).await? {
        // One that is in trouble holds up no other.
        match advance_one(ports, scope, &batch).await {
            Ok(more) => fed |= more,
            Err(error) => {
                tracing::warn!(batch_id = %batch.id, error = error.chain(), "a batch could not be advanced");
            }
        }
    }
    if fed {
        ports.signals.raise(Signal::Jobs);
    }
    if ports.batches.tell(scope).await? > 0 {
        ports.signals.raise(Signal::Events);
    }
    Ok(fed)
}

async fn advance_one(ports: &Ports, scope: SystemScope, batch: &Batch) -> Result<bool> {
    ports.batches.apply(scope, batch).await?;
    let is_over = batch.counts.unfinished() == 0;
    match batch.state {
        BatchState::Running if batch.retry_before.is_some() => retry(ports, scope, batch).await,
        BatchState::Running if !batch.fed_all => feed(ports, scope, batch).await,
        BatchState::Running if is_over && batch.is_rebuild() => rebuilt(ports, scope, batch).await,
        BatchState::Cancelling if is_over && batch.is_rebuild() => {
            ports.generations.abandon(scope, batch.id, None).await?;
            // The switch may have been quicker.
            let switched = ports.generations.find(scope).await?.switched_batch == Some(batch.id);
            let state = if switched { BatchState::Done } else { BatchState::Cancelled };
            ports.batches.end(scope, batch, state, None).await.map(|_| false)
        }
        BatchState::Running if is_over => {
            ports.batches.end(scope, batch, BatchState::Done, None).await.map(|_| false)
        }
        BatchState::Cancelling if is_over => {
            ports.batches.end(scope, batch, BatchState::Cancelled, None).await.map(|_| false)
        }
        _ => Ok(false),
    }
}

/// Every conversation has been written into the new generation, or could not be. What is whole is checked and
/// switched by a job, in the process that owns the indexes.
async fn rebuilt(ports: &Ports, scope: SystemScope, batch: &Batch) -> Result<bool> {
    let generations = ports.generations.find(scope).await?;
    let end = async |state, reason| ports.batches.end(scope, batch, state, reason).await.map(|_| false);
    if generations.switched_batch == Some(batch.id) {
        return end(BatchState::Done, None).await;
    }
    if generations.building_batch != Some(batch.id) {
        let why = generations.abandoned_because.filter(|(id, _)| *id == batch.id).map(|(_, why)| why);
        let why = why.unwrap_or_else(|| "the generation that it built is gone; plan another one".to_owned());
        return end(BatchState::Cancelled, Some(why)).await;
    }
    if let Some(reason) = unwritten(&batch.counts) {
        return end(BatchState::Stopped, Some(reason)).await;
    }
    let payload = Payload::Batch { batch_id: batch.id };
    if let Some(died) = died(ports, batch, &payload).await? {
        let why = unchecked(&died);
        ports.generations.abandon(scope, batch.id, Some(&why)).await?;
        return end(BatchState::Cancelled, Some(why)).await;
    }
    let switch = NewJob {
        unique_key: Some(format!("switch:{}", batch.id)),
        ..ports.new_job(JobKind::SwitchGeneration, Some(batch.organization_id), payload)
    };
    ports.ledger.enqueue(scope, vec![switch]).await?;
    Ok(false)
}

/// Why what was built is not whole, and what may be done.
fn unwritten(counts: &Counts) -> Option<String> {
    let number = |number: u64| match number {
        1 => "1 conversation".to_owned(),
        number => format!("{number} conversations"),
    };
    let (what, then) = match (counts.failed, counts.cancelled) {
        (0, 0) => return None,
        (failed, 0) => (format!("{} could not be written", number(failed)), "retry the failures"),
        (0, cancelled) => (
            format!("the jobs of {} were cancelled", number(cancelled)),
            "retry these jobs and resume the batch",
        ),
        (failed, cancelled) => (
            format!(
                "{} could not be written, and the jobs of {} were cancelled",
                number(failed),
                number(cancelled)
            ),
            "retry the cancelled jobs and then the failures",
        ),
    };
    Some(format!(
        "{what}, so searches stay with the generation they have; {then}, or cancel the batch, which drops what it built"
    ))
}

/// The job that was to check what the batch has built, where it is out of attempts: another one would fare no better.
async fn died(ports: &Ports, batch: &Batch, payload: &Payload) -> Result<Option<Job>> {
    let filter = JobFilter {
        kinds: vec![JobKind::SwitchGeneration],
        states: vec![JobState::Dead],
        ..JobFilter::default()
    };
    // One is built at a time, so that the newest is this batch's or none is.
    let dead = ports.ledger.list(Tenant(batch.organization_id), &filter, None, 1).await?;
    let is_its = |job: &Job| Payload::deserialize(&job.payload).is_ok_and(|other| other == *payload);
    Ok(dead.into_iter().find(is_its))
}

fn unchecked(job: &Job) -> String {
    let last = job.errors.last().map_or("nothing is known of why", |error| error.message.as_str());
    format!(
        "what it built of the search indexes was dropped, and searches stay with the generation they have: the job that checks it died after {} attempts: {last}",
        job.attempts
    )
}

/// How many jobs may be written now.
fn room(batch: &Batch) -> usize {
    let window = match batch.per_minute {
        Some(rate) => (u64::from(rate) * PACED_SECONDS / 60).clamp(1, WINDOW),
        None => WINDOW,
    };
    let room = window.saturating_sub(batch.counts.unfinished()).min(PAGE);
    room.min(batch.allowance.unwrap_or(u64::MAX)) as usize
}

/// The first of these prices that the cap holds together, in their order.
fn within(left: Option<MicroDollars>, prices: impl Iterator<Item = MicroDollars>) -> usize {
    let Some(left) = left else { return prices.count() };
    let mut sum = MicroDollars::ZERO;
    let fits = |price: &MicroDollars| {
        sum = sum + *price;
        sum <= left
    };
    prices.take_while(fits).count()
}

async fn feed(ports: &Ports, scope: SystemScope, batch: &Batch) -> Result<bool> {
    let room = room(batch);
    if room == 0 {
        return Ok(false);
    }
    let items = ports.batches.items(batch.reach(), &batch.filter, batch.cursor, room).await?;
    let is_last = items.len() < room;
    let prices: Vec<_> =
        items.iter().map(|item| price(ports, batch.kind, batch.options, item.characters)).collect();
    let fits = within(batch.left(), prices.iter().copied());
    if fits == 0 && !items.is_empty() {
        return stop(ports, scope, batch, prices[0]).await;
    }
    let jobs: Vec<_> =
        items.iter().zip(&prices).take(fits).map(|(item, price)| job(ports, batch, item, *price)).collect();
    let fed = jobs.len();
    let feeding = Feeding {
        cursor: items[..fits].last().map(|item| item.conversation_id).or(batch.cursor),
        fed_all: is_last && fits == items.len(),
        reserved: prices[..fits].iter().copied().sum(),
        jobs,
    };
    Ok(ports.batches.feed(scope, batch, feeding).await? && fed > 0)
}

fn job(ports: &Ports, batch: &Batch, item: &Item, reserved: MicroDollars) -> NewJob {
    let Item { conversation_id, organization_id, .. } = *item;
    let payload = match batch.is_rebuild() {
        true => Payload::Anyones { conversation_id, organization_id },
        false => Payload::Conversation { conversation_id },
    };
    NewJob {
        priority: PRIORITY,
        unique_key: Some(format!("batch:{}:{conversation_id}", batch.id)),
        batch: Some(BatchShare { batch_id: batch.id, reserved }),
        ..ports.new_job(batch.kind.job(), Some(batch.organization_id), payload)
    }
}

/// The cap does not hold the next one. While jobs run, what they hold back too much may yet be enough.
async fn stop(ports: &Ports, scope: SystemScope, batch: &Batch, next: MicroDollars) -> Result<bool> {
    if batch.counts.unfinished() > 0 {
        return Ok(false);
    }
    let (cap, left) = (batch.cap.unwrap_or_default(), batch.left().unwrap_or_default());
    let reason = format!(
        "of the cap of {cap}, {} are spent: the {left} that are left do not hold the next conversation, which is estimated at {next}; resume the batch with a higher cap to go on",
        batch.spent
    );
    ports.batches.end(scope, batch, BatchState::Stopped, Some(reason)).await.map(|_| false)
}

async fn retry(ports: &Ports, scope: SystemScope, batch: &Batch) -> Result<bool> {
    let room = room(batch);
    if room == 0 {
        return Ok(false);
    }
    let failed = ports.batches.failed(scope, batch, room).await?;
    let is_last = failed.len() < room;
    let priced: Vec<_> = failed
        .iter()
        .map(|item| (item.job_id, price(ports, batch.kind, batch.options, item.characters)))
        .collect();
    let fits = within(batch.left(), priced.iter().map(|(_, price)| *price));
    if fits == 0 && !priced.is_empty() {
        return stop(ports, scope, batch, priced[0].1).await;
    }
    let retrying = Retrying { jobs: priced[..fits].to_vec(), is_last: is_last && fits == priced.len() };
    Ok(ports.batches.retry(scope, batch, retrying).await? && fits > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_with_a_gap_is_not_checked_and_says_why() {
        let told = |failed, cancelled| unwritten(&Counts { failed, cancelled, ..Counts::default() });
        assert_eq!(told(0, 0), None);
        for (failed, cancelled, words) in [
            (1, 0, "1 conversation could not be written, so searches stay"),
            (0, 2, "the jobs of 2 conversations were cancelled, so searches stay"),
            (3, 1, "3 conversations could not be written, and the jobs of 1 conversation were cancelled"),
        ] {
            let told = told(failed, cancelled).expect("a reason");
            assert!(told.contains(words) && told.contains("or cancel the batch"), "{told}");
        }
    }

    #[test]
    fn a_cap_holds_the_first_that_fit_and_skips_none_for_a_cheaper_one() {
        let fits = |left: Option<u64>, prices: &[u64]| {
            within(left.map(MicroDollars), prices.iter().map(|price| MicroDollars(*price)))
        };
        assert_eq!(fits(None, &[5, 5]), 2);
        assert_eq!(fits(Some(10), &[5, 5, 1]), 2);
        assert_eq!(fits(Some(9), &[5, 5, 1]), 1);
        assert_eq!(fits(Some(4), &[5, 1]), 0);
        assert_eq!(fits(Some(0), &[0, 0]), 2);
    }
}
