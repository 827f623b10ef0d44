//! Which generations of the search indexes stand: one row, so that each change of it is whole.

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    ids::{BatchId, ConversationId, OrganizationId},
    jobs::{Claim, JobKind, NewJob},
    money::MicroDollars,
    ports::{
        jobs::Follow,
        search::{Standing, Version},
        store::generations::{Expected, GenerationStore, Generations},
    },
};
use diesel::{
    OptionalExtension, QueryableByName,
    sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    Postgres, audit, errors::Step, follow, jobs::complete_one, pool::Connection, rows, statement::Prepare,
};

#[derive(QueryableByName)]
struct StandingRow {
    #[diesel(sql_type = BigInt)]
    change: i64,
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    building: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    previous: Option<i64>,
}

impl From<StandingRow> for Standing {
    fn from(row: StandingRow) -> Self {
        Self { change: row.change, live: row.number, building: row.building, previous: row.previous }
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(embed)]
    standing: StandingRow,
    #[diesel(sql_type = SqlUuid)]
    log_id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    building_batch: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    switched_batch: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    abandoned_batch: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    abandoned_because: Option<String>,
}

impl From<Row> for Generations {
    fn from(row: Row) -> Self {
        Self {
            standing: row.standing.into(),
            log_id: row.log_id,
            building_batch: row.building_batch.map(BatchId),
            switched_batch: row.switched_batch.map(BatchId),
            abandoned_because: row.abandoned_batch.map(BatchId).zip(row.abandoned_because),
        }
    }
}

#[derive(QueryableByName)]
struct ExpectedRow {
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = BigInt)]
    passages: i64,
}

impl From<ExpectedRow> for Expected {
    fn from(row: ExpectedRow) -> Self {
        Self {
            organization_id: OrganizationId(row.organization_id),
            conversation_id: ConversationId(row.id),
            version: row.version,
            passages: row.passages.unsigned_abs(),
        }
    }
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

const EXPECTED: &str = "SELECT c.organization_id, c.id, c.version, (
        SELECT count(*) FROM passages p WHERE p.conversation_id = c.id AND p.revision = c.revision
    ) AS passages FROM conversations c WHERE ";

async fn read(conn: &mut Connection) -> Step<Option<Generations>> {
    let sql = "SELECT g.*, log_id FROM search_generation g CROSS JOIN event_log";
    let row: Option<Row> = diesel::sql_query(sql).prepared().get_result(conn).await.optional()?;
    Ok(row.map(Generations::from))
}

async fn make_first(conn: &mut Connection) -> Step<()> {
    let first = "INSERT INTO search_generation (number) VALUES (1) ON CONFLICT DO NOTHING";
    diesel::sql_query(first).prepared().execute(conn).await?;
    Ok(())
}

/// What stands in the caller's snapshot.
pub(crate) async fn standing(conn: &mut Connection) -> Step<Standing> {
    let sql = "SELECT change, number, building, previous FROM search_generation";
    let row: Option<StandingRow> = diesel::sql_query(sql).prepared().get_result(conn).await.optional()?;
    // Who owns indexes makes the row; there is nothing to change before.
    Ok(row.map_or(Standing { change: 0, live: 1, building: None, previous: None }, Standing::from))
}

/// A new number for what the batch builds. The way back goes: two generations are as much as the disk is to hold.
pub(crate) async fn begin(conn: &mut Connection, batch: BatchId) -> Step<()> {
    make_first(conn).await?;
    let begun = diesel::sql_query(
        "UPDATE search_generation SET change = change + 1, last = greatest(last, number) + 1,
            building = greatest(last, number) + 1, building_batch = $1, previous = NULL
        WHERE building IS NULL",
    )
    .bind::<SqlUuid, _>(batch.0)
    .prepared()
    .execute(conn)
    .await?;
    if begun == 1 {
        return Ok(());
    }
    let found = read(conn).await?;
    let other = found.and_then(|found| found.building_batch.zip(found.standing.building));
    let message = match other {
        Some((batch, number)) => format!(
            "the batch {batch} is building generation {number} of the search indexes, and one is built at a time; wait for it, or cancel it"
        ),
        None => "another generation of the search indexes is being built".to_owned(),
    };
    Err(Error::conflict("REBUILD_RUNNING", message).into())
}

