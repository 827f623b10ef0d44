//! Invitations: one open one an address and organization.

use chrono::{DateTime, Utc};
use colloquy_domain::{
    Result,
    accounts::Tenant,
    ids::{InvitationId, OrganizationId, UserId},
    ports::{
        jobs::Follow,
        store::accounts::{Invitation, NewSession, NewUser},
    },
    time::Timestamp,
};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper,
    sql_types::{Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{credentials, insert_membership, insert_user};
use crate::{
    errors::Step,
    follow::{self, Raised},
    pool::Connection,
    rows,
    schema::invitations,
    statement::Prepare,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = invitations, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    organization_id: Uuid,
    email: String,
    role: String,
    invited_by: Uuid,
    expires_at: DateTime<Utc>,
    accepted_at: Option<DateTime<Utc>>,
}

pub(super) async fn insert(
    conn: &mut Connection,
    tenant: Tenant,
    invitation: &Invitation,
    follow: &Follow,
) -> Step<Raised> {
    // The new id makes links to the one before worthless.
    diesel::sql_query(
        "INSERT INTO invitations (id, organization_id, email, role, invited_by, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (organization_id, lower(email)) WHERE accepted_at IS NULL DO UPDATE SET
            id = excluded.id, email = excluded.email, role = excluded.role,
            invited_by = excluded.invited_by, created_at = now(), expires_at = excluded.expires_at",
    )
    .bind::<SqlUuid, _>(invitation.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(&invitation.email)
    .bind::<Text, _>(invitation.role.as_str())
    .bind::<SqlUuid, _>(invitation.invited_by.0)
    .bind::<Timestamptz, _>(invitation.expires_at)
    .prepared()
    .execute(conn)
    .await?;
    follow::write(conn, follow).await
}

pub(super) async fn find(conn: &mut Connection, id: InvitationId) -> Step<Option<Invitation>> {
    let found: Option<Row> =
        invitations::table.find(id.0).select(Row::as_select()).first(conn).await.optional()?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some(Invitation {
        id: InvitationId(row.id),
        organization_id: OrganizationId(row.organization_id),
        role: rows::role(&row.role)?,
        email: row.email,
        invited_by: UserId(row.invited_by),
        expires_at: row.expires_at,
        accepted_at: row.accepted_at,
    }))
}

/// Nothing has been written where it answers `false`.
pub(super) async fn accept(
    conn: &mut Connection,
    id: InvitationId,
    user: &Result<UserId, NewUser>,
    session: &NewSession,
    at: Timestamp,
) -> Step<bool> {
    let open: Option<Row> = invitations::table
        .find(id.0)
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::expires_at.gt(at))
        .select(Row::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()?;
    let Some(invitation) = open else { return Ok(false) };
    let user_id = match user {
        Ok(user_id) => *user_id,
        Err(new) => {
            if !insert_user(conn, new).await? {
                return Ok(false);
            }
            new.user.id
        }
    };
    diesel::update(invitations::table.find(id.0)).set(invitations::accepted_at.eq(at)).execute(conn).await?;
    insert_membership(conn, invitation.organization_id, user_id, &invitation.role).await?;
    let organization_id = OrganizationId(invitation.organization_id);
    credentials::insert_session(conn, &NewSession { user_id, organization_id, ..session.clone() }).await?;
    Ok(true)
}
