//! What every test stands on: one private PostgreSQL and one private Redis for the whole process; for each test
//! a database, a Redis prefix and folders of its own; the real binary, and clients for it.

mod environment;
mod graphql;
mod ground;
mod ids;
mod postgres;
mod process;
mod redis;
mod samples;
mod servers;
mod socket;
mod worlds;

use std::time::{Duration, Instant};

pub(crate) use environment::{cache, left_out, test_data, workspace};
pub(crate) use graphql::{Client, FULL, Import};
pub(crate) use ids::{forge, parts};
pub(crate) use process::{Ended, Process, Server, alive, children_of};
pub(crate) use redis::Redis;
pub(crate) use samples::{LINES, SRT, VTT, sample, tiny};
pub(crate) use servers::Elasticsearch;
pub(crate) use socket::Subscription;
pub(crate) use worlds::World;

/// Nothing that is waited for takes longer, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// The world of the test that calls it; a test that must be left out returns.
macro_rules! world {
    () => {{
        fn here() {}
        match crate::support::World::new(std::any::type_name_of_val(&here)).await {
            Some(world) => world,
            None => return,
        }
    }};
}
pub(crate) use world;
