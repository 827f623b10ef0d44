//! `colloquy import`: several files at once, a report for each, and one bad file does not stop the rest.

mod files;
mod report;

use std::{future::ready, sync::Arc, time::Duration};

use anyhow::Result;
use futures::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use self::{
    files::{ENDINGS, Found, Place},
    report::{Fate, FileResult, Summary},
};
use super::{Outcome, Usage, text::count};
use crate::{
    cli::{Common, Import},
    client::{self, Client, Connection, ImportInput, Imported, Source, Stage, Watch},
    output::{self, faint, plain},
    wiring::signalled,
};

/// Conversations that are waited for at once; the others are further on by the time it is their turn.
const WATCHES: usize = 8;
/// Files passed over that are named.
const NAMED: usize = 5;

pub(crate) async fn run(common: &Common, args: Import) -> Result<Outcome> {
    let paths = args.paths.clone();
    let found = tokio::task::spawn_blocking(move || files::find(&paths)).await?;
    let wanted = found.places.len();
    if args.title.is_some() && wanted > 1 {
        let message = format!("--title names one conversation, and these are {}", count(wanted, "file"));
        return Err(Usage(message).into());
    }
    let mut run = Run::new(common, &args, wanted);
    run.tell_found(&found)?;
    if found.places.is_empty() {
        return run.finish();
    }
    let connection = client::connect(common, &args.target).await?;
    let interrupt = Interrupt::listen();
    let imported = run.import_and_wait(&connection, found.places, &args, &interrupt).await;
    run.bar.finish_and_clear();
    connection.close().await;
    imported?;
    run.finish()
}

/// Ctrl-C once: no more is begun. Twice: nothing is waited for either.
struct Interrupt {
    first: CancellationToken,
    second: CancellationToken,
}

impl Interrupt {
    fn listen() -> Self {
        let interrupt = Self { first: CancellationToken::new(), second: CancellationToken::new() };
        let (first, second) = (interrupt.first.clone(), interrupt.second.clone());
        tokio::spawn(async move {
            signalled().await;
            first.cancel();
            signalled().await;
            second.cancel();
        });
        interrupt
    }
}

struct Run {
    json: bool,
    verbose: bool,
    dry_run: bool,
    bar: ProgressBar,
    summary: Summary,
}

/// An import that can be waited for.
struct Waiting {
    result: FileResult,
    id: String,
    cursor: Option<String>,
}

impl Run {
    fn new(common: &Common, args: &Import, wanted: usize) -> Self {
        // It draws on standard error, and nowhere but on a terminal.
        let bar = ProgressBar::new(wanted as u64).with_style(style());
        Self {
            json: common.json,
            verbose: common.verbose,
            dry_run: args.dry_run,
            bar,
            summary: Summary::default(),
        }
    }

    fn tell_found(&mut self, found: &Found) -> Result<()> {
        self.summary.passed_over = found.passed_over.len();
        if !found.passed_over.is_empty() {
            let shown = if self.verbose { usize::MAX } else { NAMED };
            let names = found.passed_over.iter().take(shown).map(|path| plain(&path.display().to_string()));
            let names = names.collect::<Vec<_>>().join(", ");
            let more = if found.passed_over.len() > shown { ", …" } else { "" };
            let endings = ENDINGS.map(|ending| format!(".{ending}")).join(", ");
            output::note(faint(format_args!("passed over, since not one of {endings}: {names}{more}")));
        }
        for (path, reason) in &found.problems {
            self.tell(&FileResult::failed(path.display().to_string(), "UNREADABLE", reason.clone()))?;
        }
        Ok(())
    }

    async fn import_and_wait(
        &mut self,
        connection: &Connection,
        places: Vec<Place>,
        args: &Import,
        interrupt: &Interrupt,
    ) -> Result<()> {
        let waits = (args.wait || connection.is_own()) && !args.dry_run;
        if connection.is_own() && waits && !args.wait {
            output::note(faint("waiting for search and analysis too, since they end with this command"));
        }
        self.bar.enable_steady_tick(Duration::from_millis(200));
        let waiting = self.import(&connection.client, places, args, waits, interrupt).await?;
        if waits && !waiting.is_empty() {
            self.wait(&connection.client, waiting, interrupt).await?;
        }
        Ok(())
    }

    async fn import(
        &mut self,
        client: &Client,
        places: Vec<Place>,
        args: &Import,
        waits: bool,
        interrupt: &Interrupt,
    ) -> Result<Vec<Waiting>> {
        let input = Arc::new(ImportInput {
            kind: args.kind,
            title: args.title.clone(),
            occurred_at: args.occurred_at,
            tags: args.tags.clone(),
            dry_run: args.dry_run,
        });
        let wanted = places.len();
        // No more is begun after Ctrl-C, nor when every further file would fail in the same way.
        let enough = interrupt.first.child_token();
        let bar = self.bar.clone();
        let under_way = stream::iter(places)
            .take_while(|_| ready(!enough.is_cancelled()))
            .map(|place| {
                let (client, input, enough, bar) =
                    (client.clone(), input.clone(), enough.clone(), bar.clone());
                async move {
                    bar.set_message(plain(&place.name().unwrap_or_else(|| place.shown())));
                    import_one(&client, &input, place, &enough).await
                }
            })
            .buffer_unordered(args.jobs);
        let mut under_way = Box::pin(under_way);
        let (mut begun, mut waiting) = (0, Vec::new());
        loop {
            let next = tokio::select! {
                next = under_way.next() => next,
                () = interrupt.second.cancelled() => None,
            };
            let Some((result, cursor)) = next else { break };
            begun += 1;
            self.bar.inc(1);
            let id = result.conversation.as_ref().map(|conversation| conversation.id.clone());
            match id.filter(|_| waits) {
                Some(id) => {
                    // A program gets one object a file, when all about it is known.
                    if !self.json {
                        self.show(&result)?;
                    }
                    self.summary.count(result.outcome);
                    waiting.push(Waiting { result, id, cursor });
                }
                None => self.tell(&result)?,
            }
        }
        self.summary.not_begun = wanted - begun;
        self.summary.interrupted = interrupt.first.is_cancelled();
        Ok(waiting)
    }

