//! Taking people out of every store. Each call is in the audit log.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use colloquy_domain::erasure::person;

use crate::{
    Wired,
    errors::{UserError, settle},
    global_id,
    guards::{actor, origin},
    types::erasure::Erasure,
};

#[derive(Default)]
pub(crate) struct ErasureMutations;

#[derive(InputObject)]
struct ErasePersonInput {
    person_id: ID,
    /// At most 500 characters. It is read and not kept, since it may name the person.
    reason: Option<String>,
}

#[derive(SimpleObject)]
struct ErasePersonPayload {
    erasure: Option<Erasure>,
    user_errors: Vec<UserError>,
}

#[Object]
impl ErasureMutations {
    /// Takes a person out of everything, for good. They are gone from people and searches by person at once; a job then
    /// redacts each conversation in which they are or were somebody, in every revision: what they said and how they were
    /// labelled becomes `[erased]`, and so does their name where others wrote or said it. Original bytes and exports of
    /// these conversations are deleted, so that a REIMPORT is refused, and what was made of the text is made anew. There is
    /// no new revision, and no way back. Needs ADMIN.
    async fn erase_person(&self, ctx: &Context<'_>, input: ErasePersonInput) -> Result<ErasePersonPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let erased = async {
            let id = global_id::require(&input.person_id)?;
            person::erase(ctx.ports(), actor, &origin, id, input.reason.as_deref()).await
        };
        let (erasure, user_errors) = settle(erased.await)?;
        Ok(ErasePersonPayload { erasure: erasure.map(Erasure), user_errors })
    }
}
