//! What administrators do to schedules. Each change commits together with its audit entry; a trial (`dry_run`) checks
//! the same and writes nothing.

use serde_json::{Map, Value, json};

use super::{
    MAX_SCHEDULES, MissedRuns, Schedule, Work, fire,
    timing::{MAX_UPCOMING, Timing},
};
use crate::{
    Error, Result,
    accounts::{Actor, Role, Tenant, sign_up::check_name},
    audit::{self, NewAuditEntry, Origin},
    batches::plan::{check_filter, check_options, price_per_1000},
    conversations::import::check_tags,
    ids::ScheduleId,
    money::MicroDollars,
    ports::Ports,
    time::Timestamp,
};

/// A hundred years.
const MAX_DAYS: u32 = 36_500;
/// Times to come that a change answers with.
const SHOWN: usize = 5;

#[derive(Debug, Clone)]
pub struct CreateInput {
    pub name: String,
    pub cron: String,
    pub time_zone: String,
    pub missed: MissedRuns,
    pub is_enabled: bool,
    pub work: Work,
    pub dry_run: bool,
}

/// What is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateInput {
    pub name: Option<String>,
    pub cron: Option<String>,
    pub time_zone: Option<String>,
    pub missed: Option<MissedRuns>,
    pub is_enabled: Option<bool>,
    pub work: Option<Work>,
    pub dry_run: bool,
}

/// A schedule as it was set, or would be.
#[derive(Debug, Clone)]
pub struct Settled {
    pub schedule: Schedule,
    /// The next few times, also of one that is disabled.
    pub upcoming: Vec<Timestamp>,
}

pub async fn create(ports: &Ports, actor: &Actor, origin: &Origin, input: CreateInput) -> Result<Settled> {
    let entry = NewAuditEntry::new(ports, actor, origin, "schedules.create");
    let dry_run = input.dry_run;
    let settled = match new(ports, actor, input).await {
        Ok(settled) => settled,
        Err(error) => return audit::refuse(ports, entry, error).await,
    };
    let schedule = &settled.schedule;
    let entry = NewAuditEntry { detail: describe(schedule), ..entry.on(schedule.id) };
    let written = (!dry_run).then(|| entry.again(ports));
    match ports.schedules.insert(actor.tenant(), schedule, MAX_SCHEDULES, written).await {
        Ok(()) => Ok(settled),
        Err(error) => audit::refuse(ports, entry, error).await,
    }
}

async fn new(ports: &Ports, actor: &Actor, input: CreateInput) -> Result<Settled> {
    actor.require(Role::Admin)?;
    let CreateInput { name, cron, time_zone, missed, is_enabled, mut work, dry_run: _ } = input;
    let name = check_name("name", &name)?;
    let timing = Timing::check(&cron, &time_zone)?;
    work.filter.tags = check_tags(&work.filter.tags).map_err(of_batch)?;
    check_work(ports, &work)?;
    let now = ports.schedules.now().await?;
    let schedule = Schedule {
        id: ScheduleId(ports.ids.next()),
        organization_id: actor.organization_id,
        name,
        cron: cron.trim().to_owned(),
        time_zone: time_zone.trim().to_owned(),
        missed,
        is_enabled,
        work,
        next_run_at: if is_enabled { timing.next_after(now) } else { None },
        last: None,
        last_batch_id: None,
        version: 1,
        created_by: Some(actor.user_id),
        created_at: now,
        updated_at: now,
    };
    Ok(Settled { schedule, upcoming: timing.upcoming(now, SHOWN) })
}

/// A schedule that is enabled again, or gets another time, goes on from now: what was due before is not made up for.
pub async fn update(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    id: ScheduleId,
    input: UpdateInput,
) -> Result<Settled> {
    let mut entry = NewAuditEntry::new(ports, actor, origin, "schedules.update").on(id);
    let dry_run = input.dry_run;
    let (settled, moves) = match changed(ports, actor, id, input).await {
        Ok(changed) => changed,
        Err(error) => return audit::refuse(ports, entry, error).await,
    };
    entry.detail = describe(&settled.schedule);
    let written = (!dry_run).then(|| entry.again(ports));
    match ports.schedules.update(actor.tenant(), &settled.schedule, moves, written).await {
        Ok(()) if dry_run => Ok(settled),
        Ok(()) => Ok(Settled { schedule: get(ports, actor.tenant(), id).await?, ..settled }),
        Err(error) => audit::refuse(ports, entry, error).await,
    }
}

