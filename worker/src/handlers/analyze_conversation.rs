//! Analyses a revision without a model. The same analysis is not made twice, nor is another where nothing has been said since.

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    accounts::Tenant,
    analysis::{self, EXTRACTIVE, Insight},
    conversations::RevisionNumber,
    events::{EventKind, NewEvent, Stage},
    ids::{AnalysisId, ConversationId, InsightId},
    jobs::{ClaimedJob, Payload, retry::JobError},
    money::MicroDollars,
    ports::{jobs::Follow, store::analyses::Analysis},
};

use crate::handler::{Handler, JobContext, Outcome, tenant, wrong_payload};

pub(crate) struct AnalyzeConversation;

#[async_trait]
impl Handler for AnalyzeConversation {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let Payload::Revision { conversation_id, revision } = job.payload else {
            return Err(wrong_payload(job));
        };
        let tenant = tenant(job)?;
        // The extractive analyzer has no parameters.
        let parameters = serde_json::json!({});
        let key = analysis::analysis_key(conversation_id, revision, &EXTRACTIVE, &parameters);
        if let Some(analysis) = ctx.ports.analyses.find_by_key(tenant, key).await? {
            return Ok(Outcome::follow(analyzed(tenant, conversation_id, revision, analysis.id)));
        }
        if let Some(stands) = standing(ctx, tenant, conversation_id).await? {
            return Ok(Outcome::follow(analyzed(tenant, conversation_id, revision, stands)));
        }
        let Some(talk) = ctx.ports.conversations.find_talk(tenant, conversation_id).await? else {
            return Ok(Outcome::nothing());
        };
        if talk.revision != revision {
            return Ok(Outcome::nothing());
        }
        let findings = tokio::task::spawn_blocking(move || analysis::analyze(&talk)).await;
        let findings = findings.map_err(|error| Error::internal("analyse a conversation", error))?;
        let analysis = Analysis {
            id: AnalysisId(ctx.ports.ids.next()),
            conversation_id,
            revision,
            analyzer: EXTRACTIVE.name.to_owned(),
            analyzer_version: EXTRACTIVE.version,
            key,
            measures: findings.measures,
            created_at: ctx.ports.clock.now(),
        };
        let insights = named(ctx, findings.insights);
        let follow = analyzed(tenant, conversation_id, revision, analysis.id);
        let free = MicroDollars::ZERO;
        match ctx.ports.analyses.insert(tenant, job.claim, &analysis, &insights, follow, free).await {
            Ok(()) => Ok(Outcome::Committed),
            // Deleted meanwhile. Where the claim was lost instead, this is refused too.
            Err(Error::Conflict(_) | Error::NotFound { .. }) => Ok(Outcome::nothing()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The newest analysis, where nothing has been said since.
async fn standing(
    ctx: &JobContext,
    tenant: Tenant,
    conversation_id: ConversationId,
) -> Result<Option<AnalysisId>, Error> {
    let Some(newest) = ctx.ports.analyses.current(tenant, &[conversation_id]).await?.pop() else {
        return Ok(None);
    };
    let stale = ctx.ports.analyses.stale(tenant, &[newest.id]).await?;
    Ok(stale.is_empty().then_some(newest.id))
}

/// Insights with ids of their own.
pub(super) fn named(ctx: &JobContext, insights: Vec<Insight>) -> Vec<(InsightId, Insight)> {
    insights.into_iter().map(|insight| (InsightId(ctx.ports.ids.next()), insight)).collect()
}

pub(super) fn analyzed(
    tenant: Tenant,
    conversation_id: ConversationId,
    revision: RevisionNumber,
    analysis_id: AnalysisId,
) -> Follow {
    let kind = EventKind::Progress {
        conversation_id,
        revision,
        stage: Stage::Analyzed,
        job_id: None,
        analysis_id: Some(analysis_id),
    };
    Follow { jobs: Vec::new(), events: vec![NewEvent { organization_id: tenant.0, kind }] }
}
