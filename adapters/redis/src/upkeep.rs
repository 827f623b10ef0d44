//! The scripts of our own around apalis' keys. Everything that they drop is a hint whose deadline the ledger
//! knows.

use std::sync::LazyLock;

use redis::{RedisError, Script};

use crate::lane::Lane;

/// Messages that wait for a worker before the oldest are dropped. Well under the 8,000 at which apalis' own
/// scripts fail for good.
const BACKLOG: usize = 1000;

static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/release.lua")));
static FINISH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/finish.lua")));
static MEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/mend.lua")));
static WITHDRAW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/withdraw.lua")));
/// Messages a script call: Redis serves nobody else meanwhile.
const WITHDRAWN: usize = 200;
/// Pages of a sweep.
const SWEEP_STEPS: usize = 20;

/// A worker that is not registered is gone: apalis registers it and notes its metadata in one script.
static FORGET: LazyLock<Script> = LazyLock::new(|| {
    let script = "if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then redis.call('DEL', KEYS[2]) end";
    Script::new(script)
});
static RETIRE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/retire.lua")));

/// A message that a worker has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) worker: String,
    pub(crate) id: String,
}

/// Makes pushed messages available and wakes workers; how many old ones had to go.
pub(crate) async fn release(lane: &Lane, ids: &[String]) -> Result<usize, RedisError> {
    let mut call = RELEASE.prepare_invoke();
    keys(&mut call, lane).arg(&lane.channel).arg(BACKLOG).arg(ids);
    call.invoke_async(&mut lane.connection.clone()).await
}

/// Takes back what no worker has taken; how many those were.
pub(crate) async fn withdraw(lane: &Lane, ids: &[String]) -> Result<usize, RedisError> {
    let mut withdrawn = 0;
    for some in ids.chunks(WITHDRAWN) {
        let mut call = WITHDRAW.prepare_invoke();
        let call = keys(&mut call, lane).arg(some);
        withdrawn += call.invoke_async::<usize>(&mut lane.connection.clone()).await?;
    }
    Ok(withdrawn)
}

/// Takes away all that apalis keeps of messages that have been handled.
pub(crate) async fn finish(lane: &Lane, taken: &[Taken]) -> Result<(), RedisError> {
    let mut call = FINISH.prepare_invoke();
    keys(&mut call, lane).key(lane.config.inflight_jobs_set());
    for Taken { worker, id } in taken {
        call.arg(worker).arg(id);
    }
    call.invoke_async(&mut lane.connection.clone()).await
}

/// Takes out of the queue what would end a worker that fetched it; how much that was.
pub(crate) async fn mend(lane: &Lane) -> Result<usize, RedisError> {
    let mut call = MEND.prepare_invoke();
    keys(&mut call, lane).key(lane.config.workers_set()).arg(BACKLOG * 2);
    call.invoke_async(&mut lane.connection.clone()).await
}

/// Forgets a worker. What it took and did not finish goes back to the queue, or is dropped with the worker
/// when it may be what ended it.
pub(crate) async fn retire(lane: &Lane, worker: &str, give_back: bool) -> Result<(), RedisError> {
    let mut call = RETIRE.prepare_invoke();
    keys(&mut call, lane)
        .key(lane.config.workers_set())
        .key(lane.inflight_key(worker))
        .key(lane.metadata_key(worker))
        .arg(worker)
        .arg(u8::from(give_back))
        .arg(&lane.channel);
    call.invoke_async(&mut lane.connection.clone()).await
}

/// Deletes what apalis noted of workers that are gone without a word. Looks at a bounded part of Redis: what is
/// missed is small, and met at another start.
pub(crate) async fn sweep(lane: &Lane) -> Result<(), RedisError> {
    let mut connection = lane.connection.clone();
    let pattern = lane.metadata_key("*");
    let mut cursor = 0_u64;
    for _ in 0..SWEEP_STEPS {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1000);
        let (next, keys): (u64, Vec<String>) = scan.query_async(&mut connection).await?;
        for key in keys {
            let mut call = FORGET.prepare_invoke();
            let worker = &key[pattern.len() - 1..];
            call.key(lane.config.workers_set()).key(&key).arg(worker);
            call.invoke_async::<()>(&mut connection).await?;
        }
        if next == 0 {
            break;
        }
        cursor = next;
    }
    Ok(())
}

/// The first four keys of every script: scheduled, active, data, and what the metadata's keys begin with.
fn keys<'a, 'b>(
    call: &'b mut redis::ScriptInvocation<'a>,
    lane: &Lane,
) -> &'b mut redis::ScriptInvocation<'a> {
    call.key(lane.config.scheduled_jobs_set())
        .key(lane.config.active_jobs_list())
        .key(lane.config.job_data_hash())
        .key(lane.config.job_meta_hash())
}
