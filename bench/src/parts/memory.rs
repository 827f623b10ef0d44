//! What each role holds while nothing happens, and how soon it is there.

use std::time::Duration;

use anyhow::Result;

use crate::{
    figures::{Row, median, section},
    proc::{self, Memory},
    process::{Binary, Role, Standalone},
};

const IDLE: Duration = Duration::from_secs(10);
const STARTS: usize = 3;

pub(super) async fn run(binary: &Binary) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let first = Standalone::start(binary, folder.path()).await?;
    let first_start = first.start;
    drop(first);
    let mut starts = Vec::new();
    for _ in 1..STARTS {
        starts.push(Standalone::start(binary, folder.path()).await?.start);
    }
    let standalone = Standalone::start(binary, folder.path()).await?;
    starts.push(standalone.start);
    let mut rows = idle("standalone", "250 MB", standalone.pid()).await?;
    let children = proc::memory_of(proc::tree(standalone.pid()).split_off(1).as_slice());
    let children = format!("{:.0} MB", children.resident);
    rows.push(Row::new("children of `standalone`: PostgreSQL, Redis", children));
    let (api, api_starts) = role(async || Role::api(binary, folder.path()).await).await?;
    rows.extend(idle("api", "30 MB", api.pid()).await?);
    drop(api);
    let (worker, worker_starts) = role(async || Role::worker(binary, folder.path()).await).await?;
    rows.extend(idle("worker", "30 MB", worker.pid()).await?);
    let both = proc::memory_of(&proc::tree(worker.pid()));
    rows.push(Row::new("`worker`, with its process of handlers", figure(both)).aim("30 MB"));
    drop(worker);

    rows.push(Row::new("`standalone` ready, the very first start", seconds(vec![first_start])));
    rows.push(Row::new("`standalone` ready", seconds(starts)));
    rows.push(Row::new("`api` ready", seconds(api_starts)));
    rows.push(Row::new("`worker` takes jobs", seconds(worker_starts)));
    let method = format!(
        "Resident memory (`VmRSS`) after {} s of doing nothing, and what of it is the process's own \
        rather than mapped files such as its code (`RssAnon`); of several processes by their proportional shares. \
        `worker` watches and its child runs the handlers. Processor while idle is over the same {} s, of the process alone. Starts are from the launch of \
        the process to the first 200 of `/readyz` (the worker: to its word that jobs are taken), median \
        of {STARTS} on a data folder that is there already, the files in the page cache; the very first \
        makes the database and is one run.",
        IDLE.as_secs(),
        IDLE.as_secs(),
    );
    Ok(section("Memory and starts", &method, &rows))
}

/// Started several times; the last one goes on.
async fn role(start: impl AsyncFn() -> Result<Role>) -> Result<(Role, Vec<Duration>)> {
    let mut starts = Vec::new();
    for _ in 1..STARTS {
        starts.push(start().await?.start);
    }
    let last = start().await?;
    starts.push(last.start);
    Ok((last, starts))
}

async fn idle(name: &str, aim: &'static str, pid: u32) -> Result<Vec<Row>> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = proc::cpu(pid);
    tokio::time::sleep(IDLE).await;
    let memory = proc::memory(pid)?;
    let share = (proc::cpu(pid) - before).as_secs_f64() / IDLE.as_secs_f64();
    Ok(vec![
        Row::new(format!("`{name}`, resident"), figure(memory)).aim(aim),
        Row::new(format!("`{name}`, processor while idle"), format!("{:.1} % of one core", share * 100.0)),
    ])
}

fn figure(memory: Memory) -> String {
    format!("{:.0} MB, of which its own {:.0} MB", memory.resident, memory.anonymous)
}

fn seconds(starts: Vec<Duration>) -> String {
    format!("{:.2} s", median(starts.iter().map(Duration::as_secs_f64).collect()))
}
