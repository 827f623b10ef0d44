//! The search use case: asks the engines, fuses what they say, and lets PostgreSQL have the last word on each
//! hit. HYBRID asks both engines at once with a deadline each and answers from one when the other fails,
//! saying so. TEXT is read from the engine page by page, as deep as one likes; what is fused or arranged is ranked once
//! and kept for its next pages. A ranking that was lost is made anew, and paging goes on behind the hit that was last.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    arrange::{Arrangement, arrange},
    check::{Check, spoken},
    cursor::{self, Cursor, Fingerprint},
    explain::Explanation,
    fusion::{FusedHit, SEMANTIC_WEIGHT, STRETCHED, Stretch, fuse, single, trust},
    highlight::{Highlight, SpokenText},
    kept::{About, Placed, Ranking},
    language::{self, Asked},
    legs::{ALONE, Legs, Said},
    people,
    query::{SearchFilter, SearchMode, TextQuery},
    within::{self, Within},
};
use crate::{
    Error, Problem, Result,
    accounts::{Actor, Role, Tenant},
    conversations::ConversationKind,
    ids::ConversationId,
    language::Language,
    people::Known,
    ports::{
        Ports,
        search::{After, EngineHit, TextHits},
        store::passages::FoundPassage,
    },
    time::Timestamp,
};

/// Hits on one page at most.
pub const MAX_PAGE: usize = 100;
/// What is asked of each engine for a list that is ranked once …
pub const LEG: usize = 1_000;
/// … and where nobody will read on: the first places are the same, and an engine of vectors is quicker by as much.
const SHORT_LEG: usize = STRETCHED;
/// Hits that TEXT asks the engine for at once, and how often for one page: whoever finds nothing that stands in so many
/// has an index that is being mended.
const MOST_AT_ONCE: usize = 1_000;
const ROUNDS: u32 = 12;

/// What a filter looks at, as PostgreSQL has it.
#[derive(Debug, Clone, PartialEq)]
pub struct HitFacets<'a> {
    pub conversation_id: ConversationId,
    pub kind: ConversationKind,
    pub tags: Vec<&'a str>,
    pub speakers: Vec<&'a str>,
    pub occurred_at: Option<Timestamp>,
    pub language: Option<Language>,
    pub people: &'a [Known],
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
            people: &found.passage.people,
        }
    }
}

pub struct SearchInput {
    pub query: String,
    pub mode: SearchMode,
    pub filter: SearchFilter,
    /// At most [`MAX_PAGE`].
    pub first: usize,
    /// Of the last hit seen.
    pub after: Option<Cursor>,
    pub arrangement: Arrangement,
    /// Whether anybody will ask for the next page: the ranking is kept for it.
    pub goes_on: bool,
}

#[derive(Debug, Clone)]
pub struct Hit {
    pub cursor: Cursor,
    pub found: FoundPassage,
    pub fused: FusedHit,
    /// Where the query's words stand in the passage's text; empty for a hit by meaning alone.
    pub highlights: Vec<Highlight>,
    /// Hits of its conversation that stand behind it, where a conversation has one place.
    pub further: u16,
    /// Hits that say almost the same, where those are left out.
    pub duplicates: u16,
}

#[derive(Debug, Clone, Default)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// Whether the ranking goes on after the last hit.
    pub more: bool,
    /// What this answer lacks because an engine did not serve, for the user.
    pub degraded: Option<String>,
    pub explanation: Explanation,
}

pub async fn find(ports: &Ports, actor: &Actor, input: SearchInput) -> Result<Found> {
    actor.require(Role::Viewer)?;
    let Asked { text: asked, filter } = language::read(&input.query).map_err(Error::Invalid)?;
    if input.first == 0 || input.first > MAX_PAGE {
        let message = format!("`first` is 1 to {MAX_PAGE}; this is {}", input.first);
        return Err(Error::Invalid(Problem::new("PAGE_OUT_OF_RANGE", message).at("first")));
    }
    input.arrangement.check().map_err(Error::Invalid)?;
    let tenant = actor.tenant();
    let of = cursor::fingerprint(tenant, &input);
    if let Some(after) = &input.after {
        after.check(of).map_err(Error::Invalid)?;
    }
    let Some(filter) = input.filter.clone().and(filter) else {
        return Ok(Found::default());
    };
    let started = Instant::now();
    let filter = people::resolve(ports, tenant, filter).await?;
    let input = SearchInput { filter, ..input };
    let query = ports.synonyms.find(tenant).await?.widen(&asked).without_frame();
    let search = Search { ports, tenant, of, query, asked, input };
    let mut found = search.run().await;
    if let Ok(found) = &mut found {
        found.explanation.took_ms = started.elapsed().as_millis() as u64;
    }
    count(search.input.mode, &found, started.elapsed());
    found
}

