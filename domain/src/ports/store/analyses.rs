//! Analyses and their insights.

use async_trait::async_trait;

use crate::{
    Result,
    accounts::Tenant,
    analysis::{Insight, Measures},
    conversations::RevisionNumber,
    ids::{AnalysisId, ConversationId, InsightId},
    jobs::Claim,
    money::MicroDollars,
    ports::jobs::Follow,
    time::Timestamp,
};

/// One immutable run of an analyzer over a revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    pub id: AnalysisId,
    pub conversation_id: ConversationId,
    pub revision: RevisionNumber,
    pub analyzer: String,
    pub analyzer_version: i32,
    /// Hash of all that the result depends on.
    pub key: [u8; 32],
    pub measures: Measures,
    pub created_at: Timestamp,
}

#[async_trait]
pub trait AnalysisStore: Send + Sync {
    async fn find_by_key(&self, tenant: Tenant, key: [u8; 32]) -> Result<Option<Analysis>>;

    /// Writes the run with its insights, under the claim, which it completes at the cost of `spent`. Where the
    /// key stands already nothing but the completion is written.
    async fn insert(
        &self,
        tenant: Tenant,
        claim: Claim,
        analysis: &Analysis,
        insights: &[(InsightId, Insight)],
        follow: Follow,
        spent: MicroDollars,
    ) -> Result<()>;

    async fn find(&self, tenant: Tenant, ids: &[AnalysisId]) -> Result<Vec<Analysis>>;

    /// The newest run over the newest revision of each conversation that has one.
    async fn current(&self, tenant: Tenant, ids: &[ConversationId]) -> Result<Vec<Analysis>>;

    /// Those among them whose transcript has changed since. Who of the organization's people speaks makes no difference.
    async fn stale(&self, tenant: Tenant, ids: &[AnalysisId]) -> Result<Vec<AnalysisId>>;

    /// In the order the analyzer gave them.
    async fn insights(
        &self,
        tenant: Tenant,
        ids: &[AnalysisId],
    ) -> Result<Vec<(AnalysisId, InsightId, Insight)>>;
}
