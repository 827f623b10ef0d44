//! Search hits.

use async_graphql::{
    Context, ID, InputObject, Object, Result, SimpleObject,
    connection::{Connection, EmptyFields},
};
use colloquy_domain::{
    Error,
    ids::{ConversationId, PersonId},
    language::{Language, NoLanguage},
    search::{find, fusion, query, similar},
    time::Timestamp,
};

use super::{
    ConversationKind,
    conversation::Conversation,
    facets::Counted,
    ms,
    person::Person,
    ranking::{SearchCursor, SearchExplanation},
    segment::Segment,
};
use crate::{
    Wired,
    errors::fault,
    global_id,
    guards::actor,
    loaders::{ConversationById, PersonById, SegmentRun},
    page::refuse,
};

/// Narrows a search. Within a list any value will do; between fields all must hold.
#[derive(InputObject, Default)]
pub(crate) struct SearchFilter {
    kinds: Option<Vec<ConversationKind>>,
    /// Names, compared without case.
    tags: Option<Vec<String>>,
    /// Labels of speakers, compared without case.
    speakers: Option<Vec<String>>,
    /// Inclusive. A conversation without a time is outside every span.
    occurred_from: Option<Timestamp>,
    /// Exclusive.
    occurred_before: Option<Timestamp>,
    conversation_ids: Option<Vec<ID>>,
    /// Codes or tags of languages, such as `en` or `pt-BR`, whose region is passed over.
    languages: Option<Vec<String>>,
    /// Who speaks, whatever their labels.
    person_ids: Option<Vec<ID>>,
}

/// Values in one list of a filter at most.
const MAX_VALUES: usize = 100;

impl SearchFilter {
    pub(crate) fn read(self) -> Result<query::SearchFilter> {
        let ids = self.conversation_ids.unwrap_or_default();
        let ids: colloquy_domain::Result<Vec<ConversationId>> =
            ids.iter().take(MAX_VALUES + 1).map(global_id::require).collect();
        let people = self.person_ids.unwrap_or_default();
        let people: colloquy_domain::Result<Vec<PersonId>> =
            people.iter().take(MAX_VALUES + 1).map(global_id::require).collect();
        let languages = self.languages.unwrap_or_default();
        let read = |tag: &String| language(tag, "filter");
        let languages: colloquy_domain::Result<Vec<Language>> =
            languages.iter().take(MAX_VALUES + 1).map(read).collect();
        let filter = query::SearchFilter {
            kinds: self.kinds.unwrap_or_default().into_iter().map(Into::into).collect(),
            tags: self.tags.unwrap_or_default(),
            speakers: self.speakers.unwrap_or_default(),
            occurred_from: self.occurred_from,
            occurred_before: self.occurred_before,
            conversation_ids: ids.map_err(fault)?,
            languages: languages.map_err(fault)?,
            person_ids: people.map_err(fault)?,
            people: Vec::new(),
        };
        let longest = filter.tags.len().max(filter.speakers.len()).max(filter.conversation_ids.len());
        let longest =
            longest.max(filter.languages.len()).max(filter.person_ids.len()).max(filter.kinds.len());
        if longest > MAX_VALUES {
            return Err(refuse(format!(
                "a list of a filter has at most {MAX_VALUES} values; this one has {longest}"
            )));
        }
        if filter.occurred_from.zip(filter.occurred_before).is_some_and(|(from, before)| before <= from) {
            return Err(refuse(
                "`occurredBefore` must be later than `occurredFrom`: nothing lies between these",
            ));
        }
        Ok(filter)
    }
}

/// A language as a client writes it.
pub(crate) fn language(tag: &str, field: &'static str) -> colloquy_domain::Result<Language> {
    tag.parse().map_err(|no: NoLanguage| Error::invalid(field, "INVALID_LANGUAGE", no.to_string()))
}

pub(crate) type SearchConnection = Connection<SearchCursor, SearchHit, SearchOutcome, EmptyFields>;

/// How the search went.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct SearchOutcome {
    /// What this answer lacks because an engine did not serve; null when nothing is lacking.
    pub(crate) degraded: Option<String>,
    /// How the answer came about.
    pub(crate) explanation: SearchExplanation,
    #[graphql(skip)]
    pub(crate) counted: Counted,
}

/// What is like something.
#[derive(SimpleObject)]
pub(crate) struct SimilarHits {
    /// Best first.
    hits: Vec<SearchHit>,
    /// Found by the words that tell most of it, since there is no meaning to go by.
    by_words: bool,
    /// What this answer lacks because an engine did not serve; null when nothing is lacking.
    degraded: Option<String>,
    explanation: SearchExplanation,
}

impl From<similar::Similar> for SimilarHits {
    fn from(of: similar::Similar) -> Self {
        Self {
            hits: of.hits.into_iter().map(SearchHit).collect(),
            by_words: of.by_words,
            degraded: of.degraded,
            explanation: of.explanation.into(),
        }
    }
}

/// A passage that was found.
pub(crate) struct SearchHit(pub(crate) find::Hit);