fn count(mode: SearchMode, found: &Result<Found>, took: Duration) {
    let outcome = match found {
        Ok(found) if found.degraded.is_some() => "degraded",
        Ok(_) => "ok",
        Err(_) => "error",
    };
    let mode = mode.as_str();
    metrics::counter!("colloquy_searches_total", "mode" => mode, "outcome" => outcome).increment(1);
    metrics::histogram!("colloquy_search_duration_seconds", "mode" => mode).record(took);
}

struct Search<'a> {
    ports: &'a Ports,
    tenant: Tenant,
    of: Fingerprint,
    asked: TextQuery,
    /// Without the question's frame, and with synonyms.
    query: TextQuery,
    input: SearchInput,
}

/// Hits that PostgreSQL agrees with, and how far a list was read for them.
#[derive(Default)]
struct Checked {
    hits: Vec<(usize, Placed, FoundPassage)>,
    /// Places that were passed.
    read: usize,
}

impl Search<'_> {
    async fn run(&self) -> Result<Found> {
        if self.input.mode == SearchMode::Text && !self.input.arrangement.is_asked_for() {
            self.run_through().await
        } else {
            self.run_list().await
        }
    }

    /// From hit to hit, each page from where the last one ended.
    async fn run_through(&self) -> Result<Found> {
        let mut found = Found::default();
        let mut place = self.input.after.map_or(0, |cursor| cursor.place as usize + 1);
        let mut after = self.input.after.map(|cursor| cursor.last);
        let legs = self.legs(ALONE);
        for round in 0..ROUNDS {
            let wanted = self.input.first - found.hits.len();
            // PostgreSQL dropped some: refill with more at once.
            let limit = ((wanted + 1) << (2 * round).min(16)).min(MOST_AT_ONCE);
            let Said { answer, mut report } = legs.text(&self.query, after, limit).await;
            let TextHits { hits, whole } = answer?;
            report.whole = Some(whole);
            found.explanation.legs.push(report);
            let rank = u32::try_from(place + 1).unwrap_or(u32::MAX);
            let ranked: Vec<Placed> = single(&hits, false, rank).into_iter().map(Placed::from).collect();
            let checked = self.check(&ranked, 0, wanted, &mut found.explanation).await?;
            found.more = checked.read < ranked.len() || hits.len() == limit;
            self.show(&mut found, checked.hits, place, None).await?;
            if found.hits.len() == self.input.first || hits.len() < limit {
                return Ok(found);
            }
            place += hits.len();
            after = hits.last().map(|hit| After { score: hit.score, passage_id: hit.passage_id });
        }
        found.more &= !found.hits.is_empty();
        Ok(found)
    }

    /// Page by page of a list that is ranked once.
    async fn run_list(&self) -> Result<Found> {
        let leg = self.leg();
        let found = self.run_list_of(leg).await?;
        // What stands may begin behind the end of a short list.
        let is_all = leg == LEG || found.explanation.ranked.is_none_or(|ranked| ranked < leg);
        if is_all || found.hits.len() == self.input.first { Ok(found) } else { self.run_list_of(LEG).await }
    }

    async fn run_list_of(&self, leg: usize) -> Result<Found> {
        let known = self.input.after.and_then(|cursor| cursor.list);
        let kept = match known {
            Some(list) => self.kept(list).await,
            None => None,
        };
        let is_kept = kept.is_some();
        let ranking = match kept {
            Some(ranking) => ranking,
            None => self.rank(leg).await?,
        };
        let list = known.unwrap_or_else(|| self.ports.ids.next());
        let start = self.input.after.map_or(0, |cursor| behind(&ranking.hits, &cursor));
        let About { degraded, legs, dropped } = ranking.about.clone();
        let explanation = Explanation {
            legs,
            kept: is_kept,
            ranked: Some(ranking.hits.len()),
            dropped,
            checked: dropped,
            ..Explanation::default()
        };
        let mut found = Found { degraded, explanation, ..Found::default() };
        let goes_on = self.input.goes_on && ranking.hits.len() > start + self.input.first;
        let keep = async {
            if goes_on && !is_kept {
                self.keep(list, &ranking).await;
            }
        };
        let check = self.check(&ranking.hits, start, self.input.first, &mut found.explanation);
        let (checked, ()) = tokio::join!(check, keep);
        let checked = checked?;
        found.more = start + checked.read < ranking.hits.len();
        self.show(&mut found, checked.hits, 0, Some(list)).await?;
        Ok(found)
    }

    async fn kept(&self, list: Uuid) -> Option<Ranking> {
        match self.ports.rankings.find(cursor::key(self.tenant, self.of, list)).await {
            Ok(kept) => Ranking::decode(&kept?),
            Err(error) => {
                tracing::debug!(error = error.chain(), "a search is ranked anew");
                None
            }
        }
    }

    async fn keep(&self, list: Uuid, ranking: &Ranking) {
        let Some(bytes) = ranking.encode() else { return };
        if let Err(error) = self.ports.rankings.keep(cursor::key(self.tenant, self.of, list), bytes).await {
            tracing::debug!(error = error.chain(), "a ranking is not kept for its next pages");
        }
    }

    fn legs(&self, deadline: Duration) -> Legs<'_> {
        Legs { ports: self.ports, tenant: self.tenant, filter: &self.input.filter, deadline }
    }

    fn leg(&self) -> usize {
        let is_read_on = self.input.goes_on || self.input.after.is_some();
        let is_long = is_read_on || self.input.arrangement.is_asked_for() || self.query.is_strict();
        if is_long { LEG } else { SHORT_LEG }
    }

    async fn rank(&self, leg: usize) -> Result<Ranking> {
        let (hits, about) = match self.input.mode {
            SearchMode::Text => {
                let said = self.legs(ALONE).text(&self.query, None, leg).await;
                alone(said, |found| single(&found.hits, false, 1))?
            }
            SearchMode::Semantic => {
                let said = self.legs(ALONE).semantic(&self.asked.plain(), leg).await;
                alone(said, |found| single(found, true, 1))?
            }
            SearchMode::Hybrid => {
                let within = match self.input.filter.conversation_ids[..] {
                    [id] => Some(self.within(id).await?),
                    _ => None,
                };
                let (query, plain, leg) = match &within {
                    Some(within) => (&within.words, within.plain.clone(), LEG),
                    None => (&self.query, self.asked.plain(), leg),
                };
                let legs = self.legs(self.ports.search_rules.deadline());
                let (text, semantic) = tokio::join!(legs.text(query, None, leg), legs.semantic(&plain, leg));
                both(text, semantic, within.as_ref())?
            }
        };
        if self.input.arrangement.is_asked_for() {
            return self.arranged(hits, about).await;
        }
        Ok(Ranking { hits: hits.into_iter().map(Placed::from).collect(), about })
    }

    /// For a search of one conversation alone, of which both engines tell all that they have.
    async fn within(&self, id: ConversationId) -> Result<Within> {
        Ok(Within::new(&self.query, &self.asked, self.ports.passages.outline(self.tenant, id).await?))
    }

    /// What does not stand must not stand for others.
    async fn arranged(&self, hits: Vec<FusedHit>, about: About) -> Result<Ranking> {
        let stand = self.checks().stands(&hits).await?;
        let standing: Vec<(FusedHit, FoundPassage)> =
            hits.iter().zip(stand).filter_map(|(hit, row)| Some((*hit, row?))).collect();
        let dropped = hits.len() - standing.len();
        let hits = arrange(self.ports, self.tenant, self.input.arrangement, standing).await?;
        Ok(Ranking { hits, about: About { dropped, ..about } })
    }

    fn checks(&self) -> Check<'_> {
        Check { ports: self.ports, tenant: self.tenant, query: &self.query, filter: &self.input.filter }
    }

    /// Reads the list against PostgreSQL, from a place on, until so many hits stand.
    async fn check(
        &self,
        hits: &[Placed],
        start: usize,
        wanted: usize,
        explanation: &mut Explanation,
    ) -> Result<Checked> {
        let mut checked = Checked::default();
        let mut at_once = wanted;
        while checked.hits.len() < wanted && start + checked.read < hits.len() {
            let from = start + checked.read;
            let page = &hits[from..hits.len().min(from + at_once)];
            let fused: Vec<FusedHit> = page.iter().map(|placed| placed.fused).collect();
            let stand = self.checks().stands(&fused).await?;
            for (place, (placed, row)) in (from..).zip(page.iter().zip(stand)) {
                if checked.hits.len() == wanted {
                    break;
                }
                checked.read += 1;
                explanation.checked += 1;
                match row {
                    Some(row) => checked.hits.push((place, *placed, row)),
                    None => explanation.dropped += 1,
                }
            }
            at_once = (2 * at_once).clamp(20, 500);
        }
        Ok(checked)
    }

    /// Adds hits to the answer; their places are counted from `offset`.
    async fn show(
        &self,
        found: &mut Found,
        hits: Vec<(usize, Placed, FoundPassage)>,
        offset: usize,
        list: Option<Uuid>,
    ) -> Result<()> {
        let texts: Vec<SpokenText> = hits.iter().map(|(_, _, row)| spoken(row)).collect();
        let marks = self.checks().highlight(texts).await?;
        for ((place, placed, row), highlights) in hits.into_iter().zip(marks) {
            let Placed { fused, further, duplicates } = placed;
            let last = After { score: fused.score, passage_id: fused.passage_id };
            let cursor = Cursor::new(self.of, offset + place, last, list);
            found.hits.push(Hit { cursor, found: row, fused, highlights, further, duplicates });
        }
        Ok(())
    }
}

