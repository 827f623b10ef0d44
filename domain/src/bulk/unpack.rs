//! What the job does: reads the archive on a thread of its own and imports what comes of it, a few files at once.
//! What became of them is written in the archive's order, so that the next run goes on behind the last that was. A file
//! that was imported and not written before a crash is known again by its conversation's id, which is made for it.

use chrono::TimeDelta;
use futures::{StreamExt, stream};
use tokio::{sync::mpsc, task::spawn_blocking};
use uuid::Uuid;

use super::{ArchiveImport, EntryOutcome, EntryProblem, ImportedEntry, limits};
use crate::{
    Error, Problem, Result,
    accounts::{Role, Tenant},
    archives::{self, ArchiveLimits, Broken, Content, Entry, Start},
    conversations::import::{Author, ImportInput, Imported, import_as},
    ids::{ArchiveImportId, ConversationId},
    jobs::Claim,
    ports::{Ports, objects::ObjectReader},
};

/// A run goes on no longer than this from its first file on: behind it others of the queue wait.
const RUN: TimeDelta = TimeDelta::seconds(15);
/// Files under way at once, and those that wait for them: each may be as large as a transcript may.
const AT_ONCE: usize = 4;
const AHEAD: usize = 2;
/// Entries a statement, or fewer where this long has passed.
const WRITTEN: usize = 50;
const SOON: TimeDelta = TimeDelta::milliseconds(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpacked {
    /// All has been read, and the job is completed.
    Committed,
    /// There is more.
    GoesOn,
    /// There is nothing to do.
    Gone,
}

/// Under the claim, which the end of the archive completes. `was_tried`: an earlier run failed, so what fails again
/// for no reason of the file's own is written down and does not hold up the rest.
pub async fn unpack(
    ports: &Ports,
    tenant: Tenant,
    claim: Claim,
    id: ArchiveImportId,
    was_tried: bool,
) -> Result<Unpacked> {
    let found = ports.archives.find(tenant, &[id]).await?.pop();
    let Some(import) = found.filter(|import| import.finished_at.is_none()) else {
        return Ok(Unpacked::Gone);
    };
    let problem = match prepare(ports, tenant, &import).await? {
        Ok((author, source)) => {
            let start = ports.archives.reached(tenant, id).await?;
            let run = Run { ports, tenant, import: &import, author, was_tried };
            match run.go(source, start).await? {
                Some(ended) => ended,
                None => return Ok(Unpacked::GoesOn),
            }
        }
        Err(problem) => Some(problem),
    };
    let problem = problem.map(EntryProblem::from);
    ports.archives.finish(tenant, claim, id, ports.clock.now(), problem.as_ref()).await?;
    if let Err(error) = ports.objects.delete(&import.object_key).await {
        tracing::warn!(error = error.chain(), "an archive that is imported is left to the sweep");
    }
    Ok(Unpacked::Committed)
}

type Source = Box<dyn ObjectReader>;

/// Who brought it must still be one who may.
async fn prepare(
    ports: &Ports,
    tenant: Tenant,
    import: &ArchiveImport,
) -> Result<Result<(Author, Source), Problem>> {
    let member = match import.created_by {
        Some(user_id) => ports.accounts.find_members(tenant, &[user_id]).await?.pop(),
        None => None,
    };
    let Some(member) = member.filter(|member| member.role >= Role::Member) else {
        let message = "whoever brought the archive may not import any more";
        return Ok(Err(Problem::new("FORBIDDEN", message)));
    };
    let author = Author { organization_id: tenant.0, user_id: member.user.id };
    let source = ports.objects.open(&import.object_key).await?;
    let gone = || Problem::new("BYTES_GONE", "the archive is not there any more; import it again");
    Ok(source.map(|source| (author, source)).ok_or_else(gone))
}

struct Run<'a> {
    ports: &'a Ports,
    tenant: Tenant,
    import: &'a ArchiveImport,
    author: Author,
    was_tried: bool,
}

