//! The handlers, one file a kind.

mod analyze_conversation;
mod embed_passages;
mod index_passages;
mod ingest_conversation;
mod probe;
mod send_email;

pub(crate) use self::{
    analyze_conversation::AnalyzeConversation, embed_passages::EmbedPassages, index_passages::IndexPassages,
    ingest_conversation::IngestConversation, probe::Probe, send_email::SendEmail,
};
