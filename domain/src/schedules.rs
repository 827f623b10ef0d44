//! Work that comes back: a batch that is planned and started whenever a cron line says so. When that is, is a pure
//! function ([`timing`]); [`fire`] is the leader's part, which makes a job of each run in the transaction that moves
//! the schedule on; [`run`] is the job's; [`manage`] is what administrators do.

pub mod fire;
pub mod manage;
pub mod run;
pub mod timing;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    batches::{BatchKind, BatchOptions},
    ids::{BatchId, JobId, OrganizationId, ScheduleId, UserId},
    money::MicroDollars,
    ports::store::conversations::ConversationFilter,
    time::Timestamp,
};

/// Of one organization.
pub const MAX_SCHEDULES: usize = 100;

/// What becomes of runs that were due while nothing ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MissedRuns {
    /// They are left out.
    Skip,
    /// One run stands for all of them.
    #[default]
    RunOnce,
    /// They are made up for one after another, the oldest first; of more than [`timing::MADE_UP`] the newest.
    RunAll,
}

impl MissedRuns {
    pub const ALL: [Self; 3] = [Self::Skip, Self::RunOnce, Self::RunAll];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "SKIP",
            Self::RunOnce => "RUN_ONCE",
            Self::RunAll => "RUN_ALL",
        }
    }
}

/// What became of a schedule's last run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOutcome {
    /// Its job waits or runs.
    Queued,
    /// Its batch was started.
    Started,
    /// No conversation fitted.
    NothingToDo,
    /// The run before was still going.
    Skipped,
    /// Nothing ran when it was due.
    Missed,
    /// A batch cannot be planned or started as the schedule says.
    Refused,
    /// Its job died.
    Failed,
    /// Somebody cancelled its job.
    Cancelled,
}

impl RunOutcome {
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Started,
        Self::NothingToDo,
        Self::Skipped,
        Self::Missed,
        Self::Refused,
        Self::Failed,
        Self::Cancelled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Started => "STARTED",
            Self::NothingToDo => "NOTHING_TO_DO",
            Self::Skipped => "SKIPPED",
            Self::Missed => "MISSED",
            Self::Refused => "REFUSED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// The batch of each run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    pub kind: BatchKind,
    pub filter: ConversationFilter,
    /// Every conversation is meant, where nothing narrows it.
    pub all: bool,
    /// Only what was imported in the days before a run …
    pub created_within_days: Option<u32>,
    /// … or before them.
    pub created_older_than_days: Option<u32>,
    pub options: BatchOptions,
    pub cap: Option<MicroDollars>,
    pub accept_partial: bool,
    pub per_minute: Option<u32>,
}

impl Work {
    /// Which conversations the run at `at` is about.
    pub fn filter_at(&self, at: Timestamp) -> ConversationFilter {
        let ago = |days: u32| at - TimeDelta::days(i64::from(days));
        let from = self.created_within_days.map(ago);
        let before = self.created_older_than_days.map(ago);
        let mut filter = self.filter.clone();
        // `None` is less than any time.
        filter.created_from = filter.created_from.max(from);
        filter.created_before = match (filter.created_before, before) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        filter
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    pub id: ScheduleId,
    pub organization_id: OrganizationId,
    pub name: String,
    /// Five fields, or a name such as `@daily`.
    pub cron: String,
    /// IANA's name of the time zone in which the line is read.
    pub time_zone: String,
    pub missed: MissedRuns,
    pub is_enabled: bool,
    pub work: Work,
    /// `None` while it is disabled.
    pub next_run_at: Option<Timestamp>,
    pub last: Option<LastRun>,
    /// The last batch that a run has started.
    pub last_batch_id: Option<BatchId>,
    /// Grows with each change of what administrators set.
    pub version: i32,
    pub created_by: Option<UserId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The last run that was due or asked for, whatever became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct LastRun {
    /// When it was due.
    pub at: Timestamp,
    pub outcome: RunOutcome,
    /// Why it came to nothing, in words.
    pub reason: Option<String>,
    /// Of the last run that had one.
    pub job_id: Option<JobId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_back_from_the_run_and_the_narrower_bound_holds() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut work = Work {
            kind: BatchKind::Purge,
            filter: ConversationFilter::default(),
            all: false,
            created_within_days: None,
            created_older_than_days: Some(90),
            options: BatchOptions::default(),
            cap: None,
            accept_partial: false,
            per_minute: None,
        };
        let run = at("2026-04-01T02:30:00Z");
        assert_eq!(work.filter_at(run).created_before, Some(at("2026-01-01T02:30:00Z")));
        assert_eq!(work.filter_at(run).created_from, None);
        work.filter.created_before = Some(at("2025-06-01T00:00:00Z"));
        work.filter.created_from = Some(at("2025-01-01T00:00:00Z"));
        work.created_within_days = Some(1000);
        assert_eq!(work.filter_at(run).created_before, work.filter.created_before);
        assert_eq!(work.filter_at(run).created_from, work.filter.created_from);
    }
}
