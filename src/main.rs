//! The binary: what is typed becomes a command, and how it ended an exit status.

mod cli;
mod client;
mod commands;
mod config;
mod environment;
mod output;
mod roles;
mod services;
mod standalone;
mod supervisor;
mod telemetry;
mod terminal;
mod wiring;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;

use crate::{
    cli::Cli,
    commands::{Outcome, Usage},
    output::Closed,
    terminal::Terminal,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::set_color(cli.common.color);
    // Two clients bring a provider of TLS each, and where there are two nobody guesses which. It fails where one is set.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let terminal = Terminal::save();
    let ended = run(cli);
    terminal.restore();
    match ended {
        Ok(outcome) => outcome.into(),
        // Whoever read us has enough.
        Err(error) if error.is::<Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            output::error(format_args!("{error:#}"));
            if error.is::<Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(cli: Cli) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("could not start threads")?;
    let ended = runtime.block_on(Box::pin(commands::run(cli)));
    // A thread may still wait for a password that nobody types any more.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}