    async fn wait(&mut self, client: &Client, waiting: Vec<Waiting>, interrupt: &Interrupt) -> Result<()> {
        let bar = &self.bar;
        bar.reset();
        bar.set_length(waiting.len() as u64);
        bar.set_message("searchable and analysed");
        let mut watched = stream::iter(waiting)
            .map(|waiting| watch(client.clone(), waiting, interrupt.first.clone()))
            .buffer_unordered(WATCHES);
        let mut number = 0;
        while let Some((result, trouble)) = watched.next().await {
            bar.inc(1);
            number += usize::from(result.ready == Some(true));
            if self.json {
                bar.suspend(|| output::json(&result))?;
            }
            if let Some(trouble) = trouble {
                bar.suspend(|| output::warn(format_args!("{}: {trouble}", plain(&result.file))));
            }
        }
        self.summary.ready = Some(number);
        self.summary.interrupted |= interrupt.first.is_cancelled();
        Ok(())
    }

    fn tell(&mut self, result: &FileResult) -> Result<()> {
        self.summary.count(result.outcome);
        match self.json {
            true => self.bar.suspend(|| output::json(result)),
            false => self.show(result),
        }
    }

    fn show(&self, result: &FileResult) -> Result<()> {
        let shown = result.show(output::width(), self.verbose || self.dry_run);
        self.bar.suspend(|| output::line(shown))
    }

    fn finish(self) -> Result<Outcome> {
        match self.json {
            true => output::json(&serde_json::json!({ "summary": self.summary }))?,
            false => output::line(self.summary.show())?,
        }
        Ok(match self.summary.all_went_well() {
            _ if self.summary.interrupted => Outcome::Interrupted,
            true => Outcome::Done,
            false => Outcome::Failed,
        })
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:24} {pos}/{len}  {elapsed}  {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

async fn import_one(
    client: &Client,
    input: &ImportInput,
    place: Place,
    enough: &CancellationToken,
) -> (FileResult, Option<String>) {
    let (file, name) = (place.shown(), place.name());
    let bytes = match tokio::task::spawn_blocking(move || place.read()).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(reason)) => return (FileResult::failed(file, "UNREADABLE", reason), None),
        Err(error) => return (FileResult::failed(file, "UNREADABLE", error.to_string()), None),
    };
    match client.import(input, Source { name, bytes }).await {
        Ok(imported) => {
            let cursor = imported.cursor.clone().filter(|_| imported.created);
            (result(file, input.dry_run, imported), cursor)
        }
        Err(trouble) => {
            if trouble.is_lasting() {
                enough.cancel();
            }
            let code = trouble.code().unwrap_or("NO_ANSWER").to_owned();
            (FileResult::failed(file, &code, trouble.to_string()), None)
        }
    }
}

/// One import as people read it.
pub(super) fn show_report(file: &str, imported: &Imported, whole: bool) -> String {
    result(file.to_owned(), false, imported.clone()).show(output::width(), whole)
}

fn result(file: String, dry_run: bool, imported: Imported) -> FileResult {
    let Imported { conversation, report, created, user_errors, .. } = imported;
    if !user_errors.is_empty() {
        return FileResult::refused(file, user_errors);
    }
    let outcome = match (dry_run, created) {
        (true, _) => Fate::WouldImport,
        (false, true) => Fate::Created,
        (false, false) => Fate::AlreadyThere,
    };
    FileResult { file, outcome, conversation, report, errors: Vec::new(), told: Vec::new(), ready: None }
}

/// Until it is ready or failed; a reason where neither can be told.
async fn watch(client: Client, waiting: Waiting, stop: CancellationToken) -> (FileResult, Option<String>) {
    let Waiting { mut result, id, cursor } = waiting;
    // What was there before may have its events behind it: its state is asked for.
    let mut watch = Watch::new(client, &id).after(cursor);
    loop {
        let reached = tokio::select! {
            reached = watch.next() => reached,
            () = stop.cancelled() => return (result, None),
        };
        match reached {
            Ok(Some(reached)) if reached.stage == Stage::Failed => {
                result.ready = Some(false);
                let what = reached.failed_job.map_or_else(
                    || "a job failed".to_owned(),
                    |job| format!("the job {} failed {}", job.kind, count(job.attempts as usize, "time")),
                );
                return (result, Some(what));
            }
            Ok(Some(_)) => {}
            Ok(None) => {
                result.ready = Some(true);
                return (result, None);
            }
            Err(error) => return (result, Some(format!("{error:#}"))),
        }
    }
}