/// The place behind the hit that was last; behind the place it had where the list has it no more.
fn behind(hits: &[Placed], cursor: &Cursor) -> usize {
    let is_last = |placed: &Placed| placed.fused.passage_id == cursor.last.passage_id;
    let place = cursor.place as usize;
    let found = match hits.get(place) {
        Some(placed) if is_last(placed) => Some(place),
        _ => hits.iter().position(is_last),
    };
    found.unwrap_or(place).saturating_add(1).min(hits.len())
}

fn alone<T>(said: Said<T>, hits: impl Fn(&T) -> Vec<FusedHit>) -> Result<(Vec<FusedHit>, About)> {
    let Said { answer, report } = said;
    Ok((hits(&answer?), About { legs: vec![report], ..About::default() }))
}

fn both(
    text: Said<TextHits>,
    semantic: Said<Vec<EngineHit>>,
    within: Option<&Within>,
) -> Result<(Vec<FusedHit>, About)> {
    let lacks = |leg: &str, error: &Error| {
        tracing::warn!(leg, error = error.chain(), "search answers without a leg");
        Some(format!("the {leg} engine did not answer; these hits are the other engine's alone"))
    };
    let (mut of_text, mut of_semantic) = (text.report, semantic.report);
    let (text, semantic, degraded) = match (text.answer, semantic.answer) {
        (Ok(text), Ok(semantic)) => (text, semantic, None),
        (Ok(text), Err(error)) => (text, Vec::new(), lacks("semantic", &error)),
        (Err(error), Ok(semantic)) => (TextHits::default(), semantic, lacks("text", &error)),
        (Err(error), Err(other)) => {
            tracing::warn!(error = other.chain(), "no engine answers; this is the semantic one's reason");
            return Err(error);
        }
    };
    of_text.whole = Some(text.whole);
    let weight = within.map_or(SEMANTIC_WEIGHT, |_| within::SEMANTIC_WEIGHT);
    (of_text.weight, of_semantic.weight) = (Some(1.0 - weight), Some(weight));
    let hits = match within {
        Some(within) => within.fuse(&text, &semantic),
        None => {
            (of_text.stretch, of_semantic.stretch) = (Stretch::over(&text.hits), Stretch::over(&semantic));
            of_text.trust = Some(trust(&text));
            fuse(&text, &semantic)
        }
    };
    Ok((hits, About { degraded, legs: vec![of_text, of_semantic], dropped: 0 }))
}