#[async_trait]
impl GenerationStore for Postgres {
    async fn find(&self, _scope: SystemScope) -> Result<Generations> {
        self.run("read the search generations", async |conn| {
            if let Some(found) = read(conn).await? {
                return Ok(found);
            }
            make_first(conn).await?;
            let missing = || Error::internal("read the search generations", "the event log has not begun");
            Ok(read(conn).await?.ok_or_else(missing)?)
        })
        .await
    }

    async fn switch(
        &self,
        _scope: SystemScope,
        tenant: Tenant,
        claim: Claim,
        batch: BatchId,
        keep: bool,
    ) -> Result<Standing> {
        let (standing, raised) = self
            .transaction("switch the search generation", async |conn| {
                let switched: Option<StandingRow> = diesel::sql_query(
                    "UPDATE search_generation SET change = change + 1, number = building, building = NULL,
                        previous = CASE WHEN $2 THEN number END, building_batch = NULL, switched_batch = $1
                    WHERE building_batch = $1 RETURNING change, number, building, previous",
                )
                .bind::<SqlUuid, _>(batch.0)
                .bind::<Bool, _>(keep)
                .prepared()
                .get_result(conn)
                .await
                .optional()?;
                let gone = || Error::conflict("NOTHING_BUILT", "the batch builds no generation any more");
                let switched = switched.ok_or_else(gone)?;
                let raised =
                    complete_one(conn, tenant, claim, &Follow::default(), MicroDollars::ZERO).await?;
                Ok((Standing::from(switched), raised))
            })
            .await?;
        self.announce(raised);
        Ok(standing)
    }

    async fn abandon(&self, _scope: SystemScope, batch: BatchId, because: Option<&str>) -> Result<bool> {
        self.run("drop a search generation", async |conn| {
            let dropped = diesel::sql_query(
                "UPDATE search_generation SET change = change + 1, building = NULL, building_batch = NULL,
                    abandoned_batch = $1, abandoned_because = $2
                WHERE building_batch = $1",
            )
            .bind::<SqlUuid, _>(batch.0)
            .bind::<Nullable<Text>, _>(because)
            .prepared()
            .execute(conn)
            .await?;
            Ok(dropped > 0)
        })
        .await
    }

    async fn roll_back(
        &self,
        _scope: SystemScope,
        number: i64,
        audit: NewAuditEntry,
    ) -> Result<Option<Standing>> {
        self.transaction("roll the search generation back", async |conn| {
            let back: Option<StandingRow> = diesel::sql_query(
                "UPDATE search_generation SET change = change + 1, number = previous, previous = number
                WHERE previous = $1 RETURNING change, number, building, previous",
            )
            .bind::<BigInt, _>(number)
            .prepared()
            .get_result(conn)
            .await
            .optional()?;
            let Some(back) = back else { return Ok(None) };
            audit::insert(conn, &audit.clone().changed(true)).await?;
            Ok(Some(back.into()))
        })
        .await
    }

    async fn forget_previous(&self, _scope: SystemScope, number: i64) -> Result<()> {
        self.run("forget a search generation", async |conn| {
            diesel::sql_query(
                "UPDATE search_generation SET change = change + 1, previous = NULL WHERE previous = $1",
            )
            .bind::<BigInt, _>(number)
            .prepared()
            .execute(conn)
            .await?;
            Ok(())
        })
        .await
    }

