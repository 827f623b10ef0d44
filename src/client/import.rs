//! `importConversation`, as the shell asks for it.

use bytes::Bytes;
use colloquy_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Client, Trouble, Upload, UserError};
use crate::cli::Kind;

const DOCUMENT: &str = "
mutation Import($input: ImportConversationInput!) {
  importConversation(input: $input) {
    conversation { id title }
    preview { title turns { speaker text startMs endMs } }
    report {
      format formatConfidence formatReason encoding cuesRead segments cuesDropped cuesMerged cuesSplit speakers
      speakerSource clock clockOrigin durationMs language notes { line endLine action reason }
      notesOmitted
    }
    created
    cursor
    userErrors { code message field line }
  }
}";

/// What is said of a conversation beside its transcript.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportInput {
    pub(crate) kind: Kind,
    pub(crate) format: Option<&'static str>,
    pub(crate) title: Option<String>,
    pub(crate) occurred_at: Option<Timestamp>,
    pub(crate) tags: Vec<String>,
    pub(crate) dry_run: bool,
}

/// The transcript's bytes; from standard input they have no name.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) name: Option<String>,
    pub(crate) bytes: Bytes,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Imported {
    pub(crate) conversation: Option<ConversationRef>,
    /// What a dry run's conversation would be like.
    pub(crate) preview: Option<Preview>,
    pub(crate) report: Option<Report>,
    pub(crate) created: bool,
    pub(crate) cursor: Option<String>,
    pub(crate) user_errors: Vec<UserError>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConversationRef {
    pub(crate) id: String,
    pub(crate) title: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Preview {
    pub(crate) title: String,
    /// The first of them.
    pub(crate) turns: Vec<PreviewTurn>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PreviewTurn {
    pub(crate) speaker: Option<String>,
    pub(crate) text: String,
    pub(crate) start_ms: Option<u64>,
    pub(crate) end_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) format: String,
    /// From 0 to 100; `None` where the format was named.
    pub(crate) format_confidence: Option<u8>,
    pub(crate) format_reason: Option<String>,
    pub(crate) encoding: Option<String>,
    pub(crate) cues_read: u32,
    pub(crate) segments: u32,
    pub(crate) cues_dropped: u32,
    pub(crate) cues_merged: u32,
    /// Segments beyond one a cue.
    pub(crate) cues_split: u32,
    pub(crate) speakers: Vec<String>,
    pub(crate) speaker_source: Option<String>,
    pub(crate) clock: Option<String>,
    /// What the times are counted from where they are of the clock on the wall.
    pub(crate) clock_origin: Option<String>,
    pub(crate) duration_ms: Option<u64>,
    /// As a code, where the text tells it for sure.
    pub(crate) language: Option<String>,
    pub(crate) notes: Vec<ReportNote>,
    pub(crate) notes_omitted: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReportNote {
    pub(crate) line: u32,
    pub(crate) end_line: Option<u32>,
    pub(crate) action: String,
    pub(crate) reason: String,
}

impl Client {
    /// Safe to repeat: the same bytes give the conversation that they made before.
    pub(crate) async fn import(&self, input: &ImportInput, source: Source) -> Result<Imported, Trouble> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            import_conversation: Imported,
        }

        let mut input = json!(input);
        input["file"] = Value::Null;
        // A part must have a name to be a file; an empty one is nobody's.
        input["fileName"] = json!(source.name);
        let upload = Upload {
            name: source.name.unwrap_or_else(|| "stdin".to_owned()),
            bytes: source.bytes,
            place: "variables.input.file",
        };
        let variables = json!({ "input": input });
        let data: Data = self.patiently(DOCUMENT, &variables, Some(&upload)).await?;
        Ok(data.import_conversation)
    }
}
