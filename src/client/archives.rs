//! `importArchive` and what becomes of it, as the shell asks for them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Client, ConversationRef, ImportInput, Report, Source, Trouble, Upload, UserError, shapes::mutation,
};

const START: &str = "
mutation ImportArchive($input: ImportArchiveInput!) {
  importArchive(input: $input) { archiveImport { id } userErrors { code message field line } }
}";

const LOOK: &str = "
query ArchiveImport($id: ID!, $after: String) {
  archiveImport(id: $id) {
    state entryCount
    problem { code message line }
    entries(first: 50, after: $after) {
      pageInfo { hasNextPage endCursor }
      edges { node {
        name outcome
        conversation { id title }
        report {
          format formatConfidence formatReason encoding cuesRead segments cuesDropped cuesMerged cuesSplit speakers
          speakerSource clock clockOrigin durationMs language notes { line endLine action reason }
          notesOmitted
        }
        problem { code message line }
      } }
    }
  }
}";

/// A page of what became of an archive's entries, and how far it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ArchiveLook {
    pub(crate) state: String,
    pub(crate) entry_count: Option<u64>,
    pub(crate) problem: Option<UserError>,
    entries: Entries,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entries {
    page_info: PageInfo,
    edges: Vec<Edge>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Edge {
    node: ArchiveEntry,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ArchiveEntry {
    pub(crate) name: Option<String>,
    pub(crate) outcome: String,
    pub(crate) conversation: Option<ConversationRef>,
    pub(crate) report: Option<Report>,
    pub(crate) problem: Option<UserError>,
}

impl ArchiveLook {
    /// Nothing more comes by itself.
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.state.as_str(), "QUEUED" | "RUNNING")
    }

    /// Whether this page is the last there is now, and what the next is asked by.
    pub(crate) fn take(&mut self, after: &mut Option<String>) -> (Vec<ArchiveEntry>, bool) {
        if let Some(cursor) = self.entries.page_info.end_cursor.take() {
            *after = Some(cursor);
        }
        let entries = std::mem::take(&mut self.entries.edges).into_iter().map(|edge| edge.node);
        (entries.collect(), !self.entries.page_info.has_next_page)
    }
}

impl Client {
    /// The id by which it is looked at. Asked once: the same archive again would be another import, whose every file is
    /// there already.
    pub(crate) async fn import_archive(
        &self,
        input: &ImportInput,
        source: Source,
    ) -> Result<Result<String, Vec<UserError>>, Trouble> {
        #[derive(Deserialize)]
        struct Id {
            id: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Payload {
            archive_import: Option<Id>,
            user_errors: Vec<UserError>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            import_archive: Payload,
        }

        let mut input = json!(input);
        if let Some(fields) = input.as_object_mut() {
            fields.remove("title");
        }
        input["file"] = Value::Null;
        input["fileName"] = json!(source.name);
        let upload = Upload {
            name: source.name.unwrap_or_else(|| "stdin".to_owned()),
            bytes: source.bytes,
            place: "variables.input.file",
        };
        let data: Data = self.once(START, &json!({ "input": input }), Some(&upload)).await?;
        let Payload { archive_import, user_errors } = data.import_archive;
        Ok(archive_import.map(|started| started.id).ok_or(user_errors))
    }

    /// Safe to repeat. What has ended is refused.
    pub(crate) async fn cancel_archive(&self, id: &str) -> Result<Result<(), Vec<UserError>>, Trouble> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Payload {
            user_errors: Vec<UserError>,
        }
        #[derive(Deserialize)]
        struct Data {
            payload: Payload,
        }

        let document = mutation("cancelArchiveImport", "archiveImport { id }");
        let Data { payload } = self.query(&document, json!({ "input": { "id": id } })).await?;
        Ok(if payload.user_errors.is_empty() { Ok(()) } else { Err(payload.user_errors) })
    }

    /// `None` where it is told of no more.
    pub(crate) async fn archive(
        &self,
        id: &str,
        after: Option<&str>,
    ) -> Result<Option<ArchiveLook>, Trouble> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            archive_import: Option<ArchiveLook>,
        }

        let data: Data = self.query(LOOK, json!({ "id": id, "after": after })).await?;
        Ok(data.archive_import)
    }
}
