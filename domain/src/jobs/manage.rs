//! What administrators do to jobs and queues of their organization, and how it is noted. Everything that matches
//! is changed, in pages of a transaction each, so that a million jobs hold up nobody.

use serde_json::{Map, Value, json};

use crate::{
    Error, Result,
    accounts::{Actor, Role, Tenant},
    audit::{self, NewAuditEntry, Origin},
    ids::AuditEntryId,
    jobs::{JobKind, JobState, Queue},
    ports::{
        Ports,
        jobs::{JobFilter, Ledger, Order},
    },
};

/// Jobs a transaction.
const PAGE: usize = 1_000;

/// Ids that are found at once where a page could not be found by itself.
const FOUND: usize = 100_000;

/// Ids that an audit entry names; of more it has the number.
const NAMED_IDS: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobAction {
    /// Gives dead or cancelled jobs all their attempts anew.
    Retry,
    /// Unfinished jobs, and those that wait for them.
    Cancel,
    /// Deletes dead jobs, and cancels what waits for them.
    Discard,
}

impl JobAction {
    fn name(self) -> &'static str {
        match self {
            Self::Retry => "jobs.retry",
            Self::Cancel => "jobs.cancel",
            Self::Discard => "jobs.discard",
        }
    }

    /// Whether it does something to jobs of this state.
    pub fn touches(self, state: JobState) -> bool {
        match self {
            Self::Retry => matches!(state, JobState::Dead | JobState::Cancelled),
            Self::Cancel => !state.is_final(),
            Self::Discard => state == JobState::Dead,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct ManageInput {
    pub filter: JobFilter,
    /// Must be set where the filter narrows nothing.
    pub all: bool,
    /// Count what would happen, and change nothing.
    pub dry_run: bool,
}

/// What happened to jobs, or would.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// Fit the filter, and are in a state in which the action does something.
    pub matched: u64,
    pub retried: u64,
    /// Would cost money of a batch, which runs them again itself, at today's price and within its cap; or are of a batch
    /// that was cancelled, and are not wanted any more.
    pub left_to_batches: u64,
    pub cancelled: u64,
    /// Run still, and stop soon.
    pub asked: u64,
    pub discarded: u64,
}

impl std::ops::AddAssign for Changed {
    fn add_assign(&mut self, other: Self) {
        self.matched += other.matched;
        self.retried += other.retried;
        self.left_to_batches += other.left_to_batches;
        self.cancelled += other.cancelled;
        self.asked += other.asked;
        self.discarded += other.discarded;
    }
}

/// Without ids and states a retry takes dead jobs alone: what somebody cancelled comes back only when it is named.
pub async fn manage(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    action: JobAction,
    mut input: ManageInput,
) -> Result<Changed> {
    let mut entry = NewAuditEntry::new(ports, actor, origin, action.name());
    entry.detail = describe(&input);
    if let Err(error) = may(actor, &input) {
        return audit::refuse(ports, entry, error).await;
    }
    if action == JobAction::Retry && input.filter.states.is_empty() && input.filter.ids.is_empty() {
        input.filter.states.push(JobState::Dead);
    }
    let (tenant, filter) = (actor.tenant(), &input.filter);
    if input.dry_run {
        return ports.ledger.count_changes(tenant, action, filter).await;
    }
    if filter.error.is_some() && filter.ids.is_empty() {
        return change_found(ports, tenant, action, filter, &entry).await;
    }
    change_all(ports, tenant, action, filter, &entry).await
}

async fn change_all(
    ports: &Ports,
    tenant: Tenant,
    action: JobAction,
    filter: &JobFilter,
    entry: &NewAuditEntry,
) -> Result<Changed> {
    let mut all = Changed::default();
    let mut after = None;
    loop {
        let order = Order { action, filter, after, limit: PAGE };
        let page = ports.ledger.change(tenant, order, entry.again(ports)).await?;
        all += page.changed;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// Words of errors are looked up in no order, so that a page costs as much as all of them: they are found first, and
/// then changed by id, if they fit still.
async fn change_found(
    ports: &Ports,
    tenant: Tenant,
    action: JobAction,
    filter: &JobFilter,
    entry: &NewAuditEntry,
) -> Result<Changed> {
    let mut all = Changed::default();
    let mut after = None;
    loop {
        let found = ports.ledger.find_ids(tenant, Order { action, filter, after, limit: FOUND }).await?;
        if found.is_empty() && after.is_none() {
            // So that it is noted.
            return change_all(ports, tenant, action, filter, entry).await;
        }
        for ids in found.chunks(PAGE) {
            let filter = JobFilter { ids: ids.to_vec(), ..filter.clone() };
            let order = Order { action, filter: &filter, after: None, limit: PAGE };
            all += ports.ledger.change(tenant, order, entry.again(ports)).await?.changed;
        }
        if found.len() < FOUND {
            return Ok(all);
        }
        after = found.last().copied();
    }
}

/// Pauses or resumes a queue for the actor's organization. Whether it was not so already.
pub async fn pause(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    queue: Queue,
    paused: bool,
) -> Result<bool> {
    let entry = NewAuditEntry::new(ports, actor, origin, pausing(paused)).on(queue.as_str());
    if let Err(error) = actor.require(Role::Admin) {
        return audit::refuse(ports, entry, error).await;
    }
    let whose = Some(actor.tenant());
    match paused {
        true => ports.ledger.pause(queue, whose, entry).await,
        false => ports.ledger.resume(queue, whose, entry).await,
    }
}

/// Pauses or resumes a queue for every organization, which is for whoever has the installation's settings: `id` names
/// the entry, in no organization's log, by which others who have them learn of it.
pub async fn pause_everywhere(
    ledger: &dyn Ledger,
    id: AuditEntryId,
    queue: Queue,
    paused: bool,
) -> Result<bool> {
    let entry = NewAuditEntry::of_installation(id, pausing(paused)).on(queue.as_str());
    match paused {
        true => ledger.pause(queue, None, entry).await,
        false => ledger.resume(queue, None, entry).await,
    }
}

fn pausing(paused: bool) -> &'static str {
    if paused { "queues.pause" } else { "queues.resume" }
}

fn may(actor: &Actor, input: &ManageInput) -> Result<()> {
    actor.require(Role::Admin)?;
    if input.filter.is_empty() && !input.all {
        let message = "this means every job of the organization; narrow `filter`, or say `all: true`";
        return Err(Error::invalid("filter", "ALL_JOBS_MEANT", message));
    }
    Ok(())
}

/// The filter in ids, numbers and names of ours. The words that an error was looked for by are not written down.
fn describe(input: &ManageInput) -> Map<String, Value> {
    let JobFilter {
        ids,
        kinds,
        queues,
        states,
        conversation_id,
        batch_id,
        error,
        created_from,
        created_before,
    } = &input.filter;
    let mut detail = Map::new();
    let mut note = |name: &str, value: Value| detail.insert(name.to_owned(), value);
    if !ids.is_empty() {
        note("ids", json!(ids.iter().take(NAMED_IDS).collect::<Vec<_>>()));
        note("idCount", json!(ids.len()));
    }
    if !kinds.is_empty() {
        note("kinds", kinds.iter().map(|kind: &JobKind| kind.as_str()).collect());
    }
    if !queues.is_empty() {
        note("queues", queues.iter().map(|queue| queue.as_str()).collect());
    }
    if !states.is_empty() {
        note("states", states.iter().map(|state| state.as_str()).collect());
    }
    for (name, id) in
        [("conversationId", conversation_id.map(|id| id.0)), ("batchId", batch_id.map(|id| id.0))]
    {
        if let Some(id) = id {
            note(name, json!(id));
        }
    }
    if error.is_some() {
        note("byError", json!(true));
    }
    for (name, time) in [("createdFrom", created_from), ("createdBefore", created_before)] {
        if let Some(time) = time {
            note(name, json!(time));
        }
    }
    for (name, said) in [("all", input.all), ("dryRun", input.dry_run)] {
        if said {
            note(name, json!(true));
        }
    }
    detail
}