/// As it would be, and whether its next time changes.
async fn changed(
    ports: &Ports,
    actor: &Actor,
    id: ScheduleId,
    input: UpdateInput,
) -> Result<(Settled, bool)> {
    actor.require(Role::Admin)?;
    let before = get(ports, actor.tenant(), id).await?;
    let mut schedule = before.clone();
    let UpdateInput { name, cron, time_zone, missed, is_enabled, work, dry_run: _ } = input;
    if let Some(name) = name {
        schedule.name = check_name("name", &name)?;
    }
    if let Some(mut work) = work {
        work.filter.tags = check_tags(&work.filter.tags).map_err(of_batch)?;
        check_work(ports, &work)?;
        schedule.work = work;
    }
    schedule.cron = cron.map_or(schedule.cron, |line| line.trim().to_owned());
    schedule.time_zone = time_zone.map_or(schedule.time_zone, |zone| zone.trim().to_owned());
    schedule.missed = missed.unwrap_or(schedule.missed);
    schedule.is_enabled = is_enabled.unwrap_or(schedule.is_enabled);
    let timing = match schedule.cron == before.cron {
        true => Timing::read(&schedule.cron, &schedule.time_zone)?,
        false => Timing::check(&schedule.cron, &schedule.time_zone)?,
    };
    let now = ports.schedules.now().await?;
    let moves = (&schedule.cron, &schedule.time_zone, schedule.is_enabled)
        != (&before.cron, &before.time_zone, before.is_enabled);
    if moves {
        schedule.next_run_at = if schedule.is_enabled { timing.next_after(now) } else { None };
    }
    Ok((Settled { schedule, upcoming: timing.upcoming(now, SHOWN) }, moves))
}

/// The batches of its runs stay, and so does a run that has begun.
pub async fn delete(ports: &Ports, actor: &Actor, origin: &Origin, id: ScheduleId) -> Result<()> {
    let entry = NewAuditEntry::new(ports, actor, origin, "schedules.delete").on(id);
    let deleted = match actor.require(Role::Admin) {
        Ok(()) => ports.schedules.delete(actor.tenant(), id, entry.again(ports)).await?,
        Err(error) => return audit::refuse(ports, entry, error).await,
    };
    match deleted {
        true => Ok(()),
        false => audit::refuse(ports, entry, Error::not_found("schedule", id)).await,
    }
}

/// A run beside those that are due, also of a schedule that is disabled.
pub async fn run_now(ports: &Ports, actor: &Actor, origin: &Origin, id: ScheduleId) -> Result<Schedule> {
    let entry = NewAuditEntry::new(ports, actor, origin, "schedules.run").on(id);
    let asked = async {
        actor.require(Role::Admin)?;
        let at = ports.schedules.now().await?;
        let job = fire::job(ports, actor.organization_id, id, at);
        ports.schedules.run_now(actor.tenant(), id, at, job, entry.again(ports)).await?;
        get(ports, actor.tenant(), id).await
    };
    let asked = asked.await;
    audit::settle(ports, entry, asked).await
}

pub async fn get(ports: &Ports, tenant: Tenant, id: ScheduleId) -> Result<Schedule> {
    let found = ports.schedules.find(tenant, &[id]).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found("schedule", id))
}

/// The next times of a schedule, from now on; none of one that is disabled.
pub fn upcoming(ports: &Ports, schedule: &Schedule, number: usize) -> Result<Vec<Timestamp>> {
    if number > MAX_UPCOMING {
        let message = format!("{number} times were asked for, at most {MAX_UPCOMING} are told at once");
        return Err(Error::invalid("first", "BAD_USER_INPUT", message));
    }
    if !schedule.is_enabled {
        return Ok(Vec::new());
    }
    let now = ports.clock.now();
    // One whose line this release cannot read says so when it is due.
    Ok(Timing::read(&schedule.cron, &schedule.time_zone)
        .map(|timing| timing.upcoming(now, number))
        .unwrap_or_default())
}

/// Whether a batch could be planned and started so, as far as that can be told without counting.
pub(super) fn check_work(ports: &Ports, work: &Work) -> Result<()> {
    check_possible(work).map_err(of_batch)?;
    check_options(ports, work.options).map_err(of_batch)?;
    if work.cap.is_none() && price_per_1000(ports, work.kind, work.options) > MicroDollars::ZERO {
        let message = "this work is priced: give a cap of what each run may cost";
        return Err(of_batch(Error::invalid("cap", "CAP_MISSING", message)));
    }
    Ok(())
}

