//! One run of one handler: its span, its time-out, its panics, and what is to be written of its end.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    jobs::{
        ClaimedJob, JobKind,
        retry::JobError,
        rules::{JobRules, KindRules},
    },
    ports::{
        Ports,
        jobs::{Completion, Ending},
    },
    search::matching::registry::Registry,
};
use futures::FutureExt;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, info_span};

use crate::{
    handler::{Done, JobContext, Outcome, handler},
    meters::{self, Ran},
};

/// Characters of an error that are kept with the job.
const MESSAGE: usize = 2000;

/// What runs jobs: the handlers, or what a test puts in their place.
#[async_trait]
pub(crate) trait Work: Send + Sync {
    async fn run(&self, job: &ClaimedJob, cancel: CancellationToken) -> Result<Outcome, JobError>;

    fn rules(&self, kind: JobKind) -> KindRules {
        JobRules::default().of(kind)
    }

    /// Ties the job's span to what caused the job.
    fn trace(&self, _span: &Span, _job: &ClaimedJob) {}
}

pub(crate) struct Handlers {
    pub(crate) ports: Ports,
    pub(crate) searches: Arc<Registry>,
}

#[async_trait]
impl Work for Handlers {
    async fn run(&self, job: &ClaimedJob, cancel: CancellationToken) -> Result<Outcome, JobError> {
        let ctx = JobContext {
            ports: self.ports.clone(),
            searches: self.searches.clone(),
            claim: job.claim,
            cancel,
        };
        handler(job.kind).run(&ctx, job).await
    }

    fn rules(&self, kind: JobKind) -> KindRules {
        self.ports.job_rules.of(kind)
    }

    fn trace(&self, span: &Span, job: &ClaimedJob) {
        if let Some(traceparent) = &job.traceparent {
            self.ports.trace.continue_from(span, traceparent);
        }
    }
}

/// What can end a handler before it ends itself.
pub(crate) struct Limits {
    /// The lease is lost.
    pub(crate) lost: CancellationToken,
    /// Somebody wants the job cancelled.
    pub(crate) unwanted: CancellationToken,
    /// The process must end.
    pub(crate) closing: CancellationToken,
}

/// Runs the job. `None` where nothing is to be written: the store did, or the claim is lost.
pub(crate) async fn execute(work: &dyn Work, job: &ClaimedJob, limits: &Limits) -> Option<Completion> {
    let span = info_span!("job", job_id = %job.claim.job_id, kind = %job.kind, attempt = job.attempt);
    work.trace(&span, job);
    async {
        let began = Instant::now();
        let (how, completion) = conclude(work, job, run(work, job, limits).await);
        meters::ran(job.kind, how, began.elapsed());
        completion
    }
    .instrument(span)
    .await
}

enum End {
    Handler(Result<Outcome, JobError>),
    Panic,
    TimeOut,
    Lost,
    Unwanted,
    Closing,
}

async fn run(work: &dyn Work, job: &ClaimedJob, limits: &Limits) -> End {
    let cancel = CancellationToken::new();
    // For what the handler has spawned: whichever way this function ends, that ends too.
    let _cancelled_at_end = cancel.clone().drop_guard();
    let handling = AssertUnwindSafe(work.run(job, cancel)).catch_unwind();
    tokio::select! {
        biased;
        ended = timeout(work.rules(job.kind).timeout, handling) => match ended {
            Ok(Ok(result)) => End::Handler(result),
            Ok(Err(_panic)) => End::Panic,
            Err(_elapsed) => End::TimeOut,
        },
        () = limits.lost.cancelled() => End::Lost,
        () = limits.unwanted.cancelled() => End::Unwanted,
        () = limits.closing.cancelled() => End::Closing,
    }
}

fn conclude(work: &dyn Work, job: &ClaimedJob, end: End) -> (Ran, Option<Completion>) {
    let rules = work.rules(job.kind);
    let wait = || rules.backoff.after(job.attempt, jitter());
    let ended = |ending| Completion::new(job.claim, ending);
    match end {
        End::Handler(Ok(Outcome::Done(done))) => {
            let Done { follow, spent, skipped } = done;
            (Ran::Done, Some(Completion { follow, spent, skipped, ..ended(Ending::Done) }))
        }
        End::Handler(Ok(Outcome::Committed)) => (Ran::Done, None),
        End::Handler(Err(JobError::Fail(error))) => {
            tracing::error!(error = error.chain(), "the job failed for good");
            let ending = Ending::Fail { message: message(&error) };
            (Ran::Failed, Some(ended(ending)))
        }
        End::Handler(Err(JobError::PutOff { after })) => {
            (Ran::HandedBack, Some(ended(Ending::PutOff { delay: after })))
        }
        End::Handler(Err(JobError::Retry { error, after })) => {
            let delay = after.unwrap_or_else(wait);
            retry(job, message(&error), delay)
        }
        End::Panic => retry(job, "the handler panicked".to_owned(), wait()),
        End::TimeOut => {
            let message = format!("the handler took longer than {} s", rules.timeout.as_secs_f64());
            retry(job, message, wait())
        }
        End::Lost => {
            tracing::warn!("the lease was lost, the handler was stopped");
            (Ran::Lost, None)
        }
        End::Unwanted => {
            tracing::info!("the job was cancelled, the handler was stopped");
            (Ran::Cancelled, Some(ended(Ending::Cancelled)))
        }
        End::Closing => (Ran::HandedBack, Some(hand_back(job))),
    }
}

pub(crate) fn hand_back(job: &ClaimedJob) -> Completion {
    Completion::new(job.claim, Ending::HandedBack)
}

pub(crate) fn put_off(job: &ClaimedJob, delay: Duration) -> Completion {
    Completion::new(job.claim, Ending::PutOff { delay })
}

fn retry(job: &ClaimedJob, message: String, delay: Duration) -> (Ran, Option<Completion>) {
    let is_last = job.attempt >= job.max_attempts;
    if is_last {
        tracing::error!(error = message, attempts = job.attempt, "the job failed and is out of attempts");
    } else {
        let retry_in_ms = delay.as_millis() as u64;
        tracing::warn!(error = message, retry_in_ms, "the job failed");
    }
    let how = if is_last { Ran::Failed } else { Ran::Retried };
    (how, Some(Completion::new(job.claim, Ending::Retry { message, delay })))
}

fn message(error: &Error) -> String {
    let chain = error.chain();
    match chain.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", &chain[..end]),
        None => chain,
    }
}

pub(crate) fn jitter() -> f64 {
    #[expect(clippy::disallowed_methods, reason = "spreads retries; the rule itself takes it as an argument")]
    let jitter: f64 = rand::random();
    jitter
}
