//! Sessions: logging in, refreshing and logging out. A refresh token is good once; one that is shown a second
//! time ends its session, since either its owner or a thief holds a copy.

use secrecy::SecretString;

use crate::{
    Error, Result,
    accounts::{Actor, Credential, SignedIn, tokens},
    ids::{OrganizationId, SessionId, UserId},
    ports::{
        Ports,
        store::accounts::{NewSession, Rotation},
    },
    time::Timestamp,
};

pub struct LogInInput {
    pub email: String,
    pub password: SecretString,
    /// Which organization, for a user of several; the longest membership where it is left out.
    pub organization_id: Option<OrganizationId>,
}

pub async fn log_in(ports: &Ports, input: LogInInput) -> Result<SignedIn> {
    let email = input.email.trim();
    ports.credentials.throttle.allow(&email.to_lowercase(), ports.clock.now())?;
    let wrong = || {
        let message = "the e-mail address or the password is wrong";
        Error::invalid("password", "WRONG_CREDENTIALS", message)
    };
    let (user, hash) = ports.accounts.find_user_by_email(email).await?.unzip();
    if !ports.credentials.passwords.verify(input.password, hash).await? {
        return Err(wrong());
    }
    let user = user.ok_or_else(wrong)?;
    let memberships = ports.accounts.memberships(user.id).await?;
    let wanted = |id: OrganizationId| input.organization_id.is_none_or(|wanted| wanted == id);
    let Some((organization, role)) = memberships.into_iter().find(|(found, _)| wanted(found.id)) else {
        let message = "you are not a member of this organization";
        return Err(Error::invalid("organizationId", "NOT_A_MEMBER", message));
    };
    let prepared = prepare_session(ports, user.id, organization.id);
    ports.accounts.insert_session(prepared.session.clone()).await?;
    let credential = Credential::Session(prepared.session.id);
    let actor = Actor { user_id: user.id, organization_id: organization.id, role, credential };
    prepared.sign_in(ports, actor)
}

pub async fn refresh(ports: &Ports, refresh_token: &str) -> Result<SignedIn> {
    let ended = || {
        let message = "the refresh token is not valid (any more); log in again";
        Error::invalid("refreshToken", "REFRESH_TOKEN_INVALID", message)
    };
    let next = tokens::refresh_token(ports.ids.secret());
    let refresh_expires_at = ports.clock.now() + ports.account_rules.refresh_lifetime();
    let rotation = ports
        .accounts
        .rotate_refresh(tokens::token_hash(refresh_token), tokens::token_hash(&next), refresh_expires_at)
        .await?;
    match rotation {
        Rotation::Rotated { session_id, .. } => {
            let actor = ports.accounts.find_session_actor(session_id).await?.ok_or_else(ended)?;
            signed_in(ports, actor, session_id, next, refresh_expires_at)
        }
        Rotation::Reused => {
            tracing::warn!("a spent refresh token was shown again, its session is revoked");
            let message = "the refresh token was used before, so its session has been ended; log in again";
            Err(Error::invalid("refreshToken", "REFRESH_TOKEN_REUSED", message))
        }
        Rotation::Unknown => Err(ended()),
    }
}

/// Ends the session of the caller; its tokens are worth nothing from now on.
pub async fn log_out(ports: &Ports, actor: &Actor) -> Result<()> {
    match actor.credential {
        Credential::Session(id) => ports.accounts.revoke_session(id).await,
        Credential::ApiKey(_) => {
            Err(Error::conflict("NOT_A_SESSION", "an API key does not log out; revoke it with revokeApiKey"))
        }
    }
}

pub(crate) struct PreparedSession {
    pub(crate) session: NewSession,
    refresh_token: String,
}

pub(crate) fn prepare_session(
    ports: &Ports,
    user_id: UserId,
    organization_id: OrganizationId,
) -> PreparedSession {
    let refresh_token = tokens::refresh_token(ports.ids.secret());
    let session = NewSession {
        id: SessionId(ports.ids.next()),
        user_id,
        organization_id,
        refresh_hash: tokens::token_hash(&refresh_token),
        refresh_expires_at: ports.clock.now() + ports.account_rules.refresh_lifetime(),
    };
    PreparedSession { session, refresh_token }
}

impl PreparedSession {
    pub(crate) fn sign_in(self, ports: &Ports, actor: Actor) -> Result<SignedIn> {
        let NewSession { id, refresh_expires_at, .. } = self.session;
        signed_in(ports, actor, id, self.refresh_token, refresh_expires_at)
    }
}

fn signed_in(
    ports: &Ports,
    actor: Actor,
    session_id: SessionId,
    refresh_token: String,
    refresh_expires_at: Timestamp,
) -> Result<SignedIn> {
    let access_expires_at = ports.clock.now() + ports.account_rules.access_lifetime();
    let claims = tokens::AccessClaims { user_id: actor.user_id, session_id, expires_at: access_expires_at };
    let access_token = ports.credentials.tokens.sign_access(claims)?;
    Ok(SignedIn { actor, access_token, access_expires_at, refresh_token, refresh_expires_at })
}
