//! `colloquy demo`: a tour over sample conversations, on a data folder that is thrown away. Each step says what
//! it expects and is held to it: `--once` ends well only if every one did.

mod analysis;
mod samples;

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    pin::{Pin, pin},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use futures::{StreamExt, future::join_all, stream};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout_at};

use self::samples::{ANALYSED, SAMPLES, SEARCHES, Sample};
use super::{
    Outcome,
    import::show_report,
    search,
    text::{count, word},
};
use crate::{
    cli::{Common, Demo},
    client::{Client, ImportInput, SearchInput, Source, Stage, Watch},
    config::Config,
    output::{self, bad, bold, faint, good},
    standalone::{self, Running},
    wiring::signalled,
};

/// For all samples to be searchable and analysed.
const STAGES_WITHIN: Duration = Duration::from_secs(120);
/// Among so many first hits the expected one must be.
const FIRST_HITS: u8 = 5;
const SHOWN_HITS: usize = 2;
const REMOVED_WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn run(common: &Common, args: Demo, config: Config) -> Result<Outcome> {
    // Before there is anything that a signal could leave behind, and the same one until the end: none is lost.
    let mut signal = pin!(signalled());
    let folder = tempfile::Builder::new().prefix("colloquy-demo-").tempdir();
    let folder = folder.context("could not make a folder for the demo")?;
    let mut config = config;
    config.data.dir = folder.path().to_owned();
    config.http.bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    // The tour must not leave its conversations in anybody's database.
    config.database.url = None;
    config.redis.url = None;

    output::line(format_args!(
        "starting PostgreSQL, Redis, the model and the API on {}",
        folder.path().display()
    ))?;
    let started = Instant::now();
    let mut starting = Box::pin(standalone::start(config));
    let ended = tokio::select! {
        running = &mut starting => match running {
            Ok(running) => {
                let ended = Box::pin(show(common, args, &running, started, signal)).await;
                running.stop().await;
                ended
            }
            Err(error) => Err(error),
        },
        () = &mut signal => {
            output::note("interrupted; what has begun to start is ended");
            end(starting).await;
            Ok(Outcome::Interrupted)
        }
    };
    remove(folder).await;
    ended
}

/// Servers that are cut off in their start would go on writing for a while: let them start, and end in their good
/// order. Who does not want to wait for that says so by another signal.
async fn end(starting: impl Future<Output = Result<Running>>) {
    tokio::select! {
        started = starting => match started {
            Ok(running) => running.stop().await,
            Err(error) => tracing::debug!(error = format_args!("{error:#}"), "it would not have started"),
        },
        () = signalled() => {}
    }
}

