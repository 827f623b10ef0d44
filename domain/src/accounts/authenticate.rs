//! From a credential to an actor. The store is asked each time, so that a log-out, a revoked key or a changed
//! role counts from the next request on.

use crate::{
    Error, Result,
    accounts::{Actor, tokens},
    ports::Ports,
    time::Timestamp,
};

/// An actor, and until when the credential is good by itself.
#[derive(Debug, Clone)]
pub struct Authenticated {
    pub actor: Actor,
    pub expires_at: Option<Timestamp>,
}

/// `credential` is an access token or an API key.
pub async fn authenticate(ports: &Ports, credential: &str) -> Result<Authenticated> {
    if tokens::is_api_key(credential) {
        let actor = ports.accounts.find_api_key_actor(tokens::token_hash(credential)).await?;
        let unknown = || Error::unauthenticated("the API key is unknown, expired or revoked");
        return Ok(Authenticated { actor: actor.ok_or_else(unknown)?, expires_at: None });
    }
    let claims = ports.credentials.tokens.check_access(credential, ports.clock.now());
    let expired =
        || Error::unauthenticated("the access token is not valid or has expired; refresh it or log in");
    let claims = claims.ok_or_else(expired)?;
    let actor = ports.accounts.find_session_actor(claims.session_id).await?;
    let actor = actor.filter(|actor| actor.user_id == claims.user_id).ok_or_else(expired)?;
    Ok(Authenticated { actor, expires_at: Some(claims.expires_at) })
}
