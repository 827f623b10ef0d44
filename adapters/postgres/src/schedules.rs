//! Schedules. A schedule's row is locked before anything else of its run, and its job is inserted in the transaction
//! that moves it on.

mod rows;
mod runs;

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    ids::ScheduleId,
    jobs::{Claim, NewJob},
    ports::store::{
        PageBy,
        schedules::{DueSchedule, Move, RunEnd, ScheduleStore},
    },
    schedules::Schedule,
    time::Timestamp,
};

use crate::Postgres;

#[async_trait]
impl ScheduleStore for Postgres {
    async fn now(&self) -> Result<Timestamp> {
        self.run("ask PostgreSQL for the time", async |conn| rows::now(conn).await).await
    }

    async fn insert(
        &self,
        tenant: Tenant,
        schedule: &Schedule,
        at_most: usize,
        audit: Option<NewAuditEntry>,
    ) -> Result<()> {
        const DOING: &str = "keep a schedule";
        self.transaction(DOING, async |conn| {
            rows::insert(conn, tenant, schedule, at_most, audit.as_ref()).await
        })
        .await
    }

    async fn update(
        &self,
        tenant: Tenant,
        schedule: &Schedule,
        moves: bool,
        audit: Option<NewAuditEntry>,
    ) -> Result<()> {
        const DOING: &str = "change a schedule";
        self.transaction(DOING, async |conn| {
            rows::update(conn, tenant, schedule, moves, audit.as_ref()).await
        })
        .await
    }

    async fn delete(&self, tenant: Tenant, id: ScheduleId, audit: NewAuditEntry) -> Result<bool> {
        const DOING: &str = "delete a schedule";
        self.transaction(DOING, async |conn| rows::delete(conn, tenant, id, &audit).await).await
    }

    async fn find(&self, tenant: Tenant, ids: &[ScheduleId]) -> Result<Vec<Schedule>> {
        self.run("read schedules", async |conn| rows::find(conn, tenant, ids).await).await
    }

    async fn list(&self, tenant: Tenant, page: PageBy<ScheduleId>) -> Result<Vec<Schedule>> {
        self.run("list schedules", async |conn| rows::list(conn, tenant, page).await).await
    }

    async fn due(
        &self,
        _scope: SystemScope,
        after: Option<ScheduleId>,
        limit: usize,
    ) -> Result<Vec<DueSchedule>> {
        self.run("look for schedules that are due", async |conn| runs::due(conn, after, limit).await).await
    }

    async fn advance(
        &self,
        _scope: SystemScope,
        read: &Schedule,
        at: Timestamp,
        next: Option<Timestamp>,
        then: Move,
    ) -> Result<bool> {
        const DOING: &str = "advance a schedule";
        let advanced =
            self.transaction(DOING, async |conn| runs::advance(conn, read, at, next, &then).await).await?;
        if let Some(raised) = advanced {
            self.announce(raised);
        }
        Ok(advanced.is_some())
    }

    async fn run_now(
        &self,
        tenant: Tenant,
        id: ScheduleId,
        at: Timestamp,
        job: NewJob,
        audit: NewAuditEntry,
    ) -> Result<()> {
        const DOING: &str = "run a schedule";
        let raised =
            self.transaction(DOING, async |conn| runs::run_now(conn, tenant, id, at, &job, &audit).await);
        self.announce(raised.await?);
        Ok(())
    }

    async fn end_run(&self, tenant: Tenant, claim: Claim, end: RunEnd) -> Result<()> {
        const DOING: &str = "end a schedule's run";
        let raised = self.transaction(DOING, async |conn| runs::end(conn, tenant, claim, &end).await);
        self.announce(raised.await?);
        Ok(())
    }
}