impl Run<'_> {
    /// `None` where the time was up; else why the rest was not read, where it was not.
    async fn go(&self, source: Source, start: Start) -> Result<Option<Option<Problem>>> {
        let (sender, mut receiver) = mpsc::channel(AHEAD);
        let bounds = limits(&self.ports.import_rules);
        // It ends when the receiver is dropped, with the entry that it is at.
        let reading = spawn_blocking(move || read(source, &bounds, start, &sender));
        let entries = stream::poll_fn(move |context| receiver.poll_recv(context));
        let imported = entries.map(|entry| self.import(entry)).buffered(AT_ONCE);
        if !self.write_all(Box::pin(imported)).await? {
            return Ok(None);
        }
        match reading.await.map_err(|error| Error::internal("read an archive", error))? {
            Ok(()) => Ok(Some(None)),
            Err(Broken::Archive(problem)) => Ok(Some(Some(problem))),
            Err(Broken::Source(error)) => Err(Error::unavailable("read an archive", error)),
        }
    }

    /// `false` where the time was up. Where one fails, those before it are written nevertheless.
    async fn write_all(
        &self,
        mut imported: impl StreamExt<Item = Result<ImportedEntry>> + Unpin,
    ) -> Result<bool> {
        let clock = &self.ports.clock;
        let (mut ready, mut written_at, mut end) = (Vec::new(), clock.now(), None);
        loop {
            let next = imported.next().await;
            let now = clock.now();
            let end = *end.get_or_insert(now + RUN);
            let (failed, is_last) = match next {
                Some(Ok(entry)) => {
                    ready.push(entry);
                    (None, false)
                }
                Some(Err(error)) => (Some(error), false),
                None => (None, true),
            };
            let is_over = failed.is_some() || is_last || now >= end;
            if is_over || ready.len() >= WRITTEN || now - written_at >= SOON {
                self.ports.archives.record(self.tenant, self.import.id, &ready).await?;
                ready.clear();
                written_at = now;
            }
            match failed {
                Some(error) => return Err(error),
                None if is_over => return Ok(is_last),
                None => {}
            }
        }
    }

    async fn import(&self, entry: Entry) -> Result<ImportedEntry> {
        let Entry { place, name, unpacked, content } = entry;
        let told = |outcome, problem: Option<Problem>| ImportedEntry {
            place,
            name: Some(name.clone()),
            outcome,
            unpacked,
            conversation_id: None,
            report: None,
            problem: problem.map(EntryProblem::from),
        };
        let bytes = match content {
            Content::File(bytes) => bytes,
            Content::PassedOver(problem) => return Ok(told(EntryOutcome::PassedOver, Some(problem))),
            Content::Refused(problem) => return Ok(told(EntryOutcome::Failed, Some(problem))),
        };
        let options = &self.import.options;
        let input = ImportInput {
            bytes,
            file_name: Some(name.clone()),
            format: options.format,
            title: None,
            kind: options.kind,
            occurred_at: options.occurred_at,
            tags: options.tags.clone(),
            external_id: None,
            dry_run: options.dry_run,
        };
        let id = conversation_id(self.ports.ids.next(), self.import.id, place);
        match Box::pin(import_as(self.ports, self.author, id, input)).await {
            Ok(Imported { conversation: None, report, .. }) => {
                Ok(ImportedEntry { report: Some(report), ..told(EntryOutcome::WouldImport, None) })
            }
            Ok(Imported { conversation: Some(conversation), created, .. }) => {
                let is_ours = created || is_made_for(conversation.id, self.import.id, place);
                let outcome = if is_ours { EntryOutcome::Created } else { EntryOutcome::Existing };
                Ok(ImportedEntry { conversation_id: Some(conversation.id), ..told(outcome, None) })
            }
            Err(Error::Invalid(problem) | Error::Conflict(problem)) => {
                Ok(told(EntryOutcome::Failed, Some(problem)))
            }
            Err(error @ Error::Internal { .. }) if self.was_tried => {
                tracing::error!(error = error.chain(), place, "a file of an archive is given up");
                let message = "something went wrong on our side, twice; the server's log has it";
                Ok(told(EntryOutcome::Failed, Some(Problem::new("INTERNAL", message))))
            }
            Err(error) => Err(error),
        }
    }
}

fn read(
    mut source: Source,
    limits: &ArchiveLimits,
    start: Start,
    sender: &mpsc::Sender<Entry>,
) -> Result<(), Broken> {
    let kind = archives::detect(&mut source, limits.max_entries).map_err(Broken::Source)?;
    let none = || Problem::new("NOT_AN_ARCHIVE", "the kept bytes are no archive; import it again");
    let kind = kind.ok_or_else(none)?;
    archives::walk(source, kind, limits, start, &mut |entry| sender.blocking_send(entry).is_ok())
}

/// Later ones sort after earlier ones still; the half that is drawn otherwise says for which entry it is.
fn conversation_id(fresh: Uuid, import: ArchiveImportId, place: u32) -> ConversationId {
    let mut bytes = *fresh.as_bytes();
    bytes[8..].copy_from_slice(&mark(import, place));
    ConversationId(Uuid::from_bytes(bytes))
}

fn is_made_for(id: ConversationId, import: ArchiveImportId, place: u32) -> bool {
    id.0.as_bytes()[8..] == mark(import, place)
}

fn mark(import: ArchiveImportId, place: u32) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(import.0.as_bytes()).update(&place.to_be_bytes());
    let mut mark = [0; 8];
    mark.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    // The variant of UUIDs.
    mark[0] = mark[0] & 0x3f | 0x80;
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_for_which_entry_it_was_made_and_is_one_of_its_time() {
        let import = ArchiveImportId(Uuid::from_u128(7));
        let fresh = Uuid::from_u128(0x01a2_0203_0f10_74e1_af89_386b_400e_4593);
        let id = conversation_id(fresh, import, 3);
        assert_eq!(id.0.get_version_num(), 7);
        assert_eq!(id.0.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.0.as_bytes()[..8], fresh.as_bytes()[..8]);
        assert!(is_made_for(id, import, 3));
        assert!(!is_made_for(id, import, 4) && !is_made_for(id, ArchiveImportId(Uuid::from_u128(8)), 3));
        assert!(!is_made_for(ConversationId(fresh), import, 3));
    }
}
