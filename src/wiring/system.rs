//! The system's clock and randomness behind the domain's ports.

#![expect(clippy::disallowed_methods, reason = "here the clock and randomness enter the program")]

use chrono::Utc;
use colloquy_domain::time::{Clock, IdGen, Timestamp};
use rand::Rng;
use uuid::Uuid;

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Utc::now()
    }
}

pub(crate) struct SystemIds;

impl IdGen for SystemIds {
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn secret(&self) -> [u8; 32] {
        random_bytes()
    }
}

/// From the generator that the operating system seeds.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
