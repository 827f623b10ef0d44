//! Names by how they begin. Each is one step in an index from the name before it: a title that a thousand conversations
//! share costs no more than another.

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::Tenant,
    ports::store::suggestions::{Names, SuggestionStore},
};
use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;

use crate::{Postgres, errors::Step, pool::Connection, statement::Prepare};

/// Names that are looked at at most: of some nothing stands any more.
const STEPS: i64 = 100;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    name: String,
}

/// A table with a column of names, and what makes a row count.
struct Named {
    table: &'static str,
    column: &'static str,
    stands: &'static str,
}

const TITLES: Named = Named { table: "conversations", column: "title", stands: "true" };
const SPEAKERS: Named = Named {
    table: "participants",
    column: "label",
    stands: "EXISTS (SELECT FROM segments s WHERE s.participant_id = t.id AND s.valid_to IS NULL)",
};
const TAGS: Named = Named {
    table: "tags",
    column: "name",
    stands: "EXISTS (SELECT FROM conversation_tags c WHERE c.tag_id = t.id)",
};

const PEOPLE: Named = Named { table: "people", column: "name", stands: "true" };

#[async_trait]
impl SuggestionStore for Postgres {
    async fn names(&self, tenant: Tenant, prefix: &str, limit: usize) -> Result<Names> {
        self.run("read names that begin so", async |conn| {
            Ok(Names {
                titles: begin(conn, &TITLES, tenant, prefix, limit).await?,
                speakers: begin(conn, &SPEAKERS, tenant, prefix, limit).await?,
                tags: begin(conn, &TAGS, tenant, prefix, limit).await?,
                people: begin(conn, &PEOPLE, tenant, prefix, limit).await?,
            })
        })
        .await
    }
}

/// Operators on bytes, as the index has them. No text has a character behind the last one.
async fn begin(
    conn: &mut Connection,
    of: &Named,
    tenant: Tenant,
    prefix: &str,
    limit: usize,
) -> Step<Vec<String>> {
    let Named { table, column, stands } = of;
    let key = format!("lower(left(t.{column}, 100))");
    let next = format!(
        "FROM {table} t WHERE t.organization_id = $1 AND {key} ~<~ (lower(left($2, 100)) || chr(1114111))"
    );
    let sql = format!(
        "WITH RECURSIVE found (key, step) AS (
            (SELECT {key}, 1::bigint {next} AND {key} ~>=~ lower(left($2, 100)) ORDER BY {key} USING ~<~ LIMIT 1)
            UNION ALL
            SELECT (SELECT {key} {next} AND {key} ~>~ found.key ORDER BY {key} USING ~<~ LIMIT 1), step + 1
            FROM found WHERE found.key IS NOT NULL AND step < $3
        )
        SELECT one.name FROM found, LATERAL (
            SELECT t.{column} AS name FROM {table} t
            WHERE t.organization_id = $1 AND {key} = found.key AND {stands} LIMIT 1
        ) one
        WHERE found.key IS NOT NULL LIMIT $4"
    );
    let rows: Vec<Row> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<Text, _>(prefix)
        .bind::<BigInt, _>(STEPS)
        .bind::<BigInt, _>(limit as i64)
        .prepared()
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}
