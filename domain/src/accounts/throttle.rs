//! Slows down guessing: a few tries a minute for each key, in this process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::TimeDelta;

use crate::{Error, Problem, Result, time::Timestamp};

const TRIES: u32 = 10;
const WINDOW: TimeDelta = TimeDelta::minutes(1);
/// Keys kept at once; beyond, windows that have passed are dropped, then all.
const MAX_KEYS: usize = 100_000;

#[derive(Default)]
pub struct Throttle {
    tries: Mutex<HashMap<[u8; 32], (Timestamp, u32)>>,
}

impl Throttle {
    /// Counts a try for `key` and refuses the eleventh within a minute.
    pub fn allow(&self, key: &str, now: Timestamp) -> Result<()> {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= MAX_KEYS {
            tries.retain(|_, (since, _)| now - *since < WINDOW);
            if tries.len() >= MAX_KEYS {
                tries.clear();
            }
        }
        let (since, count) = tries.entry(*blake3::hash(key.as_bytes()).as_bytes()).or_insert((now, 0));
        if now - *since >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if *count <= TRIES {
            return Ok(());
        }
        let wait = (*since + WINDOW - now).num_seconds().max(1) as u64;
        let message = format!("too many attempts; try again in {wait} s");
        let problem = Problem::new("TOO_MANY_ATTEMPTS", message);
        Err(Error::Exhausted { problem, retry_after: Some(Duration::from_secs(wait)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_try_in_a_minute_is_refused_and_a_minute_later_it_is_not() {
        let throttle = Throttle::default();
        let now = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        for _ in 0..TRIES {
            throttle.allow("ada@example.com", now).unwrap();
        }
        let refused = throttle.allow("ada@example.com", now).unwrap_err();
        assert_eq!(refused.code(), "TOO_MANY_ATTEMPTS");
        throttle.allow("bob@example.com", now).unwrap();
        throttle.allow("ada@example.com", now + WINDOW).unwrap();
    }
}
