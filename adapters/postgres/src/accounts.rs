//! Accounts: organizations, users, memberships, and the credentials that name them, kept as hashes.

mod credentials;
mod invitations;
mod members;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use colloquy_domain::{
    Result,
    accounts::{Actor, Organization, Role, Tenant, User},
    audit::NewAuditEntry,
    ids::{ApiKeyId, InvitationId, OrganizationId, SessionId, UserId},
    ports::{
        jobs::Follow,
        store::accounts::{
            AccountStore, ApiKey, Invitation, Member, NewSession, NewUser, RoleChange, Rotation, TokenHash,
        },
    },
    time::Timestamp,
};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, sql_types::Text};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    Postgres, audit,
    errors::Step,
    pool::Connection,
    rows,
    schema::{memberships, organizations, users},
};

diesel::define_sql_function! {
    /// PostgreSQL's own idea of lower case, which the unique indexes have too.
    fn lower(text: Text) -> Text;
}

type UserRow = (Uuid, String, String, DateTime<Utc>);
type OrganizationRow = (Uuid, String, DateTime<Utc>);

const USER: (users::id, users::email, users::name, users::created_at) =
    (users::id, users::email, users::name, users::created_at);

const ORGANIZATION: (organizations::id, organizations::name, organizations::created_at) =
    (organizations::id, organizations::name, organizations::created_at);

fn user((id, email, name, created_at): UserRow) -> User {
    User { id: UserId(id), email, name, created_at }
}

fn organization((id, name, created_at): OrganizationRow) -> Organization {
    Organization { id: OrganizationId(id), name, created_at }
}

