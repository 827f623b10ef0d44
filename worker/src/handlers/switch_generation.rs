//! Checks the generation that a batch has built, and makes it the one that searches read. What does not hold is
//! dropped, and the batch says why; searches stay with what they have.

mod recall;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use colloquy_domain::{
    Error, Result as DomainResult,
    accounts::{SystemScope, Tenant},
    ids::{BatchId, ConversationId},
    jobs::{ClaimedJob, Payload, retry::JobError},
    passages::text_hash,
    ports::{
        models::Embedder,
        search::{Held, IndexGenerations, OneGeneration},
        store::generations::Expected,
    },
    search::query::{SearchFilter, TextQuery},
};

use self::recall::Recall;
use super::{align, of_engine};
use crate::handler::{Handler, JobContext, Outcome, no_engine, tenant, wrong_payload};

const SCOPE: SystemScope =
    SystemScope::because("a generation of the search indexes is of every organization");
const PAGE: usize = 500;
/// Conversations that are looked for as a search would, and how many of a page.
const SAMPLES: usize = 100;
const OF_A_PAGE: usize = 5;
/// How long the check waits for an engine that is away before its attempts count.
const PATIENCE: TimeDelta = TimeDelta::hours(12);
/// Of a passage's text, as a query.
const WORDS: usize = 12;

pub(crate) struct SwitchGeneration;

#[async_trait]
impl Handler for SwitchGeneration {
    async fn run(&self, ctx: &JobContext, job: &ClaimedJob) -> Result<Outcome, JobError> {
        const DOING: &str = "switch the search generation";
        let Payload::Batch { batch_id } = job.payload else {
            return Err(wrong_payload(job));
        };
        let (tenant, store, search) = (tenant(job)?, &ctx.ports.generations, &ctx.ports.search);
        let generations = search.generations.clone().ok_or_else(|| no_engine(DOING))?;
        let found = store.find(SCOPE).await?;
        let Some(number) = found.standing.building.filter(|_| found.building_batch == Some(batch_id)) else {
            return Ok(Outcome::nothing());
        };
        of_engine(ctx, job, align(search, found.standing, None).await)?;
        let built = generations.only(number).ok_or_else(|| no_engine(DOING))?;
        let live = generations.only(found.standing.live);
        let check = Check {
            ctx,
            generations,
            number,
            embedder: search.embedder.clone(),
            live: live.as_ref(),
            built: &built,
        };
        match check.run().await {
            Ok(None) => {}
            Ok(Some(problem)) => return drop_it(ctx, batch_id, number, problem).await,
            // A server that is away may come back.
            Err(error @ Error::Unavailable { .. }) if ctx.ports.clock.now() - job.created_at < PATIENCE => {
                return of_engine(ctx, job, Err(error));
            }
            Err(error) if job.attempt < job.max_attempts => return Err(error.into()),
            Err(error) => {
                let problem = format!("it could not be checked: {error}");
                return drop_it(ctx, batch_id, number, problem).await;
            }
        }
        let live = check.generations.only(found.standing.live);
        // One of another model misses whatever comes in from now on, and a lapsed one what came in meanwhile.
        let keep = live.is_some_and(|live| live.model == built.model && !live.lapsed);
        match store.switch(SCOPE, tenant, job.claim, batch_id, keep).await {
            Ok(standing) => {
                // The row has it already: where this fails, whoever looks next does it.
                if let Err(error) = align(search, standing, None).await {
                    tracing::warn!(error = error.chain(), "the new search generation is not yet read");
                }
                Ok(Outcome::Committed)
            }
            Err(Error::Conflict(_)) => Ok(Outcome::nothing()),
            Err(error) => Err(error.into()),
        }
    }
}

async fn drop_it(
    ctx: &JobContext,
    batch: BatchId,
    number: i64,
    problem: String,
) -> Result<Outcome, JobError> {
    tracing::error!(generation = number, problem, "a new search generation does not hold");
    let because = format!(
        "generation {number} of the search indexes was dropped, and searches stay with the one they have: {problem}"
    );
    ctx.ports.generations.abandon(SCOPE, batch, Some(&because)).await?;
    Ok(Outcome::nothing())
}

struct Check<'a> {
    ctx: &'a JobContext,
    generations: Arc<dyn IndexGenerations>,
    number: i64,
    embedder: Option<Arc<dyn Embedder>>,
    live: Option<&'a OneGeneration>,
    built: &'a OneGeneration,
}

