//! Puts a conversation's passages into the full-text index, or takes those of a deleted one out. What saved searches look
//! for by words fires with the end of it.

use async_trait::async_trait;
use colloquy_domain::{
    events::{NewEvent, Stage},
    jobs::{ClaimedJob, Payload, retry::JobError},
    passages::Passage,
    ports::{
        jobs::Follow,
        search::{ConversationFacets, PassageDocument},
        verify::Leg,
    },
    search::saved::fire,
};

use super::{align, end, of_engine};
use crate::handler::{Handler, JobContext, Outcome, no_engine, tenant, wrong_payload};

pub(crate) struct IndexPassages;

#[async_trait]
impl Handler for IndexPassages {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let Payload::Conversation { conversation_id } = job.payload else {
            return Err(wrong_payload(job));
        };
        let tenant = tenant(job)?;
        let text = ctx.ports.search.text.as_deref().ok_or_else(|| no_engine("index passages"))?;
        let (standing, found) = ctx.ports.passages.find_indexable(tenant, conversation_id).await?;
        of_engine(ctx, job, align(&ctx.ports.search, standing, Some(Leg::Text)).await)?;
        let Some(found) = found else {
            of_engine(ctx, job, text.remove(tenant, conversation_id).await)?;
            return Ok(Outcome::nothing());
        };
        if !found.is_cut {
            return Ok(Outcome::nothing());
        }
        let reached = reached(tenant.0, &found.facets, Stage::Indexed);
        let fresh = fire::fresh(ctx.searches.by_words(&ctx.ports, tenant).await?, &found, &[]);
        let documents = found.passages.into_iter().map(document).collect();
        of_engine(ctx, job, text.replace(tenant, found.version, found.facets, documents).await)?;
        end(ctx, tenant, fresh, reached).await
    }
}

pub(super) fn document(passage: Passage) -> PassageDocument {
    passage.into()
}

/// The news that a revision reached a stage.
pub(super) fn reached(
    organization_id: colloquy_domain::ids::OrganizationId,
    facets: &ConversationFacets,
    stage: Stage,
) -> Follow {
    let event = NewEvent::progress(organization_id, facets.conversation_id, facets.revision, stage);
    Follow { jobs: Vec::new(), events: vec![event] }
}
