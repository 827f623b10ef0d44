//! An archive that the server imports: what becomes of its files is told as it comes, as for files that are named.

use std::time::Duration;

use anyhow::Result;
use indicatif::ProgressBar;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Interrupt, NAMED, Run, Waiting,
    report::{Fate, FileResult},
};
use crate::{
    client::{ArchiveEntry, Client, Trouble, UserError},
    output::{self, faint, plain},
};

const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// One that is with the server.
#[derive(Clone)]
pub(super) struct Archive {
    pub(super) file: String,
    pub(super) id: String,
}

impl Run {
    /// One after another: the server works on all of them meanwhile. Ctrl-C cancels them, and what had been imported is still
    /// told; typed once more, it waits for nothing.
    pub(super) async fn follow_all(
        &mut self,
        client: &Client,
        archives: Vec<Archive>,
        waits: bool,
        interrupt: &Interrupt,
    ) -> Result<Vec<Waiting>> {
        let mut waiting = Vec::new();
        let cancelling = cancel_all(client, &archives, &interrupt.first, &self.bar);
        let cancelling = AbortOnDropHandle::new(tokio::spawn(cancelling));
        for archive in &archives {
            if interrupt.second.is_cancelled() {
                self.leave(archive);
                continue;
            }
            self.bar.set_message(plain(&archive.file));
            self.follow(client, archive, waits, interrupt, &mut waiting).await?;
        }
        drop(cancelling);
        self.summary.interrupted |= interrupt.first.is_cancelled();
        Ok(waiting)
    }

    async fn follow(
        &mut self,
        client: &Client,
        archive: &Archive,
        waits: bool,
        interrupt: &Interrupt,
        waiting: &mut Vec<Waiting>,
    ) -> Result<()> {
        let (mut after, mut told, mut passed_over) = (None, 0, Vec::new());
        loop {
            let looked = client.archive(&archive.id, after.as_deref()).await;
            let mut look = match looked {
                Ok(Some(look)) => look,
                Ok(None) => {
                    let message = "the server tells of it no more".to_owned();
                    return self.tell(&FileResult::failed(archive.file.clone(), "NOT_FOUND", message));
                }
                Err(trouble) => return self.tell(&unanswered(archive, &trouble)),
            };
            let (entries, is_last) = look.take(&mut after);
            told += entries.len() as u64;
            self.bar.inc(entries.len() as u64);
            self.set_length(told, look.entry_count);
            for entry in entries {
                match entry.outcome.as_str() {
                    "PASSED_OVER" => passed_over.push(entry.name.unwrap_or_default()),
                    _ => self.arrived(result(&archive.file, entry), None, waits, waiting)?,
                }
            }
            if !is_last {
                continue;
            }
            if look.is_over() {
                self.name_passed_over(archive, &passed_over);
                return match ended_badly(&look.state, look.problem) {
                    Some(error) => self.tell(&FileResult::refused(archive.file.clone(), vec![error])),
                    None => Ok(()),
                };
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = interrupt.second.cancelled() => {
                    self.name_passed_over(archive, &passed_over);
                    self.leave(archive);
                    return Ok(());
                }
            }
        }
    }

    /// A tar does not say how much there is; what has come is as long as the bar can be.
    fn set_length(&self, told: u64, entry_count: Option<u64>) {
        let before = self.bar.position() - told;
        self.bar.set_length(before + entry_count.unwrap_or(told).max(told));
    }

    fn name_passed_over(&mut self, archive: &Archive, names: &[String]) {
        self.summary.passed_over += names.len();
        if names.is_empty() {
            return;
        }
        let shown = if self.verbose { usize::MAX } else { NAMED };
        let listed = names.iter().take(shown).map(|name| plain(name)).collect::<Vec<_>>().join(", ");
        let more = if names.len() > shown { ", …" } else { "" };
        let told = faint(format_args!("passed over in {}: {listed}{more}", plain(&archive.file)));
        self.bar.suspend(|| output::note(told));
    }

    fn leave(&self, archive: &Archive) {
        let what = if self.is_own_server { "may go on when it runs again" } else { "may go on" };
        let told = format!(
            "the server {what} with {}: run the same command later to see what is there, or ask the API for archiveImport(id: \"{}\"); cancelArchiveImport ends it",
            plain(&archive.file),
            archive.id
        );
        self.bar.suspend(|| output::note(faint(told)));
    }
}