/// `false` where the address is taken.
async fn insert_user(conn: &mut Connection, new: &NewUser) -> Step<bool> {
    let written = diesel::insert_into(users::table)
        .values((
            users::id.eq(new.user.id.0),
            users::email.eq(&new.user.email),
            users::name.eq(&new.user.name),
            users::password_hash.eq(&new.password_hash),
            users::created_at.eq(new.user.created_at),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(written == 1)
}

async fn insert_membership(
    conn: &mut Connection,
    organization_id: Uuid,
    user_id: UserId,
    role: &str,
) -> Step<()> {
    diesel::insert_into(memberships::table)
        .values((
            memberships::organization_id.eq(organization_id),
            memberships::user_id.eq(user_id.0),
            memberships::role.eq(role),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

#[async_trait]
impl AccountStore for Postgres {
    async fn insert_organization(
        &self,
        organization: Organization,
        owner: NewUser,
        session: NewSession,
    ) -> Result<bool> {
        self.transaction("make an organization", async |conn| {
            if !insert_user(conn, &owner).await? {
                return Ok(false);
            }
            diesel::insert_into(organizations::table)
                .values((
                    organizations::id.eq(organization.id.0),
                    organizations::name.eq(&organization.name),
                    organizations::created_at.eq(organization.created_at),
                ))
                .execute(conn)
                .await?;
            insert_membership(conn, organization.id.0, owner.user.id, Role::Owner.as_str()).await?;
            credentials::insert_session(conn, &session).await?;
            Ok(true)
        })
        .await
    }

    async fn find_user_by_email(&self, email: &str) -> Result<Option<(User, String)>> {
        self.run("look for a user", async |conn| {
            let found: Option<(UserRow, String)> = users::table
                .filter(lower(users::email).eq(lower(email)))
                .select((USER, users::password_hash))
                .first(conn)
                .await
                .optional()?;
            Ok(found.map(|(row, hash)| (user(row), hash)))
        })
        .await
    }

    async fn memberships(&self, user_id: UserId) -> Result<Vec<(Organization, Role)>> {
        self.run("list memberships", async |conn| {
            let found: Vec<(OrganizationRow, String)> = memberships::table
                .inner_join(organizations::table)
                .filter(memberships::user_id.eq(user_id.0))
                .order((memberships::created_at, memberships::organization_id))
                .select((ORGANIZATION, memberships::role))
                .load(conn)
                .await?;
            found.into_iter().map(|(row, role)| Ok((organization(row), rows::role(&role)?))).collect()
        })
        .await
    }

    async fn find_organization(&self, tenant: Tenant) -> Result<Option<Organization>> {
        self.run("read an organization", async |conn| {
            let found: Option<OrganizationRow> =
                organizations::table.find(tenant.0.0).select(ORGANIZATION).first(conn).await.optional()?;
            Ok(found.map(organization))
        })
        .await
    }

    async fn insert_session(&self, session: NewSession) -> Result<()> {
        self.transaction("open a session", async |conn| credentials::insert_session(conn, &session).await)
            .await
    }

    async fn rotate_refresh(
        &self,
        shown: TokenHash,
        next: TokenHash,
        next_expires_at: Timestamp,
    ) -> Result<Rotation> {
        self.transaction("rotate a refresh token", async |conn| {
            credentials::rotate_refresh(conn, shown, next, next_expires_at).await
        })
        .await
    }

    async fn revoke_session(&self, session_id: SessionId) -> Result<()> {
        self.run("revoke a session", async |conn| credentials::revoke_session(conn, session_id.0).await).await
    }

    async fn find_session_actor(&self, session_id: SessionId) -> Result<Option<Actor>> {
        self.run("check a session", async |conn| credentials::session_actor(conn, session_id).await).await
    }

    async fn find_api_key_actor(&self, hash: TokenHash) -> Result<Option<Actor>> {
        self.run("check an API key", async |conn| credentials::api_key_actor(conn, hash).await).await
    }

    async fn insert_api_key(
        &self,
        tenant: Tenant,
        key: ApiKey,
        hash: TokenHash,
        audit: NewAuditEntry,
    ) -> Result<()> {
        self.transaction("make an API key", async |conn| {
            credentials::insert_api_key(conn, tenant, &key, hash).await?;
            audit::insert(conn, &audit).await
        })
        .await
    }

    async fn revoke_api_key(
        &self,
        tenant: Tenant,
        of: Option<UserId>,
        id: ApiKeyId,
        audit: NewAuditEntry,
    ) -> Result<Option<ApiKey>> {
        self.transaction("revoke an API key", async |conn| {
            credentials::revoke_api_key(conn, tenant, of, id, &audit).await
        })
        .await
    }

    async fn list_api_keys(
        &self,
        tenant: Tenant,
        of: Option<UserId>,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        let list =
            async |conn: &mut Connection| credentials::list_api_keys(conn, tenant, of, after, limit).await;
        self.run("list API keys", list).await
    }

    async fn find_members(&self, tenant: Tenant, ids: &[UserId]) -> Result<Vec<Member>> {
        self.run("read members", async |conn| members::find(conn, tenant, ids).await).await
    }

    async fn list_members(
        &self,
        tenant: Tenant,
        after: Option<(Timestamp, UserId)>,
        limit: usize,
    ) -> Result<Vec<Member>> {
        self.run("list members", async |conn| members::list(conn, tenant, after, limit).await).await
    }

    async fn set_role(
        &self,
        tenant: Tenant,
        by: &Actor,
        user_id: UserId,
        role: Role,
        audit: NewAuditEntry,
    ) -> Result<RoleChange> {
        self.transaction("set a role", async |conn| {
            members::set_role(conn, tenant, by, user_id, role, &audit).await
        })
        .await
    }

    async fn insert_invitation(
        &self,
        tenant: Tenant,
        invitation: Invitation,
        follow: Follow,
        audit: NewAuditEntry,
    ) -> Result<()> {
        let raised = self.transaction("invite a member", async |conn| {
            audit::insert(conn, &audit).await?;
            invitations::insert(conn, tenant, &invitation, &follow).await
        });
        self.announce(raised.await?);
        Ok(())
    }

    async fn find_invitation(&self, id: InvitationId) -> Result<Option<Invitation>> {
        self.run("read an invitation", async |conn| invitations::find(conn, id).await).await
    }

    async fn accept_invitation(
        &self,
        invitation: InvitationId,
        user: Result<UserId, NewUser>,
        session: NewSession,
        at: Timestamp,
        audit: NewAuditEntry,
    ) -> Result<bool> {
        self.transaction("accept an invitation", async |conn| {
            let accepted = invitations::accept(conn, invitation, &user, &session, at).await?;
            if accepted {
                audit::insert(conn, &audit).await?;
            }
            Ok(accepted)
        })
        .await
    }
}
