//! When a failed job runs again: exponential backoff with full jitter, so that jobs that failed together do
//! not come back together.

use std::time::Duration;

use crate::Error;

/// How long a job waits between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Backoff {
    /// Unless [`rules`](super::rules) say otherwise.
    pub const USUAL: Self = Self { first: Duration::from_secs(2), longest: Duration::from_secs(15 * 60) };

    /// The wait after failed attempt number `attempt` (from 1): a random half to whole of `first × 2^(attempt-1)`,
    /// at most of `longest`. `jitter` is in [0, 1).
    pub fn after(self, attempt: u32, jitter: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << attempt.saturating_sub(1).min(30));
        doubled.min(self.longest).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }
}

/// How a handler's failure is to be taken.
#[derive(Debug)]
pub enum JobError {
    /// Worth another attempt, after `after` where the other side said when.
    Retry { error: Error, after: Option<Duration> },
    /// No attempt will succeed.
    Fail(Error),
    /// Not now, and it is nobody's fault: goes back without counting.
    PutOff { after: Duration },
}

impl JobError {
    pub fn retry(error: Error) -> Self {
        Self::Retry { error, after: None }
    }

    pub fn fail(error: Error) -> Self {
        Self::Fail(error)
    }

    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Retry { error, .. } | Self::Fail(error) => Some(error),
            Self::PutOff { .. } => None,
        }
    }
}

/// What the caller gave is wrong for good; all else may pass.
impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        let after = match &error {
            Error::Exhausted { retry_after, .. } => *retry_after,
            _ => None,
        };
        match error {
            Error::NotFound { .. } | Error::Invalid(_) | Error::Forbidden(_) | Error::Unauthenticated(_) => {
                Self::Fail(error)
            }
            _ => Self::Retry { error, after },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_stays_in_its_half_and_ends_at_the_longest() {
        let usual = Backoff::USUAL;
        assert_eq!(usual.after(1, 0.0), Duration::from_secs(1));
        assert_eq!(usual.after(1, 1.0), Duration::from_secs(2));
        assert_eq!(usual.after(3, 1.0), Duration::from_secs(8));
        assert_eq!(usual.after(64, 1.0), usual.longest);
        assert_eq!(usual.after(u32::MAX, 0.0), usual.longest / 2);
        let quick = Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(3) };
        let waits = [1, 2, 3].map(|attempt| quick.after(attempt, 1.0));
        assert_eq!(waits, [1, 2, 3].map(Duration::from_millis));
    }
}
