//! PostgreSQL's last word on each hit: existence, tenant, filter; and what a query asks for to
//! the letter, of hits by meaning, too.

use std::{collections::HashMap, sync::Arc};

use tokio::task::spawn_blocking;

use super::{
    find::HitFacets,
    fusion::FusedHit,
    highlight::{Highlight, SpokenText, highlight},
    matching::Strict,
    query::{SearchFilter, TextQuery},
};
use crate::{
    Error, Result,
    accounts::Tenant,
    ids::PassageId,
    ports::{Ports, store::passages::FoundPassage},
};

/// Passages that are read at once.
const AT_ONCE: usize = 500;

pub(super) struct Check<'a> {
    pub(super) ports: &'a Ports,
    pub(super) tenant: Tenant,
    pub(super) query: &'a TextQuery,
    pub(super) filter: &'a SearchFilter,
}

impl Check<'_> {
    /// For each hit, in their order, what stands there; `None` for one that does not hold.
    pub(super) async fn stands(&self, hits: &[FusedHit]) -> Result<Vec<Option<FoundPassage>>> {
        let mut stand = Vec::with_capacity(hits.len());
        let strict = Strict::of(self.query).map(Arc::new);
        for page in hits.chunks(AT_ONCE) {
            let found = self.read(page).await?;
            stand.extend(match &strict {
                Some(strict) => keep_strict(strict.clone(), page, found).await?,
                None => found,
            });
        }
        Ok(stand)
    }

    /// An engine may still hold a text that is said no more: no passage has its id then.
    async fn read(&self, page: &[FusedHit]) -> Result<Vec<Option<FoundPassage>>> {
        let ids: Vec<PassageId> = page.iter().map(|hit| hit.passage_id).collect();
        let rows = self.ports.passages.find(self.tenant, &ids).await?;
        let rows: HashMap<PassageId, FoundPassage> =
            rows.into_iter().map(|row| (row.passage.id, row)).collect();
        let stands = |hit: &FusedHit| {
            let row = rows.get(&hit.passage_id);
            row.filter(|row| self.filter.matches(&HitFacets::from(*row))).cloned()
        };
        Ok(page.iter().map(stands).collect())
    }

    /// Where the query's words stand in each text.
    pub(super) async fn highlight(&self, texts: Vec<SpokenText>) -> Result<Vec<Vec<Highlight>>> {
        let query = self.query.clone();
        let marks = spawn_blocking(move || highlight(&query, &texts)).await;
        marks.map_err(|error| Error::internal("mark what was found", error))
    }
}

/// Quotes, OR and minus mean what they say for hits by meaning, too.
async fn keep_strict(
    strict: Arc<Strict>,
    page: &[FusedHit],
    mut found: Vec<Option<FoundPassage>>,
) -> Result<Vec<Option<FoundPassage>>> {
    let by_words: Vec<bool> = page.iter().map(|hit| hit.text.is_some()).collect();
    let work = move || {
        for (found, by_words) in found.iter_mut().zip(by_words) {
            found.take_if(|row| !by_words && !strict.holds(row));
        }
        found
    };
    spawn_blocking(work).await.map_err(|error| Error::internal("look for what is asked to the letter", error))
}

/// As an engine was given it.
pub(in crate::search) fn spoken(found: &FoundPassage) -> SpokenText {
    SpokenText { text: found.passage.text.clone(), language: found.facets.language }
}
