//! More like this: what is near in meaning to a passage, or to all of a conversation, by the mean of the vectors that
//! PostgreSQL keeps. Where there are none, or the engine does not serve, the words that tell most of it are looked for.

use std::collections::{HashMap, HashSet};

use unicode_segmentation::UnicodeSegmentation;
use uuid::Uuid;

use super::{
    check::{Check, spoken},
    cursor::Cursor,
    explain::{Explanation, LegReport},
    find::{Hit, LEG, MAX_PAGE},
    fusion::{FusedHit, single},
    legs::{ALONE, Legs},
    query::{Clause, SearchFilter, TextQuery},
};
use crate::{
    Error, Problem, Result,
    accounts::{Actor, Role, Tenant},
    analysis::bears_a_subject,
    ids::{ConversationId, PassageId},
    passages::{Passage, text_hash},
    ports::{
        Ports,
        search::{After, EngineHit},
    },
};

/// Passages of a conversation that stand for it: every so many, where it has more.
const LOOKED_AT: usize = 500;
/// Words that are looked for where there is no meaning.
const WORDS: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Like {
    /// What it is like may be in the same conversation.
    Passage(PassageId),
    Conversation(ConversationId),
}

pub struct SimilarInput {
    pub like: Like,
    pub filter: SearchFilter,
    /// At most [`MAX_PAGE`].
    pub first: usize,
}

#[derive(Debug, Clone, Default)]
pub struct Similar {
    pub hits: Vec<Hit>,
    /// Found by words, in the lack of meaning.
    pub by_words: bool,
    /// Why, where an engine did not serve.
    pub degraded: Option<String>,
    pub explanation: Explanation,
}

/// `None` where there is no such thing in the tenant.
pub async fn similar(ports: &Ports, actor: &Actor, input: &SimilarInput) -> Result<Option<Similar>> {
    actor.require(Role::Viewer)?;
    if !(1..=MAX_PAGE).contains(&input.first) {
        let message = format!("`first` is 1 to {MAX_PAGE}; this is {}", input.first);
        return Err(Error::Invalid(Problem::new("PAGE_OUT_OF_RANGE", message).at("first")));
    }
    let tenant = actor.tenant();
    let own = match input.like {
        Like::Passage(id) => ports.passages.find(tenant, &[id]).await?.pop().map(|found| vec![found.passage]),
        Like::Conversation(id) => ports.passages.find_indexable(tenant, id).await?.1.map(|of| of.passages),
    };
    let Some(own) = own else { return Ok(None) };
    let search = Search { ports, tenant, input };
    search.run(&own).await.map(Some)
}

struct Search<'a> {
    ports: &'a Ports,
    tenant: Tenant,
    input: &'a SimilarInput,
}