    async fn expected(
        &self,
        _scope: SystemScope,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Expected>> {
        self.run("read what indexes must hold", async |conn| {
            let found: Vec<ExpectedRow> =
                diesel::sql_query(format!("{EXPECTED} c.id > $1 ORDER BY c.id LIMIT $2"))
                    .bind::<SqlUuid, _>(after.map_or(Uuid::nil(), Uuid::from))
                    .bind::<BigInt, _>(rows::limit(limit))
                    .prepared()
                    .load(conn)
                    .await?;
            Ok(found.into_iter().map(Expected::from).collect())
        })
        .await
    }

    async fn expected_of(&self, _scope: SystemScope, ids: &[ConversationId]) -> Result<Vec<Expected>> {
        self.run("read what indexes must hold", async |conn| {
            let found: Vec<ExpectedRow> = diesel::sql_query(format!("{EXPECTED} c.id = ANY($1)"))
                .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
                .prepared()
                .load(conn)
                .await?;
            Ok(found.into_iter().map(Expected::from).collect())
        })
        .await
    }

    async fn expected_in(
        &self,
        tenant: Tenant,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Expected>> {
        self.run("read what indexes must hold", async |conn| {
            let sql = format!("{EXPECTED} c.organization_id = $1 AND c.id > $2 ORDER BY c.id LIMIT $3");
            let found: Vec<ExpectedRow> = diesel::sql_query(sql)
                .bind::<SqlUuid, _>(tenant.0.0)
                .bind::<SqlUuid, _>(after.map_or(Uuid::nil(), Uuid::from))
                .bind::<BigInt, _>(rows::limit(limit))
                .prepared()
                .load(conn)
                .await?;
            Ok(found.into_iter().map(Expected::from).collect())
        })
        .await
    }

    async fn under_way(&self, _scope: SystemScope, ids: &[ConversationId]) -> Result<Vec<ConversationId>> {
        let states = ["WAITING", "READY", "RUNNING"];
        self.run("look for work on indexes", async |conn| Ok(working(conn, ids, &states).await?)).await
    }

    async fn mend(
        &self,
        tenant: Tenant,
        conversations: &[(ConversationId, Version)],
        jobs: Vec<NewJob>,
        audit: NewAuditEntry,
    ) -> Result<()> {
        let follow = Follow { jobs, events: Vec::new() };
        let raised = self.transaction("mend the search indexes", async |conn| {
            // In one order, as whoever else locks several.
            diesel::sql_query(
                "UPDATE conversations SET version = GREATEST(conversations.version, c.version) + 1
                FROM (SELECT k.id, w.version FROM conversations k
                    JOIN unnest($2::uuid[], $3::bigint[]) AS w (id, version) ON w.id = k.id
                    WHERE k.organization_id = $1 ORDER BY k.id FOR UPDATE OF k) c
                WHERE conversations.id = c.id",
            )
            .bind::<SqlUuid, _>(tenant.0.0)
            .bind::<Array<SqlUuid>, _>(conversations.iter().map(|(id, _)| id.0).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(conversations.iter().map(|(_, version)| *version).collect::<Vec<_>>())
            .prepared()
            .execute(conn)
            .await?;
            audit::insert(conn, &audit).await?;
            follow::write(conn, &follow).await
        });
        self.announce(raised.await?);
        Ok(())
    }

    async fn lagging(&self, _scope: SystemScope, ids: &[ConversationId]) -> Result<Vec<ConversationId>> {
        let states = ["WAITING", "READY", "RUNNING", "DEAD"];
        self.run("look for work on indexes", async |conn| Ok(working(conn, ids, &states).await?)).await
    }
}

/// Those of `ids` that have jobs in these states which write to indexes.
async fn working(
    conn: &mut Connection,
    ids: &[ConversationId],
    states: &[&str],
) -> Step<Vec<ConversationId>> {
    let kinds = [JobKind::IngestConversation, JobKind::IndexPassages, JobKind::EmbedPassages];
    let found: Vec<IdRow> = diesel::sql_query(
        "SELECT DISTINCT conversation_id AS id FROM jobs WHERE conversation_id = ANY($1)
            AND kind = ANY($2) AND state = ANY($3)",
    )
    .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(kinds.map(JobKind::as_str).to_vec())
    .bind::<Array<Text>, _>(states.to_vec())
    .prepared()
    .load(conn)
    .await?;
    Ok(found.into_iter().map(|row| ConversationId(row.id)).collect())
}
