//! The search use case: asks the engines, fuses what they say, and lets PostgreSQL have the last word on each
//! hit. HYBRID asks both engines at once with a deadline each and answers from one when the other fails,
//! saying so.

use std::{collections::HashMap, future::Future, time::Duration};

use tokio::time::{Instant, timeout};

use crate::{
    Error, Problem, Result,
    accounts::{Actor, Role, Tenant},
    conversations::ConversationKind,
    ids::{ConversationId, PassageId},
    language::Language,
    ports::{
        Ports,
        search::{EngineHit, Highlight, TextHits},
        store::passages::FoundPassage,
    },
    search::{
        fusion::{FusedHit, fuse, single},
        highlight::SpokenText,
        language::{self, Asked},
        query::{Clause, SearchFilter, SearchMode, TextQuery},
    },
    time::Timestamp,
};

/// Hits on one page at most.
pub const MAX_PAGE: usize = 100;
/// How deep a list can be paged.
pub const MAX_DEPTH: usize = 1_000;
/// What HYBRID and SEMANTIC ask of each engine: the list that is fused and paged.
const LEG: usize = 200;
/// How long an engine may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// What a filter looks at, as PostgreSQL has it.
#[derive(Debug, Clone, PartialEq)]
pub struct HitFacets<'a> {
    pub conversation_id: ConversationId,
    pub kind: ConversationKind,
    pub tags: Vec<&'a str>,
    pub speakers: Vec<&'a str>,
    pub occurred_at: Option<Timestamp>,
    pub language: Option<Language>,
}

impl<'a> From<&'a FoundPassage> for HitFacets<'a> {
    fn from(found: &'a FoundPassage) -> Self {
        Self {
            conversation_id: found.facets.conversation_id,
            kind: found.facets.kind,
            tags: found.facets.tags.iter().map(String::as_str).collect(),
            speakers: found.passage.speakers.iter().map(String::as_str).collect(),
            occurred_at: found.facets.occurred_at,
            language: found.facets.language,
        }
    }
}

pub struct SearchInput {
    pub query: String,
    pub mode: SearchMode,
    pub filter: SearchFilter,
    /// At most [`MAX_PAGE`].
    pub first: usize,
    /// Places of the ranking to pass over: [`Hit::place`] + 1 of the last hit seen.
    pub skip: usize,
}

#[derive(Debug, Clone)]
pub struct Hit {
    /// From 0, in the ranking before PostgreSQL's check.
    pub place: usize,
    pub found: FoundPassage,
    pub fused: FusedHit,
    /// Where the query's words stand in the passage's text; empty for a hit by meaning alone.
    pub highlights: Vec<Highlight>,
}

#[derive(Debug, Clone, Default)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// Whether the ranking goes on after the last hit.
    pub more: bool,
    /// What this answer lacks because an engine did not serve, for the user.
    pub degraded: Option<String>,
}

pub async fn find(ports: &Ports, actor: &Actor, input: SearchInput) -> Result<Found> {
    actor.require(Role::Viewer)?;
    let Asked { text: asked, filter } = language::read(&input.query).map_err(Error::Invalid)?;
    if input.first == 0 || input.first > MAX_PAGE || input.skip >= MAX_DEPTH {
        let message = format!("`first` is 1 to {MAX_PAGE}, and a ranking ends after {MAX_DEPTH} places");
        return Err(Error::Invalid(Problem::new("PAGE_OUT_OF_RANGE", message)));
    }
    let Some(filter) = input.filter.clone().and(filter) else {
        return Ok(Found::default());
    };
    let input = SearchInput { filter, ..input };
    let started = Instant::now();
    let search = Search { ports, tenant: actor.tenant(), query: asked.without_frame(), asked, input };
    let found = search.run().await;
    let outcome = match &found {
        Ok(found) if found.degraded.is_some() => "degraded",
        Ok(_) => "ok",
        Err(_) => "error",
    };
    let mode = search.input.mode.as_str();
    metrics::counter!("colloquy_searches_total", "mode" => mode, "outcome" => outcome).increment(1);
    metrics::histogram!("colloquy_search_duration_seconds", "mode" => mode).record(started.elapsed());
    found
}

struct Search<'a> {
    ports: &'a Ports,
    tenant: Tenant,
    asked: TextQuery,
    /// Without the question's frame.
    query: TextQuery,
    input: SearchInput,
}

/// A ranking, whether the engines had more, and what it lacks.
struct Ranking {
    hits: Vec<FusedHit>,
    degraded: Option<String>,
}

