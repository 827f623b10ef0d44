//! Writes what search engines know of a conversation anew, for a batch: over those that a filter names in all
//! generations that stand, over everything into the one that is being built. Late and repeated runs change nothing,
//! since the engines go by the conversation's version. A language that is not known is looked for before.

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    accounts::Tenant,
    conversations::detect::detect,
    ids::ConversationId,
    jobs::{ClaimedJob, Payload, retry::JobError},
    ports::search::{OneGeneration, PassageDocument},
};

use super::{
    align,
    embed_passages::{Vectors, vectors},
    index_passages::document,
    of_engine,
};
use crate::handler::{Handler, JobContext, Outcome, no_engine, tenant, wrong_payload};

/// Vectors come from PostgreSQL; only a text that has none is embedded.
pub(crate) struct ReindexConversation;

/// Every vector is made anew.
pub(crate) struct ReembedConversation;

#[async_trait]
impl Handler for ReindexConversation {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        write(ctx, job, Vectors::Kept).await
    }
}

#[async_trait]
impl Handler for ReembedConversation {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        write(ctx, job, Vectors::Anew).await
    }
}

async fn write(ctx: &JobContext, job: &ClaimedJob, from: Vectors) -> Result<Outcome, JobError> {
    const DOING: &str = "index a conversation anew";
    let (tenant, conversation_id, into_new) = subject(job)?;
    let search = &ctx.ports.search;
    let (Some(text), Some(generations)) = (&search.text, &search.generations) else {
        return Err(no_engine(DOING));
    };
    let (mut standing, mut found) = ctx.ports.passages.find_indexable(tenant, conversation_id).await?;
    if let Some(of) = &found
        && detect(&ctx.ports, tenant, of).await?
    {
        (standing, found) = ctx.ports.passages.find_indexable(tenant, conversation_id).await?;
    }
    of_engine(ctx, job, align(search, standing, None).await)?;
    let Some(found) = found else {
        // Its removal is a job of its own.
        return Ok(Outcome::skipped());
    };
    let (text, index) = match (into_new, standing.building) {
        (false, _) => (text.clone(), search.vectors.clone()),
        // The batch is over.
        (true, None) => return Ok(Outcome::skipped()),
        (true, Some(number)) => {
            let OneGeneration { model, text, vectors, .. } =
                generations.only(number).ok_or_else(|| no_engine(DOING))?;
            let embeds_by = search.embedder.as_ref().map(|embedder| &embedder.model().name);
            if embeds_by.is_some_and(|name| *name != model) {
                let message =
                    format!("the vectors that are built are {model}'s, and this worker embeds by another");
                return Err(Error::conflict("ANOTHER_MODEL", message).into());
            }
            (text.ok_or_else(|| no_engine(DOING))?, vectors.filter(|_| search.vectors.is_some()))
        }
    };
    if let (Some(index), Some(embedder)) = (index, search.embedder.as_deref()) {
        let made = vectors(ctx, tenant, embedder, &found.passages, from).await?;
        let passages = found.passages.iter().cloned().map(document).zip(made).collect();
        of_engine(ctx, job, index.replace(tenant, found.version, found.facets.clone(), passages).await)?;
    }
    let documents: Vec<PassageDocument> = found.passages.into_iter().map(document).collect();
    of_engine(ctx, job, text.replace(tenant, found.version, found.facets, documents).await)?;
    Ok(Outcome::nothing())
}

/// Whose conversation it is, and whether it goes into the generation that is being built.
fn subject(job: &ClaimedJob) -> Result<(Tenant, ConversationId, bool), JobError> {
    match job.payload {
        Payload::Conversation { conversation_id } => Ok((tenant(job)?, conversation_id, false)),
        Payload::Anyones { conversation_id, organization_id } => {
            Ok((Tenant(organization_id), conversation_id, true))
        }
        _ => Err(wrong_payload(job)),
    }
}
