//! A real search server that goes away, is busy, slow, or takes no writes, under fifty searches a second. Searches go
//! on, nothing uses up its attempts, and soon afterwards nothing differs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    servers::{ByHand, Fleet, differences, fleet},
    support::{Client, eventually},
};

/// Fifty a second, as long as the machine answers so many.
const BETWEEN: Duration = Duration::from_millis(20);
const AT_ONCE: usize = 12;
/// Nobody waits without end. A server that starts takes both processors of a small machine for some seconds, and other tests
/// run beside this one.
const SLOWEST: Duration = Duration::from_secs(25);

/// How long the server is away; a whole minute is asked for by the environment.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment how long to try")]
fn outage() -> Duration {
    let seconds = std::env::var("COLLOQUY_TEST_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(10))
}

/// Searches by both engines, from `begin` to `end`.
struct Load {
    stop: Arc<AtomicBool>,
    searching: JoinHandle<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    searches: usize,
    degraded: usize,
    slowest: Duration,
}

impl Load {
    fn begin(client: &Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let searching = tokio::spawn(search_on(client.clone(), stop.clone()));
        Self { stop, searching }
    }

    async fn end(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.searching.await.expect("every search is answered")
    }
}

async fn search_on(client: Client, stop: Arc<AtomicBool>) -> Tally {
    let (mut under_way, mut tally) = (JoinSet::new(), Tally::default());
    let mut ticks = interval(BETWEEN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count = |(degraded, took): (bool, Duration)| {
        tally.searches += 1;
        tally.degraded += usize::from(degraded);
        tally.slowest = tally.slowest.max(took);
    };
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        if under_way.len() < AT_ONCE {
            under_way.spawn(search(client.clone()));
        }
        while let Some(ended) = under_way.try_join_next() {
            count(ended.expect("an answer"));
        }
    }
    under_way.join_all().await.into_iter().for_each(count);
    tally
}

/// Whether one engine did not answer, and how long it took.
async fn search(client: Client) -> (bool, Duration) {
    let begun = Instant::now();
    let query = "{ search(query: \"notes talk\", first: 5) { degraded edges { node { score } } } }";
    let found = client.data(query, json!({})).await["search"].clone();
    assert!(!found["edges"].as_array().expect("a list").is_empty(), "{found:#?}");
    (!found["degraded"].is_null(), begun.elapsed())
}

impl Fleet {
    fn by_hand(&self) -> ByHand {
        ByHand(self.words.url())
    }

    async fn set(&self, path: &str, settings: Value) {
        self.by_hand().ask(Method::PUT, path, Some(settings)).await;
    }

    async fn waits_without_counting(&self, kind: &str) {
        let settled = format!(
            "SELECT count(*) FROM jobs WHERE kind = '{kind}' AND state = 'READY' AND attempts = 0 AND run_at > created_at"
        );
        eventually("a job is put off", async || (self.world.number(&settled).await > 0).then_some(())).await;
    }

    /// How soon nothing differs any more, in both engines.
    async fn mends(&self) -> Duration {
        let (begun, token) = (Instant::now(), self.client.token().to_owned());
        eventually("no job is under way", async || {
            let left = "SELECT count(*) FROM jobs WHERE state IN ('READY', 'RUNNING', 'WAITING')";
            (self.world.number(left).await == 0).then_some(())
        })
        .await;
        assert_eq!(differences(&self.world, &self.api, &token, false).await, []);
        begun.elapsed()
    }
}

#[tokio::test]
async fn searches_are_answered_while_the_server_is_away_and_nothing_differs_soon_after() {
    let mut fleet = fleet!();
    fleet.import(0..10).await;
    fleet.client.idle().await;
    fleet.finds(10).await;
    let load = Load::begin(&fleet.client);
    sleep(Duration::from_secs(1)).await;
    fleet.words.stop();
    let late = fleet.import(10..14).await;
    fleet.client.change("deleteConversation", "deletedId", json!({ "id": late[0] })).await;
    sleep(outage()).await;
    fleet.words.go_on();
    let took = fleet.mends().await;
    assert!(took < Duration::from_secs(60), "{took:?}");
    eventually("both engines are asked again", async || {
        let found = fleet.search("HYBRID").await;
        found["degraded"].is_null().then_some(())
    })
    .await;
    let tally = load.end().await;
    assert!(tally.searches > 100 && tally.degraded > 0 && tally.slowest < SLOWEST, "{tally:?}");
    println!("{tally:?}, mended in {took:?}");
    fleet.finds(13).await;
    assert_eq!(fleet.world.number("SELECT count(*) FROM jobs WHERE state = 'DEAD'").await, 0);
}

#[tokio::test]
async fn a_server_that_is_slow_busy_or_takes_no_writes_loses_nothing() {
    let fleet = fleet!();
    fleet.import(0..3).await;
    fleet.client.idle().await;
    fleet.finds(3).await;
    let load = Load::begin(&fleet.client);

    // As where its disk is nearly full: every item of a bulk request is refused, the request is not.
    for block in ["read_only_allow_delete", "write"] {
        let set = async |blocked: Value| {
            fleet
                .set("/colloquy-passages/_settings", json!({ format!("index.blocks.{block}"): blocked }))
                .await;
        };
        set(json!(true)).await;
        let number = if block == "write" { 4 } else { 3 };
        fleet.import(number..number + 1).await;
        fleet.waits_without_counting("index_passages").await;
        set(Value::Null).await;
        fleet.client.idle().await;
    }
    fleet.finds(5).await;

    // 429 for all that takes memory.
    let limit = async |limit: Value| {
        fleet
            .set("/_cluster/settings", json!({ "persistent": { "indices.breaker.total.limit": limit } }))
            .await;
    };
    limit(json!("1%")).await;
    eventually("a search says that words are missing", async || {
        let found = fleet.search("HYBRID").await;
        found["degraded"].as_str().is_some_and(|lacks| lacks.contains("text")).then_some(())
    })
    .await;
    fleet.import(5..6).await;
    fleet.waits_without_counting("index_passages").await;
    limit(Value::Null).await;
    fleet.client.idle().await;

    fleet.words.suspend();
    eventually("a search does not wait for it", async || {
        let found = fleet.search("HYBRID").await;
        found["degraded"].as_str().is_some_and(|lacks| lacks.contains("text")).then_some(())
    })
    .await;
    fleet.import(6..7).await;
    fleet.waits_without_counting("index_passages").await;
    fleet.words.resume();

    fleet.mends().await;
    let tally = load.end().await;
    assert!(tally.degraded > 0 && tally.slowest < SLOWEST, "{tally:?}");
    eventually("both engines are asked again", async || {
        let found = fleet.search("HYBRID").await;
        found["degraded"].is_null().then_some(())
    })
    .await;
    fleet.finds(7).await;
    assert_eq!(fleet.world.number("SELECT count(*) FROM jobs WHERE state = 'DEAD'").await, 0);
}

#[tokio::test]
async fn an_index_that_the_server_has_lost_is_made_again_and_filled() {
    let fleet = fleet!();
    fleet.import(0..3).await;
    fleet.client.idle().await;
    fleet.finds(3).await;
    let alias = fleet.by_hand().ask(Method::GET, "/_alias/colloquy-passages", None).await;
    let index = alias.as_object().and_then(|indexes| indexes.keys().next()).expect("an index").clone();
    fleet.by_hand().ask(Method::DELETE, &format!("/{index}"), None).await;
    let query = "{ search(query: \"notes talk\", mode: TEXT) { edges { node { score } } } }";
    eventually("words are found again", async || {
        let found = fleet.client.ask(query, json!({})).await;
        let hits = found.body["data"]["search"]["edges"].as_array()?.len();
        (hits == 3).then_some(())
    })
    .await;
    fleet.mends().await;
    fleet.finds(3).await;
}
