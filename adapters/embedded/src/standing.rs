//! The generations that stand in the folder. Searches read the live one; writes go to all, and the one that is live
//! answers for them. One assignment has both engines read another generation.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    ids::ConversationId,
    ports::{
        search::{
            After, ConversationFacets, Counts, EngineHit, Held, IndexGenerations, OneGeneration,
            PassageDocument, Standing, TextHits, TextIndex, VectorIndex, Version, WordsLike,
        },
        verify::{Inspect, Leg},
    },
    search::{
        facets::{Facet, ValueCount},
        query::{SearchFilter, TextQuery},
    },
    time::Timestamp,
};
use tokio::{sync::Mutex, task};

use crate::{
    generation::{self, Generation, Ground},
    identity::Identity,
};

pub(crate) struct Shelf {
    ground: Ground,
    /// What a new generation is to be; its number apart.
    identity: Identity,
    now: RwLock<Arc<Now>>,
    /// One change at a time.
    aligning: Mutex<()>,
}

/// What stands at a moment.
struct Now {
    change: i64,
    live: Arc<Generation>,
    /// Without the live one.
    others: Vec<Arc<Generation>>,
}

impl Now {
    fn all(&self) -> impl Iterator<Item = &Arc<Generation>> {
        std::iter::once(&self.live).chain(&self.others)
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Shelf {
    pub(crate) fn new(ground: Ground, identity: Identity, live: Generation) -> Self {
        // The first word of what stands is a change.
        let now = Now { change: i64::MIN, live: Arc::new(live), others: Vec::new() };
        Self { ground, identity, now: RwLock::new(Arc::new(now)), aligning: Mutex::default() }
    }

    fn now(&self) -> Arc<Now> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn live(&self) -> Arc<Generation> {
        self.now().live.clone()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Generation>> {
        self.now().all().cloned().collect()
    }

    /// Whether this process makes the vectors of a generation.
    fn embeds(&self, generation: &Generation) -> bool {
        generation.identity.model == self.identity.model
    }

    /// Of a generation that was dropped while it was written to nobody needs to hear.
    fn still_stands(&self, generation: &Generation) -> bool {
        self.now().all().any(|one| one.number() == generation.number())
    }

    fn ignore_dropped(&self, generation: &Generation, outcome: Result<()>) -> Result<()> {
        match outcome {
            Err(error) if self.still_stands(generation) => Err(error),
            _ => Ok(()),
        }
    }

    /// One that is live or could be again must hold all that it ever held; one that is being built is checked before
    /// it is live.
    fn open_or_make(&self, number: i64, standing: &Standing) -> Result<Generation> {
        let identity = Identity { generation: number, ..self.identity.clone() };
        let dir = generation::folder(&self.ground.settings.dir, number);
        let found = crate::identity::completed(&dir);
        let found = found.filter(|mark| mark.identity.log_id == identity.log_id);
        if let Some(mark) = found
            && let Some(opened) = Generation::open(&self.ground, &mark.identity, mark.dimensions)?
        {
            return Ok(opened);
        }
        if standing.building != Some(number) {
            let message = format!("generation {number} of the search indexes is not in its folder any more");
            return Err(Error::conflict("GENERATION_LOST", message));
        }
        let made = Generation::create(&self.ground, &identity)?;
        made.mark_complete()?;
        Ok(made)
    }

    async fn move_to(self: Arc<Self>, standing: Standing) -> Result<()> {
        let _one_at_a_time = self.aligning.lock().await;
        let before = self.now();
        if standing.change <= before.change {
            return Ok(());
        }
        let (shelf, known) = (self.clone(), before.clone());
        let open = move || -> Result<Vec<Arc<Generation>>> {
            let one = |number| match known.all().find(|one| one.number() == number) {
                Some(one) => Ok(one.clone()),
                None => shelf.open_or_make(number, &standing).map(Arc::new),
            };
            standing.numbers().map(one).collect()
        };
        let opened = task::spawn_blocking(open).await;
        let mut opened = opened.map_err(|e| Error::internal("open a search generation", e))??;
        let live = opened.remove(0);
        if live.number() != before.live.number() {
            let (generation, before) = (live.number(), before.live.number());
            tracing::info!(generation, before, "searches read another generation of the indexes");
        }
        let now = Arc::new(Now { change: standing.change, live, others: opened });
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = now.clone();

        let dropped: Vec<_> =
            before.all().filter(|one| standing.numbers().all(|number| number != one.number())).collect();
        dropped.iter().for_each(|one| one.stop());
        let (root, dropped) =
            (self.ground.settings.dir.clone(), dropped.into_iter().cloned().collect::<Vec<_>>());
        let numbers: Vec<_> = standing.numbers().collect();
        let sweep = move || {
            // Whoever reads it still has its files open; what was handed in has been written or was refused.
            dropped.iter().for_each(|one| one.join());
            generation::sweep(&root, &numbers)
        };
        match task::spawn_blocking(sweep).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "an old search generation is left to the next start"),
            Err(error) => return Err(Error::internal("drop a search generation", error)),
        }
        Ok(())
    }
}

/// The door through which generations come and go.
pub(crate) struct Change(pub(crate) Arc<Shelf>);

#[async_trait]
impl IndexGenerations for Change {
    async fn align(&self, standing: Standing, _leg: Option<Leg>) -> Result<()> {
        if standing.change <= self.0.now().change {
            return Ok(());
        }
        // To its end, whatever becomes of the caller.
        let aligned = tokio::spawn(self.0.clone().move_to(standing)).await;
        aligned.map_err(|e| Error::internal("change the search generations", e))?
    }