fn check_possible(work: &Work) -> Result<()> {
    if work.options.everywhere {
        let message = "a schedule is of one organization; start a batch over all of them by hand";
        return Err(Error::invalid("options", "NOT_EVERYWHERE", message));
    }
    let days = [
        ("createdWithinDays", work.created_within_days),
        ("createdOlderThanDays", work.created_older_than_days),
    ];
    for (field, days) in days {
        if days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
            let message = format!("{field} is 1 to {MAX_DAYS} days");
            return Err(Error::invalid(field, "INVALID_DAYS", message));
        }
    }
    if let (Some(within), Some(older)) = (work.created_within_days, work.created_older_than_days)
        && within <= older
    {
        let message = format!(
            "nothing is at most {within} and more than {older} days old; createdWithinDays must be the greater one"
        );
        return Err(Error::invalid("createdWithinDays", "INVALID_DAYS", message));
    }
    let by_days = days.iter().any(|(_, days)| days.is_some());
    match (by_days, work.all) {
        (true, true) => {
            let message = "give days, a filter or `all: true`, not both";
            return Err(Error::invalid("all", "FILTER_AND_ALL", message));
        }
        (true, false) if work.filter.is_everything() => {}
        _ => check_filter(&work.filter, work.all)?,
    }
    if work.per_minute == Some(0) {
        return Err(Error::invalid(
            "perMinute",
            "INVALID_RATE",
            "at least one a minute; disable it for none",
        ));
    }
    Ok(())
}

/// What is wrong is below `input.batch`.
fn of_batch(error: Error) -> Error {
    match error {
        Error::Invalid(mut problem) => {
            let below = problem.field.len().min(1);
            problem.field.insert(below, "batch");
            Error::Invalid(problem)
        }
        other => other,
    }
}

/// In ids, numbers and names of ours: neither the schedule's name nor the words of its filter.
fn describe(schedule: &Schedule) -> Map<String, Value> {
    let Schedule { cron, time_zone, missed, is_enabled, work, .. } = schedule;
    let mut detail = Map::new();
    let mut note = |name: &str, value: Value| detail.insert(name.to_owned(), value);
    note("cron", json!(cron));
    note("timeZone", json!(time_zone));
    note("missedRuns", json!(missed.as_str()));
    note("isEnabled", json!(is_enabled));
    note("kind", json!(work.kind.as_str()));
    note("analyzer", json!(work.options.analyzer));
    for (name, number) in [
        ("createdWithinDays", work.created_within_days.map(u64::from)),
        ("createdOlderThanDays", work.created_older_than_days.map(u64::from)),
        ("perMinute", work.per_minute.map(u64::from)),
        ("cap", work.cap.map(|cap| cap.0)),
        ("idCount", work.filter.ids.as_ref().map(|ids| ids.len() as u64)),
    ] {
        if let Some(number) = number {
            note(name, json!(number));
        }
    }
    for (name, said) in [("all", work.all), ("acceptPartial", work.accept_partial)] {
        if said {
            note(name, json!(true));
        }
    }
    detail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batches::{BatchKind, BatchOptions},
        ports::store::conversations::ConversationFilter,
    };

    #[test]
    fn work_must_be_possible_and_say_what_it_is_about() {
        let work = Work {
            kind: BatchKind::Export,
            filter: ConversationFilter::default(),
            all: true,
            created_within_days: None,
            created_older_than_days: None,
            options: BatchOptions::default(),
            cap: None,
            accept_partial: false,
            per_minute: None,
        };
        let code = |work: &Work| check_possible(work).err().map(|error| error.code());
        assert_eq!(code(&work), None);
        assert_eq!(code(&Work { all: false, ..work.clone() }), Some("EVERYTHING_IS_MEANT"));
        assert_eq!(code(&Work { all: false, created_within_days: Some(1), ..work.clone() }), None);
        assert_eq!(code(&Work { created_within_days: Some(1), ..work.clone() }), Some("FILTER_AND_ALL"));
        for days in [0, MAX_DAYS + 1, u32::MAX] {
            let days = Work { all: false, created_older_than_days: Some(days), ..work.clone() };
            assert_eq!(code(&days), Some("INVALID_DAYS"));
        }
        let between = |within, older| {
            let days = Work { all: false, created_within_days: Some(within), ..work.clone() };
            code(&Work { created_older_than_days: Some(older), ..days })
        };
        assert_eq!(
            [between(1, 2), between(2, 2), between(2, 1)],
            [Some("INVALID_DAYS"), Some("INVALID_DAYS"), None]
        );
        let tagged = ConversationFilter { tags: vec!["pay".to_owned()], ..ConversationFilter::default() };
        assert_eq!(code(&Work { filter: tagged.clone(), ..work.clone() }), Some("FILTER_AND_ALL"));
        assert_eq!(
            code(&Work { filter: tagged, all: false, created_within_days: Some(7), ..work.clone() }),
            None
        );
        assert_eq!(code(&Work { per_minute: Some(0), ..work.clone() }), Some("INVALID_RATE"));
        let options = BatchOptions { everywhere: true, ..work.options };
        assert_eq!(code(&Work { kind: BatchKind::Reembed, options, ..work }), Some("NOT_EVERYWHERE"));
        let nested = of_batch(Error::invalid("cap", "CAP_MISSING", "give a cap")).problem().unwrap();
        assert_eq!(nested.field, ["input", "batch", "cap"]);
    }
}
