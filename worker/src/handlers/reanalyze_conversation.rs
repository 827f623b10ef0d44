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

/// What a run costs is never more than the batch still holds back for it: neither a text that has grown since nor what
/// an earlier attempt has spent is paid for out of what others were promised.
fn check_share(job: &ClaimedJob, cost: MicroDollars) -> Result<(), JobError> {
    let reserved = job.batch.map_or(MicroDollars::ZERO, |share| share.reserved);
    if cost <= reserved {
        return Ok(());
    }
    let message = format!(
        "this would cost {cost} and {reserved} is held back for it still: an earlier attempt has spent the rest, or the text has grown, or the price has risen, since; `retryBatchFailures` estimates it anew, with a higher cap where the one that stands does not hold it"
    );
    Err(JobError::fail(Error::conflict("PRICE_RISEN", message)))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use colloquy_domain::{
        ids::{BatchId, ClaimToken, JobId},
        jobs::{BatchShare, Claim, JobKind, Payload},
    };
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_run_that_costs_more_than_is_held_back_for_it_is_not_begun_and_fails_for_good() {
        let share = BatchShare { batch_id: BatchId(Uuid::nil()), reserved: MicroDollars(7) };
        let job = ClaimedJob {
            claim: Claim { job_id: JobId(Uuid::nil()), token: ClaimToken(Uuid::nil()) },
            dispatch_id: None,
            kind: JobKind::ReanalyzeConversation,
            organization_id: None,
            payload: Payload::Nothing {},
            attempt: 2,
            max_attempts: 5,
            is_suspect: false,
            batch: Some(share),
            traceparent: None,
            created_at: DateTime::UNIX_EPOCH,
        };
        assert!(check_share(&job, MicroDollars(7)).is_ok());
        let Err(JobError::Fail(error)) = check_share(&job, MicroDollars(8)) else {
            panic!("it is begun, or tried again");
        };
        let told = error.to_string();
        assert!(told.contains("$0.000008") && told.contains("$0.000007"), "{told}");
        assert!(told.contains("retryBatchFailures") && told.contains("higher cap"), "{told}");
    }
}
