//! Analyses a conversation anew for a batch, beside the analyses it has. It becomes the one that is shown only
//! by being written whole; one that stands already under the same key is not made, or paid for, again.

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    analysis::{self, verify},
    batches::{control, plan::price},
    ids::AnalysisId,
    jobs::{ClaimedJob, retry::JobError},
    money::MicroDollars,
    ports::store::analyses::Analysis,
};

use super::analyze_conversation::{analyzed, named};
use crate::handler::{Handler, JobContext, Outcome, item, tenant};

pub(crate) struct ReanalyzeConversation;

#[async_trait]
impl Handler for ReanalyzeConversation {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        let tenant = tenant(job)?;
        let (batch_id, conversation_id) = item(job)?;
        let batch = control::get(&ctx.ports, tenant, batch_id).await?;
        let Some(talk) = ctx.ports.conversations.find_talk(tenant, conversation_id).await? else {
            return Ok(Outcome::skipped());
        };
        let (analyzer, revision) = (batch.options.analyzer.analyzer(), talk.revision);
        let key = analysis::analysis_key(conversation_id, revision, analyzer, &serde_json::json!({}));
        if ctx.ports.analyses.find_by_key(tenant, key).await?.is_some() {
            return Ok(Outcome::skipped());
        }
        let characters = talk.segments.iter().map(|segment| segment.text.chars().count() as u64).sum();
        let cost = price(&ctx.ports, batch.kind, batch.options, characters);
        check_share(job, cost)?;
        let analyzing = move || {
            let findings = analysis::analyze(&talk);
            let misquotes =
                |insight: &&analysis::Insight| !insight.evidence.iter().all(|one| verify(&talk, one));
            (findings.insights.iter().filter(misquotes).count(), findings)
        };
        let (misquoted, findings) = tokio::task::spawn_blocking(analyzing)
            .await
            .map_err(|error| Error::internal("analyse a conversation", error))?;
        if misquoted > 0 {
            let message = format!("{misquoted} insights quote what was not said; the analysis before stays");
            return Err(JobError::fail(Error::conflict("MISQUOTED", message)));
        }
        let analysis = Analysis {
            id: AnalysisId(ctx.ports.ids.next()),
            conversation_id,
            revision,
            analyzer: analyzer.name.to_owned(),
            analyzer_version: analyzer.version,
            key,
            measures: findings.measures,
            created_at: ctx.ports.clock.now(),
        };
        let insights = named(ctx, findings.insights);
        let follow = analyzed(tenant, conversation_id, revision, analysis.id);
        match ctx.ports.analyses.insert(tenant, job.claim, &analysis, &insights, follow, cost).await {
            Ok(()) => Ok(Outcome::Committed),
            // Deleted meanwhile. Where the claim was lost instead, this is refused too.
            Err(Error::Conflict(_) | Error::NotFound { .. }) => Ok(Outcome::skipped()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a run costs is never more than the batch holds back for it: a text that has grown since is not paid for
/// out of what others were promised.
fn check_share(job: &ClaimedJob, cost: MicroDollars) -> Result<(), JobError> {
    let reserved = job.batch.map_or(MicroDollars::ZERO, |share| share.reserved);
    if cost <= reserved {
        return Ok(());
    }
    let message = format!(
        "this would cost {cost} and {reserved} was held back for it: the text has grown, or the price has risen, since; retrying the batch's failures estimates it anew"
    );
    Err(JobError::fail(Error::conflict("PRICE_RISEN", message)))
}