impl Check<'_> {
    /// What does not hold, in words for people.
    async fn run(&self) -> DomainResult<Option<String>> {
        if let Some(embedder) = &self.embedder
            && embedder.model().name != self.built.model
        {
            let (has, is) = (&self.built.model, &embedder.model().name);
            return Ok(Some(format!("its vectors are made by {has}, and this process embeds by {is}")));
        }
        if self.built.lapsed {
            return Ok(Some("it lacks vectors of what came in while another model was used".to_owned()));
        }
        let (mut after, mut samples) = (None, 0);
        let mut recall = self.live.map(|live| Recall::new(live, self.built));
        loop {
            let page = self.ctx.ports.generations.expected(SCOPE, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(recall.and_then(|recall| recall.problem())) };
            after = Some(last.conversation_id);
            let lost = self.lost(&page).await?;
            if let Some(first) = lost.first() {
                let message =
                    format!("it lacks {} of {} conversations, {first} among them", lost.len(), page.len());
                return Ok(Some(message));
            }
            for one in page.iter().step_by(page.len().div_ceil(OF_A_PAGE)) {
                if samples == SAMPLES {
                    break;
                }
                samples += 1;
                if let Some(problem) = self.sample(one, recall.as_mut()).await? {
                    return Ok(Some(problem));
                }
            }
        }
    }

    /// Those of a page that are not there as PostgreSQL has them, though no job has yet to bring them.
    async fn lost(&self, page: &[Expected]) -> DomainResult<Vec<ConversationId>> {
        let store = &self.ctx.ports.generations;
        let missing = self.missing(page).await?;
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let lagging = store.lagging(SCOPE, &missing).await?;
        let settled: Vec<_> = missing.into_iter().filter(|id| !lagging.contains(id)).collect();
        // Their jobs may have ended between the looks.
        let again = store.expected_of(SCOPE, &settled).await?;
        self.missing(&again).await
    }

    async fn missing(&self, expected: &[Expected]) -> DomainResult<Vec<ConversationId>> {
        let of = expected.iter().map(|one| (Tenant(one.organization_id), one.conversation_id)).collect();
        let held = self.generations.held(self.number, of).await?;
        let missing = expected.iter().zip(held).filter(|(one, held)| !self.has(one, held));
        Ok(missing.map(|(one, _)| one.conversation_id).collect())
    }

    /// A later version than PostgreSQL had when it was asked is as good.
    fn has(&self, one: &Expected, held: &Held) -> bool {
        let words = held.text.is_some_and(|version| {
            version > one.version || version == one.version && held.passages == one.passages
        });
        words && (self.embedder.is_none() || held.vectors >= Some(one.version))
    }

    /// Whether searches find a passage of the conversation by its words and by its vector.
    async fn sample(
        &self,
        one: &Expected,
        mut recall: Option<&mut Recall<'_>>,
    ) -> DomainResult<Option<String>> {
        let (tenant, id) = (Tenant(one.organization_id), one.conversation_id);
        let (_, found) = self.ctx.ports.passages.find_indexable(tenant, id).await?;
        // What has changed since is for the jobs that follow the change.
        let Some(found) = found.filter(|found| found.version == one.version) else { return Ok(None) };
        let Some(passage) = found.passages.get(found.passages.len() / 2) else { return Ok(None) };
        let filter = SearchFilter { conversation_ids: vec![id], ..SearchFilter::default() };
        let limit = found.passages.len();
        let words: Vec<_> = passage
            .text
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .take(WORDS)
            .collect();
        if let (Some(text), Ok(query)) = (&self.built.text, TextQuery::parse(&words.join(" "))) {
            let hits = text.search(tenant, &query, &filter, limit).await?.hits;
            if hits.iter().all(|hit| hit.passage_id != passage.id) {
                return Ok(Some(format!("words of conversation {id} do not find it")));
            }
            if let Some(recall) = &mut recall {
                recall.of_words(tenant, &query).await?;
            }
        }
        let (Some(embedder), Some(vectors)) = (&self.embedder, &self.built.vectors) else { return Ok(None) };
        let hash = text_hash(&passage.text);
        let stored = self.ctx.ports.passages.vectors(tenant, &embedder.model().name, &[hash]).await?;
        let Some(vector) = stored.into_iter().next().flatten() else {
            return Ok(Some(format!("a passage of conversation {id} has no vector in PostgreSQL")));
        };
        if vector.iter().all(|number| *number == 0.0) {
            return Ok(None);
        }
        if let Some(recall) = recall {
            recall.of_meaning(tenant, &vector).await?;
        }
        let hits = vectors.search(tenant, &vector, &filter, limit).await?;
        let finds = hits.iter().any(|hit| hit.passage_id == passage.id);
        Ok((!finds).then(|| format!("the vectors of conversation {id} do not find it")))
    }
}
