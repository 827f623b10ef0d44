//! The dispatcher against a real Redis, on good days and bad ones.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "says which tests were left out, and what was measured")]

#[path = "dispatch/support.rs"]
mod support;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use colloquy_domain::{
    jobs::Queue,
    ports::{
        jobs::{Dispatcher, OnDispatch},
        search::Rankings,
    },
};
use colloquy_redis::{RedisDispatcher, RedisRankings, RedisSettings};
use tokio::{sync::Notify, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use support::Server;

const SOON: Duration = Duration::from_secs(20);

/// Notes what it was given and when.
#[derive(Default)]
struct Notes {
    seen: Mutex<HashMap<Uuid, Vec<Instant>>>,
    running: Mutex<(usize, usize)>,
    came: Notify,
    takes: Duration,
}

#[async_trait]
impl OnDispatch for Notes {
    async fn handle(&self, _: Queue, dispatch: Uuid) {
        self.seen.lock().unwrap().entry(dispatch).or_default().push(Instant::now());
        {
            let mut running = self.running.lock().unwrap();
            running.0 += 1;
            running.1 = running.1.max(running.0);
        }
        self.came.notify_waiters();
        if !self.takes.is_zero() {
            sleep(self.takes).await;
        }
        self.running.lock().unwrap().0 -= 1;
    }
}

impl Notes {
    fn slow(takes: Duration) -> Arc<Self> {
        Arc::new(Self { takes, ..Self::default() })
    }

    fn has(&self, ids: &[Uuid]) -> bool {
        let seen = self.seen.lock().unwrap();
        ids.iter().all(|id| seen.contains_key(id))
    }

    async fn await_all(&self, ids: &[Uuid]) {
        let deadline = Instant::now() + SOON;
        while !self.has(ids) {
            let missing = ids.iter().filter(|id| !self.has(&[**id])).count();
            assert!(Instant::now() < deadline, "{missing} of {} dispatches never came", ids.len());
            let _ = tokio::time::timeout(Duration::from_millis(100), self.came.notified()).await;
        }
    }
}

struct Serving {
    dispatcher: Arc<RedisDispatcher>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Serving {
    fn begin(server: &Server, name: &str, concurrency: usize, notes: &Arc<Notes>) -> Self {
        let dispatcher = Arc::new(RedisDispatcher::new(&server.settings(), name).unwrap());
        let stop = CancellationToken::new();
        let (serving, handler, token) = (dispatcher.clone(), notes.clone(), stop.clone());
        let task =
            tokio::spawn(async move { serving.serve(Queue::Default, concurrency, handler, token).await });
        Self { dispatcher, stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(SOON, self.task).await.expect("serving ends when it is stopped").unwrap();
    }
}

fn ids(count: usize) -> Vec<Uuid> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    (0..count).map(|_| Uuid::from_u64_pair(NEXT.fetch_add(1, Ordering::Relaxed), 0)).collect()
}

/// As the relay does: again until Redis takes it.
async fn push(dispatcher: &RedisDispatcher, ids: &[Uuid]) {
    let deadline = Instant::now() + SOON;
    while let Err(error) = dispatcher.push(Queue::Default, ids).await {
        assert!(Instant::now() < deadline, "redis did not come back: {}", error.chain());
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_dispatches_arrive_once_each_and_leave_nothing_behind() {
    let Some(server) = Server::start("a_thousand_dispatches").await else {
        return;
    };
    // Of a worker that was killed.
    let note = format!("{}:default:workers:metadata:killed", server.settings().prefix);
    server.command(&["HSET", &note, "service", "s"]).await;
    let notes = Arc::new(Notes::default());
    let serving = Serving::begin(&server, "w", 8, &notes);
    let ids = ids(1000);
    for some in ids.chunks(300) {
        push(&serving.dispatcher, some).await;
    }
    notes.await_all(&ids).await;
    serving.end().await;
    let twice = notes.seen.lock().unwrap().values().filter(|times| times.len() > 1).count();
    assert_eq!(twice, 0, "on a good day nothing comes twice");
    let left: HashSet<String> = server.keys().await.into_iter().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_never_arrives_and_leaves_nothing_behind() {
    let Some(server) = Server::start("taken_back").await else {
        return;
    };
    let notes = Arc::new(Notes::default());
    let steward = RedisDispatcher::new(&server.settings(), "steward").unwrap();
    let (missed, fresh) = (ids(300), ids(20));
    push(&steward, &missed).await;
    push(&steward, &fresh).await;
    steward.withdraw(Queue::Default, &missed).await.unwrap();
    let serving = Serving::begin(&server, "w", 4, &notes);
    notes.await_all(&fresh).await;
    // What is on its way already goes on, and what is not there does no harm.
    steward.withdraw(Queue::Default, &fresh).await.unwrap();
    serving.end().await;
    assert_eq!(notes.seen.lock().unwrap().len(), fresh.len());
    let left: HashSet<String> = server.keys().await.into_iter().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pick_up_takes_milliseconds() {
    let Some(server) = Server::start("pick_up").await else {
        return;
    };
    let notes = Arc::new(Notes::default());
    let serving = Serving::begin(&server, "w", 8, &notes);
    let first = ids(1);
    push(&serving.dispatcher, &first).await;
    notes.await_all(&first).await;
    let ids = ids(400);
    let mut pushed = HashMap::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    for id in &ids {
        ticks.tick().await;
        pushed.insert(*id, Instant::now());
        push(&serving.dispatcher, &[*id]).await;
    }
    notes.await_all(&ids).await;
    serving.end().await;
    let seen = notes.seen.lock().unwrap();
    let mut waits: Vec<Duration> = ids.iter().map(|id| seen[id][0] - pushed[id]).collect();
    waits.sort();
    let (p50, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    eprintln!("pick-up at 200 a second: p50 {p50:?}, p99 {p99:?}, longest {:?}", waits[waits.len() - 1]);
    // Generous: the machine may be busy. Polling alone would take 100 ms at the median.
    assert!(p50 < Duration::from_millis(40), "{p50:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_run_at_once_than_was_asked_for() {
    let Some(server) = Server::start("concurrency").await else {
        return;
    };
    let notes = Notes::slow(Duration::from_millis(20));
    let serving = Serving::begin(&server, "w", 3, &notes);
    let ids = ids(30);
    push(&serving.dispatcher, &ids).await;
    notes.await_all(&ids).await;
    serving.end().await;
    assert_eq!(notes.running.lock().unwrap().1, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_a_queue() {
    let Some(server) = Server::start("two_workers").await else {
        return;
    };
    let (one, two) = (Notes::slow(Duration::from_millis(5)), Notes::slow(Duration::from_millis(5)));
    let (a, b) = (Serving::begin(&server, "a", 2, &one), Serving::begin(&server, "b", 2, &two));
    sleep(Duration::from_millis(300)).await;
    let ids = ids(200);
    push(&a.dispatcher, &ids).await;
    let deadline = Instant::now() + SOON;
    while !ids.iter().all(|id| one.has(&[*id]) || two.has(&[*id])) {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(10)).await;
    }
    a.end().await;
    b.end().await;
    let (one, two) = (one.seen.lock().unwrap().len(), two.seen.lock().unwrap().len());
    assert_eq!(one + two, 200);
    assert!(one > 20 && two > 20, "{one} and {two}");
}

#[tokio::test(flavor = "multi_thread")]
async fn installations_with_different_prefixes_do_not_meet() {
    let Some(server) = Server::start("prefixes").await else {
        return;
    };
    let notes = Arc::new(Notes::default());
    let serving = Serving::begin(&server, "w", 2, &notes);
    let other = RedisSettings { prefix: format!("{}x", server.settings().prefix), ..server.settings() };
    let other = RedisDispatcher::new(&other, "x").unwrap();
    let (theirs, ours) = (ids(3), ids(3));
    push(&other, &theirs).await;
    push(&serving.dispatcher, &ours).await;
    notes.await_all(&ours).await;
    serving.end().await;
    assert!(theirs.iter().all(|id| !notes.has(&[*id])));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_connections_are_made_again_and_running_handlers_go_on() {
    let Some(server) = Server::start("client_kill").await else {
        return;
    };
    let notes = Notes::slow(Duration::from_millis(300));
    let serving = Serving::begin(&server, "w", 4, &notes);
    let before = ids(4);
    push(&serving.dispatcher, &before).await;
    notes.await_all(&before).await;
    for _ in 0..3 {
        server.command(&["CLIENT", "KILL", "TYPE", "normal"]).await;
        server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        let after = ids(4);
        push(&serving.dispatcher, &after).await;
        notes.await_all(&after).await;
    }
    serving.end().await;
    let running = *notes.running.lock().unwrap();
    assert_eq!(running.0, 0, "every handler ended");
    assert!(running.1 <= 4, "{} ran at once", running.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_redis_serves_on() {
    let Some(server) = Server::start("flushall").await else {
        return;
    };
    let notes = Arc::new(Notes::default());
    let serving = Serving::begin(&server, "w", 2, &notes);
    for _ in 0..3 {
        let some = ids(5);
        push(&serving.dispatcher, &some).await;
        notes.await_all(&some).await;
        server.flush().await;
    }
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_restarts_serves_on() {
    let Some(mut server) = Server::start("restart").await else {
        return;
    };
    if !server.is_ours() {
        return;
    }
    let notes = Arc::new(Notes::default());
    let serving = Serving::begin(&server, "w", 2, &notes);
    let before = ids(5);
    push(&serving.dispatcher, &before).await;
    notes.await_all(&before).await;
    server.kill().await;
    assert!(serving.dispatcher.ping().await.is_err());
    assert!(serving.dispatcher.push(Queue::Default, &ids(1)).await.is_err());
    sleep(Duration::from_millis(500)).await;
    server.begin().await;
    let after = ids(5);
    push(&serving.dispatcher, &after).await;
    serving.dispatcher.ping().await.unwrap();
    notes.await_all(&after).await;
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_redis_is_away_ends_in_time() {
    let Some(mut server) = Server::start("stop_without_redis").await else {
        return;
    };
    if !server.is_ours() {
        return;
    }
    let notes = Arc::new(Notes::default());
    let serving = Serving::begin(&server, "w", 2, &notes);
    let some = ids(1);
    push(&serving.dispatcher, &some).await;
    notes.await_all(&some).await;
    server.kill().await;
    let began = Instant::now();
    serving.end().await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_the_queue_is_dropped_and_the_queue_goes_on() {
    let Some(server) = Server::start("garbage").await else {
        return;
    };
    let key = |name: &str| format!("{}:default:{name}", server.settings().prefix);
    let (active, scheduled, data) = (key("active"), key("scheduled"), key("data"));
    for number in 0..50 {
        let id = format!("not-ours-{number}");
        server.command(&["RPUSH", &active, &id]).await;
        server.command(&["ZADD", &scheduled, "1", &format!("early-{number}")]).await;
        if number % 2 == 0 {
            server.command(&["HSET", &data, &id, "{\"unclosed\":"]).await;
            let fields = ["attempts", "0", "max_attempts", "25", "status", "Pending"];
            let meta = format!("{}:{id}", key("meta"));
            server.command(&[&["HSET", meta.as_str()], fields.as_slice()].concat()).await;
        }
    }
    let notes = Arc::new(Notes::default());
    let serving = Serving::begin(&server, "w", 2, &notes);
    let ours = ids(20);
    push(&serving.dispatcher, &ours).await;
    notes.await_all(&ours).await;
    // Keys of a type that no script can work with.
    server.command(&["DEL", &active]).await;
    server.command(&["SET", &active, "a string"]).await;
    let more = ids(5);
    push(&serving.dispatcher, &more).await;
    notes.await_all(&more).await;
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_that_nobody_takes_stays_short() {
    let Some(server) = Server::start("backlog").await else {
        return;
    };
    let dispatcher = RedisDispatcher::new(&server.settings(), "p").unwrap();
    let all = ids(5000);
    for some in all.chunks(1000) {
        push(&dispatcher, some).await;
    }
    let active = format!("{}:default:active", server.settings().prefix);
    let waiting: usize = server.command(&["LLEN", &active]).await.parse().unwrap();
    assert_eq!(waiting, 1000);
    let notes = Arc::new(Notes::default());
    let serving = Serving::begin(&server, "w", 8, &notes);
    notes.await_all(&all[4000..]).await;
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_worker_finishes_what_it_took_and_leaves_the_rest() {
    let Some(server) = Server::start("drain").await else {
        return;
    };
    let (one, two) = (Notes::slow(Duration::from_millis(200)), Arc::new(Notes::default()));
    let first = Serving::begin(&server, "a", 2, &one);
    let all = ids(20);
    push(&first.dispatcher, &all).await;
    one.await_all(&all[..1]).await;
    first.end().await;
    assert_eq!(one.running.lock().unwrap().0, 0);
    let rest: Vec<Uuid> = all.iter().copied().filter(|id| !one.has(&[*id])).collect();
    assert!(rest.len() >= 14, "{}", rest.len());
    let second = Serving::begin(&server, "b", 2, &two);
    two.await_all(&rest).await;
    second.end().await;
}

/// A key of this place that differs from others of it.
fn key(place: u8, number: u8) -> [u8; 32] {
    let mut key = [0; 32];
    (key[3], key[31]) = (place, number);
    key
}

#[tokio::test]
async fn a_ranking_is_found_by_its_key_alone_until_another_takes_its_place() {
    let Some(server) = Server::start("rankings").await else { return };
    let rankings = RedisRankings::new(&server.settings()).unwrap();
    let long = vec![7; 80_000];
    rankings.keep(key(1, 1), long.clone()).await.unwrap();
    // Another process finds it.
    let other = RedisRankings::new(&server.settings()).unwrap();
    assert_eq!(other.find(key(1, 1)).await.unwrap(), Some(long));
    assert_eq!(other.find(key(1, 2)).await.unwrap(), None, "in its place, and not it");
    assert_eq!(other.find(key(2, 1)).await.unwrap(), None);
    other.keep(key(1, 2), vec![8]).await.unwrap();
    assert_eq!(rankings.find(key(1, 1)).await.unwrap(), None);
    assert_eq!(rankings.find(key(1, 2)).await.unwrap(), Some(vec![8]));
}

#[tokio::test]
async fn a_redis_that_is_away_costs_a_search_no_time() {
    let Some(mut server) = Server::start("no-rankings").await else { return };
    if !server.is_ours() {
        return;
    }
    let rankings = RedisRankings::new(&server.settings()).unwrap();
    rankings.keep(key(1, 1), vec![1]).await.unwrap();
    server.kill().await;
    let begun = Instant::now();
    assert_eq!(rankings.find(key(1, 1)).await.unwrap_err().code(), "UNAVAILABLE");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let begun = Instant::now();
    for _ in 0..20 {
        rankings.keep(key(1, 1), vec![1]).await.unwrap_err();
    }
    assert!(begun.elapsed() < Duration::from_millis(200), "it is not asked again: {:?}", begun.elapsed());
    server.begin().await;
    let begun = Instant::now();
    while rankings.keep(key(1, 1), vec![2]).await.is_err() {
        assert!(begun.elapsed() < SOON, "it is asked again after a while");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(rankings.find(key(1, 1)).await.unwrap(), Some(vec![2]));
}
