//! The generations that stand on the server. Searches read the alias; writes go to all that stand, each by its own name,
//! and the live one answers for them. Several processes do this side by side: what one of them has dropped or switched
//! for good, another that heard of it late never undoes.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::search::{
        After, ConversationFacets, Counts, PassageDocument, Standing, TextHits, TextIndex, Version, WordsLike,
    },
    search::{
        facets::{Facet, ValueCount},
        query::{SearchFilter, TextQuery},
    },
    time::Timestamp,
};
use tokio::sync::Mutex;

use crate::{generation::Generation, index::Ground};

pub(crate) struct Shelf {
    pub(crate) ground: Ground,
    alias: String,
    now: RwLock<Arc<Now>>,
    /// One change at a time.
    aligning: Mutex<()>,
}

/// What stands at a moment.
pub(crate) struct Now {
    change: i64,
    pub(crate) live: Arc<Generation>,
    /// Without the live one.
    others: Vec<Arc<Generation>>,
}

impl Now {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Generation>> {
        std::iter::once(&self.live).chain(&self.others)
    }
}

impl Shelf {
    pub(crate) fn new(ground: Ground, live: Generation) -> Self {
        // The first word of what stands is a change.
        let now = Now { change: i64::MIN, live: Arc::new(live), others: Vec::new() };
        let alias = ground.settings.alias();
        Self { ground, alias, now: RwLock::new(Arc::new(now)), aligning: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Arc<Now> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Of a generation that was dropped while it was written to nobody needs to hear.
    fn ignore_dropped(&self, generation: &Generation, outcome: Result<()>) -> Result<()> {
        let stands = self.now().all().any(|one| one.number == generation.number);
        if stands { outcome } else { Ok(()) }
    }

    pub(crate) async fn align(&self, standing: Standing) -> Result<()> {
        if standing.change <= self.now().change {
            return Ok(());
        }
        let _one_at_a_time = self.aligning.lock().await;
        let before = self.now();
        if standing.change <= before.change {
            return Ok(());
        }
        let mut all = Vec::new();
        for number in standing.numbers() {
            all.push(match before.all().find(|one| one.number == number) {
                Some(one) => one.clone(),
                None => Arc::new(self.open_or_make(number, &standing).await?),
            });
        }
        let live = all.remove(0);
        self.ground.point_alias(live.number).await?;
        if live.number != before.live.number {
            let (generation, before) = (live.number, before.live.number);
            tracing::info!(generation, before, "searches read another generation of the text index");
        }
        let now = Now { change: standing.change, live, others: all };
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
        if let Err(error) = self.drop_old(&before, &standing).await {
            tracing::warn!(error = error.chain(), "an old text index is left to the next change");
        }
        Ok(())
    }

    /// One that is live or could be again must hold all that it ever held; one that is being built is checked before it
    /// is live.
    async fn open_or_make(&self, number: i64, standing: &Standing) -> Result<Generation> {
        // Whoever made it may have ended before it was marked.
        if !self.ground.find(number).await?.is_some_and(|mark| mark.complete) {
            if standing.building != Some(number) {
                let message =
                    format!("generation {number} of the text index is not on the search server any more");
                return Err(Error::conflict("GENERATION_LOST", message));
            }
            self.ground.create(number).await?;
            self.ground.mark_complete(number).await?;
        }
        Generation::open(&self.ground, number).await
    }

    /// Numbers only grow: what is behind the greatest that stands, and does not stand itself, never will again. One that
    /// is greater may be news that this process has not heard, unless it knew it standing.
    async fn drop_old(&self, before: &Now, standing: &Standing) -> Result<()> {
        let stands = |number: i64| standing.numbers().any(|one| one == number);
        let greatest = standing.numbers().max().unwrap_or(standing.live);
        for number in self.ground.generations().await? {
            let known = before.all().any(|one| one.number == number);
            // One of another database that has the same names is left alone.
            if !stands(number)
                && (number < greatest || known)
                && matches!(self.ground.find(number).await, Ok(Some(_)))
            {
                let index = self.ground.settings.index(number);
                self.ground.delete(&index).await?;
                tracing::info!(generation = number, index, "old search index dropped");
            }
        }
        Ok(())
    }
}

/// Full text over whatever stands.
pub(crate) struct LiveText(pub(crate) Arc<Shelf>);

#[async_trait]
impl TextIndex for LiveText {
    fn name(&self) -> &'static str {
        crate::NAME
    }

    async fn replace(
        &self,
        tenant: Tenant,
        version: Version,
        facets: ConversationFacets,
        passages: Vec<PassageDocument>,
    ) -> Result<()> {
        let now = self.0.now();
        for one in now.others.iter().chain([&now.live]) {
            let written = one.put(tenant, version, &facets, &passages).await;
            self.0.ignore_dropped(one, written)?;
        }
        Ok(())
    }

    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()> {
        for one in self.0.now().all() {
            let removed = one.take_out(tenant, conversation_id).await;
            self.0.ignore_dropped(one, removed)?;
        }
        Ok(())
    }

    async fn page(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        after: Option<After>,
        limit: usize,
    ) -> Result<TextHits> {
        let now = self.0.now();
        now.live.reader(&self.0.alias).page(tenant, query, filter, after, limit).await
    }

    async fn count(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        facets: &[Facet],
        limit: usize,
    ) -> Result<Counts> {
        let now = self.0.now();
        now.live.reader(&self.0.alias).count(tenant, query, filter, facets, limit).await
    }

    async fn spread(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        bounds: &[Timestamp],
    ) -> Result<Vec<u64>> {
        let now = self.0.now();
        now.live.reader(&self.0.alias).spread(tenant, query, filter, bounds).await
    }

    async fn words(&self, tenant: Tenant, like: &WordsLike, limit: usize) -> Result<Vec<ValueCount>> {
        let now = self.0.now();
        now.live.reader(&self.0.alias).words(tenant, like, limit).await
    }

    async fn expunge(&self) -> Result<()> {
        for one in self.0.now().all() {
            one.merge_deleted().await;
        }
        Ok(())
    }
}
