//! Analyses with their insights: written once, under the claim of the job that made them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    analysis::Insight,
    conversations::revisions::RevisionKind,
    ids::{AnalysisId, ConversationId, InsightId},
    jobs::Claim,
    money::MicroDollars,
    ports::{
        jobs::Follow,
        store::analyses::{Analysis, AnalysisStore},
    },
};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper,
    dsl::exists,
    sql_types::{Array, Integer, Jsonb, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Postgres,
    errors::Step,
    jobs::complete_one,
    pool::Connection,
    rows,
    schema::{analyses, conversations, insights, revisions},
    statement::Prepare,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = analyses, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    conversation_id: Uuid,
    revision: i32,
    analyzer: String,
    analyzer_version: i32,
    key: Vec<u8>,
    measures: Value,
    created_at: DateTime<Utc>,
}

impl Row {
    fn analysis(self) -> Step<Analysis> {
        Ok(Analysis {
            id: AnalysisId(self.id),
            conversation_id: ConversationId(self.conversation_id),
            revision: self.revision,
            analyzer: self.analyzer,
            analyzer_version: self.analyzer_version,
            key: rows::hash(&self.key)?,
            measures: rows::from_json(self.measures)?,
            created_at: self.created_at,
        })
    }
}

#[async_trait]
impl AnalysisStore for Postgres {
    async fn find_by_key(&self, tenant: Tenant, key: [u8; 32]) -> Result<Option<Analysis>> {
        self.run("look for an analysis", async |conn| {
            let found: Option<Row> = analyses::table
                .filter(analyses::organization_id.eq(tenant.0.0))
                .filter(analyses::key.eq(key.as_slice()))
                .select(Row::as_select())
                .first(conn)
                .await
                .optional()?;
            found.map(Row::analysis).transpose()
        })
        .await
    }

    async fn insert(
        &self,
        tenant: Tenant,
        claim: Claim,
        analysis: &Analysis,
        insights: &[(InsightId, Insight)],
        follow: Follow,
        spent: MicroDollars,
    ) -> Result<()> {
        let raised = self.transaction("keep an analysis", async |conn| {
            let nothing = Follow::default();
            let new = insert_analysis(conn, tenant, analysis).await?;
            if new {
                insert_insights(conn, analysis.id, insights).await?;
            }
            complete_one(conn, tenant, claim, if new { &follow } else { &nothing }, spent).await
        });
        self.announce(raised.await?);
        Ok(())
    }

    async fn find(&self, tenant: Tenant, ids: &[AnalysisId]) -> Result<Vec<Analysis>> {
        self.run("read analyses", async |conn| {
            let found: Vec<Row> = analyses::table
                .filter(analyses::organization_id.eq(tenant.0.0))
                .filter(analyses::id.eq_any(ids.iter().map(|id| id.0)))
                .select(Row::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(Row::analysis).collect()
        })
        .await
    }

    async fn current(&self, tenant: Tenant, ids: &[ConversationId]) -> Result<Vec<Analysis>> {
        self.run("read current analyses", async |conn| {
            let found: Vec<Row> = analyses::table
                .filter(analyses::organization_id.eq(tenant.0.0))
                .filter(analyses::conversation_id.eq_any(ids.iter().map(|id| id.0)))
                .distinct_on(analyses::conversation_id)
                .order((analyses::conversation_id, analyses::revision.desc(), analyses::id.desc()))
                .select(Row::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(Row::analysis).collect()
        })
        .await
    }

    async fn stale(&self, tenant: Tenant, ids: &[AnalysisId]) -> Result<Vec<AnalysisId>> {
        self.run("look for stale analyses", async |conn| {
            let later = revisions::table
                .filter(revisions::conversation_id.eq(analyses::conversation_id))
                .filter(revisions::number.gt(analyses::revision))
                .filter(revisions::kind.ne(RevisionKind::Tie.as_str()));
            let found: Vec<Uuid> = analyses::table
                .filter(analyses::organization_id.eq(tenant.0.0))
                .filter(analyses::id.eq_any(ids.iter().map(|id| id.0)))
                .filter(exists(later))
                .select(analyses::id)
                .load(conn)
                .await?;
            Ok(found.into_iter().map(AnalysisId).collect())
        })
        .await
    }

    async fn insights(
        &self,
        tenant: Tenant,
        ids: &[AnalysisId],
    ) -> Result<Vec<(AnalysisId, InsightId, Insight)>> {
        self.run("read insights", async |conn| {
            let found: Vec<(Uuid, Uuid, Value)> = insights::table
                .inner_join(analyses::table)
                .filter(analyses::organization_id.eq(tenant.0.0))
                .filter(insights::analysis_id.eq_any(ids.iter().map(|id| id.0)))
                .order((insights::analysis_id, insights::ordinal))
                .select((insights::analysis_id, insights::id, insights::body))
                .load(conn)
                .await?;
            let read =
                |(analysis, id, body)| Ok((AnalysisId(analysis), InsightId(id), rows::from_json(body)?));
            found.into_iter().map(read).collect()
        })
        .await
    }
}

/// Whether the key was new.
async fn insert_analysis(conn: &mut Connection, tenant: Tenant, analysis: &Analysis) -> Step<bool> {
    let conversation: Option<Uuid> = conversations::table
        .filter(conversations::id.eq(analysis.conversation_id.0))
        .filter(conversations::organization_id.eq(tenant.0.0))
        .select(conversations::id)
        .for_key_share()
        .first(conn)
        .await
        .optional()?;
    if conversation.is_none() {
        return Err(Error::not_found("conversation", analysis.conversation_id).into());
    }
    let written = diesel::insert_into(analyses::table)
        .values((
            analyses::id.eq(analysis.id.0),
            analyses::organization_id.eq(tenant.0.0),
            analyses::conversation_id.eq(analysis.conversation_id.0),
            analyses::revision.eq(analysis.revision),
            analyses::analyzer.eq(&analysis.analyzer),
            analyses::analyzer_version.eq(analysis.analyzer_version),
            analyses::key.eq(analysis.key.as_slice()),
            analyses::measures.eq(rows::json(&analysis.measures)?),
            analyses::created_at.eq(analysis.created_at),
        ))
        .on_conflict((analyses::organization_id, analyses::key))
        .do_nothing()
        .execute(conn)
        .await?;
    Ok(written == 1)
}

async fn insert_insights(
    conn: &mut Connection,
    analysis: AnalysisId,
    insights: &[(InsightId, Insight)],
) -> Step<()> {
    let mut bodies = Vec::with_capacity(insights.len());
    for (_, insight) in insights {
        bodies.push(rows::json(insight)?);
    }
    diesel::sql_query(
        "INSERT INTO insights (id, analysis_id, ordinal, kind, body)
        SELECT id, $1, ordinal, kind, body FROM unnest($2, $3, $4, $5) AS new (id, ordinal, kind, body)",
    )
    .bind::<SqlUuid, _>(analysis.0)
    .bind::<Array<SqlUuid>, _>(insights.iter().map(|(id, _)| id.0).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>((0..insights.len() as i32).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(insights.iter().map(|(_, one)| one.kind.as_str()).collect::<Vec<_>>())
    .bind::<Array<Jsonb>, _>(bodies)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}
