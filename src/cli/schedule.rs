//! `colloquy schedule`.

use clap::{Args, Subcommand};

use super::{BatchWork, MissedRuns, Target, values};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy schedule create nightly '30 2 * * *' export --within-days 1 --time-zone Europe/Berlin
  colloquy schedule create retention @monthly purge --older-than-days 365 --dry-run
  colloquy schedule list
  colloquy schedule disable ID

A cron line has five fields: minute, hour, day of month, month, day of week; or it is @hourly, @daily, @weekly,
@monthly or @yearly. A run is skipped while the batch of the one before still goes. Needs a key of the role
ADMIN.")]
pub(crate) struct Schedule {
    #[command(subcommand)]
    pub(crate) command: ScheduleCommand,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Make a schedule: a batch that starts whenever a cron line says so
    Create(Box<CreateSchedule>),
    /// Change when it runs, or its name
    Update(UpdateSchedule),
    /// Let it run again, from now on
    Enable(ScheduleId),
    /// Let it rest
    Disable(ScheduleId),
    /// Run it once now, beside its times
    Run(ScheduleId),
    /// Delete it; its batches stay
    Delete(ScheduleId),
    /// Show one schedule and its next runs
    Show(ScheduleId),
    /// List schedules, newest first
    List(ListSchedules),
}

#[derive(Debug, Args)]
pub(crate) struct CreateSchedule {
    /// Unlike those of other schedules
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Such as '30 2 * * MON-FRI' or @daily
    #[arg(value_name = "CRON")]
    pub(crate) cron: String,
    #[command(flatten)]
    pub(crate) batch: BatchWork,
    /// Only what was imported in so many days before a run
    #[arg(long, value_name = "DAYS")]
    pub(crate) within_days: Option<u32>,
    /// Only what was imported more than so many days before a run
    #[arg(long, value_name = "DAYS")]
    pub(crate) older_than_days: Option<u32>,
    /// The zone that the line is read in, such as Europe/Berlin; UTC where left out
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
    /// What becomes of runs that were due while nothing ran; run-once where left out
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(crate) missed: Option<MissedRuns>,
    /// What one run may cost, in dollars; needed where the work is priced
    #[arg(long, value_name = "DOLLARS", value_parser = values::dollars)]
    pub(crate) cap: Option<u64>,
    /// Also with a cap below the estimate
    #[arg(long)]
    pub(crate) accept_partial: bool,
    /// Conversations to begin a minute at most
    #[arg(long, value_name = "N", value_parser = values::at_least_one)]
    pub(crate) per_minute: Option<usize>,
    /// Make it, and let it rest
    #[arg(long)]
    pub(crate) disabled: bool,
    /// Check it and show its next runs, and keep nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateSchedule {
    /// As `list` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Another name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Another line
    #[arg(long, value_name = "CRON")]
    pub(crate) cron: Option<String>,
    /// Another zone
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
    /// What becomes of runs that were due while nothing ran
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(crate) missed: Option<MissedRuns>,
    /// Check it and show its next runs, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleId {
    /// As `list` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct ListSchedules {
    /// Schedules at most
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) number: u8,
}
