//! Following what comes: the matches of a saved search, from the event log, or of a question that nobody has saved,
//! which this process holds against what comes for as long as it is asked.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use async_stream::try_stream;
use futures::{Stream, StreamExt, pin_mut};

use super::{Question, SavedSearch, Watch, manage};
use crate::{
    Error, Result,
    accounts::{Actor, Role, Tenant},
    events::{
        EventKind, LogPosition, Stage, Topic,
        feed::{Feed, FeedItem},
    },
    ids::{ConversationId, PassageId, SavedSearchId, SearchMatchId},
    passages::text_hash,
    ports::{
        Ports,
        models::Embedder,
        store::{PageBy, passages::FoundPassage, saved_searches::SearchMatch},
    },
    search::{
        check::spoken,
        highlight::{Highlight, SpokenText, highlight},
        matching::{Came, Matcher, Watched, came_since},
        query::TextQuery,
    },
    time::Timestamp,
};

/// Events that are read together.
const TOGETHER: usize = 64;
/// Texts that a question remembers to have told of.
const REMEMBERED: usize = 100_000;

/// A passage that matches, and why.
#[derive(Debug, Clone)]
pub struct Fired {
    pub found: FoundPassage,
    /// Where the query's words stand in the passage's text; there may be none for a hit by meaning.
    pub highlights: Vec<Highlight>,
    /// Where meaning was looked for.
    pub similarity: Option<f32>,
    pub at: Timestamp,
}

#[derive(Debug, Clone)]
pub enum Told {
    /// With where to resume; a question that is not saved cannot be resumed.
    Fired(Box<Fired>, Option<LogPosition>),
    /// The watcher was too slow; a saved search may go on from here.
    Lagged(LogPosition),
}

/// Where the query stands in the passages, as search marks it.
fn mark(query: &TextQuery, found: &[&FoundPassage]) -> Vec<Vec<Highlight>> {
    let texts: Vec<SpokenText> = found.iter().map(|found| spoken(found)).collect();
    highlight(&query.without_frame(), &texts)
}

/// A page of what a saved search has found and stands still, newest first.
pub async fn found(
    ports: &Ports,
    tenant: Tenant,
    search: &SavedSearch,
    page: PageBy<SearchMatchId>,
) -> Result<Vec<(SearchMatchId, Fired)>> {
    let found = ports.saved_searches.list_matches(tenant, search.id, page).await?;
    marked(ports, tenant, search, found).await
}

async fn marked(
    ports: &Ports,
    tenant: Tenant,
    search: &SavedSearch,
    found: Vec<SearchMatch>,
) -> Result<Vec<(SearchMatchId, Fired)>> {
    let asked = search.question.read()?;
    let query = ports.synonyms.find(tenant).await?.widen(&asked.text);
    let marks = mark(&query, &found.iter().map(|one| &one.found).collect::<Vec<_>>());
    let fired = |(one, highlights): (SearchMatch, _)| {
        let fired = Fired { found: one.found, highlights, similarity: one.similarity, at: one.at };
        (one.id, fired)
    };
    Ok(found.into_iter().zip(marks).map(fired).collect())
}

/// Matches of a saved search after `after`, or from now on, without end.
pub async fn saved(
    ports: &Ports,
    feed: &Feed,
    actor: &Actor,
    id: SavedSearchId,
    after: Option<LogPosition>,
) -> Result<impl Stream<Item = Result<Told>> + Send + 'static + use<>> {
    actor.require(Role::Viewer)?;
    let tenant = actor.tenant();
    let now = feed.now().await?;
    manage::get(ports, tenant, id).await?;
    let items = feed.follow(tenant, Topic::SavedSearch(id), after.unwrap_or(now)).await?;
    let (ports, feed) = (ports.clone(), feed.clone());
    Ok(try_stream! {
        let items = items.ready_chunks(TOGETHER);
        pin_mut!(items);
        while let Some(items) = items.next().await {
            let mut matches = Vec::with_capacity(items.len());
            let mut last = None;
            for item in items {
                match item {
                    Ok(FeedItem::Event(event)) => {
                        if let EventKind::SearchMatched { match_id, .. } = event.kind {
                            matches.push((match_id, feed.position(&event)));
                        }
                    }
                    other => last = Some(other),
                }
            }
            for (fired, at) in stands(&ports, tenant, id, matches).await? {
                yield Told::Fired(Box::new(fired), Some(at));
            }
            match last {
                Some(Err(error)) => Err::<(), Error>(error)?,
                Some(Ok(FeedItem::Lagged(at))) => {
                    yield Told::Lagged(at);
                    break;
                }
                _ => {}
            }
        }
    })
}

/// Those whose passage and search stand still, in order.
async fn stands(
    ports: &Ports,
    tenant: Tenant,
    of: SavedSearchId,
    matches: Vec<(SearchMatchId, LogPosition)>,
) -> Result<Vec<(Fired, LogPosition)>> {
    let ids: Vec<SearchMatchId> = matches.iter().map(|(id, _)| *id).collect();
    let Some(search) = ports.saved_searches.find(tenant, &[of]).await?.pop() else {
        return Ok(Vec::new());
    };
    let matches_found = ports.saved_searches.find_matches(tenant, of, &ids).await?;
    let mut fired = marked(ports, tenant, &search, matches_found).await?;
    let in_order = matches.into_iter().filter_map(|(id, at)| {
        let place = fired.iter().position(|(other, _)| *other == id)?;
        Some((fired.swap_remove(place).1, at))
    });
    Ok(in_order.collect())
}