#[Object]
impl SearchHit {
    async fn passage(&self) -> Passage {
        Passage(self.0.found.clone())
    }

    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        let key = ConversationById(actor(ctx)?.tenant(), self.0.found.facets.conversation_id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Conversation))
    }

    /// The passage's segments, in order; `neighbours` adds so many segments before and after, at most 10.
    #[graphql(complexity = "10 * child_complexity")]
    async fn segments(&self, ctx: &Context<'_>, #[graphql(default)] neighbours: i32) -> Result<Vec<Segment>> {
        if !(0..=10).contains(&neighbours) {
            return Err(refuse(format!("`neighbours` is 0 to 10; this is {neighbours}")));
        }
        let passage = &self.0.found.passage;
        let run = (
            passage.conversation_id,
            passage.first_sequence - neighbours,
            passage.last_sequence + neighbours,
        );
        let key = SegmentRun(actor(ctx)?.tenant(), run);
        let segments = ctx.loader().load_one(key).await.map_err(fault)?;
        Ok(segments.unwrap_or_default().into_iter().map(Segment::from).collect())
    }

    /// The passage's text in pieces, in order: joined they are the text, and those that match are marked.
    async fn fragments(&self) -> Vec<Fragment> {
        fragments(&self.0.found.passage.text, &self.0.highlights)
    }

    /// Hits of its conversation that stand behind it, where `groupBy` is CONVERSATION; 0 otherwise.
    async fn further_hits(&self) -> i32 {
        self.0.further.into()
    }

    /// Hits that say almost the same, where `collapseDuplicates` is set; 0 otherwise.
    async fn duplicates(&self) -> i32 {
        self.0.duplicates.into()
    }

    /// How well it matches; compares within one answer only.
    async fn score(&self) -> f32 {
        self.0.fused.score
    }

    /// Where the words ranked it, from 1, and their BM25 score; null where they did not find it.
    async fn text_match(&self) -> Option<EngineMatch> {
        self.0.fused.text.map(EngineMatch::from)
    }

    /// Where meaning ranked it, from 1, and its cosine; null where it did not find it.
    async fn semantic_match(&self) -> Option<EngineMatch> {
        self.0.fused.semantic.map(EngineMatch::from)
    }
}

/// Why a hit matched.
#[derive(SimpleObject)]
pub(crate) struct EngineMatch {
    rank: u32,
    score: f32,
    /// From 0 to 1, what goes into the score of HYBRID; null in other modes.
    stretched: Option<f32>,
}

impl From<fusion::Place> for EngineMatch {
    fn from(place: fusion::Place) -> Self {
        Self { rank: place.rank, score: place.score, stretched: place.stretched }
    }
}

/// A piece of a passage's text.
#[derive(SimpleObject)]
pub(crate) struct Fragment {
    text: String,
    is_match: bool,
}

pub(super) fn fragments(text: &str, highlights: &[std::ops::Range<usize>]) -> Vec<Fragment> {
    let mut fragments = Vec::with_capacity(2 * highlights.len() + 1);
    let mut push = |range: std::ops::Range<usize>, is_match| {
        if let Some(piece) = text.get(range).filter(|piece| !piece.is_empty()) {
            fragments.push(Fragment { text: piece.to_owned(), is_match });
        }
    };
    let mut at = 0;
    for highlight in highlights {
        push(at..highlight.start, false);
        push(highlight.clone(), true);
        at = highlight.end;
    }
    push(at..text.len(), false);
    fragments
}

/// A run of segments: what is embedded and searched.
pub(crate) struct Passage(pub(crate) colloquy_domain::ports::store::passages::FoundPassage);

#[Object]
impl Passage {
    /// Of its text: a passage that says something else is another one.
    async fn id(&self) -> ID {
        global_id::encode(self.0.passage.id)
    }

    /// The segments' texts, a line each.
    async fn text(&self) -> &str {
        &self.0.passage.text
    }

    /// Place among the conversation's passages, from 0.
    async fn ordinal(&self) -> u32 {
        self.0.passage.ordinal
    }

    /// Labels of those who speak in it.
    async fn speakers(&self) -> &[String] {
        &self.0.passage.speakers
    }

    /// Who of the organization's people speaks in it.
    #[graphql(complexity = "2 * child_complexity")]
    async fn people(&self, ctx: &Context<'_>) -> Result<Vec<Person>> {
        let tenant = actor(ctx)?.tenant();
        let keys: Vec<_> = self.0.passage.people.iter().map(|one| PersonById(tenant, one.id)).collect();
        let mut found = ctx.loader().load_many(keys.iter().copied()).await.map_err(fault)?;
        Ok(keys.iter().filter_map(|key| found.remove(key)).map(Person).collect())
    }

    async fn start_ms(&self) -> Option<i32> {
        ms(self.0.passage.start_ms)
    }

    async fn end_ms(&self) -> Option<i32> {
        ms(self.0.passage.end_ms)
    }

    /// The model that made its vector; null while it has none.
    async fn embedding_model(&self) -> Option<&str> {
        self.0.embedding_model.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_join_to_the_text_and_mark_the_matches() {
        let text = "pay and notice";
        let pieces = fragments(text, &[0..3, 8..14]);
        let joined: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(joined, text);
        let marked: Vec<_> =
            pieces.iter().filter(|piece| piece.is_match).map(|piece| piece.text.as_str()).collect();
        assert_eq!(marked, ["pay", "notice"]);
        assert_eq!(fragments(text, &[]).len(), 1);
    }
}
