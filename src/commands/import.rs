//! `colloquy import`: several files at once, a report for each, and one bad file does not stop the rest.

mod archives;
mod files;
mod preview;
mod report;

use std::{future::ready, io::Cursor, sync::Arc, time::Duration};

use anyhow::Result;
use bytes::Bytes;
use colloquy_domain::{archives::detect, transcripts::report::Format};
use futures::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use self::{
    archives::Archive,
    files::{Found, Place, endings},
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
    /// The server ends with this command.
    is_own_server: bool,
    bar: ProgressBar,
    summary: Summary,
}

/// What became of one that was named.
enum Brought {
    File(Box<FileResult>, Option<String>),
    /// The server has it.
    Archive(Archive),
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
            is_own_server: false,
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
            let known = endings();
            output::note(faint(format_args!("passed over, since not one of {known}: {names}{more}")));
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
        self.is_own_server = connection.is_own();
        let waits = (args.wait || connection.is_own()) && !args.dry_run;
        if connection.is_own() && waits && !args.wait {
            output::note(faint("waiting for search and analysis too, since they end with this command"));
        }
        self.bar.enable_steady_tick(Duration::from_millis(200));
        let (mut waiting, archives) = self.import(&connection.client, places, args, waits, interrupt).await?;
        waiting.extend(self.follow_all(&connection.client, archives, waits, interrupt).await?);
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
    ) -> Result<(Vec<Waiting>, Vec<Archive>)> {
        let input = Arc::new(ImportInput {
            kind: args.kind,
            format: args.format.map(Format::as_str),
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
        let (mut begun, mut waiting, mut archives) = (0, Vec::new(), Vec::new());
        loop {
            let next = tokio::select! {
                next = under_way.next() => next,
                () = interrupt.second.cancelled() => None,
            };
            let Some(brought) = next else { break };
            begun += 1;
            self.bar.inc(1);
            match brought {
                Brought::File(result, cursor) => self.arrived(*result, cursor, waits, &mut waiting)?,
                Brought::Archive(archive) => archives.push(archive),
            }
        }
        self.summary.not_begun = wanted - begun;
        self.summary.interrupted = interrupt.first.is_cancelled();
        Ok((waiting, archives))
    }

    fn arrived(
        &mut self,
        result: FileResult,
        cursor: Option<String>,
        waits: bool,
        waiting: &mut Vec<Waiting>,
    ) -> Result<()> {
        let id = result.conversation.as_ref().map(|conversation| conversation.id.clone());
        let Some(id) = id.filter(|_| waits) else { return self.tell(&result) };
        // A program gets one object a file, when all about it is known.
        if !self.json {
            self.show(&result)?;
        }
        self.summary.count(result.outcome);
        waiting.push(Waiting { result, id, cursor });
        Ok(())
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
        let shown = result.show(output::width(), self.verbose || self.dry_run, self.verbose);
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
) -> Brought {
    let (file, name) = (place.shown(), place.name());
    let read = tokio::task::spawn_blocking(move || place.read().map(|bytes| (is_archive(&bytes), bytes)));
    let failed =
        |file, code: &str, message| Brought::File(Box::new(FileResult::failed(file, code, message)), None);
    let (is_archive, bytes) = match read.await {
        Ok(Ok(read)) => read,
        Ok(Err(reason)) => return failed(file, "UNREADABLE", reason),
        Err(error) => return failed(file, "UNREADABLE", error.to_string()),
    };
    if is_archive && input.title.is_some() {
        let message = "--title names one conversation, and this is an archive";
        return failed(file, "TITLE_OF_ARCHIVE", message.to_owned());
    }
    let source = Source { name, bytes };
    let trouble = if is_archive {
        match client.import_archive(input, source).await {
            Ok(Ok(id)) => return Brought::Archive(Archive { file, id }),
            Ok(Err(errors)) => return Brought::File(Box::new(FileResult::refused(file, errors)), None),
            Err(trouble) => trouble,
        }
    } else {
        match client.import(input, source).await {
            Ok(imported) => {
                let cursor = imported.cursor.clone().filter(|_| imported.created);
                return Brought::File(Box::new(result(file, input.dry_run, imported)), cursor);
            }
            Err(trouble) => trouble,
        }
    };
    if trouble.is_lasting() {
        enough.cancel();
    }
    failed(file, trouble.code().unwrap_or("NO_ANSWER"), trouble.to_string())
}

/// By its content. Whether the server takes it is the server's to say.
fn is_archive(bytes: &Bytes) -> bool {
    detect(&mut Cursor::new(bytes), usize::MAX).is_ok_and(|kind| kind.is_some())
}

/// One import as people read it.
pub(super) fn show_report(file: &str, imported: &Imported, whole: bool) -> String {
    result(file.to_owned(), false, imported.clone()).show(output::width(), whole, whole)
}

fn result(file: String, dry_run: bool, imported: Imported) -> FileResult {
    let Imported { conversation, preview, report, created, user_errors, .. } = imported;
    if !user_errors.is_empty() {
        return FileResult::refused(file, user_errors);
    }
    let outcome = match created {
        true => Fate::Created,
        false if dry_run && conversation.is_none() => Fate::WouldImport,
        false => Fate::AlreadyThere,
    };
    FileResult {
        file,
        outcome,
        conversation,
        preview,
        report,
        errors: Vec::new(),
        told: Vec::new(),
        ready: None,
    }
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
