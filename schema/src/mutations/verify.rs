//! Comparing the search engines with PostgreSQL. Each page that mends something is in the audit log, and so is the first
//! of a run.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use colloquy_domain::{
    ports::verify::Leg,
    search::verify::{Found, Kind, Verified, VerifyInput, verify},
};

use crate::{
    Wired,
    errors::{UserError, settle},
    global_id,
    guards::{actor, origin},
};

#[derive(Default)]
pub(crate) struct VerifyMutations;

#[derive(InputObject)]
struct VerifyIndexInput {
    /// Conversations to look at, 100 at most.
    #[graphql(default = 25)]
    first: i32,
    /// `next` of the page before; none at the beginning.
    after: Option<String>,
    /// Have jobs write anew what differs.
    #[graphql(default)]
    repair: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum SearchEngine {
    Text,
    Vectors,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Kind")]
enum DifferenceKind {
    /// The engine lacks passages.
    Missing,
    /// It has the conversation as it was before.
    Stale,
    /// It has passages otherwise than they are.
    Altered,
    /// It has passages that there are not.
    Extra,
    /// It has passages of a conversation that is gone.
    Orphaned,
}

/// What an engine has of a conversation otherwise than PostgreSQL.
#[derive(SimpleObject)]
struct IndexDifference {
    /// Which may be gone.
    conversation_id: ID,
    engine: SearchEngine,
    kind: DifferenceKind,
    /// In number.
    passages: i32,
}

impl From<Found> for IndexDifference {
    fn from(found: Found) -> Self {
        Self {
            conversation_id: global_id::encode(found.conversation_id),
            engine: match found.leg {
                Leg::Text => SearchEngine::Text,
                Leg::Vectors => SearchEngine::Vectors,
            },
            kind: found.kind.into(),
            passages: count(found.passages),
        }
    }
}

#[derive(SimpleObject)]
struct VerifyIndexPayload {
    /// Conversations that were looked at.
    checked: i32,
    differences: Vec<IndexDifference>,
    /// Conversations that jobs write anew.
    mended: i32,
    /// Give it as `after` to go on; null at the end.
    next: Option<String>,
    user_errors: Vec<UserError>,
}

#[Object]
impl VerifyMutations {
    /// Compares what PostgreSQL has of the organization with what the search engines have, a page at a time: passages in
    /// number, their revision, text and vectors, and whatever filters look at. What a job has yet to bring is no
    /// difference. With `repair` jobs write anew what differs. Needs ADMIN.
    async fn verify_index(&self, ctx: &Context<'_>, input: VerifyIndexInput) -> Result<VerifyIndexPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let VerifyIndexInput { first, after, repair } = input;
        let input = VerifyInput { first: usize::try_from(first).unwrap_or(0), after, repair };
        let (verified, user_errors) = settle(verify(ctx.ports(), actor, &origin, input).await)?;
        let Verified { checked, found, mended, next } = verified.unwrap_or_default();
        Ok(VerifyIndexPayload {
            checked: count(checked),
            differences: found.into_iter().map(IndexDifference::from).collect(),
            mended: count(mended),
            next,
            user_errors,
        })
    }
}

fn count(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
