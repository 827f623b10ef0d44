//! Who is signed in, the organization, its members and keys.

use async_graphql::{
    Context, ID, Object, Result, SimpleObject,
    connection::{Connection, EmptyFields, OpaqueCursor},
};
use colloquy_domain::{
    accounts::{self, Actor, Credential, SignedIn, Tenant, api_keys::list_api_keys, members::list_members},
    ids::{ApiKeyId, UserId},
    ports::store::accounts as store,
    time::Timestamp,
};
use uuid::Uuid;

use super::{Role, conversation::page_cost};
use crate::{
    Wired,
    errors::fault,
    global_id,
    loaders::MemberById,
    page::{PageArgs, connection},
};

/// Who is signed in, and as what.
pub(crate) struct Viewer(pub(crate) Actor);

#[Object]
impl Viewer {
    /// The user; for an API key, the one who made it.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        find_user(ctx, self.0.tenant(), self.0.user_id).await
    }

    /// What the caller may do: the member's role, or less for an API key.
    async fn role(&self) -> Role {
        self.0.role.into()
    }

    async fn organization(&self, ctx: &Context<'_>) -> Result<Option<Organization>> {
        let organization = ctx.ports().accounts.find_organization(self.0.tenant()).await;
        Ok(organization.map_err(fault)?.map(|organization| Organization(organization, self.0.clone())))
    }

    /// Whether the caller came with an API key.
    async fn is_api_key(&self) -> bool {
        matches!(self.0.credential, Credential::ApiKey(_))
    }

    /// One's own keys; an administrator sees everybody's. Newest first. At most 100 a page.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<ApiKeyConnection> {
        let page = PageArgs { after, first, ..PageArgs::default() }.read::<OpaqueCursor<Uuid>>()?;
        let after = page.by.after.as_ref().map(|cursor| ApiKeyId(cursor.0));
        let keys = list_api_keys(ctx.ports(), &self.0, after, page.by.limit).await.map_err(fault)?;
        Ok(connection(&page, keys, |key| OpaqueCursor(key.id.0), ApiKey))
    }
}

/// The user, if they are still a member of the organization.
pub(crate) async fn find_user(ctx: &Context<'_>, tenant: Tenant, id: UserId) -> Result<Option<User>> {
    let key = MemberById(tenant, id);
    Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(|member| User(member.user)))
}

/// A tenant: conversations, members and jobs belong to one.
// With the member to whom it is shown: they may sign in by this very request.
pub(crate) struct Organization(accounts::Organization, Actor);

#[Object]
impl Organization {
    async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// In the order of joining. At most 100 a page.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<MemberConnection> {
        let page = PageArgs { after, first, ..PageArgs::default() }.read::<MemberCursor>()?;
        let after = page.by.after.as_ref().map(|cursor| (cursor.0.0, UserId(cursor.0.1)));
        let members = list_members(ctx.ports(), &self.1, after, page.by.limit).await.map_err(fault)?;
        let cursor = |member: &store::Member| OpaqueCursor((member.since, member.user.id.0));
        Ok(connection(&page, members, cursor, Member::from))
    }
}

/// When somebody joined, and who.
type MemberCursor = OpaqueCursor<(Timestamp, Uuid)>;
pub(crate) type MemberConnection = Connection<MemberCursor, Member, EmptyFields, EmptyFields>;
pub(crate) type ApiKeyConnection = Connection<OpaqueCursor<Uuid>, ApiKey, EmptyFields, EmptyFields>;

#[derive(SimpleObject)]
pub(crate) struct Member {
    user: User,
    role: Role,
    /// When they joined.
    since: Timestamp,
}

impl From<store::Member> for Member {
    fn from(member: store::Member) -> Self {
        Self { user: User(member.user), role: member.role.into(), since: member.since }
    }
}

pub(crate) struct User(pub(crate) accounts::User);

#[Object]
impl User {
    async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    async fn email(&self) -> &str {
        &self.0.email
    }

    async fn name(&self) -> &str {
        &self.0.name
    }
}

/// A machine's credential. The key itself is shown once, when it is made.
pub(crate) struct ApiKey(pub(crate) store::ApiKey);

#[Object]
impl ApiKey {
    async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The most that the key may do, whatever its maker may.
    async fn role(&self) -> Role {
        self.0.role.into()
    }

    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        find_user(ctx, Tenant(self.0.organization_id), self.0.user_id).await
    }

    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    async fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at
    }

    async fn revoked_at(&self) -> Option<Timestamp> {
        self.0.revoked_at
    }

    /// To the minute.
    async fn last_used_at(&self) -> Option<Timestamp> {
        self.0.last_used_at
    }
}

#[derive(SimpleObject)]
pub(crate) struct Invitation {
    id: ID,
    email: String,
    role: Role,
    expires_at: Timestamp,
}

impl From<store::Invitation> for Invitation {
    fn from(invitation: store::Invitation) -> Self {
        Self {
            id: global_id::encode(invitation.id),
            email: invitation.email,
            role: invitation.role.into(),
            expires_at: invitation.expires_at,
        }
    }
}

/// A sign-in. Send the access token as `Authorization: Bearer TOKEN`; before it expires, exchange the refresh
/// token for a new pair with `refreshToken`. A refresh token is good once.
#[derive(SimpleObject)]
pub(crate) struct Session {
    viewer: Viewer,
    access_token: String,
    access_expires_at: Timestamp,
    refresh_token: String,
    refresh_expires_at: Timestamp,
}

impl From<SignedIn> for Session {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            viewer: Viewer(signed_in.actor),
            access_token: signed_in.access_token,
            access_expires_at: signed_in.access_expires_at,
            refresh_token: signed_in.refresh_token,
            refresh_expires_at: signed_in.refresh_expires_at,
        }
    }
}
