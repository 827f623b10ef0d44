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
mod reindex_conversation;
mod send_email;
mod start_batch;
mod switch_generation;

pub(crate) use self::{
    analyze_conversation::AnalyzeConversation,
    embed_passages::EmbedPassages,
    export_conversation::ExportConversation,
    index_passages::IndexPassages,
    ingest_conversation::IngestConversation,
    probe::Probe,
    purge_conversation::PurgeConversation,
    reanalyze_conversation::ReanalyzeConversation,
    reimport_conversation::ReimportConversation,
    reindex_conversation::{ReembedConversation, ReindexConversation},
    send_email::SendEmail,
    start_batch::StartBatch,
    switch_generation::SwitchGeneration,
};

use colloquy_domain::{
    Result,
    ports::{SearchPorts, search::Standing},
};

/// What is written from now on goes to every generation that stood when it was read.
async fn align(search: &SearchPorts, standing: Standing) -> Result<()> {
    match &search.generations {
        Some(generations) => generations.align(standing).await,
        None => Ok(()),
    }
}
