//! The query that a screen with a conversation makes.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    client::{Client, body},
    figures::{Row, Times, milliseconds, section},
    proc,
    process::{Binary, Standalone},
    talk::Talk,
};

const DOCUMENT: &str = "
query Screen($id: ID!) {
  conversation(id: $id) {
    id title kind
    segments(first: 50) { nodes { id sequence text startMs endMs participant { label } } }
  }
}";
const SEGMENTS: usize = 50;

const WARM_UP: Duration = Duration::from_secs(2);
const TIME: Duration = Duration::from_secs(10);
const TIME_ALONE: Duration = Duration::from_secs(5);
const CONNECTIONS: usize = 8;

pub(super) async fn run(binary: &Binary) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let standalone = Standalone::start(binary, folder.path()).await?;
    let imported = standalone.client.import("Read", &Talk::new(300).hour()).await?;
    standalone.client.until_searchable(&imported, |_| ()).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let request = body(DOCUMENT, &json!({ "id": imported.id }));
    let bytes = check(&standalone.client, request.clone()).await?;

    load(&standalone.client, &request, CONNECTIONS, WARM_UP).await?;
    let (own, tree) = (proc::cpu(standalone.pid()), proc::cpu_of_tree(standalone.pid()));
    let (client, started) = (proc::cpu(std::process::id()), Instant::now());
    let times = load(&standalone.client, &request, CONNECTIONS, TIME).await?;
    let wall = started.elapsed();
    let (own, tree) = (proc::cpu(standalone.pid()) - own, proc::cpu_of_tree(standalone.pid()) - tree);
    let client = proc::cpu(std::process::id()) - client;
    let alone = load(&standalone.client, &request, 1, TIME_ALONE).await?;

    let requests = u32::try_from(times.len())?.max(1);
    let method = format!(
        "`conversation` with {SEGMENTS} segments of {} (id, sequence, text, times, the participant's \
        label) by POST with an API key; answers of {:.1} kB. {CONNECTIONS} connections, each asking \
        again as soon as it is answered, for {} s after a warm-up; then one connection for {} s. The \
        client shares the cores: it took {} of processor a request.",
        imported.segments,
        bytes as f64 / 1e3,
        TIME.as_secs(),
        TIME_ALONE.as_secs(),
        milliseconds(client / requests),
    );
    let both = |times: &Times| format!("p50 {}, p99 {}", times.p50(), times.p99());
    let rows = [
        Row::new("requests", format!("{:.0} a second", f64::from(requests) / wall.as_secs_f64())),
        Row::new(format!("answered, {CONNECTIONS} connections"), both(&times)),
        Row::new("answered, one connection", both(&alone)),
        Row::new("processor a request, with PostgreSQL", milliseconds(tree / requests)),
        Row::new("of which colloquy itself", milliseconds(own / requests)),
    ];
    Ok(section("Reading a conversation", &method, &rows))
}

/// The answer's bytes, once it is certain that it holds what was asked for.
async fn check(client: &Client, request: Vec<u8>) -> Result<usize> {
    let answer = client.send(request).await?.bytes().await?;
    let read: Value = serde_json::from_slice(&answer)?;
    let segments = read["data"]["conversation"]["segments"]["nodes"].as_array().map_or(0, Vec::len);
    if segments != SEGMENTS || !read["errors"].is_null() {
        bail!("{segments} segments: {read}");
    }
    Ok(answer.len())
}

async fn load(client: &Client, request: &[u8], connections: usize, time: Duration) -> Result<Times> {
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (client, request) = (client.clone(), request.to_owned());
        tasks.spawn(async move {
            let (started, mut times) = (Instant::now(), Vec::new());
            while started.elapsed() < time {
                let asked = Instant::now();
                let answer = client.send(request.clone()).await?.error_for_status()?;
                answer.bytes().await?;
                times.push(asked.elapsed());
            }
            anyhow::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        times.extend(ended??);
    }
    Ok(Times::new(times))
}
