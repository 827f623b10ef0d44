//! `colloquy jobs` as it is typed.

use clap::{Args, Subcommand};
use colloquy_domain::{
    jobs::{JobKind, JobState, Queue},
    time::Timestamp,
};

use super::{Target, values};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  colloquy jobs list --state dead
  colloquy jobs retry --kind send_email --error 'connection refused' --dry-run
  colloquy jobs cancel --conversation ID --yes
  colloquy jobs queues --watch
  colloquy jobs pause embed --everywhere

These need an administrator's key: `colloquy login --role admin`. What is changed stands in the audit log.")]
pub(crate) struct Jobs {
    #[command(subcommand)]
    pub(crate) command: JobsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// Jobs that fit, newest first
    List(ListJobs),
    /// One job with all that is known of it
    Show(ShowJob),
    /// Give dead jobs, or cancelled ones that are named, their attempts anew
    Retry(Change),
    /// Cancel unfinished jobs, and those that wait for them
    Cancel(Change),
    /// Delete dead jobs for good, and cancel those that wait for them
    Discard(Change),
    /// The queues in numbers
    Queues(ShowQueues),
    /// Begin nothing more of a queue; what runs ends
    Pause(PauseQueue),
    /// Let a paused queue go on
    Resume(PauseQueue),
}

/// Of flags that are repeated any will do; between flags all must hold.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Which {
    /// Only jobs that do this, such as index_passages; repeatable
    #[arg(long = "kind", short, value_name = "KIND", value_parser = values::job_kind)]
    pub(crate) kinds: Vec<JobKind>,
    /// Only in this state: waiting, ready, running, done, dead, cancelled; repeatable
    #[arg(long = "state", short, value_name = "STATE", value_parser = values::job_state)]
    pub(crate) states: Vec<JobState>,
    /// Only of this queue: ingest, index, embed, analyze, mail, batch, default; repeatable
    #[arg(long = "queue", short, value_name = "QUEUE", value_parser = values::queue)]
    pub(crate) queues: Vec<Queue>,
    /// Only about this conversation
    #[arg(long, value_name = "ID")]
    pub(crate) conversation: Option<String>,
    /// Only with these words, next to each other, in the message of an error
    #[arg(long, short, value_name = "WORDS")]
    pub(crate) error: Option<String>,
    /// Only made then or later: 2026-03-01, `2026-03-01 14:30` (UTC) or 2026-03-01T14:30:00+01:00
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) since: Option<Timestamp>,
    /// Only made before
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) before: Option<Timestamp>,
    /// Only this one; repeatable
    #[arg(long = "id", short, value_name = "ID")]
    pub(crate) ids: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListJobs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Jobs at most
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) number: u8,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct ShowJob {
    /// As `list` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Every job of the organization, where no flag narrows it
    #[arg(long)]
    pub(crate) all: bool,
    /// Count what would happen, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask before cancelling or discarding
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct ShowQueues {
    /// Go on, and show them again as they change
    #[arg(long, short)]
    pub(crate) watch: bool,
    /// Seconds between two looks of --watch
    #[arg(long, value_name = "SECONDS", default_value_t = 2,
          value_parser = clap::value_parser!(u8).range(1..=60))]
    pub(crate) every: u8,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct PauseQueue {
    /// ingest, index, embed, analyze, mail, batch or default
    #[arg(value_name = "QUEUE", value_parser = values::queue)]
    pub(crate) queue: Queue,
    /// For every organization: needs the settings of the installation, as `migrate` does, and asks no server
    #[arg(long)]
    pub(crate) everywhere: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}
