//! The metrics of jobs. Labels are bounded: queues, kinds, states and outcomes.

use std::time::Duration;

use colloquy_domain::{
    jobs::{ClaimedJob, JobKind, JobState, Queue},
    ports::jobs::QueueStats,
    time::Timestamp,
};

/// How a run of a handler ended, as the metric tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    Done,
    Retried,
    Failed,
    HandedBack,
    Cancelled,
    Lost,
}

impl Ran {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::HandedBack => "handed_back",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

pub(crate) fn ran(kind: JobKind, how: Ran, took: Duration) {
    metrics::counter!("colloquy_jobs_total", "kind" => kind.as_str(), "outcome" => how.as_str()).increment(1);
    metrics::histogram!("colloquy_job_duration_seconds", "kind" => kind.as_str()).record(took);
}

/// From the writing of the row to its first claim.
pub(crate) fn picked_up(job: &ClaimedJob, now: Timestamp) {
    if job.attempt == 1 {
        let waited = (now - job.created_at).to_std().unwrap_or_default();
        metrics::histogram!("colloquy_job_pickup_seconds", "queue" => job.kind.queue().as_str())
            .record(waited);
    }
}

pub(crate) fn reconciled(expired_leases: usize, missed_dispatches: usize) {
    metrics::counter!("colloquy_job_leases_expired_total").increment(expired_leases as u64);
    metrics::counter!("colloquy_dispatches_missed_total").increment(missed_dispatches as u64);
}

/// Jobs read from PostgreSQL because dispatch did not serve.
pub(crate) fn claimed_directly(queue: Queue, jobs: usize) {
    metrics::counter!("colloquy_jobs_claimed_directly_total", "queue" => queue.as_str())
        .increment(jobs as u64);
}

/// States that are counted; how many jobs were done is a counter.
const COUNTED: [JobState; 4] = [JobState::Waiting, JobState::Ready, JobState::Running, JobState::Dead];

/// The state of the queues. Only the leading steward shows it; one that led before shows zeros, so that sums
/// over processes are right.
pub(crate) fn queues(counts: &[(Queue, JobState, u64)], stats: &[QueueStats]) {
    for queue in Queue::ALL {
        for state in COUNTED {
            let found = counts.iter().find(|(of, at, _)| (*of, *at) == (queue, state));
            let jobs = found.map_or(0, |(_, _, jobs)| *jobs);
            metrics::gauge!("colloquy_jobs", "queue" => queue.as_str(), "state" => state.as_str())
                .set(jobs as f64);
        }
        let stats = stats.iter().find(|of| of.queue == queue);
        let gauge = |name: &'static str, value: Option<f64>| {
            metrics::gauge!(name, "queue" => queue.as_str()).set(value.unwrap_or(0.0));
        };
        let seconds = |ms: u64| ms as f64 / 1000.0;
        gauge("colloquy_queue_oldest_ready_seconds", stats.and_then(|of| of.oldest_ready_ms).map(seconds));
        gauge("colloquy_queue_delayed", stats.map(|of| of.delayed as f64));
        gauge("colloquy_queue_workers", stats.map(|of| of.workers as f64));
        gauge("colloquy_queue_paused", stats.map(|of| f64::from(u8::from(of.is_paused))));
        gauge("colloquy_queue_rate_in", stats.and_then(|of| of.rate_in));
        gauge("colloquy_queue_rate_out", stats.and_then(|of| of.rate_out));
        // Without a forecast there is no value: zero would say that it is empty.
        let drain = stats.and_then(QueueStats::drain_time).map_or(f64::NAN, |time| time.as_secs_f64());
        gauge("colloquy_queue_drain_seconds", Some(drain));
    }
}
