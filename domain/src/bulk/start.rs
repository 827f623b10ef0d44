//! Taking an archive in: it is looked at, kept, and left to a job.

use std::io::Cursor;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{ArchiveImport, ArchiveState, BulkOptions, EntryCounts, MAX_ACTIVE, limits};
use crate::{
    Error, Problem, Result,
    accounts::{Actor, Role},
    archives::{self, ArchiveLimits, Broken},
    conversations::{
        import::{check_tags, clean_file_name},
        objects::archive_key,
    },
    ids::ArchiveImportId,
    jobs::{JobKind, Payload},
    ports::Ports,
};

pub struct ArchiveInput {
    pub bytes: Bytes,
    pub file_name: Option<String>,
    pub options: BulkOptions,
}

/// What is no archive, too large, or cannot be read at all is refused before anything is kept.
pub async fn start(ports: &Ports, actor: &Actor, input: ArchiveInput) -> Result<ArchiveImport> {
    actor.require(Role::Member)?;
    let ArchiveInput { bytes, file_name, options } = input;
    let options = BulkOptions { tags: check_tags(&options.tags)?, ..options };
    let rules = &ports.import_rules;
    if bytes.len() > rules.max_archive_bytes {
        let message = format!(
            "the archive has {} bytes, and {} are the limit (`import.max_archive_bytes`); import it in parts",
            bytes.len(),
            rules.max_archive_bytes
        );
        return Err(Error::invalid("file", "ARCHIVE_TOO_LARGE", message));
    }
    let (looked_at, bounds) = (bytes.clone(), limits(rules));
    let entry_count = spawn_blocking(move || look(&looked_at, &bounds))
        .await
        .map_err(|error| Error::internal("look into an archive", error))?
        .map_err(|problem| Error::Invalid(problem.at("file")))?;

    let id = ArchiveImportId(ports.ids.next());
    let payload = Payload::Archive { archive_import_id: id };
    let job = ports.new_job(JobKind::UnpackArchive, Some(actor.organization_id), payload);
    let import = ArchiveImport {
        id,
        organization_id: actor.organization_id,
        file_name: file_name.as_deref().map(clean_file_name).filter(|name| !name.is_empty()),
        object_key: archive_key(actor.organization_id, id),
        options,
        job_id: job.id,
        state: ArchiveState::Queued,
        entry_count,
        counts: EntryCounts::default(),
        problem: None,
        created_by: Some(actor.user_id),
        created_at: ports.clock.now(),
        finished_at: None,
    };
    ports.objects.put(&import.object_key, bytes).await?;
    let inserted = ports.archives.insert(actor.tenant(), &import, job, MAX_ACTIVE).await;
    if !matches!(inserted, Ok(true))
        && let Err(error) = ports.objects.delete(&import.object_key).await
    {
        tracing::warn!(error = error.chain(), "an orphan archive is left to the sweep");
    }
    match inserted? {
        true => Ok(import),
        false => {
            let message = format!(
                "{MAX_ACTIVE} archives of your organization are being imported, which is the limit; wait for one of them"
            );
            Err(Error::conflict("TOO_MANY_ARCHIVES", message))
        }
    }
}

fn look(bytes: &Bytes, limits: &ArchiveLimits) -> Result<Option<u32>, Problem> {
    let told = |broken| match broken {
        Broken::Archive(problem) => problem,
        // Bytes in memory are always there.
        Broken::Source(error) => Problem::new("DAMAGED_ARCHIVE", error.to_string()),
    };
    let kind = archives::detect(&mut Cursor::new(bytes), limits.max_entries);
    let Some(kind) = kind.map_err(Broken::Source).map_err(told)? else {
        let message =
            "this is no zip, tar or tar.gz; a single transcript, a DOCX too, goes to `importConversation`";
        return Err(Problem::new("NOT_AN_ARCHIVE", message));
    };
    archives::count(Cursor::new(bytes), kind, limits).map_err(told)
}
