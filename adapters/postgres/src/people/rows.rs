//! People as rows.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use colloquy_domain::{
    Error,
    accounts::Tenant,
    audit::NewAuditEntry,
    ids::{OrganizationId, ParticipantId, PersonId},
    people::{MAX_SUGGESTED, Person, key},
    ports::store::people::AfterPerson,
};
use diesel::{
    OptionalExtension, QueryableByName,
    sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    audit,
    errors::Step,
    pool::Connection,
    rows::{self, Count},
    statement::Prepare,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
}

impl From<Row> for Person {
    fn from(row: Row) -> Self {
        Self {
            id: PersonId(row.id),
            organization_id: OrganizationId(row.organization_id),
            name: row.name,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The columns of [`Row`].
macro_rules! columns {
    () => {
        "p.id, p.organization_id, p.name, p.created_at, p.updated_at"
    };
}

/// The organization's row is held, so that two at once do not pass the limit together.
pub(super) async fn insert(
    conn: &mut Connection,
    tenant: Tenant,
    person: &Person,
    at_most: usize,
    entry: &NewAuditEntry,
) -> Step<()> {
    rows::hold(conn, tenant).await?;
    let there: Count = diesel::sql_query("SELECT count(*) AS count FROM people WHERE organization_id = $1")
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .get_result(conn)
        .await?;
    if there.count >= at_most as i64 {
        let message = format!("an organization has at most {at_most} people; delete one first");
        return Err(Error::conflict("TOO_MANY_PEOPLE", message).into());
    }
    diesel::sql_query(
        "INSERT INTO people (id, organization_id, name, name_key, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind::<SqlUuid, _>(person.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(&person.name)
    .bind::<Text, _>(key(&person.name))
    .bind::<Timestamptz, _>(person.created_at)
    .bind::<Timestamptz, _>(person.updated_at)
    .prepared()
    .execute(conn)
    .await?;
    audit::insert(conn, entry).await
}

pub(super) async fn rename(
    conn: &mut Connection,
    tenant: Tenant,
    id: PersonId,
    name: &str,
    entry: &NewAuditEntry,
) -> Step<Option<Person>> {
    let sql = concat!(
        "UPDATE people p SET name = $3, name_key = $4, updated_at = now()
        WHERE p.id = $1 AND p.organization_id = $2 AND p.name <> $3 RETURNING ",
        columns!()
    );
    let renamed: Option<Row> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<Text, _>(name)
        .bind::<Text, _>(key(name))
        .prepared()
        .get_result(conn)
        .await
        .optional()?;
    let has_changed = renamed.is_some();
    let person = match renamed {
        Some(row) => Some(row.into()),
        None => find(conn, tenant, &[id]).await?.pop(),
    };
    if person.is_some() {
        audit::insert(conn, &entry.clone().changed(has_changed)).await?;
    }
    Ok(person)
}

pub(super) async fn find(conn: &mut Connection, tenant: Tenant, ids: &[PersonId]) -> Step<Vec<Person>> {
    let sql =
        concat!("SELECT ", columns!(), " FROM people p WHERE p.id = ANY($1) AND p.organization_id = $2");
    let found: Vec<Row> = diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .load(conn)
        .await?;
    Ok(found.into_iter().map(Person::from).collect())
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    name_contains: Option<&str>,
    after: Option<AfterPerson>,
    limit: usize,
) -> Step<Vec<Person>> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM people p WHERE p.organization_id = $1
            AND ($2 IS NULL OR position($2 IN p.name_key) > 0)
            AND (p.name_key, p.id) > ($3, $4)
        ORDER BY p.name_key, p.id LIMIT $5"
    );
    // Nobody has the nil id.
    let after = after.unwrap_or(AfterPerson { key: String::new(), id: PersonId(Uuid::nil()) });
    let found: Vec<Row> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<Nullable<Text>, _>(name_contains.map(key))
        .bind::<Text, _>(after.key)
        .bind::<SqlUuid, _>(after.id.0)
        .bind::<BigInt, _>(rows::limit(limit))
        .load(conn)
        .await?;
    Ok(found.into_iter().map(Person::from).collect())
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

pub(super) async fn named(
    conn: &mut Connection,
    tenant: Tenant,
    keys: &[String],
    limit: usize,
) -> Step<Vec<PersonId>> {
    let found: Vec<IdRow> = diesel::sql_query(
        "SELECT id FROM people WHERE organization_id = $1 AND name_key = ANY($2) ORDER BY id LIMIT $3",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Array<Text>, _>(keys)
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .load(conn)
    .await?;
    Ok(found.into_iter().map(|row| PersonId(row.id)).collect())
}

#[derive(QueryableByName)]
struct LabelRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    label: String,
}

#[derive(QueryableByName)]
struct NamedRow {
    #[diesel(sql_type = Text)]
    name_key: String,
    #[diesel(embed)]
    person: Row,
}

/// How labels become keys is for the domain to say, so that they are read first.
pub(super) async fn suggest(
    conn: &mut Connection,
    tenant: Tenant,
    participants: &[ParticipantId],
) -> Step<Vec<(ParticipantId, Person)>> {
    let labels: Vec<LabelRow> = diesel::sql_query(
        "SELECT id, label FROM participants
        WHERE id = ANY($1) AND organization_id = $2 AND person_id IS NULL",
    )
    .bind::<Array<SqlUuid>, _>(participants.iter().map(|id| id.0).collect::<Vec<_>>())
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let mut of_key: HashMap<String, Vec<ParticipantId>> = HashMap::new();
    for LabelRow { id, label } in labels {
        of_key.entry(key(&label)).or_default().push(ParticipantId(id));
    }
    let sql = concat!(
        "SELECT wanted.key AS name_key, ",
        columns!(),
        " FROM unnest($2) AS wanted (key)
        LEFT JOIN remembered_people r ON r.organization_id = $1 AND r.label_key = wanted.key, LATERAL (
            SELECT k.* FROM people k WHERE k.organization_id = $1 AND k.id = r.person_id
            UNION
            (SELECT k.* FROM people k WHERE k.organization_id = $1 AND k.name_key = wanted.key
                ORDER BY k.id LIMIT $3)
        ) p ORDER BY (p.id = r.person_id) DESC NULLS LAST, p.id"
    );
    let people: Vec<NamedRow> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<Array<Text>, _>(of_key.keys().cloned().collect::<Vec<_>>())
        .bind::<BigInt, _>(rows::limit(MAX_SUGGESTED))
        .prepared()
        .load(conn)
        .await?;
    let mut suggested = Vec::new();
    let mut told: HashMap<String, usize> = HashMap::new();
    for NamedRow { name_key, person } in people {
        let person = Person::from(person);
        // One is remembered beside those that have the name.
        let told = told.entry(name_key.clone()).or_default();
        *told += 1;
        if *told > MAX_SUGGESTED {
            continue;
        }
        let of_these = of_key.get(&name_key).into_iter().flatten();
        suggested.extend(of_these.map(|id| (*id, person.clone())));
    }
    Ok(suggested)
}
