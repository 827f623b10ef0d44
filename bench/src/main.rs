//! What the real binary does in a second, with what, and how soon: `just bench`. Prints the figures of
//! BENCHMARKS.md. Of what it measures it knows the command line, the API and the ledger, and no code.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::print_stderr, reason = "and says on the side what it is at")]

mod client;
mod figures;
mod machine;
mod parts;
mod proc;
mod process;
mod queues;
mod subscription;
mod talk;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::{parts::Part, process::Binary};

const USAGE: &str = "Usage: colloquy-bench [--binary FILE] [import|jobs|read|search|memory]…
       colloquy-bench queues [--help]

FILE is the colloquy to measure; the one beside this program where left out. Without a part, all of them. `queues` is
not among them: it measures the queue beside others, which must be installed.";

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == "queues").is_some() {
        let Some(asked) = queues::Asked::read(words)? else {
            println!("{}", queues::USAGE);
            return Ok(());
        };
        let binary = find(asked.binary.clone())?;
        return unless_interrupted(queues::run(binary, asked)).await;
    }
    let (binary, parts) = arguments(words)?;
    unless_interrupted(measure(binary, parts)).await
}

/// Dropping what runs ends the processes that it has started, and removes their folders.
async fn unless_interrupted(measuring: impl Future<Output = Result<()>>) -> Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        measured = measuring => measured,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminated.recv() => bail!("terminated"),
    }
}

fn arguments(mut arguments: impl Iterator<Item = String>) -> Result<(Binary, Vec<Part>)> {
    let mut file = None;
    let mut parts = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--binary" => file = Some(PathBuf::from(arguments.next().context(USAGE)?)),
            name => parts.push(Part::from_name(name).with_context(|| format!("`{name}`?\n{USAGE}"))?),
        }
    }
    if parts.is_empty() {
        parts.extend(Part::ALL);
    }
    Ok((find(file)?, parts))
}

fn find(file: Option<PathBuf>) -> Result<Binary> {
    match file {
        Some(file) => Binary::find(&file),
        None => Binary::find(
            &std::env::current_exe().context("could not find this program")?.with_file_name("colloquy"),
        ),
    }
}

async fn measure(binary: Binary, parts: Vec<Part>) -> Result<()> {
    println!("{}", machine::describe(&binary)?);
    for part in parts {
        eprintln!("measuring: {}", part.name());
        let section = part.run(&binary).await.with_context(|| format!("`{}` failed", part.name()))?;
        println!("{section}");
    }
    Ok(())
}
