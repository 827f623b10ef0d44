//! PostgreSQL's last word on each hit: existence, tenant, revision of the text, filter; and what a query asks for to
//! the letter, of hits by meaning, too.

use std::collections::HashMap;

use super::{
    find::HitFacets,
    fusion::FusedHit,
    highlight::SpokenText,
    query::{Clause, SearchFilter, TextQuery},
};
use crate::{
    Result,
    accounts::Tenant,
    ids::PassageId,
    ports::{Ports, search::Highlight, store::passages::FoundPassage},
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
        for page in hits.chunks(AT_ONCE) {
            let mut found = self.read(page).await?;
            self.keep_strict(page, &mut found).await?;
            stand.extend(found);
        }
        Ok(stand)
    }

    /// An engine may still hold the text of an earlier revision, under the same passage's id.
    async fn read(&self, page: &[FusedHit]) -> Result<Vec<Option<FoundPassage>>> {
        let ids: Vec<PassageId> = page.iter().map(|hit| hit.passage_id).collect();
        let rows = self.ports.passages.find(self.tenant, &ids).await?;
        let rows: HashMap<PassageId, FoundPassage> =
            rows.into_iter().map(|row| (row.passage.id, row)).collect();
        let stands = |hit: &FusedHit| {
            let row = rows.get(&hit.passage_id).filter(|row| row.facets.revision == hit.revision);
            row.filter(|row| self.filter.matches(&HitFacets::from(*row))).cloned()
        };
        Ok(page.iter().map(stands).collect())
    }

    /// Quotes, OR and minus mean what they say for hits by meaning, too.
    async fn keep_strict(&self, page: &[FusedHit], found: &mut [Option<FoundPassage>]) -> Result<()> {
        let Some(engine) = &self.ports.search.text else {
            return Ok(());
        };
        let query = self.query;
        let phrases = query.clauses.iter().filter(|clause| matches!(clause, Clause::Phrase(_)));
        let wanted = phrases.map(std::slice::from_ref).chain(query.either.iter().map(Vec::as_slice));
        let unwanted = query.not.iter().map(std::slice::from_ref);
        for (any, must_stand) in wanted.map(|any| (any, true)).chain(unwanted.map(|any| (any, false))) {
            let query = TextQuery { clauses: any.to_vec(), ..TextQuery::default() };
            let doubtful: Vec<usize> =
                (0..page.len()).filter(|at| page[*at].text.is_none() && found[*at].is_some()).collect();
            let texts: Vec<SpokenText> =
                doubtful.iter().filter_map(|at| found[*at].as_ref().map(spoken)).collect();
            for (at, marks) in doubtful.into_iter().zip(engine.highlight(&query, &texts).await?) {
                if marks.is_empty() == must_stand {
                    found[at] = None;
                }
            }
        }
        Ok(())
    }

    /// Where the query's words stand in each text.
    pub(super) async fn highlight(&self, texts: &[SpokenText]) -> Result<Vec<Vec<Highlight>>> {
        match &self.ports.search.text {
            Some(engine) => engine.highlight(self.query, texts).await,
            None => Ok(vec![Vec::new(); texts.len()]),
        }
    }
}

/// As an engine was given it.
pub(super) fn spoken(found: &FoundPassage) -> SpokenText {
    SpokenText { text: found.passage.text.clone(), language: found.facets.language }
}
