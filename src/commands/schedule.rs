//! `colloquy schedule`: makes, changes, runs and shows schedules through the API.

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::{Outcome, batch, text::word};
use crate::{
    cli::{self, Common, CreateSchedule, ScheduleCommand, UpdateSchedule},
    client::{self, Client, Schedule},
    output::{self, bad, bold, faint, good, odd, plain},
};

pub(crate) async fn run(common: &Common, args: cli::Schedule) -> Result<Outcome> {
    if let ScheduleCommand::Create(args) = &args.command {
        batch::check(&args.batch)?;
    }
    let connection = client::connect(common, &args.target).await?;
    if connection.is_own() && matches!(args.command, ScheduleCommand::Create(_) | ScheduleCommand::Run(_)) {
        output::warn("this standalone ends with the command; schedules run whenever one does");
    }
    let ended = command(common, &connection.client, args.command).await;
    connection.close().await;
    ended
}

async fn command(common: &Common, client: &Client, command: ScheduleCommand) -> Result<Outcome> {
    let (field, input, dry_run) = match command {
        ScheduleCommand::Create(args) => ("createSchedule", create(&args), args.dry_run),
        ScheduleCommand::Update(args) => ("updateSchedule", update(&args), args.dry_run),
        ScheduleCommand::Enable(args) => {
            ("updateSchedule", json!({ "id": args.id, "isEnabled": true }), false)
        }
        ScheduleCommand::Disable(args) => {
            ("updateSchedule", json!({ "id": args.id, "isEnabled": false }), false)
        }
        ScheduleCommand::Run(args) => ("runSchedule", json!({ "id": args.id }), false),
        ScheduleCommand::Delete(args) => ("deleteSchedule", json!({ "id": args.id }), false),
        ScheduleCommand::Show(args) => {
            let Some(found) = client.schedule(&args.id).await? else {
                bail!("there is no schedule {}; `colloquy schedule list` shows their ids", plain(&args.id));
            };
            return show(common, &found);
        }
        ScheduleCommand::List(args) => return list(common, &client.schedules(args.number).await?),
    };
    let settled = match client.change_schedule(field, input).await? {
        Ok(settled) => settled,
        Err(errors) => {
            for error in &errors {
                output::error(plain(&error.to_string()));
            }
            return Ok(Outcome::Failed);
        }
    };
    match settled.schedule {
        _ if dry_run => told(common, &json!({ "dryRun": true, "nextRuns": settled.next_runs }), || {
            output::line("nothing was changed; it would run at")?;
            times(&settled.next_runs)
        }),
        Some(schedule) => show(common, &schedule),
        None => told(common, &json!({ "deleted": true }), || output::line("the schedule is deleted")),
    }
}

fn told(common: &Common, value: &Value, tell: impl FnOnce() -> Result<()>) -> Result<Outcome> {
    match common.json {
        true => output::json(value)?,
        false => tell()?,
    }
    Ok(Outcome::Done)
}

fn create(args: &CreateSchedule) -> Value {
    let mut batch = batch::work(&args.batch);
    batch["createdWithinDays"] = json!(args.within_days);
    batch["createdOlderThanDays"] = json!(args.older_than_days);
    batch["cap"] = json!(args.cap);
    batch["acceptPartial"] = json!(args.accept_partial);
    batch["perMinute"] = json!(args.per_minute);
    let mut input = json!({ "name": args.name, "cron": args.cron, "isEnabled": !args.disabled, "batch": batch,
        "dryRun": args.dry_run });
    // A null is no default.
    for (field, given) in [("timeZone", json!(args.time_zone)), ("missedRuns", json!(args.missed))] {
        if !given.is_null() {
            input[field] = given;
        }
    }
    input
}

fn update(args: &UpdateSchedule) -> Value {
    json!({ "id": args.id, "name": args.name, "cron": args.cron, "timeZone": args.time_zone,
        "missedRuns": args.missed, "dryRun": args.dry_run })
}

fn show(common: &Common, value: &Value) -> Result<Outcome> {
    let schedule = Schedule::read(value)?;
    told(common, value, || {
        tell(&schedule)?;
        times(&schedule.next_runs)
    })
}

/// `2026-03-01 02:30` of `2026-03-01T02:30:00Z`, or of another offset as it stands.
fn time(text: &str) -> String {
    let short = text.strip_suffix(":00Z").or_else(|| text.strip_suffix(":00+00:00"));
    short.map_or_else(|| plain(text).to_string(), |short| format!("{} UTC", plain(&short.replace('T', " "))))
}

fn times(next: &[String]) -> Result<()> {
    for at in next {
        output::line(format_args!("  {}", time(at)))?;
    }
    Ok(())
}

fn tell(schedule: &Schedule) -> Result<()> {
    let state = if schedule.is_enabled { good("enabled") } else { odd("disabled") };
    output::line(format_args!(
        "{}  {}  {}  {} {}  {state}",
        bold(plain(&schedule.id)),
        plain(&schedule.name),
        word(&schedule.batch.kind),
        plain(&schedule.cron),
        plain(&schedule.time_zone),
    ))?;
    if let Some(run) = &schedule.last_run {
        let outcome = word(&run.outcome);
        let outcome = match run.outcome.as_str() {
            "QUEUED" | "NOTHING_TO_DO" => outcome,
            "STARTED" => good(outcome),
            "REFUSED" | "FAILED" => bad(outcome),
            _ => odd(outcome),
        };
        let reason = run.reason.as_deref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
        output::line(format_args!("  last run: {}  {outcome}{reason}", time(&run.at)))?;
    }
    if let Some(batch) = &schedule.last_batch {
        output::line(format_args!("  last batch: {}  {}", plain(&batch.id), word(&batch.state)))?;
    }
    match &schedule.next_run_at {
        Some(_) => output::line(faint("  next runs:")),
        None => Ok(()),
    }
}

fn list(common: &Common, found: &[Value]) -> Result<Outcome> {
    if common.json {
        return output::json(&found).map(|()| Outcome::Done);
    }
    if found.is_empty() {
        output::line("no schedules")?;
    }
    for value in found {
        let mut schedule = Schedule::read(value)?;
        schedule.next_runs.truncate(1);
        tell(&schedule)?;
        times(&schedule.next_runs)?;
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_people_write_them() {
        assert_eq!(time("2026-03-01T02:30:00Z"), "2026-03-01 02:30 UTC");
        assert_eq!(time("2026-03-01T02:30:00+00:00"), "2026-03-01 02:30 UTC");
        assert_eq!(time("2026-03-01T02:30:15.5+00:00"), "2026-03-01T02:30:15.5+00:00");
    }
}