impl Search<'_> {
    async fn run(&self) -> Result<Found> {
        let mut depth = (self.input.skip + self.input.first + 1).next_multiple_of(50);
        loop {
            let ranking = self.rank(depth.min(MAX_DEPTH)).await?;
            let exhausted = ranking.hits.len() < depth || depth >= MAX_DEPTH || self.is_fused();
            let found = self.check(ranking).await?;
            if found.hits.len() == self.input.first || exhausted {
                return Ok(found);
            }
            // PostgreSQL dropped some: refill from deeper down.
            depth *= 4;
        }
    }

    /// Whether the list has one fixed length, however deep it is read.
    fn is_fused(&self) -> bool {
        self.input.mode != SearchMode::Text
    }

    async fn rank(&self, depth: usize) -> Result<Ranking> {
        match self.input.mode {
            SearchMode::Text => {
                let found = within_deadline("text", self.text_leg(depth)).await?;
                Ok(Ranking { hits: single(&found.hits, false), degraded: None })
            }
            SearchMode::Semantic => {
                let hits = within_deadline("semantic", self.semantic_leg()).await?;
                Ok(Ranking { hits: single(&hits, true), degraded: None })
            }
            SearchMode::Hybrid => {
                let (text, semantic) = tokio::join!(
                    within_deadline("text", self.text_leg(LEG)),
                    within_deadline("semantic", self.semantic_leg()),
                );
                both(text, semantic)
            }
        }
    }

    async fn text_leg(&self, limit: usize) -> Result<TextHits> {
        let missing = || no_engine("there is no full-text engine in this server's settings");
        let engine = self.ports.search.text.as_ref().ok_or_else(missing)?;
        engine.search(self.tenant, &self.query, &self.input.filter, limit).await
    }

    async fn semantic_leg(&self) -> Result<Vec<EngineHit>> {
        let missing = || no_engine("there is no embedding model or vector engine in this server's settings");
        let embedder = self.ports.search.embedder.as_ref().ok_or_else(missing)?;
        let engine = self.ports.search.vectors.as_ref().ok_or_else(missing)?;
        let vector = embedder.embed_query(&self.asked.plain()).await?;
        engine.search(self.tenant, &vector, &self.input.filter, LEG).await
    }

    /// Reads the ranking page by page against PostgreSQL until enough hits stand.
    async fn check(&self, ranking: Ranking) -> Result<Found> {
        let Ranking { hits, degraded } = ranking;
        let mut found = Found { degraded, ..Found::default() };
        let mut at = self.input.skip;
        while at < hits.len() && found.hits.len() < self.input.first {
            let wanted = self.input.first - found.hits.len();
            let page = &hits[at..hits.len().min(at + wanted)];
            let kept = self.stands(page, at).await?;
            found.hits.extend(kept);
            at += page.len();
        }
        found.more = at < hits.len();
        Ok(found)
    }

    /// Those of the page that PostgreSQL agrees with, with their highlights. An engine may still hold the text
    /// of an earlier revision, under the same passage's id.
    async fn stands(&self, page: &[FusedHit], offset: usize) -> Result<Vec<Hit>> {
        let ids: Vec<PassageId> = page.iter().map(|hit| hit.passage_id).collect();
        let rows = self.ports.passages.find(self.tenant, &ids).await?;
        let rows: HashMap<PassageId, FoundPassage> =
            rows.into_iter().map(|row| (row.passage.id, row)).collect();
        let mut hits = Vec::with_capacity(page.len());
        for (place, fused) in (offset..).zip(page) {
            let found = rows.get(&fused.passage_id).filter(|row| row.facets.revision == fused.revision);
            let Some(found) = found.cloned() else {
                continue;
            };
            if self.input.filter.matches(&HitFacets::from(&found)) {
                hits.push(Hit { place, found, fused: *fused, highlights: Vec::new() });
            }
        }
        self.keep_strict(&mut hits).await?;
        self.highlight(&mut hits).await?;
        Ok(hits)
    }

    /// Quotes, OR and minus mean what they say for hits by meaning, too.
    async fn keep_strict(&self, hits: &mut Vec<Hit>) -> Result<()> {
        let Some(engine) = &self.ports.search.text else {
            return Ok(());
        };
        let texts = spoken(hits);
        let mut stands = vec![true; hits.len()];
        let phrases = self.query.clauses.iter().filter(|clause| matches!(clause, Clause::Phrase(_)));
        let wanted = phrases.map(std::slice::from_ref).chain(self.query.either.iter().map(Vec::as_slice));
        let unwanted = self.query.not.iter().map(std::slice::from_ref);
        let strict = wanted.map(|any| (any, true)).chain(unwanted.map(|any| (any, false)));
        for (any, must_stand) in strict {
            let query = TextQuery { clauses: any.to_vec(), ..TextQuery::default() };
            for (stands, marks) in stands.iter_mut().zip(engine.highlight(&query, &texts).await?) {
                *stands &= marks.is_empty() != must_stand;
            }
        }
        let mut stands = stands.into_iter();
        hits.retain(|hit| stands.next().unwrap_or(false) || hit.fused.text.is_some());
        Ok(())
    }

    async fn highlight(&self, hits: &mut [Hit]) -> Result<()> {
        let Some(engine) = &self.ports.search.text else {
            return Ok(());
        };
        let texts = spoken(hits);
        let marks = engine.highlight(&self.query, &texts).await?;
        for (hit, marks) in hits.iter_mut().zip(marks) {
            hit.highlights = marks;
        }
        Ok(())
    }
}

fn spoken(hits: &[Hit]) -> Vec<SpokenText> {
    let of = |found: &FoundPassage| SpokenText {
        text: found.passage.text.clone(),
        language: found.facets.language,
    };
    hits.iter().map(|hit| of(&hit.found)).collect()
}

fn both(text: Result<TextHits>, semantic: Result<Vec<EngineHit>>) -> Result<Ranking> {
    let lacks = |leg: &str, error: &Error| {
        tracing::warn!(leg, error = error.chain(), "search answers without a leg");
        Some(format!("the {leg} engine did not answer; these hits are the other engine's alone"))
    };
    match (text, semantic) {
        (Ok(text), Ok(semantic)) => Ok(Ranking { hits: fuse(&text, &semantic), degraded: None }),
        (Ok(text), Err(error)) => Ok(Ranking { hits: fuse(&text, &[]), degraded: lacks("semantic", &error) }),
        (Err(error), Ok(semantic)) => {
            Ok(Ranking { hits: fuse(&TextHits::default(), &semantic), degraded: lacks("text", &error) })
        }
        (Err(error), Err(_)) => Err(error),
    }
}

async fn within_deadline<T>(leg: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
    match timeout(DEADLINE, work).await {
        Ok(answer) => answer,
        Err(late) => Err(Error::unavailable("search in time", format!("the {leg} leg: {late}"))),
    }
}

fn no_engine(why: &'static str) -> Error {
    Error::unavailable("search", why)
}
