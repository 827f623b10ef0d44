//! One file a command; here is what they share: logs, and how a command ends.

mod audit;
mod batch;
mod demo;
mod doctor;
mod erase;
mod export;
mod import;
mod jobs;
mod login;
mod logout;
mod prompt;
mod schedule;
mod search;
mod text;
mod verify;

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Result;

use crate::{
    cli::{Cli, Command, Common},
    config::{self, Config, EmbeddingChoice},
    output, roles, standalone, supervisor,
    telemetry::Telemetry,
};

/// How a command ended that did not fail as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Some of it failed, which has been told.
    Failed,
    /// By Ctrl-C.
    Interrupted,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Failed => Self::FAILURE,
            Outcome::Interrupted => Self::from(130),
        }
    }
}

/// A command line that contradicts itself in a way that only its command can tell.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub String);

pub(crate) async fn run(cli: Cli) -> Result<Outcome> {
    let Cli { common, command } = cli;
    if common.json && !has_json(&command) {
        return Err(Usage("this command prints nothing for programs; leave --json out".to_owned()).into());
    }
    match command {
        Command::Schema => output::line(colloquy_schema::sdl().trim_end()).map(|()| Outcome::Done),
        Command::Config => show_config(&common),
        Command::Login(args) => login::run(args).await,
        Command::Logout(args) => logout::run(args).await,
        command => {
            let config = config::load(&common)?;
            let serves = matches!(command, Command::Standalone(_) | Command::Api(_) | Command::Worker(_));
            let telemetry = Telemetry::start(&config.telemetry, !serves && !common.verbose)?;
            let ended = Box::pin(run_logged(command, common, config)).await;
            // The exporter blocks until the last spans are sent.
            let stopped = tokio::task::spawn_blocking(move || telemetry.stop()).await;
            if let Err(error) = stopped {
                tracing::error!(%error, "telemetry did not stop");
            }
            ended
        }
    }
}

async fn run_logged(command: Command, common: Common, mut config: Config) -> Result<Outcome> {
    let bind = |config: &mut Config, bind: Option<SocketAddr>| {
        config.http.bind = bind.unwrap_or(config.http.bind);
    };
    match command {
        Command::Standalone(args) => {
            bind(&mut config, args.bind);
            if args.no_embedding {
                config.embedding.model = EmbeddingChoice::None;
            }
            Box::pin(standalone::run(config)).await?;
        }
        Command::Api(args) => {
            bind(&mut config, args.bind);
            Box::pin(roles::run_api(config)).await?;
        }
        Command::Worker(args) if config.worker.supervised && !args.supervised => {
            supervisor::run(config).await?
        }
        Command::Worker(args) => {
            Box::pin(roles::run_worker(config, args.queues, args.concurrency, args.supervised)).await?;
        }
        Command::Migrate => migrate(config).await?,
        Command::OwnerKey => output::line(Box::pin(roles::make_owner_key(config)).await?)?,
        Command::Doctor => return doctor::run(&common, config).await,
        Command::Import(args) => return import::run(&common, args).await,
        Command::Export(args) => return export::run(&common, args).await,
        Command::Erase(args) => return Box::pin(erase::run(&common, args)).await,
        Command::Search(args) => return search::run(&common, args).await,
        Command::Jobs(args) => return Box::pin(jobs::run(&common, args.command, config)).await,
        Command::Audit(args) => return audit::run(&common, args, config).await,
        Command::Batch(args) => return batch::run(&common, args).await,
        Command::Schedule(args) => return schedule::run(&common, args).await,
        Command::Verify(args) => return verify::run(&common, args).await,
        Command::Demo(args) => return Box::pin(demo::run(&common, args, config)).await,
        Command::Schema | Command::Config | Command::Login(_) | Command::Logout(_) => {}
    }
    Ok(Outcome::Done)
}

fn has_json(command: &Command) -> bool {
    matches!(
        command,
        Command::Import(_)
            | Command::Export(_)
            | Command::Erase(_)
            | Command::Search(_)
            | Command::Jobs(_)
            | Command::Audit(_)
            | Command::Batch(_)
            | Command::Schedule(_)
            | Command::Verify(_)
            | Command::Doctor
            | Command::Config
    )
}

async fn migrate(config: Config) -> Result<()> {
    let applied = roles::run_migrate(config).await?;
    for name in &applied {
        output::line(format_args!("applied {name}"))?;
    }
    match applied.len() {
        0 => output::line("the schema is up to date"),
        count => output::line(format_args!(
            "the schema is up to date: {} applied",
            text::count(count, "migration")
        )),
    }
}

fn show_config(common: &Common) -> Result<Outcome> {
    let toml = config::masked_toml(&config::load(common)?)?;
    match common.json {
        true => output::json(&toml::from_str::<toml::Value>(&toml)?)?,
        false => output::line(toml.trim_end())?,
    }
    Ok(Outcome::Done)
}
