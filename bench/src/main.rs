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
mod subscription;
mod talk;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::{parts::Part, process::Binary};

const USAGE: &str = "Usage: colloquy-bench [--binary FILE] [import|jobs|read|search|memory]…

FILE is the colloquy to measure; the one beside this program where left out. Without a part, all of them.";

#[tokio::main]
async fn main() -> Result<()> {
    let (binary, parts) = arguments()?;
    let mut terminated = signal(SignalKind::terminate())?;
    // Dropping what runs ends the processes that it has started, and removes their folders.
    tokio::select! {
        measured = measure(binary, parts) => measured,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminated.recv() => bail!("terminated"),
    }
}

fn arguments() -> Result<(Binary, Vec<Part>)> {
    let mut file = None;
    let mut parts = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--binary" => file = Some(PathBuf::from(arguments.next().context(USAGE)?)),
            name => parts.push(Part::from_name(name).with_context(|| format!("`{name}`?\n{USAGE}"))?),
        }
    }
    if parts.is_empty() {
        parts.extend(Part::ALL);
    }
    let file = match file {
        Some(file) => file,
        None => std::env::current_exe().context("could not find this program")?.with_file_name("colloquy"),
    };
    Ok((Binary::find(&file)?, parts))
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
