//! Sessions with their refresh tokens, and API keys.

use chrono::{DateTime, Utc};
use colloquy_domain::{
    accounts::{Actor, Credential, Role, Tenant},
    audit::NewAuditEntry,
    ids::{ApiKeyId, OrganizationId, SessionId, UserId},
    ports::store::accounts::{ApiKey, NewSession, Rotation, TokenHash},
    time::Timestamp,
};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper,
    dsl::{now, sql},
    sql_types::{Bool, Bytea, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    audit,
    errors::Step,
    pool::Connection,
    rows,
    schema::{api_keys, refresh_tokens, sessions},
    statement::Prepare,
};

pub(super) async fn insert_session(conn: &mut Connection, new: &NewSession) -> Step<()> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(new.id.0),
            sessions::user_id.eq(new.user_id.0),
            sessions::organization_id.eq(new.organization_id.0),
        ))
        .execute(conn)
        .await?;
    insert_refresh(conn, new.id.0, new.refresh_hash, new.refresh_expires_at).await
}

async fn insert_refresh(
    conn: &mut Connection,
    session_id: Uuid,
    hash: TokenHash,
    expires_at: Timestamp,
) -> Step<()> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::hash.eq(hash.as_slice()),
            refresh_tokens::session_id.eq(session_id),
            refresh_tokens::expires_at.eq(expires_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

#[derive(diesel::QueryableByName)]
struct Shown {
    #[diesel(sql_type = SqlUuid)]
    session_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    user_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = Bool)]
    stands: bool,
    #[diesel(sql_type = Bool)]
    used: bool,
}

/// Both rows are locked: of two who show one token, the second sees that it was used.
pub(super) async fn rotate_refresh(
    conn: &mut Connection,
    shown: TokenHash,
    next: TokenHash,
    next_expires_at: Timestamp,
) -> Step<Rotation> {
    let found: Option<Shown> = diesel::sql_query(
        "SELECT s.id AS session_id, s.user_id, s.organization_id,
            s.revoked_at IS NULL AND t.expires_at > now() AS stands, t.used_at IS NOT NULL AS used
        FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
        WHERE t.hash = $1
        FOR UPDATE",
    )
    .bind::<Bytea, _>(shown.as_slice())
    .prepared()
    .get_result(conn)
    .await
    .optional()?;
    let Some(token) = found.filter(|token| token.stands) else {
        return Ok(Rotation::Unknown);
    };
    if token.used {
        revoke_session(conn, token.session_id).await?;
        return Ok(Rotation::Reused);
    }
    diesel::update(refresh_tokens::table.find(shown.as_slice()))
        .set(refresh_tokens::used_at.eq(now))
        .execute(conn)
        .await?;
    insert_refresh(conn, token.session_id, next, next_expires_at).await?;
    Ok(Rotation::Rotated {
        session_id: SessionId(token.session_id),
        user_id: UserId(token.user_id),
        organization_id: OrganizationId(token.organization_id),
    })
}

pub(super) async fn revoke_session(conn: &mut Connection, session_id: Uuid) -> Step<()> {
    diesel::update(sessions::table.find(session_id))
        .filter(sessions::revoked_at.is_null())
        .set(sessions::revoked_at.eq(now))
        .execute(conn)
        .await?;
    Ok(())
}

#[derive(diesel::QueryableByName)]
struct SignedIn {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    user_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = Text)]
    role: String,
    /// The most that the credential may do, where it says so.
    #[diesel(sql_type = Nullable<Text>)]
    at_most: Option<String>,
    /// Its use has not been noted within the last minute.
    #[diesel(sql_type = Bool)]
    stale: bool,
}

impl SignedIn {
    fn actor(&self, credential: Credential) -> Step<Actor> {
        let role = rows::role(&self.role)?;
        let at_most = self.at_most.as_deref().map_or(Ok(Role::Owner), rows::role)?;
        Ok(Actor {
            user_id: UserId(self.user_id),
            organization_id: OrganizationId(self.organization_id),
            role: role.min(at_most),
            credential,
        })
    }
}

