//! How fast and how large the local embedder is: passages a second, query latency alone and beside a batch,
//! resident memory. `cargo bench -p colloquy-models -- [THREADS]`; the model is looked for where the tests look.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use colloquy_domain::ports::models::Embedder;
use colloquy_models::MiniLm;

#[path = "../tests/support/model.rs"]
mod model;

const PASSAGES: usize = 256;
const QUERIES: usize = 200;

const SENTENCES: [&str; 6] = [
    "We moved the review to Thursday because half of the team is travelling on Monday.",
    "She said that she would rather learn to delegate than work another weekend.",
    "The candidate compared two designs and named the cost of each before choosing.",
    "Write the question down, wait a day, and see whether it is still worth asking.",
    "Nobody had told support that the export would be off during the migration.",
    "He wants to earn more, but what he talks about is time with his daughter.",
];

fn main() {
    let Some(mut settings) = model::settings() else {
        return;
    };
    // Cargo adds arguments of its own.
    if let Some(threads) = std::env::args().find_map(|argument| argument.parse().ok()) {
        settings.threads = threads;
    }
    println!("{}", machine());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    let before = resident_mb();
    let started = Instant::now();
    let embedder = Arc::new(MiniLm::start(&settings).expect("the model loads"));
    let (name, threads, loaded) = (&embedder.model().name, settings.threads, started.elapsed());
    println!("{name}, {threads} thread(s), loaded in {loaded:.0?}");
    println!("  resident: {before:.0} MB before loading, {:.0} MB loaded", resident_mb());
    runtime.block_on(report(embedder));
}

async fn report(embedder: Arc<MiniLm>) {
    for sentences in [1, 4, 12] {
        let texts: Vec<String> = (0..PASSAGES).map(|number| passage(number, sentences)).collect();
        let started = Instant::now();
        embedder.embed_passages(texts).await.expect("passages embed");
        let rate = PASSAGES as f64 / started.elapsed().as_secs_f64();
        println!("  {PASSAGES} passages of about {} tokens: {rate:.1} a second", sentences * 18 + 2);
    }
    let mixed = (0..500).map(|number| passage(number, 1 + number % 14)).collect();
    embedder.embed_passages(mixed).await.expect("passages embed");
    println!("  resident after 500 passages of mixed length: {:.0} MB", resident_mb());

    println!("  query, nothing else running: {}", query_times(&embedder).await);
    let passages = tokio::spawn({
        let embedder = Arc::clone(&embedder);
        async move {
            loop {
                let texts = (0..64).map(|number| passage(number, 12)).collect();
                embedder.embed_passages(texts).await.expect("passages embed");
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    println!("  query, passages under way: {}", query_times(&embedder).await);
    passages.abort();
}

async fn query_times(embedder: &MiniLm) -> String {
    let mut times = Vec::with_capacity(QUERIES);
    for number in 0..QUERIES {
        let started = Instant::now();
        embedder
            .embed_query(&format!("who wanted to earn more in week {number}?"))
            .await
            .expect("a query embeds");
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    format!("p50 {:.1?}, p99 {:.1?}, of {QUERIES}", at(0.5), at(0.99))
}

/// Every passage is another text, so that nothing can be remembered.
fn passage(number: usize, sentences: usize) -> String {
    let chosen = (0..sentences).map(|n| SENTENCES[(number + n) % SENTENCES.len()]);
    format!("{number}. {}", chosen.collect::<Vec<_>>().join(" "))
}

fn resident_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("machine: {cores} cores,{} load {}", model.trim_start_matches(['\t', ' ', ':']), load.trim())
}
