//! Puts vectors of a conversation's passages into the vector index. A text that has a vector already is not
//! embedded again, and what was embedded is kept chunk by chunk, so that an interrupted run loses little. What saved
//! searches look for by meaning fires with the end of it.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use colloquy_domain::{
    Error,
    accounts::Tenant,
    events::Stage,
    jobs::{ClaimedJob, Payload, retry::JobError},
    passages::{Passage, text_hash},
    ports::{models::Embedder, verify::Leg},
    search::saved::fire,
};

use super::{
    align, end,
    index_passages::{document, reached},
    of_engine,
};
use crate::handler::{Handler, JobContext, Outcome, no_engine, tenant, wrong_payload};

/// Texts that are embedded between two writes.
const CHUNK: usize = 64;

pub(crate) struct EmbedPassages;

#[async_trait]
impl Handler for EmbedPassages {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        const DOING: &str = "embed passages";
        let Payload::Conversation { conversation_id } = job.payload else {
            return Err(wrong_payload(job));
        };
        let tenant = tenant(job)?;
        let search = &ctx.ports.search;
        // Who owns a text index and no model searches by word alone: then there is nothing to embed.
        let wordy = search.text.is_some() && search.embedder.is_none();
        let index = match search.vectors.as_deref() {
            None if !wordy => return Err(no_engine(DOING)),
            index => index,
        };
        let (standing, found) = ctx.ports.passages.find_indexable(tenant, conversation_id).await?;
        of_engine(ctx, job, align(search, standing, Some(Leg::Vectors)).await)?;
        let Some(found) = found else {
            if let Some(index) = index {
                of_engine(ctx, job, index.remove(tenant, conversation_id).await)?;
            }
            return Ok(Outcome::nothing());
        };
        if !found.is_cut {
            return Ok(Outcome::nothing());
        }
        let reached = reached(tenant.0, &found.facets, Stage::Embedded);
        let (Some(index), Some(embedder)) = (index, search.embedder.as_deref()) else {
            return if wordy { Ok(Outcome::follow(reached)) } else { Err(no_engine(DOING)) };
        };
        let vectors = vectors(ctx, tenant, embedder, &found.passages, Vectors::Kept).await?;
        let fresh =
            fire::fresh(ctx.searches.by_meaning(&ctx.ports, tenant, embedder).await?, &found, &vectors);
        let passages = found.passages.into_iter().map(document).zip(vectors).collect();
        of_engine(ctx, job, index.replace(tenant, found.version, found.facets, passages).await)?;
        end(ctx, tenant, fresh, reached).await
    }
}

/// Where vectors come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vectors {
    /// Those that PostgreSQL keeps, as far as it has them.
    Kept,
    /// Made now, in the place of those.
    Anew,
}

/// One a passage, in their order.
pub(super) async fn vectors(
    ctx: &JobContext,
    tenant: Tenant,
    embedder: &dyn Embedder,
    passages: &[Passage],
    from: Vectors,
) -> Result<Vec<Vec<f32>>, Error> {
    let model = embedder.model();
    let hashes: Vec<_> = passages.iter().map(|passage| text_hash(&passage.text)).collect();
    let stored = match from {
        Vectors::Kept => ctx.ports.passages.vectors(tenant, &model.name, &hashes).await?,
        Vectors::Anew => Vec::new(),
    };
    let mut known: HashMap<[u8; 32], Vec<f32>> =
        hashes.iter().zip(stored).filter_map(|(hash, vector)| Some((*hash, vector?))).collect();
    for chunk in unknown(&hashes, &known).chunks(CHUNK) {
        let texts = chunk.iter().map(|&at| passages[at].text.clone()).collect();
        let made = embedder.embed_passages(texts).await?;
        if made.len() != chunk.len() {
            let problem = format!("{} vectors for {} texts", made.len(), chunk.len());
            return Err(Error::internal("embed passages", problem));
        }
        metrics::counter!("colloquy_passages_embedded_total").increment(made.len() as u64);
        let made: Vec<_> = chunk.iter().map(|&at| hashes[at]).zip(made).collect();
        match from {
            Vectors::Kept => ctx.ports.passages.insert_vectors(tenant, &model.name, &made).await?,
            Vectors::Anew => ctx.ports.passages.replace_vectors(tenant, &model.name, &made).await?,
        }
        known.extend(made);
    }
    let missing = || Error::internal("embed passages", "a passage was left without a vector");
    hashes.iter().map(|hash| known.get(hash).cloned().ok_or_else(missing)).collect()
}

/// Where each hash without a vector stands first.
fn unknown(hashes: &[[u8; 32]], known: &HashMap<[u8; 32], Vec<f32>>) -> Vec<usize> {
    let mut seen = HashSet::new();
    let is_new = |at: &usize| !known.contains_key(&hashes[*at]) && seen.insert(hashes[*at]);
    (0..hashes.len()).filter(is_new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_embedded_once_and_only_without_a_vector() {
        let hashes = [[1; 32], [2; 32], [1; 32], [3; 32], [2; 32]];
        let known = HashMap::from([([3; 32], vec![1.0])]);
        assert_eq!(unknown(&hashes, &known), [0, 1]);
        assert!(unknown(&[], &known).is_empty());
    }
}