impl Search<'_> {
    async fn run(&self, own: &[Passage]) -> Result<Similar> {
        let every = own.len().div_ceil(LOOKED_AT).max(1);
        let looked_at: Vec<&Passage> = own.iter().step_by(every).collect();
        // Its own passages are the nearest of all.
        let limit = self.input.first + own.len().min(8 * LEG) + MAX_PAGE;
        let mut degraded = None;
        if let Some(vector) = self.mean(&looked_at).await? {
            let said = self.legs().near(&vector, limit).await;
            match said.answer {
                Ok(hits) => return self.answer(&hits, true, said.report, &TextQuery::default()).await,
                Err(error) => {
                    tracing::warn!(error = error.chain(), "what is similar is found by words");
                    degraded = Some(
                        "the semantic engine did not answer; these hits have words in common".to_owned(),
                    );
                }
            }
        }
        let query = words(looked_at.iter().map(|passage| passage.text.as_str()));
        if query.is_empty() {
            return Ok(Similar { by_words: true, degraded, ..Similar::default() });
        }
        let said = self.legs().text(&query, None, limit).await;
        let found = self.answer(&said.answer?.hits, false, said.report, &query).await?;
        Ok(Similar { degraded, ..found })
    }

    fn legs(&self) -> Legs<'_> {
        Legs { ports: self.ports, tenant: self.tenant, filter: &self.input.filter, deadline: ALONE }
    }

    /// Of unit length; `None` where nothing has a vector of the model in use.
    async fn mean(&self, passages: &[&Passage]) -> Result<Option<Vec<f32>>> {
        let Some(embedder) =
            self.ports.search.embedder.as_ref().filter(|_| self.ports.search.vectors.is_some())
        else {
            return Ok(None);
        };
        let hashes: Vec<[u8; 32]> = passages.iter().map(|passage| text_hash(&passage.text)).collect();
        let vectors = self.ports.passages.vectors(self.tenant, &embedder.model().name, &hashes).await?;
        Ok(mean(vectors.into_iter().flatten()))
    }

    async fn answer(
        &self,
        hits: &[EngineHit],
        is_semantic: bool,
        report: LegReport,
        query: &TextQuery,
    ) -> Result<Similar> {
        let is_other = |hit: &EngineHit| match self.input.like {
            Like::Passage(id) => hit.passage_id != id,
            Like::Conversation(id) => hit.conversation_id != id,
        };
        let others: Vec<EngineHit> = hits.iter().filter(|hit| is_other(hit)).copied().collect();
        let ranked = single(&others, is_semantic, 1);
        // Where a filter or an old index leaves none of the first, some behind them may stand.
        let ranked: Vec<FusedHit> = ranked.into_iter().take(self.input.first + MAX_PAGE).collect();
        let strict = TextQuery::default();
        let check =
            Check { ports: self.ports, tenant: self.tenant, query: &strict, filter: &self.input.filter };
        let stand = check.stands(&ranked).await?;
        let checked = ranked.len();
        let standing: Vec<_> =
            ranked.into_iter().zip(stand).filter_map(|(hit, row)| Some((hit, row?))).collect();
        let dropped = checked - standing.len();
        let shown: Vec<_> = standing.into_iter().take(self.input.first).collect();
        let texts: Vec<_> = shown.iter().map(|(_, row)| spoken(row)).collect();
        let marks = Check { query, ..check }.highlight(texts).await?;
        let hit = |(place, ((fused, found), highlights)): (usize, ((FusedHit, _), _))| {
            let last = After { score: fused.score, passage_id: fused.passage_id };
            let cursor = Cursor::new([0; 12], place, last, None::<Uuid>);
            Hit { cursor, found, fused, highlights, further: 0, duplicates: 0 }
        };
        let hits = shown.into_iter().zip(marks).enumerate().map(hit).collect();
        let explanation = Explanation { legs: vec![report], checked, dropped, ..Explanation::default() };
        Ok(Similar { hits, by_words: !is_semantic, degraded: None, explanation })
    }
}

fn mean(vectors: impl Iterator<Item = Vec<f32>>) -> Option<Vec<f32>> {
    let sum = vectors.reduce(|mut sum, vector| {
        sum.iter_mut().zip(vector).for_each(|(sum, number)| *sum += number);
        sum
    })?;
    let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
    (length > f32::EPSILON).then(|| sum.into_iter().map(|number| number / length).collect())
}

/// The words that are said most of those that bear a subject; how rare they are elsewhere is for the engine to weigh.
fn words<'a>(texts: impl Iterator<Item = &'a str>) -> TextQuery {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for text in texts {
        let mut of_one = HashSet::new();
        for word in text.unicode_words().map(str::to_lowercase) {
            let is_word = word.chars().count() > 2 || !word.is_ascii();
            if is_word && word.len() < 100 && bears_a_subject(&word) {
                of_one.insert(word);
            }
        }
        of_one.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| (b.1, b.0.len()).cmp(&(a.1, a.0.len())).then_with(|| a.0.cmp(&b.0)));
    let clauses = counts.into_iter().take(WORDS).map(|(word, _)| Clause::Word(word)).collect();
    TextQuery { clauses, ..TextQuery::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_has_unit_length_and_opposites_have_none() {
        let of = |vectors: &[[f32; 2]]| mean(vectors.iter().map(|vector| vector.to_vec()));
        assert_eq!(of(&[[1.0, 0.0], [0.0, 1.0]]), Some(vec![0.5_f32.sqrt(); 2]));
        assert_eq!(of(&[[1.0, 0.0], [-1.0, 0.0]]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn words_that_bear_a_subject_are_looked_for_and_those_of_many_passages_first() {
        let query = words(
            ["So the orchard, you know, the orchard needs pruning", "An orchard is an orchard"].into_iter(),
        );
        let words: Vec<&str> = query.clauses.iter().map(Clause::text).collect();
        assert_eq!(words[0], "orchard");
        assert!(
            words.contains(&"pruning") && !words.contains(&"know") && !words.contains(&"the"),
            "{words:?}"
        );
        assert!(super::words(["you know the".to_owned()].iter().map(String::as_str)).is_empty());
    }
}