/// Once Ctrl-C was typed. What has ended by then is as it is.
fn cancel_all(
    client: &Client,
    archives: &[Archive],
    interrupted: &CancellationToken,
    bar: &ProgressBar,
) -> impl Future<Output = ()> + Send + use<> {
    let (client, archives) = (client.clone(), archives.to_vec());
    let (interrupted, bar) = (interrupted.clone(), bar.clone());
    async move {
        interrupted.cancelled().await;
        if !archives.is_empty() {
            bar.suspend(|| output::note(faint("cancelling archives; Ctrl-C again waits for nothing")));
        }
        for Archive { file, id } in archives {
            if let Err(trouble) = client.cancel_archive(&id).await {
                let told = format!("{} is not cancelled: {trouble}", plain(&file));
                bar.suspend(|| output::warn(told));
            }
        }
    }
}

fn result(archive: &str, entry: ArchiveEntry) -> FileResult {
    let ArchiveEntry { name, outcome, conversation, report, problem } = entry;
    // One whose conversation has gone meanwhile has lost its name.
    let file = format!("{archive}/{}", name.as_deref().unwrap_or("(deleted)"));
    let outcome = match outcome.as_str() {
        "CREATED" => Fate::Created,
        "EXISTING" => Fate::AlreadyThere,
        "WOULD_IMPORT" => Fate::WouldImport,
        _ => return FileResult::refused(file, problem.into_iter().collect()),
    };
    FileResult {
        file,
        outcome,
        conversation,
        preview: None,
        report,
        errors: Vec::new(),
        told: Vec::new(),
        ready: None,
    }
}

fn ended_badly(state: &str, problem: Option<UserError>) -> Option<UserError> {
    let error = |code: &str, message: &str| UserError {
        code: code.to_owned(),
        message: message.to_owned(),
        field: Vec::new(),
        line: None,
    };
    match state {
        "CANCELLED" => Some(error(
            "CANCELLED",
            "its import was cancelled; what had been imported stays, and importing it again brings the rest",
        )),
        "FAILED" => Some(problem.unwrap_or_else(|| {
            error("JOB_FAILED", "the job that unpacks it failed; `colloquy jobs list` says why")
        })),
        _ => None,
    }
}

fn unanswered(archive: &Archive, trouble: &Trouble) -> FileResult {
    let code = trouble.code().unwrap_or("NO_ANSWER");
    let message = format!("the server has it, and then: {trouble}");
    FileResult::failed(archive.file.clone(), code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(outcome: &str) -> ArchiveEntry {
        ArchiveEntry {
            name: Some("talks/a.vtt".to_owned()),
            outcome: outcome.to_owned(),
            conversation: None,
            report: None,
            problem: (outcome == "FAILED").then(|| UserError {
                code: "NOT_TEXT".to_owned(),
                message: "this is no text".to_owned(),
                field: Vec::new(),
                line: Some(3),
            }),
        }
    }

    #[test]
    fn an_entry_is_told_as_a_file_below_its_archive() {
        for (outcome, fate) in [
            ("CREATED", Fate::Created),
            ("EXISTING", Fate::AlreadyThere),
            ("WOULD_IMPORT", Fate::WouldImport),
            ("FAILED", Fate::Failed),
        ] {
            let result = result("all.zip", entry(outcome));
            assert_eq!((result.file.as_str(), result.outcome), ("all.zip/talks/a.vtt", fate));
        }
        let failed = result("all.zip", entry("FAILED"));
        assert_eq!(failed.told, ["line 3: this is no text (NOT_TEXT)"]);
        let nameless = ArchiveEntry { name: None, ..entry("CREATED") };
        assert_eq!(result("all.zip", nameless).file, "all.zip/(deleted)");
    }

    #[test]
    fn an_archive_that_did_not_end_well_is_a_failure_of_its_own() {
        assert!(ended_badly("DONE", None).is_none());
        let code = |state, problem| ended_badly(state, problem).unwrap().code;
        assert_eq!(code("CANCELLED", None), "CANCELLED");
        assert_eq!(code("FAILED", None), "JOB_FAILED");
        assert_eq!(code("FAILED", entry("FAILED").problem), "NOT_TEXT");
    }
}
