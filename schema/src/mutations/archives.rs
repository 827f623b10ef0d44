//! Importing archives.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject, Upload};
use colloquy_domain::{
    Error,
    bulk::{BulkOptions, cancel, start},
    time::Timestamp,
};

use crate::{
    Wired,
    errors::{UserError, settle},
    global_id,
    guards::actor,
    types::{ConversationKind, TranscriptFormat, archive_import::ArchiveImport},
};

#[derive(Default)]
pub(crate) struct ArchiveMutations;

#[derive(InputObject)]
struct ImportArchiveInput {
    /// A zip, tar or tar.gz as an upload (GraphQL multipart request), known by its content.
    file: Upload,
    /// Where it differs from the upload's own.
    file_name: Option<String>,
    /// Of every file; detected by content where left out.
    format: Option<TranscriptFormat>,
    #[graphql(default_with = "ConversationKind::Meeting")]
    kind: ConversationKind,
    /// When the talks took place.
    occurred_at: Option<Timestamp>,
    #[graphql(default)]
    tags: Vec<String>,
    /// Reports what would be imported and what is there already, file by file, and makes no conversations. Bytes that stand in
    /// the archive twice would be imported once, and are told twice.
    #[graphql(default)]
    dry_run: bool,
}

#[derive(SimpleObject)]
struct ImportArchivePayload {
    /// Ask for it again to see how far it is. Null where there are user errors.
    archive_import: Option<ArchiveImport>,
    user_errors: Vec<UserError>,
}

#[derive(InputObject)]
struct CancelArchiveImportInput {
    id: ID,
}

#[derive(SimpleObject)]
struct CancelArchiveImportPayload {
    /// RUNNING still where a file is being imported at this moment; it is CANCELLED within seconds. Null where there are user
    /// errors.
    archive_import: Option<ArchiveImport>,
    user_errors: Vec<UserError>,
}

#[Object]
impl ArchiveMutations {
    /// Takes an archive of transcripts in; a job then imports each of its files as a conversation of its own, named after
    /// the file. A bad one does not stop the rest, and bytes that stand there already are not imported again. Hidden files,
    /// links, READMEs and what has no ending of a transcript are passed over; archives within it are not unpacked. The size
    /// of the archive, its entries, what it unpacks to and how far it is compressed are bounded by the server's settings. At
    /// most 20 archives of an organization are under way at a time. Needs MEMBER.
    async fn import_archive(
        &self,
        ctx: &Context<'_>,
        input: ImportArchiveInput,
    ) -> Result<ImportArchivePayload> {
        let actor = actor(ctx)?;
        let started = async {
            let upload = input.file.value(ctx).map_err(|error| Error::internal("read an upload", error))?;
            let options = BulkOptions {
                kind: input.kind.into(),
                tags: input.tags,
                occurred_at: input.occurred_at,
                format: input.format.map(Into::into),
                dry_run: input.dry_run,
            };
            let file_name = input.file_name.or(Some(upload.filename));
            let input = start::ArchiveInput { bytes: upload.content, file_name, options };
            start::start(ctx.ports(), actor, input).await
        };
        let (started, user_errors) = settle(started.await)?;
        Ok(ImportArchivePayload { archive_import: started.map(ArchiveImport), user_errors })
    }

    /// Imports no further file of an archive. What was imported stays, and of the last moment some of it may not be in
    /// `entries`; the same archive again brings only what is missing. One that has ended is refused (ARCHIVE_ENDED). Needs
    /// MEMBER.
    async fn cancel_archive_import(
        &self,
        ctx: &Context<'_>,
        input: CancelArchiveImportInput,
    ) -> Result<CancelArchiveImportPayload> {
        let actor = actor(ctx)?;
        let cancelled = async { cancel::cancel(ctx.ports(), actor, global_id::require(&input.id)?).await };
        let (cancelled, user_errors) = settle(cancelled.await)?;
        Ok(CancelArchiveImportPayload { archive_import: cancelled.map(ArchiveImport), user_errors })
    }
}
