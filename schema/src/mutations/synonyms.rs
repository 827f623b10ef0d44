//! What stands for each other in searches. Each call is in the audit log.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use colloquy_domain::search::synonyms;

use crate::{
    Wired,
    errors::{UserError, settle},
    guards::{actor, origin},
};

#[derive(Default)]
pub(crate) struct SynonymMutations;

#[derive(InputObject)]
struct SetSynonymsInput {
    /// Each of words or phrases that stand for each other: at most 500 groups of 2 to 20, of 80 characters each.
    groups: Vec<Vec<String>>,
}

#[derive(SimpleObject)]
struct SetSynonymsPayload {
    /// As they are kept: what differs in case, accents or punctuation alone is there once. Null where there are user
    /// errors; then nothing has changed.
    groups: Option<Vec<Vec<String>>>,
    user_errors: Vec<UserError>,
}

#[Object]
impl SynonymMutations {
    /// Replaces the organization's synonyms by these. From then on a search for one of a group finds the others too; what
    /// is in quotes or after a minus means itself. Needs ADMIN.
    async fn set_synonyms(&self, ctx: &Context<'_>, input: SetSynonymsInput) -> Result<SetSynonymsPayload> {
        let set = synonyms::set(ctx.ports(), actor(ctx)?, &origin(ctx), input.groups).await;
        let (set, user_errors) = settle(set)?;
        Ok(SetSynonymsPayload { groups: set.map(|set| set.0), user_errors })
    }
}
