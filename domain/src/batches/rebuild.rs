//! Building the search indexes of the whole installation anew, and going back to how they were.

use crate::{
    Error, Result,
    accounts::{Actor, Role, SystemScope, local::is_local},
    audit::{self, NewAuditEntry, Origin},
    batches::{
        Batch, BatchKind, BatchOptions,
        plan::{PlanInput, plan},
        start::{StartInput, start},
    },
    ports::{
        Ports,
        search::Standing,
        store::{conversations::ConversationFilter, generations::Generations},
    },
};

const SCOPE: SystemScope = SystemScope::because("search indexes are of the whole installation");

/// Plans and starts a REINDEX over everything, which takes from PostgreSQL what vectors of the model it has.
pub async fn rebuild(ports: &Ports, owner: &Actor) -> Result<Batch> {
    let options = BatchOptions { everywhere: true, ..BatchOptions::default() };
    let input =
        PlanInput { kind: BatchKind::Reindex, filter: ConversationFilter::default(), all: false, options };
    let planned = plan(ports, owner, input).await?;
    let input = StartInput { batch_id: planned.id, cap: None, accept_partial: false, per_minute: None };
    Ok(start(ports, owner, &Origin::default(), input).await?.batch)
}

/// Which generations stand.
pub async fn look(ports: &Ports, actor: &Actor) -> Result<Generations> {
    may(ports, actor, Role::Admin).await?;
    ports.generations.find(SCOPE).await
}

/// Makes the generation of before live again; what was live becomes the one to go back to. Both have had every
/// change meanwhile. Where `number` is live already that is what was wanted.
pub async fn roll_back(ports: &Ports, actor: &Actor, origin: &Origin, number: i64) -> Result<Generations> {
    let entry = NewAuditEntry::new(ports, actor, origin, "searchIndex.rollBack");
    let entry = entry.with("toGeneration", Some(number));
    let rolled = try_to_roll_back(ports, actor, number, entry.again(ports)).await;
    audit::settle(ports, entry, rolled).await
}

async fn try_to_roll_back(
    ports: &Ports,
    actor: &Actor,
    number: i64,
    entry: NewAuditEntry,
) -> Result<Generations> {
    may(ports, actor, Role::Owner).await?;
    let Some(standing) = ports.generations.roll_back(SCOPE, number, entry.again(ports)).await? else {
        let found = ports.generations.find(SCOPE).await?;
        let Standing { live, previous, .. } = found.standing;
        if live == number {
            ports.audit.insert(entry.changed(false)).await?;
            return Ok(found);
        }
        let message = match previous {
            Some(previous) => {
                format!("generation {live} is live, and {previous} is the only one to go back to")
            }
            None => format!(
                "generation {live} is live, and there is none to go back to: it is kept after a rebuild, until the next one begins or the embedding model changes"
            ),
        };
        return Err(Error::conflict("NO_SUCH_GENERATION", message));
    };
    if let Some(generations) = &ports.search.generations {
        // It is done: whoever reads the row next goes by it.
        if let Err(error) = generations.align(standing, None).await {
            tracing::warn!(error = error.chain(), "the search generation of before is not yet read");
        }
    }
    ports.generations.find(SCOPE).await
}

/// Who holds the data folder of a standalone holds the key of its local organization's owner.
async fn may(ports: &Ports, actor: &Actor, role: Role) -> Result<()> {
    actor.require(role)?;
    if is_local(ports, actor.tenant()).await? {
        return Ok(());
    }
    Err(Error::forbidden(
        "search indexes are of the whole installation; this is for the standalone's local organization",
    ))
}