/// Passages that come from now on and answer the question, each text once, without end.
pub async fn question(
    ports: &Ports,
    feed: &Feed,
    actor: &Actor,
    question: Question,
) -> Result<impl Stream<Item = Result<Told>> + Send + 'static + use<>> {
    actor.require(Role::Viewer)?;
    let tenant = actor.tenant();
    let mut asked = question.read()?;
    let vector = match question.watch {
        Watch::Text => None,
        Watch::Semantic { .. } => Some(embedder(ports)?.embed_query(&asked.text.plain()).await?),
    };
    let now = feed.now().await?;
    let since = ports.saved_searches.clock().await?;
    asked.text = ports.synonyms.find(tenant).await?.widen(&asked.text);
    let text = asked.text.clone();
    let of = (SavedSearchId(ports.ids.next()), 1);
    let watched = Watched::new(of, since, asked, question.watch, vector);
    let mut asking = Asking {
        ports: ports.clone(),
        tenant,
        text,
        since,
        by_meaning: question.watch != Watch::Text,
        matcher: Arc::new(Matcher::new(vec![Arc::new(watched)])),
        told: Remembered::default(),
    };
    let items = feed.follow(tenant, Topic::Conversations, now).await?;
    Ok(try_stream! {
        pin_mut!(items);
        while let Some(item) = items.next().await {
            match item? {
                FeedItem::Event(event) => {
                    let Some(id) = asking.concerns(&event.kind) else { continue };
                    for fired in asking.look(id, event.at).await? {
                        yield Told::Fired(Box::new(fired), None);
                    }
                }
                FeedItem::Lagged(at) => {
                    yield Told::Lagged(at);
                    break;
                }
            }
        }
    })
}

pub(super) fn embedder(ports: &Ports) -> Result<&dyn Embedder> {
    let missing = || Error::unavailable("look for meaning", "this server has no embedding model");
    ports.search.embedder.as_deref().ok_or_else(missing)
}

/// A question that this process answers by itself.
struct Asking {
    ports: Ports,
    tenant: Tenant,
    text: TextQuery,
    since: Timestamp,
    by_meaning: bool,
    matcher: Arc<Matcher>,
    told: Remembered,
}

impl Asking {
    /// The conversation that an engine has now.
    fn concerns(&self, kind: &EventKind) -> Option<ConversationId> {
        let wanted = if self.by_meaning { Stage::Embedded } else { Stage::Indexed };
        match kind {
            EventKind::Progress { conversation_id, stage, .. } if *stage == wanted => Some(*conversation_id),
            _ => None,
        }
    }

    async fn look(&mut self, id: ConversationId, at: Timestamp) -> Result<Vec<Fired>> {
        let (_, Some(of)) = self.ports.passages.find_indexable(self.tenant, id).await? else {
            return Ok(Vec::new());
        };
        let mut came = came_since(self.since, &of, &[]);
        if self.by_meaning {
            self.give_vectors(&mut came).await?;
        }
        let matcher = self.matcher.clone();
        let hold = move || came.iter().flat_map(|came| first_match(&matcher, came)).collect::<Vec<_>>();
        let matching = tokio::task::spawn_blocking(hold).await;
        let mut matching = matching.map_err(|error| Error::internal("match a question", error))?;
        matching.retain(|(_, _, hash)| self.told.is_new(*hash));
        self.standing(matching, at).await
    }

    /// As PostgreSQL keeps them: what has none was not embedded.
    async fn give_vectors(&self, came: &mut [Came]) -> Result<()> {
        let hashes: Vec<[u8; 32]> = came.iter().map(|one| text_hash(&one.found.passage.text)).collect();
        let model = &embedder(&self.ports)?.model().name;
        let vectors = self.ports.passages.vectors(self.tenant, model, &hashes).await?;
        for (one, vector) in came.iter_mut().zip(vectors) {
            one.vector = vector;
        }
        Ok(())
    }

    async fn standing(&self, matching: Vec<Matching>, at: Timestamp) -> Result<Vec<Fired>> {
        let ids: Vec<PassageId> = matching.iter().map(|(id, ..)| *id).collect();
        let found = self.ports.passages.find(self.tenant, &ids).await?;
        let stands = matching.into_iter().filter_map(|(id, similarity, hash)| {
            let of = |found: &&FoundPassage| found.passage.id == id && text_hash(&found.passage.text) == hash;
            let found = found.iter().find(of)?.clone();
            let highlights = mark(&self.text, &[&found]).pop().unwrap_or_default();
            Some(Fired { found, highlights, similarity, at })
        });
        Ok(stands.collect())
    }
}

/// A passage that matches, its cosine, and the hash of its text.
type Matching = (PassageId, Option<f32>, [u8; 32]);

fn first_match(matcher: &Matcher, came: &Came) -> Option<Matching> {
    let passage = &came.found.passage;
    let first = matcher.matches(came).into_iter().next()?;
    Some((passage.id, first.similarity, text_hash(&passage.text)))
}

/// The last texts that were told of.
#[derive(Default)]
struct Remembered {
    known: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Remembered {
    fn is_new(&mut self, hash: [u8; 32]) -> bool {
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED {
            self.order.pop_front().map(|oldest| self.known.remove(&oldest));
        }
        true
    }
}