    fn only(&self, number: i64) -> Option<OneGeneration> {
        self.0.now().all().find(|one| one.number() == number).map(|one| one.engines())
    }

    fn inspect(&self, number: i64, leg: Leg) -> Option<Arc<dyn Inspect>> {
        let one = self.0.now().all().find(|one| one.number() == number)?.clone();
        Some(match leg {
            Leg::Text => one.text.clone(),
            Leg::Vectors => one.vectors.clone(),
        })
    }

    async fn held(&self, number: i64, of: Vec<(Tenant, ConversationId)>) -> Result<Vec<Held>> {
        const DOING: &str = "look into a search generation";
        let generation = self.0.now().all().find(|one| one.number() == number).cloned();
        let generation = generation.ok_or_else(|| Error::unavailable(DOING, "it does not stand here"))?;
        let look = move || generation.held(&of);
        task::spawn_blocking(look).await.map_err(|e| Error::internal(DOING, e))?
    }
}

/// Full text over whatever stands.
pub(crate) struct LiveText(pub(crate) Arc<Shelf>);

#[async_trait]
impl TextIndex for LiveText {
    fn name(&self) -> &'static str {
        "embedded"
    }

    async fn replace(
        &self,
        tenant: Tenant,
        version: Version,
        facets: ConversationFacets,
        passages: Vec<PassageDocument>,
    ) -> Result<()> {
        let now = self.0.now();
        for other in &now.others {
            let written = other.text.replace(tenant, version, facets.clone(), passages.clone()).await;
            self.0.ignore_dropped(other, written)?;
        }
        let written = now.live.text.replace(tenant, version, facets, passages).await;
        self.0.ignore_dropped(&now.live, written)
    }

    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()> {
        for one in self.0.now().all() {
            let removed = one.text.remove(tenant, conversation_id).await;
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
        self.0.live().text.page(tenant, query, filter, after, limit).await
    }

    async fn count(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        facets: &[Facet],
        limit: usize,
    ) -> Result<Counts> {
        self.0.live().text.count(tenant, query, filter, facets, limit).await
    }

    async fn spread(
        &self,
        tenant: Tenant,
        query: &TextQuery,
        filter: &SearchFilter,
        bounds: &[Timestamp],
    ) -> Result<Vec<u64>> {
        self.0.live().text.spread(tenant, query, filter, bounds).await
    }

    async fn words(&self, tenant: Tenant, like: &WordsLike, limit: usize) -> Result<Vec<ValueCount>> {
        self.0.live().text.words(tenant, like, limit).await
    }

    async fn expunge(&self) -> Result<()> {
        for one in self.0.now().all() {
            let expunged = one.text.expunge().await;
            self.0.ignore_dropped(one, expunged)?;
        }
        Ok(())
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
        for one in self.0.now().all().filter(|one| self.0.embeds(one)) {
            let written = one.vectors.replace(tenant, version, facets.clone(), passages.clone()).await;
            self.0.ignore_dropped(one, written)?;
        }
        Ok(())
    }

    async fn remove(&self, tenant: Tenant, conversation_id: ConversationId) -> Result<()> {
        for one in self.0.now().all() {
            let removed = one.vectors.remove(tenant, conversation_id).await;
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
        let live = self.0.live();
        let (made_by, embeds_by) = (&live.identity.model, &self.0.identity.model);
        if made_by != embeds_by {
            let cause = format!(
                "the live vectors were made by {made_by} and this process embeds by {embeds_by}; a new generation is to be built"
            );
            return Err(Error::unavailable("search by meaning", cause));
        }
        if live.has_lapsed() {
            let cause = format!(
                "the live vectors are {made_by}'s and lack what came in while another model was used; a new generation is to be built"
            );
            return Err(Error::unavailable("search by meaning", cause));
        }
        live.vectors.search(tenant, vector, filter, limit).await
    }
}
