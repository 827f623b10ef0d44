//! A transcript as a file.

use async_graphql::{Enum, SimpleObject};
use colloquy_domain::conversations::export::ExportFormat as DomainExportFormat;

/// What a transcript is exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainExportFormat")]
pub(crate) enum ExportFormat {
    WebVtt,
    Srt,
    /// All that is known of the conversation, as `transcript-1.schema.json` describes it.
    Json,
    Markdown,
    Text,
}

/// A file to be saved.
#[derive(SimpleObject)]
pub(crate) struct ConversationExport {
    /// Made of the title, and of the revision where one was asked for.
    pub(crate) file_name: String,
    pub(crate) media_type: &'static str,
    /// All of it, as UTF-8.
    pub(crate) content: String,
}