/// Servers whose start failed may still be writing their last words into it.
async fn remove(folder: TempDir) {
    let path = folder.keep();
    let begun = Instant::now();
    while let Err(error) = std::fs::remove_dir_all(&path) {
        if error.kind() == ErrorKind::NotFound {
            return;
        }
        if begun.elapsed() > REMOVED_WITHIN {
            output::warn(format_args!("the demo's folder {} could not be removed: {error}", path.display()));
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn show(
    common: &Common,
    args: Demo,
    running: &Running,
    started: Instant,
    mut signal: Pin<&mut impl Future<Output = ()>>,
) -> Result<Outcome> {
    output::line(format_args!("ready after {:.1} s at {}", started.elapsed().as_secs_f64(), running.url))?;
    let client = Client::new(running.url.clone(), Some(&running.token))?;
    let mut tour = Tour { client, verbose: common.verbose, imported: Vec::new(), failures: Vec::new() };
    let interrupted = tokio::select! {
        toured = tour.run() => {
            toured?;
            false
        }
        () = &mut signal => true,
    };
    if interrupted {
        output::note("interrupted");
        return Ok(Outcome::Interrupted);
    }
    for failure in &tour.failures {
        output::line(format_args!("{} {failure}", bad("failed:")))?;
    }
    if tour.failures.is_empty() {
        output::line(good("every step did what it should"))?;
    }
    if !args.once {
        let mut graphiql = running.url.join("graphql")?;
        graphiql.set_fragment(Some(&format!("token={}", running.token)));
        output::line(format_args!("\nGraphiQL, signed in: {}\nCtrl-C ends the demo", bold(graphiql)))?;
        signal.await;
    }
    Ok(if tour.failures.is_empty() { Outcome::Done } else { Outcome::Failed })
}

struct Tour {
    client: Client,
    verbose: bool,
    imported: Vec<Imported>,
    failures: Vec<String>,
}

/// A sample that is there, and the cursor behind which its story lies.
struct Imported {
    sample: &'static Sample,
    id: String,
    cursor: Option<String>,
}

impl Tour {
    async fn run(&mut self) -> Result<()> {
        heading("Import")?;
        self.import().await?;
        heading("Progress, live by subscription")?;
        self.progress().await?;
        heading(&format!("Analysis of {ANALYSED}"))?;
        self.analysis().await?;
        self.searches().await
    }

    async fn import(&mut self) -> Result<()> {
        let imports = SAMPLES.iter().map(|sample| {
            let input = ImportInput {
                kind: sample.kind,
                title: Some(sample.title.to_owned()),
                tags: vec!["sample".to_owned()],
                ..ImportInput::default()
            };
            let source =
                Source { name: Some(sample.file.to_owned()), bytes: Bytes::from_static(sample.bytes) };
            let client = &self.client;
            async move { (sample, client.import(&input, source).await) }
        });
        for (sample, answer) in join_all(imports).await {
            let answer = match answer {
                Ok(answer) => answer,
                Err(trouble) => {
                    self.failures.push(format!("{} was not imported: {trouble}", sample.file));
                    continue;
                }
            };
            output::line(show_report(sample.file, &answer, self.verbose))?;
            match answer.conversation {
                Some(conversation) if answer.created => {
                    self.imported.push(Imported { sample, id: conversation.id, cursor: answer.cursor });
                }
                _ => self.failures.push(format!("{} was not imported", sample.file)),
            }
        }
        Ok(())
    }

    async fn progress(&mut self) -> Result<()> {
        let started = Instant::now();
        let watches = self.imported.iter().map(|imported| {
            let watch = Watch::new(self.client.clone(), &imported.id).after(imported.cursor.clone());
            let stages = stream::unfold(Some(watch), |watch| async move {
                let mut watch = watch?;
                match watch.next().await {
                    Ok(Some(reached)) => Some((Ok(reached), Some(watch))),
                    Ok(None) => None,
                    Err(error) => Some((Err(error), None)),
                }
            });
            Box::pin(stages.map(|reached| (imported.sample.file, reached)))
        });
        let mut stages = stream::select_all(watches);
        let mut missing: Vec<(&str, Stage)> = Vec::new();
        for imported in &self.imported {
            missing.extend(Stage::GOALS.map(|stage| (imported.sample.file, stage)));
        }
        let deadline = started + STAGES_WITHIN;
        while let Ok(Some((file, reached))) = timeout_at(deadline, stages.next()).await {
            let stage = match reached {
                Ok(reached) => reached.stage,
                Err(error) => {
                    self.failures.push(format!("{file} could not be watched: {error:#}"));
                    continue;
                }
            };
            missing.retain(|goal| *goal != (file, stage));
            let elapsed = started.elapsed().as_secs_f64();
            let told = if stage == Stage::Failed { bad(stage.as_str()) } else { good(stage.as_str()) };
            output::line(format_args!("{elapsed:>6.1} s  {file:24} {told}"))?;
        }
        for (file, stage) in missing {
            let within = STAGES_WITHIN.as_secs();
            self.failures.push(format!("{file} was not {} within {within} s", stage.as_str()));
        }
        Ok(())
    }

    async fn analysis(&mut self) -> Result<()> {
        let imported = self.imported.iter().find(|imported| imported.sample.file == ANALYSED);
        let analysis = match imported {
            Some(imported) => analysis::fetch(&self.client, &imported.id).await,
            None => Err(anyhow!("it was not imported")),
        };
        match analysis {
            Ok(analysis) => {
                output::line(analysis.show(output::width()))?;
                let lacks = analysis.lacks();
                if !lacks.is_empty() {
                    self.failures.push(format!("the analysis of {ANALYSED} lacks {}", lacks.join(" and ")));
                }
            }
            Err(error) => self.failures.push(format!("{ANALYSED} has no analysis: {error:#}")),
        }
        Ok(())
    }

    async fn searches(&mut self) -> Result<()> {
        for wanted in &SEARCHES {
            let mode = word(&format!("{:?}", wanted.mode));
            heading(&format!("Search, {mode}: {} ({})", wanted.query, wanted.about))?;
            let input = SearchInput {
                query: wanted.query.to_owned(),
                mode: wanted.mode,
                filter: crate::client::SearchFilter::default(),
                first: FIRST_HITS,
                shape: crate::client::Shape::default(),
            };
            let searched = match self.client.search(&input).await {
                Ok(searched) => searched,
                Err(trouble) => {
                    self.failures.push(format!("the search for {} failed: {trouble}", wanted.query));
                    continue;
                }
            };
            if let Some(lack) = &searched.degraded {
                self.failures.push(format!("the search for {} is not whole: {lack}", wanted.query));
            }
            let expected = self.imported.iter().find(|imported| imported.sample.file == wanted.file);
            let at = searched.hits.iter().position(|hit| {
                let found = hit.conversation.as_ref().map(|conversation| &conversation.id);
                found.is_some() && found == expected.map(|imported| &imported.id)
            });
            let shown = SHOWN_HITS.max(at.map_or(0, |at| at + 1)).min(searched.hits.len());
            for (place, hit) in searched.hits.iter().enumerate().take(shown) {
                output::line(search::show(place + 1, hit, output::width(), self.verbose))?;
            }
            let hits = count(searched.hits.len(), "hit");
            output::line(faint(format_args!("{hits}, of which {shown} shown")))?;
            if at.is_none() {
                let first = count(usize::from(FIRST_HITS), "hit");
                self.failures
                    .push(format!("{} is not among the first {first} for {}", wanted.file, wanted.query));
            }
        }
        Ok(())
    }
}

fn heading(text: &str) -> Result<()> {
    output::line(format_args!("\n{}", bold(format_args!("# {text}"))))
}
