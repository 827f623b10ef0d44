//! Where time and ids come from, so that a test can say what they are. Due times, leases and deadlines of
//! the job ledger are not here: they are PostgreSQL's clock.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub type Timestamp = DateTime<Utc>;

pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

pub trait IdGen: Send + Sync {
    /// A new UUIDv7: later ids sort after earlier ones.
    fn next(&self) -> Uuid;

    /// Bytes nobody can guess, for tokens and keys.
    fn secret(&self) -> [u8; 32];
}

/// Milliseconds from the start of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// `01:02:03.045`.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, s) = (self.0 % 1000, self.0 / 1000);
        write!(f, "{:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
    }
}
