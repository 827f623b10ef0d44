//! Archives of transcripts that are imported, and what became of each file.

use async_graphql::{
    Context, Enum, ID, Object, Result, SimpleObject,
    connection::{Connection, EmptyFields, OpaqueCursor},
};
use colloquy_domain::{
    bulk::{self, ArchiveState as DomainArchiveState, EntryOutcome as DomainEntryOutcome},
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    accounts::{User, find_user},
    conversation::{Conversation, page_cost},
    import::ImportReport,
    int,
    job::Job,
};
use crate::{
    Wired,
    errors::fault,
    global_id,
    guards::actor,
    loaders::{ConversationById, JobById},
    page::{PageArgs, connection},
};

/// How far an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainArchiveState")]
pub(crate) enum ArchiveImportState {
    Queued,
    Running,
    /// Every entry has an outcome.
    Done,
    /// The rest could not be read, which `problem` tells, or the job died. What was imported stays.
    Failed,
    /// By `cancelArchiveImport`, or with its job. What was imported stays.
    Cancelled,
}

/// What became of an entry of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainEntryOutcome")]
pub(crate) enum ArchiveEntryOutcome {
    Created,
    /// The same bytes stood there already.
    Existing,
    /// After a dry run.
    WouldImport,
    Failed,
    /// A hidden file, a link, a README, or what has no ending of a transcript.
    PassedOver,
}

/// What is wrong with an entry, or with the archive.
#[derive(SimpleObject)]
pub(crate) struct ArchiveProblem {
    /// Stable and machine-readable: `NESTED_ARCHIVE`.
    code: String,
    /// What is wrong, and what to do.
    message: String,
    /// Line of the file, from 1, where the fault has a line.
    line: Option<u32>,
}

impl From<bulk::EntryProblem> for ArchiveProblem {
    fn from(problem: bulk::EntryProblem) -> Self {
        let bulk::EntryProblem { code, message, line } = problem;
        Self { code, message, line }
    }
}

/// Entries so far, by outcome.
#[derive(SimpleObject)]
struct ArchiveEntryCounts {
    created: i32,
    existing: i32,
    would_import: i32,
    failed: i32,
    passed_over: i32,
}

/// An archive whose files become conversations. It is told of for 30 days; the conversations stay.
#[derive(Clone)]
pub(crate) struct ArchiveImport(pub(crate) bulk::ArchiveImport);

pub(crate) type ArchiveImportConnection =
    Connection<OpaqueCursor<Uuid>, ArchiveImport, EmptyFields, EmptyFields>;
pub(crate) type ArchiveEntryConnection =
    Connection<OpaqueCursor<u32>, ArchiveEntry, EmptyFields, EmptyFields>;

#[Object]
impl ArchiveImport {
    pub(crate) async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    /// Name of the archive's file, where it has one.
    async fn file_name(&self) -> Option<&str> {
        self.0.file_name.as_deref()
    }

    async fn state(&self) -> ArchiveImportState {
        self.0.state.into()
    }

    /// Whether it reports and makes no conversations.
    async fn is_dry_run(&self) -> bool {
        self.0.options.dry_run
    }

    /// Entries that the archive says it holds, folders included; null for a tar, which does not say.
    async fn entry_count(&self) -> Option<i32> {
        self.0.entry_count.map(|count| int(count.into()))
    }

    async fn counts(&self) -> ArchiveEntryCounts {
        let bulk::EntryCounts { created, existing, would_import, failed, passed_over } = self.0.counts;
        ArchiveEntryCounts {
            created: int(created.into()),
            existing: int(existing.into()),
            would_import: int(would_import.into()),
            failed: int(failed.into()),
            passed_over: int(passed_over.into()),
        }
    }

    /// Why the rest of the archive was not read; null where nothing is wrong with it as a whole.
    async fn problem(&self) -> Option<ArchiveProblem> {
        self.0.problem.clone().map(ArchiveProblem::from)
    }

    /// What became of its files, in the order of the archive. At most 100 a page.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn entries(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        #[graphql(desc = "Only those that ended so.")] outcome: Option<ArchiveEntryOutcome>,
    ) -> Result<ArchiveEntryConnection> {
        let page = PageArgs { after, first, ..PageArgs::default() }.read::<OpaqueCursor<u32>>()?;
        let after = page.by.after.as_ref().map(|cursor| cursor.0);
        let (tenant, outcome) = (actor(ctx)?.tenant(), outcome.map(Into::into));
        let archives = &ctx.ports().archives;
        let rows = archives.entries(tenant, self.0.id, outcome, after, page.by.limit).await.map_err(fault)?;
        Ok(connection(&page, rows, |row| OpaqueCursor(row.place), ArchiveEntry))
    }

    /// The job that imports it; null once it has been forgotten.
    async fn job(&self, ctx: &Context<'_>) -> Result<Option<Job>> {
        let key = JobById(actor(ctx)?.tenant(), self.0.job_id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Job))
    }

    /// Null where they have left the organization.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Some(id) = self.0.created_by else { return Ok(None) };
        find_user(ctx, actor(ctx)?.tenant(), id).await
    }

    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    async fn finished_at(&self) -> Option<Timestamp> {
        self.0.finished_at
    }
}

/// One file of an archive.
pub(crate) struct ArchiveEntry(bulk::ImportedEntry);

#[Object]
impl ArchiveEntry {
    /// Its name within the archive, with folders. Null once its conversation has been deleted.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    async fn outcome(&self) -> ArchiveEntryOutcome {
        self.0.outcome.into()
    }

    /// The conversation that was made of it, or stood there already; null once it has been deleted.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.find_conversation(ctx).await
    }

    /// What was read of it: of a dry run, or of the conversation as it stands.
    async fn report(&self, ctx: &Context<'_>) -> Result<Option<ImportReport>> {
        if let Some(report) = &self.0.report {
            return Ok(Some(report.clone().into()));
        }
        Ok(self.find_conversation(ctx).await?.map(|found| found.0.report.into()))
    }

    /// Why it is no conversation.
    async fn problem(&self) -> Option<ArchiveProblem> {
        self.0.problem.clone().map(ArchiveProblem::from)
    }
}

impl ArchiveEntry {
    async fn find_conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        let Some(id) = self.0.conversation_id else { return Ok(None) };
        let key = ConversationById(actor(ctx)?.tenant(), id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Conversation))
    }
}
