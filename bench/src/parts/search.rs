//! Searches through the API, with all that a list of hits shows.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::{
    figures::{Row, Times, section},
    process::{Binary, Standalone},
    talk::Talk,
};

const PASSAGES: i64 = 2_000;
/// Imports whose jobs are under way at once.
const AT_ONCE: usize = 4;
const QUERIES: usize = 300;
const FILL_PATIENCE: Duration = Duration::from_secs(400);
/// Merging of index segments goes on for a while.
const SETTLE: Duration = Duration::from_secs(5);

const DOCUMENT: &str = "
query Search($query: String!, $mode: SearchMode!) {
  search(query: $query, mode: $mode, first: 10) {
    degraded
    edges { node {
      score
      fragments { text isMatch }
      passage { id startMs speakers }
      conversation { id title }
      segments { text startMs participant { label } }
    } }
  }
}";

pub(super) async fn run(binary: &Binary) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let standalone = Standalone::start(binary, folder.path()).await?;
    let (passages, conversations, filled) = fill(&standalone).await?;
    tokio::time::sleep(SETTLE).await;
    let mut rows = Vec::new();
    for (mode, seed) in [("TEXT", 1), ("SEMANTIC", 2), ("HYBRID", 3)] {
        let mut talk = Talk::new(9_000 + seed);
        // The first ones open files and fill caches.
        for _ in 0..20 {
            ask(&standalone, &mut talk, mode).await?;
        }
        let mut times = Vec::new();
        for _ in 0..QUERIES {
            times.push(ask(&standalone, &mut talk, mode).await?);
        }
        let times = Times::new(times);
        rows.push(Row::new(format!("`{mode}`"), format!("p50 {}, p99 {}", times.p50(), times.p99())));
    }
    let rate = passages as f64 / filled.as_secs_f64();
    rows.push(Row::new(
        "importing them, from the first mutation to the last stage",
        format!("{rate:.0} passages a second"),
    ));
    let method = format!(
        "{passages} passages of {conversations} made-up hours in the embedded engines of a standalone; \
        {QUERIES} queries a mode of two to four words each, every one new, one after the other over one \
        connection, ten hits with fragments, conversation and segments. SEMANTIC and HYBRID embed the \
        query first (all-MiniLM-L6-v2)."
    );
    Ok(section("Search through the API", &method, &rows))
}

/// Passages and conversations that are there in the end, and how long that took.
async fn fill(standalone: &Standalone) -> Result<(i64, u64, Duration)> {
    let database = standalone.database().await?;
    let started = Instant::now();
    let (mut conversations, mut passages) = (0, 0);
    while passages < PASSAGES {
        let mut waiting = Vec::new();
        for _ in 0..AT_ONCE {
            let text = Talk::new(500 + conversations).hour();
            waiting.push(standalone.client.import(&format!("Hour {conversations}"), &text).await?);
            conversations += 1;
        }
        for imported in &waiting {
            standalone.client.until_searchable(imported, |_| ()).await?;
        }
        passages = database.query_one("SELECT count(*) FROM passages", &[]).await?.try_get(0)?;
        if started.elapsed() > FILL_PATIENCE {
            bail!("only {passages} passages after {} s", FILL_PATIENCE.as_secs());
        }
    }
    Ok((passages, conversations, started.elapsed()))
}

async fn ask(standalone: &Standalone, talk: &mut Talk, mode: &str) -> Result<Duration> {
    let words = 2 + talk.below(3);
    let query = talk.query(words);
    let asked = Instant::now();
    let answer = standalone.client.ask(DOCUMENT, json!({ "query": query, "mode": mode })).await?;
    let took = asked.elapsed();
    let hits = answer["search"]["edges"].as_array().context("an answer without hits")?;
    if hits.is_empty() || !answer["search"]["degraded"].is_null() {
        bail!("`{query}` by {mode}: {} hits, degraded: {}", hits.len(), answer["search"]["degraded"]);
    }
    Ok(took)
}
