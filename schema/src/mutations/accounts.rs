//! Signing up and in, keys and members. What is done to keys and members is in the audit log.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use colloquy_domain::{
    accounts::{self, api_keys, members, sign_in, sign_up},
    time::Timestamp,
};

use crate::{
    Wired,
    errors::{UserError, settle},
    global_id,
    guards::{actor, origin},
    types::{
        Role,
        accounts::{ApiKey, Invitation, Member, Session},
    },
};

#[derive(Default)]
pub(crate) struct AccountMutations;

#[derive(InputObject)]
struct SignUpInput {
    email: String,
    /// At least 10 characters.
    #[graphql(secret)]
    password: String,
    name: String,
    /// Name of the new organization; not needed with an invitation.
    organization_name: Option<String>,
    /// Joins the inviting organization instead of making one.
    #[graphql(secret)]
    invitation_token: Option<String>,
}

#[derive(InputObject)]
struct LogInInput {
    email: String,
    #[graphql(secret)]
    password: String,
    /// For members of several organizations; else the one joined first.
    organization_id: Option<ID>,
}

#[derive(InputObject)]
struct RefreshTokenInput {
    #[graphql(secret)]
    refresh_token: String,
}

/// A sign-in, or why there is none.
#[derive(SimpleObject)]
struct SessionPayload {
    session: Option<Session>,
    user_errors: Vec<UserError>,
}

impl SessionPayload {
    fn from(result: colloquy_domain::Result<accounts::SignedIn>) -> Result<Self> {
        let (session, user_errors) = settle(result)?;
        Ok(Self { session: session.map(Session::from), user_errors })
    }
}

#[derive(SimpleObject)]
struct LogOutPayload {
    user_errors: Vec<UserError>,
}

#[derive(InputObject)]
struct CreateApiKeyInput {
    /// For people: what the key is for.
    name: String,
    /// The most that the key may do; at most your own role.
    role: Role,
    /// Never, where left out.
    expires_at: Option<Timestamp>,
}

#[derive(SimpleObject)]
struct CreateApiKeyPayload {
    api_key: Option<ApiKey>,
    /// The key itself. It is shown this once.
    secret: Option<String>,
    user_errors: Vec<UserError>,
}

#[derive(InputObject)]
struct RevokeApiKeyInput {
    id: ID,
}

#[derive(SimpleObject)]
struct RevokeApiKeyPayload {
    api_key: Option<ApiKey>,
    user_errors: Vec<UserError>,
}

#[derive(InputObject)]
struct InviteMemberInput {
    email: String,
    /// At most your own role.
    role: Role,
}

#[derive(SimpleObject)]
struct InviteMemberPayload {
    invitation: Option<Invitation>,
    /// What the invited signs up with; also sent by mail.
    token: Option<String>,
    user_errors: Vec<UserError>,
}

#[derive(InputObject)]
struct SetMemberRoleInput {
    user_id: ID,
    role: Role,
}

#[derive(SimpleObject)]
struct SetMemberRolePayload {
    member: Option<Member>,
    user_errors: Vec<UserError>,
}

#[Object]
impl AccountMutations {
    /// Makes an organization with you as its owner, or, with an invitation, makes you a member of one.
    async fn sign_up(&self, ctx: &Context<'_>, input: SignUpInput) -> Result<SessionPayload> {
        let input = sign_up::SignUpInput {
            email: input.email,
            password: input.password.into(),
            name: input.name,
            organization_name: input.organization_name,
            invitation_token: input.invitation_token,
        };
        SessionPayload::from(sign_up::sign_up(ctx.ports(), &origin(ctx), input).await)
    }

    async fn log_in(&self, ctx: &Context<'_>, input: LogInInput) -> Result<SessionPayload> {
        let organization_id = match input.organization_id.as_ref().map(global_id::require).transpose() {
            Ok(id) => id,
            Err(error) => return SessionPayload::from(Err(error)),
        };
        let input =
            sign_in::LogInInput { email: input.email, password: input.password.into(), organization_id };
        SessionPayload::from(sign_in::log_in(ctx.ports(), input).await)
    }

    /// Exchanges a refresh token for a new pair. Showing one a second time ends its session.
    async fn refresh_token(&self, ctx: &Context<'_>, input: RefreshTokenInput) -> Result<SessionPayload> {
        SessionPayload::from(sign_in::refresh(ctx.ports(), &input.refresh_token).await)
    }

    /// Ends this session: its tokens are worth nothing from now on.
    async fn log_out(&self, ctx: &Context<'_>) -> Result<LogOutPayload> {
        let (_, user_errors) = settle(sign_in::log_out(ctx.ports(), actor(ctx)?).await)?;
        Ok(LogOutPayload { user_errors })
    }

    /// Makes a credential for a machine. Needs MEMBER.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        input: CreateApiKeyInput,
    ) -> Result<CreateApiKeyPayload> {
        let input = api_keys::CreateApiKeyInput {
            name: input.name,
            role: input.role.into(),
            expires_at: input.expires_at,
        };
        let made = api_keys::create_api_key(ctx.ports(), actor(ctx)?, &origin(ctx), input).await;
        let (made, user_errors) = settle(made)?;
        let (api_key, secret) = made.unzip();
        Ok(CreateApiKeyPayload { api_key: api_key.map(ApiKey), secret, user_errors })
    }

    /// Revokes one's own key, as an administrator any. A second time changes nothing.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        input: RevokeApiKeyInput,
    ) -> Result<RevokeApiKeyPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let revoked = async {
            let id = global_id::require(&input.id)?;
            api_keys::revoke_api_key(ctx.ports(), actor, &origin, id).await
        };
        let (api_key, user_errors) = settle(revoked.await)?;
        Ok(RevokeApiKeyPayload { api_key: api_key.map(ApiKey), user_errors })
    }

    /// Invites somebody by e-mail; a later invitation of the same address replaces an open one. Needs ADMIN.
    async fn invite_member(
        &self,
        ctx: &Context<'_>,
        input: InviteMemberInput,
    ) -> Result<InviteMemberPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let invited = members::invite(ctx.ports(), actor, &origin, &input.email, input.role.into()).await;
        let (invited, user_errors) = settle(invited)?;
        let (invitation, token) = invited.unzip();
        Ok(InviteMemberPayload { invitation: invitation.map(Invitation::from), token, user_errors })
    }

    /// Gives a member another role, at most one's own. Needs ADMIN; an owner's role is changed by owners alone.
    async fn set_member_role(
        &self,
        ctx: &Context<'_>,
        input: SetMemberRoleInput,
    ) -> Result<SetMemberRolePayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let changed = async {
            let user_id = global_id::require(&input.user_id)?;
            members::set_member_role(ctx.ports(), actor, &origin, user_id, input.role.into()).await
        };
        let (member, user_errors) = settle(changed.await)?;
        Ok(SetMemberRolePayload { member: member.map(Member::from), user_errors })
    }
}
