//! The handlers, one file a kind.

mod analyze_conversation;
mod embed_passages;
mod export_conversation;
mod index_passages;
mod ingest_conversation;
mod probe;
mod purge_conversation;
mod reanalyze_conversation;
mod reimport_conversation;
mod send_email;
mod start_batch;

pub(crate) use self::{
    analyze_conversation::AnalyzeConversation, embed_passages::EmbedPassages,
    export_conversation::ExportConversation, index_passages::IndexPassages,
    ingest_conversation::IngestConversation, probe::Probe, purge_conversation::PurgeConversation,
    reanalyze_conversation::ReanalyzeConversation, reimport_conversation::ReimportConversation,
    send_email::SendEmail, start_batch::StartBatch,
};
