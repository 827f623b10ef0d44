//! From a file to a conversation that is found and analysed, with the real model.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    figures::{Row, median, section},
    proc,
    process::{Binary, Standalone},
    talk::Talk,
};

const RUNS: u64 = 3;
const STAGES: [&str; 3] = ["INDEXED", "EMBEDDED", "ANALYZED"];

pub(super) async fn run(binary: &Binary) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let standalone = Standalone::start(binary, folder.path()).await?;
    let (mut answered, mut all, mut computed) = (Vec::new(), Vec::new(), Vec::new());
    let mut reached: [Vec<f64>; 3] = Default::default();
    let (mut segments, mut bytes) = (0, 0);
    for run in 0..RUNS {
        let text = Talk::new(100 + run).hour();
        let cpu = proc::cpu_of_tree(standalone.pid());
        let started = Instant::now();
        let imported = standalone.client.import(&format!("Hour {run}"), &text).await?;
        answered.push(started.elapsed().as_secs_f64());
        let watch = standalone.client.until_searchable(&imported, |stage| {
            if let Some(at) = STAGES.iter().position(|known| *known == stage) {
                reached[at].push(started.elapsed().as_secs_f64());
            }
        });
        watch.await?;
        all.push(started.elapsed().as_secs_f64());
        computed.push((proc::cpu_of_tree(standalone.pid()) - cpu).as_secs_f64());
        (segments, bytes) = (imported.segments, text.len());
        // What one leaves to do, such as merging an index, is not the next one's time.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let method = format!(
        "One made-up conversation of an hour: 9,000 words of two speakers, {segments} segments, {} kB of \
        WebVTT, sent as text in a mutation to a standalone with all-MiniLM-L6-v2 and watched by \
        `conversationProgress`. Median of {RUNS}, each another text; the stages run beside each other.",
        bytes / 1000
    );
    let seconds = |values: Vec<f64>| format!("{:.2} s", median(values));
    let mut rows = vec![Row::new("the mutation is answered", seconds(answered))];
    for (stage, times) in STAGES.into_iter().zip(reached) {
        rows.push(Row::new(format!("`{stage}`"), seconds(times)));
    }
    rows.push(Row::new("**fully searchable and analysed**", seconds(all)));
    rows.push(Row::new("processor time, with PostgreSQL and Redis", seconds(computed)));
    Ok(section("Import to fully searchable", &method, &rows))
}