pub(super) async fn session_actor(conn: &mut Connection, id: SessionId) -> Step<Option<Actor>> {
    let found: Option<SignedIn> = diesel::sql_query(
        "SELECT s.id, s.user_id, s.organization_id, m.role, NULL AS at_most, false AS stale
        FROM sessions s JOIN memberships m USING (organization_id, user_id)
        WHERE s.id = $1 AND s.revoked_at IS NULL",
    )
    .bind::<SqlUuid, _>(id.0)
    .prepared()
    .get_result(conn)
    .await
    .optional()?;
    found.map(|signed_in| signed_in.actor(Credential::Session(id))).transpose()
}

pub(super) async fn api_key_actor(conn: &mut Connection, hash: TokenHash) -> Step<Option<Actor>> {
    let found: Option<SignedIn> = diesel::sql_query(
        "SELECT k.id, k.user_id, k.organization_id, m.role, k.role AS at_most,
            coalesce(k.last_used_at < now() - interval '1 minute', true) AS stale
        FROM api_keys k JOIN memberships m USING (organization_id, user_id)
        WHERE k.hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())",
    )
    .bind::<Bytea, _>(hash.as_slice())
    .prepared()
    .get_result(conn)
    .await
    .optional()?;
    let Some(key) = found else { return Ok(None) };
    if key.stale {
        diesel::update(api_keys::table.find(key.id))
            .set(api_keys::last_used_at.eq(now))
            .execute(conn)
            .await?;
    }
    Ok(Some(key.actor(Credential::ApiKey(ApiKeyId(key.id)))?))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys, check_for_backend(diesel::pg::Pg))]
struct KeyRow {
    id: Uuid,
    organization_id: Uuid,
    user_id: Uuid,
    name: String,
    role: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl KeyRow {
    fn key(self) -> Step<ApiKey> {
        Ok(ApiKey {
            id: ApiKeyId(self.id),
            organization_id: OrganizationId(self.organization_id),
            user_id: UserId(self.user_id),
            name: self.name,
            role: rows::role(&self.role)?,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            last_used_at: self.last_used_at,
        })
    }
}

pub(super) async fn insert_api_key(
    conn: &mut Connection,
    tenant: Tenant,
    key: &ApiKey,
    hash: TokenHash,
) -> Step<()> {
    diesel::insert_into(api_keys::table)
        .values((
            api_keys::id.eq(key.id.0),
            api_keys::organization_id.eq(tenant.0.0),
            api_keys::user_id.eq(key.user_id.0),
            api_keys::name.eq(&key.name),
            api_keys::role.eq(key.role.as_str()),
            api_keys::hash.eq(hash.as_slice()),
            api_keys::created_at.eq(key.created_at),
            api_keys::expires_at.eq(key.expires_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn revoke_api_key(
    conn: &mut Connection,
    tenant: Tenant,
    of: Option<UserId>,
    id: ApiKeyId,
    entry: &NewAuditEntry,
) -> Step<Option<ApiKey>> {
    let found: Option<KeyRow> = api_keys::table
        .filter(api_keys::id.eq(id.0))
        .filter(api_keys::organization_id.eq(tenant.0.0))
        .filter(
            sql::<Bool>("coalesce(")
                .bind::<Nullable<SqlUuid>, _>(of.map(|user| user.0))
                .sql(", user_id) = user_id"),
        )
        .select(KeyRow::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()?;
    let Some(mut key) = found else { return Ok(None) };
    let stands = key.revoked_at.is_none();
    if stands {
        key = diesel::update(api_keys::table.find(id.0))
            .set(api_keys::revoked_at.eq(now))
            .returning(KeyRow::as_returning())
            .get_result(conn)
            .await?;
    }
    audit::insert(conn, &entry.clone().changed(stands)).await?;
    Ok(Some(key.key()?))
}

pub(super) async fn list_api_keys(
    conn: &mut Connection,
    tenant: Tenant,
    of: Option<UserId>,
    after: Option<ApiKeyId>,
    limit: usize,
) -> Step<Vec<ApiKey>> {
    let mut query = api_keys::table.filter(api_keys::organization_id.eq(tenant.0.0)).into_boxed();
    if let Some(user) = of {
        query = query.filter(api_keys::user_id.eq(user.0));
    }
    // Later ids come first.
    if let Some(after) = after {
        query = query.filter(api_keys::id.lt(after.0));
    }
    let query = query.order(api_keys::id.desc()).limit(rows::limit(limit));
    let found: Vec<KeyRow> = query.select(KeyRow::as_select()).load(conn).await?;
    found.into_iter().map(KeyRow::key).collect()
}
