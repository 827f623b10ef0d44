//! Who calls, and from where. Roles are checked by the use cases; here is only whether somebody is signed in.

use async_graphql::Context;
use colloquy_domain::{
    Error,
    accounts::{Actor, Role},
    audit::Origin,
};

use crate::errors::fault;

/// The caller, or an UNAUTHENTICATED error.
pub(crate) fn actor<'a>(ctx: &Context<'a>) -> async_graphql::Result<&'a Actor> {
    let missing = || fault(Error::unauthenticated("sign in first: send `Authorization: Bearer TOKEN`"));
    ctx.data_opt::<Actor>().ok_or_else(missing)
}

/// The caller, who has at least `role`.
pub(crate) fn actor_with<'a>(ctx: &Context<'a>, role: Role) -> async_graphql::Result<&'a Actor> {
    let actor = actor(ctx)?;
    actor.require(role).map_err(fault)?;
    Ok(actor)
}

/// Where the request comes from, as the edge tells it.
pub(crate) fn origin(ctx: &Context<'_>) -> Origin {
    ctx.data_opt::<Origin>().cloned().unwrap_or_default()
}
