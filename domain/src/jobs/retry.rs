//! When a failed job runs again: exponential backoff with full jitter, so that jobs that failed together do
//! not come back together.

use std::time::Duration;

use crate::Error;

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The wait after failed attempt number `attempt` (from 1): a random half to whole of `2 s × 2^(attempt-1)`,
/// at most 15 minutes. `jitter` is in [0, 1).
pub fn backoff(attempt: u32, jitter: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(20));
    doubled.min(LONGEST).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
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
        assert_eq!(backoff(1, 0.0), Duration::from_secs(1));
        assert_eq!(backoff(1, 1.0), Duration::from_secs(2));
        assert_eq!(backoff(3, 1.0), Duration::from_secs(8));
        assert_eq!(backoff(64, 1.0), LONGEST);
        assert_eq!(backoff(u32::MAX, 0.0), LONGEST / 2);
    }
}
