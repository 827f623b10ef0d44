//! The life of a job over random histories: many workers, late messages, lost workers.

use colloquy_domain::{
    ids::ClaimToken,
    jobs::{
        JobState,
        state::{Change, Life},
    },
};
use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

/// Few tokens, so that stale ones come back and are tried.
fn token() -> impl Strategy<Value = ClaimToken> {
    (0..4_u128).prop_map(|n| ClaimToken(Uuid::from_u128(n)))
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (token(), any::<bool>()).prop_map(|(token, apart)| Change::Claim { token, apart }),
        2 => token().prop_map(|token| Change::Begin { token }),
        2 => token().prop_map(|token| Change::Complete { token }),
        3 => (token(), prop::bool::weighted(0.1)).prop_map(|(token, fatal)| Change::Fail { token, fatal }),
        2 => token().prop_map(|token| Change::HandBack { token }),
        3 => Just(Change::Expire),
        1 => Just(Change::Cancel),
        2 => token().prop_map(|token| Change::Cancelled { token }),
        2 => Just(Change::Release),
        1 => Just(Change::Revive),
    ]
}

/// The token by which a change claims to hold the job.
fn shown(change: Change) -> Option<ClaimToken> {
    match change {
        Change::Begin { token }
        | Change::Complete { token }
        | Change::Fail { token, .. }
        | Change::HandBack { token }
        | Change::Cancelled { token } => Some(token),
        _ => None,
    }
}

proptest! {
    #[test]
    fn a_job_has_one_holder_spends_no_more_than_its_attempts_and_ends_once(
        max_attempts in 1..5_u32,
        waits_for in 0..3_u32,
        changes in vec(change(), 0..80),
    ) {
        let mut life = Life::waiting_for(waits_for, max_attempts);
        for change in changes {
            let before = life;
            let Some(after) = life.after(change) else { continue };
            life = after;

            // A revived job has another life, and one that is cancelled still hears of those it waited for.
            let after_death = matches!(change, Change::Revive)
                || matches!(change, Change::Release) && life.state == before.state;
            prop_assert!(!before.state.is_final() || after_death, "{before:?} went on by {change:?}");
            prop_assert!(before.state != JobState::Done, "{change:?} changed what is done");
            if before.unwanted && !matches!(change, Change::Revive) {
                let over = matches!(life.state, JobState::Running | JobState::Done | JobState::Cancelled);
                prop_assert!(over, "{before:?} would run again after {change:?}");
            }
            if life.waits_for > 0 {
                prop_assert!(matches!(life.state, JobState::Waiting | JobState::Cancelled), "{life:?}");
            }
            prop_assert_eq!(life.claim.is_some(), life.state == JobState::Running);
            prop_assert!(life.attempts <= max_attempts, "{life:?}");
            prop_assert_eq!(life.max_attempts, max_attempts);
            if let Some(token) = shown(change) {
                prop_assert_eq!(before.claim, Some(token), "only the holder ends a job");
            }
            if life.state == JobState::Done {
                let by_its_holder = matches!(change, Change::Complete { .. });
                prop_assert!(by_its_holder, "{:?} made it DONE", change);
            }
            if matches!(change, Change::Begin { .. }) {
                prop_assert!(before.suspect && life.attempts == before.attempts + 1, "a suspect pays once");
            }
            prop_assert!(!life.paid || life.state == JobState::Running, "{life:?}");
            if matches!(change, Change::Claim { .. }) {
                prop_assert!(before.claim.is_none(), "a running job is not claimed");
                let apart = matches!(change, Change::Claim { apart: true, .. });
                prop_assert!(apart || !before.suspect, "{:?} took a suspect with others", change);
                prop_assert_eq!(life.attempts, before.attempts, "who only takes it pays nothing");
            }
            if matches!(change, Change::Expire | Change::Cancel) {
                prop_assert_eq!(life.attempts, before.attempts, "nobody pays for what no handler did");
            }
            if matches!(life.state, JobState::Dead) {
                let fatal = matches!(change, Change::Fail { fatal: true, .. });
                prop_assert!(fatal || life.attempts == max_attempts, "{life:?} died early by {change:?}");
            }
        }
    }

    #[test]
    fn a_job_that_always_kills_its_worker_dies(max_attempts in 1..8_u32) {
        let mut life = Life::new(max_attempts);
        let mut claims = 0;
        while life.state == JobState::Ready {
            let token = ClaimToken(Uuid::from_u128(u128::from(claims)));
            life = life.after(Change::Claim { token, apart: true }).expect("a ready job is claimed alone");
            life = life.after(Change::Begin { token }).unwrap_or(life);
            life = life.after(Change::Expire).expect("a lease runs out");
            claims += 1;
        }
        prop_assert_eq!(life.state, JobState::Dead);
        // The first time it may have been another job of its chunk, and is not counted.
        prop_assert_eq!(claims, max_attempts + 1);
    }

    #[test]
    fn one_that_never_begins_never_dies_of_its_neighbours(max_attempts in 1..4_u32, times in 1..30_u32) {
        let mut life = Life::new(max_attempts);
        for _ in 0..times {
            let token = ClaimToken(Uuid::from_u128(3));
            life = life.after(Change::Claim { token, apart: true }).expect("it is ready");
            life = life.after(Change::Expire).expect("its worker dies of another job");
        }
        prop_assert_eq!((life.state, life.attempts), (JobState::Ready, 0));
    }

    #[test]
    fn handing_back_changes_nothing_that_counts(suspect in any::<bool>(), attempts in 0..3_u32) {
        let ready = Life { attempts, suspect, ..Life::new(5) };
        let token = ClaimToken(Uuid::from_u128(9));
        let back = ready
            .after(Change::Claim { token, apart: true })
            .map(|running| running.after(Change::Begin { token }).unwrap_or(running))
            .and_then(|running| running.after(Change::HandBack { token }));
        prop_assert_eq!(back, Some(ready));
    }
}
