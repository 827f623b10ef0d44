//! How well search finds what answers a question, on data whose answers are known: `just bench-search quality`. Quality,
//! not time. Read below COLLOQUY_TEST_DATA and left out, saying so, where it is not there; the paraphrases are those of
//! samples/README.md. The servers of `ops/servers` are measured beside the embedded engine where they start. Vectors
//! are kept below the user's cache, for embedding takes some minutes.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints its figures, or ends")]
#![allow(clippy::disallowed_methods, reason = "a benchmark finds its data as tests do")]

mod corpus;
mod engines;
mod measures;
mod meetings;
mod samples;
mod scifact;
#[path = "../../adapters/elasticsearch/tests/server/servers.rs"]
mod servers;

use std::{
    env,
    path::{Path, PathBuf},
};

use colloquy_models::{MiniLm, MiniLmSettings};

use crate::{engines::Engine, measures::Summary};

/// What the search asks of each leg.
const LEG: usize = 1_000;

#[tokio::main]
async fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let home = || Path::new(&env::var_os("HOME").unwrap()).join(".cache/colloquy");
    let cache = env::var_os("COLLOQUY_CACHE").map_or_else(home, PathBuf::from);
    let library = if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };
    let settings =
        MiniLmSettings::new(cache.join("models/all-MiniLM-L6-v2"), cache.join("onnxruntime").join(library));
    let model = corpus::Model { embedder: MiniLm::start(&settings).unwrap(), folder: cache.join("bench") };
    let data = env::var_os("COLLOQUY_TEST_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);

    let samples = samples::read(root);
    let meetings = there(&data.join("qmsum")).map(|folder| meetings::read(&folder));
    let abstracts = there(&data.join("scifact")).map(|folder| scifact::read(&folder));
    let mut last = Vec::new();
    for engine in Engine::all() {
        println!("\n## {}", engine.name());
        if let Some(abstracts) = &abstracts {
            last.push(scifact::report(abstracts, &engine, &model).await);
        }
        if let Some(meetings) = &meetings {
            last.push(meetings::report(meetings, &engine, &model).await);
        }
        samples::report(&samples, &engine, &model).await;
    }
    // Of the embedded engine, which comes first.
    let summed: Vec<String> = last.iter().take(2).map(Summary::to_string).collect();
    println!("\n{}", summed.join(" "));
}

fn left_out() -> String {
    "its words".to_owned()
}

fn there(folder: &Path) -> Option<PathBuf> {
    if !folder.is_dir() {
        println!("left out: there is no {}", folder.display());
    }
    folder.is_dir().then(|| folder.to_owned())
}
