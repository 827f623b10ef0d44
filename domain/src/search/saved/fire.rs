//! What a handler does when passages have come: holds them against what is looked for, and writes what matches with
//! the end of its job. Only who first brings a conversation's state to an engine fires, not who builds indexes anew.

use std::sync::Arc;

use crate::{
    Error, Result,
    accounts::Tenant,
    ids::{ConversationId, SearchMatchId},
    jobs::Claim,
    passages::text_hash,
    ports::{Ports, jobs::Follow, store::passages::Indexable, store::saved_searches::NewMatch},
    search::matching::{Came, Matcher, came_since},
};

/// Passages that are matched at once.
const GROUP: usize = 64;
/// Matches that are written at once.
const CHUNK: usize = 5_000;

/// Passages of one conversation that somebody may be looking for.
pub struct Fresh {
    conversation_id: ConversationId,
    matcher: Arc<Matcher>,
    came: Vec<Came>,
}

/// `None` where nothing is looked for, or all was there before.
pub fn fresh(matcher: Option<Arc<Matcher>>, of: &Indexable, vectors: &[Vec<f32>]) -> Option<Fresh> {
    let matcher = matcher?;
    let came = came_since(matcher.since()?, of, vectors);
    (!came.is_empty()).then_some(Fresh { conversation_id: of.facets.conversation_id, matcher, came })
}

/// Writes what matches and ends the job, or gives back what follows where nothing does: then the caller ends it. Where
/// there is more than one transaction should hold, the first of it is written before; a second run writes it once.
pub async fn complete(
    ports: &Ports,
    tenant: Tenant,
    claim: Claim,
    fresh: Fresh,
    follow: Follow,
) -> Result<Option<Follow>> {
    let Fresh { conversation_id, matcher, mut came } = fresh;
    let mut matches: Vec<NewMatch> = Vec::new();
    while !came.is_empty() {
        let rest = came.split_off(came.len().min(GROUP));
        let group = std::mem::replace(&mut came, rest);
        let matcher = matcher.clone();
        let found = tokio::task::spawn_blocking(move || hold(&matcher, &group)).await;
        let found = found.map_err(|error| Error::internal("match saved searches", error))?;
        matches.extend(found.into_iter().map(|one| NewMatch { id: SearchMatchId(ports.ids.next()), ..one }));
        while matches.len() > CHUNK {
            let rest = matches.split_off(CHUNK);
            ports.saved_searches.record(tenant, conversation_id, &matches).await?;
            matches = rest;
        }
    }
    if matches.is_empty() {
        return Ok(Some(follow));
    }
    ports.saved_searches.record_and_complete(tenant, claim, conversation_id, &matches, follow).await?;
    Ok(None)
}

/// Without ids yet.
fn hold(matcher: &Matcher, group: &[Came]) -> Vec<NewMatch> {
    let mut matches = Vec::new();
    for came in group {
        let found = matcher.matches(came);
        if found.is_empty() {
            continue;
        }
        let text_hash = text_hash(&came.found.passage.text);
        matches.extend(found.into_iter().map(|one| NewMatch {
            id: SearchMatchId(uuid::Uuid::nil()),
            saved_search_id: one.watched.id,
            version: one.watched.version,
            text_hash,
            similarity: one.similarity,
        }));
    }
    matches
}
