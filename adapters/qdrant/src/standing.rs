//! The generations that stand on the server. Searches read the alias; writes go to all that stand, each by its own name,
//! and the live one answers for them. Several processes do this side by side: what one of them has dropped or switched
//! for good, another that heard of it late never undoes.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::search::{ConversationFacets, EngineHit, PassageDocument, Standing, VectorIndex, Version},
    search::query::SearchFilter,
};
use tokio::sync::Mutex;

use crate::{
    collection::{Ground, Mark},
    generation::Generation,
};

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
    pub(crate) live: Arc<Placed>,
    /// Without the live one.
    others: Vec<Arc<Placed>>,
}

/// A generation, and what becomes of it meanwhile.
pub(crate) struct Placed {
    pub(crate) generation: Generation,
    lapsed: AtomicBool,
}

impl Placed {
    pub(crate) fn new(generation: Generation) -> Self {
        Self { lapsed: AtomicBool::new(generation.mark.lapsed), generation }
    }

    pub(crate) fn number(&self) -> i64 {
        self.generation.number
    }

    pub(crate) fn has_lapsed(&self) -> bool {
        self.lapsed.load(Ordering::Relaxed)
    }

    /// Another process may have marked it.
    pub(crate) fn note(&self, mark: &Mark) {
        if mark.lapsed {
            self.lapsed.store(true, Ordering::Relaxed);
        }
    }

    /// It is not given vectors that another model made, and misses them from then on.
    async fn mark_lapsed(&self) -> Result<()> {
        if !self.has_lapsed() {
            self.generation.ground.mark_lapsed(self.number()).await?;
            self.lapsed.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Now {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Placed>> {
        std::iter::once(&self.live).chain(&self.others)
    }
}

impl Shelf {
    pub(crate) fn new(ground: Ground, live: Generation) -> Self {
        // The first word of what stands is a change.
        let now = Now { change: i64::MIN, live: Arc::new(Placed::new(live)), others: Vec::new() };
        let alias = ground.settings.alias();
        Self { ground, alias, now: RwLock::new(Arc::new(now)), aligning: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Arc<Now> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Of a generation that was dropped while it was written to nobody needs to hear.
    fn ignore_dropped(&self, one: &Placed, outcome: Result<()>) -> Result<()> {
        let stands = self.now().all().any(|other| other.number() == one.number());
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
            all.push(match before.all().find(|one| one.number() == number) {
                Some(one) => one.clone(),
                None => Arc::new(Placed::new(self.open_or_make(number, &standing).await?)),
            });
        }
        let live = all.remove(0);
        self.ground.point_alias(live.number()).await?;
        if live.number() != before.live.number() {
            let (generation, before) = (live.number(), before.live.number());
            tracing::info!(generation, before, "searches read another generation of the vectors");
        }
        let now = Now { change: standing.change, live, others: all };
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
        if let Err(error) = self.drop_old(&before, &standing).await {
            tracing::warn!(error = error.chain(), "an old vector collection is left to the next change");
        }
        Ok(())
    }

    /// One that is live or could be again must hold all that it ever held; one that is being built is checked before it
    /// is live.
    async fn open_or_make(&self, number: i64, standing: &Standing) -> Result<Generation> {
        if let Some(mark) = self.ground.find(number).await?
            && mark.complete
        {
            self.ground.index_fields(number).await?;
            return Ok(Generation::over(&self.ground, number, mark));
        }
        if standing.building != Some(number) {
            let message = format!("generation {number} of the vectors is not on the vector server any more");
            return Err(Error::conflict("GENERATION_LOST", message));
        }
        self.ground.make(number).await
    }

    /// Numbers only grow: what is behind the greatest that stands, and does not stand itself, never will again. One that
    /// is greater may be news that this process has not heard, unless it knew it standing.
    async fn drop_old(&self, before: &Now, standing: &Standing) -> Result<()> {
        let stands = |number: i64| standing.numbers().any(|one| one == number);
        let greatest = standing.numbers().max().unwrap_or(standing.live);
        for number in self.ground.generations().await? {
            let known = before.all().any(|one| one.number() == number);
            // One of another database that has the same names is left alone.
            if !stands(number)
                && (number < greatest || known)
                && matches!(self.ground.find(number).await, Ok(Some(_)))
            {
                let collection = self.ground.settings.collection(number);
                self.ground.delete(&collection).await?;
                tracing::info!(generation = number, collection, "old vector collection dropped");
            }
        }
        Ok(())
    }
}

impl Ground {
    /// Made, filled with nothing, and ready to be written to.
    async fn make(&self, number: i64) -> Result<Generation> {
        self.create(number).await?;
        self.mark_complete(number).await?;
        let mark = self.find(number).await?;
        let mark = mark.ok_or_else(|| Error::unavailable("make a vector collection", "it is gone again"))?;
        Ok(Generation::over(self, number, mark))
    }
}

/// Vectors over whatever stands. One of another model takes removals only, and is not searched.
pub(crate) struct LiveVectors(pub(crate) Arc<Shelf>);

#[async_trait]
impl VectorIndex for LiveVectors {
    async fn replace(
        &self,
        tenant: Tenant,
        version: Version,
        facets: ConversationFacets,
        passages: Vec<(PassageDocument, Vec<f32>)>,
    ) -> Result<()> {
        let now = self.0.now();
        for one in now.others.iter().chain([&now.live]) {
            let written = match one.generation.is_of_our_model() {
                true => one.generation.put(tenant, version, &facets, &passages).await,
                false => one.mark_lapsed().await,
            };
            self.0.ignore_dropped(one, written)?;
        }
        Ok(())
    }

    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()> {
        for one in self.0.now().all() {
            let removed = one.generation.take_out(tenant, conversation_id).await;
            self.0.ignore_dropped(one, removed)?;
        }
        Ok(())
    }

    async fn search(
        &self,
        tenant: Tenant,
        vector: &[f32],
        filter: &SearchFilter,
        limit: usize,
    ) -> Result<Vec<EngineHit>> {
        const DOING: &str = "search by meaning";
        let live = self.0.now().live.clone();
        let (made_by, ours) = (&live.generation.mark.model, &self.0.ground.model);
        if made_by != ours {
            let cause = format!(
                "the live vectors were made by {made_by} and this process embeds by {ours}; a new generation is to be built"
            );
            return Err(Error::unavailable(DOING, cause));
        }
        if live.has_lapsed() {
            let cause = format!(
                "the live vectors are {made_by}'s and lack what came in while another model was used; a new generation is to be built"
            );
            return Err(Error::unavailable(DOING, cause));
        }
        live.generation.find(&self.0.alias, tenant, vector, filter, limit).await
    }
}
