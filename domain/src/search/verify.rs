//! Compares what PostgreSQL has of an organization with what the live generation of each engine has, page by page, and
//! has mended what differs. First come the conversations that there are, then what each engine has of others. Whoever
//! asks goes on from page to page, so that a run of any length holds nothing up and is lost with nobody.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    Error, Problem, Result,
    accounts::{Actor, Role, SystemScope, Tenant},
    audit::{self, NewAuditEntry, Origin},
    conversations::{ConversationKind, update::reindex},
    ids::ConversationId,
    passages::text_hash,
    ports::{
        Ports,
        jobs::Signal,
        search::{ConversationFacets, OneGeneration, PassageDocument, Version},
        verify::{Difference, Inspect, Leg, Wanted},
    },
};

/// Conversations of one page at most.
pub const MAX_PAGE: usize = 100;
/// A version from here on is a removal, which is final: only another generation mends that.
const FINAL: Version = 1 << 53;
const SCOPE: SystemScope = SystemScope::because("ids of the organization's own pages are looked up");

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyInput {
    /// Conversations to look at, [`MAX_PAGE`] at most.
    pub first: usize,
    /// `next` of the page before.
    pub after: Option<String>,
    pub repair: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The engine lacks passages.
    Missing,
    /// It has the conversation as it was before.
    Stale,
    /// It has passages otherwise than they are.
    Altered,
    /// It has passages that there are not.
    Extra,
    /// It has passages of a conversation that is gone.
    Orphaned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub conversation_id: ConversationId,
    pub leg: Leg,
    pub kind: Kind,
    /// In number.
    pub passages: u64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verified {
    /// Conversations that were looked at.
    pub checked: u64,
    pub found: Vec<Found>,
    /// Conversations that jobs write anew.
    pub mended: u64,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Of PostgreSQL, after this one.
    Conversations(Option<ConversationId>),
    /// What an engine has, from here on.
    Orphans(Leg, Option<String>),
}

impl Stage {
    fn parse(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else { return Some(Self::Conversations(None)) };
        let (stage, rest) = text.split_once(':')?;
        let from = (!rest.is_empty()).then(|| rest.to_owned());
        Some(match stage {
            "conversations" => Self::Conversations(Some(rest.parse().ok()?)),
            "text" | "vectors"
                if from.as_ref().is_some_and(|from| from.parse::<ConversationId>().is_err()) =>
            {
                return None;
            }
            "text" => Self::Orphans(Leg::Text, from),
            "vectors" => Self::Orphans(Leg::Vectors, from),
            _ => return None,
        })
    }

    fn show(&self) -> String {
        match self {
            Self::Conversations(after) => {
                format!("conversations:{}", after.map(|id| id.to_string()).unwrap_or_default())
            }
            Self::Orphans(Leg::Text, from) => format!("text:{}", from.as_deref().unwrap_or_default()),
            Self::Orphans(Leg::Vectors, from) => format!("vectors:{}", from.as_deref().unwrap_or_default()),
        }
    }
}

/// One page. Without `repair` nothing is changed, and the log has the first page alone.
pub async fn verify(ports: &Ports, actor: &Actor, origin: &Origin, input: VerifyInput) -> Result<Verified> {
    let entry = NewAuditEntry::new(ports, actor, origin, "searchIndex.verify");
    let entry = entry.with("repair", Some(input.repair));
    let verified = run(ports, actor, &input, &entry).await;
    audit::settle(ports, entry, verified).await
}

async fn run(ports: &Ports, actor: &Actor, input: &VerifyInput, entry: &NewAuditEntry) -> Result<Verified> {
    actor.require(Role::Admin)?;
    if input.first == 0 || input.first > MAX_PAGE {
        let message = format!("`first` is 1 to {MAX_PAGE}");
        return Err(Error::Invalid(Problem::new("PAGE_OUT_OF_RANGE", message).at("first")));
    }
    let wrong = || Error::invalid("after", "INVALID_CURSOR", "`after` is `next` of the page before");
    let stage = Stage::parse(input.after.as_deref()).ok_or_else(wrong)?;
    let check = Check::new(ports, actor.tenant()).await?;
    let (mut verified, differing) = match stage {
        Stage::Conversations(after) => check.conversations(after, input.first).await?,
        Stage::Orphans(leg, from) => check.orphans(leg, from.as_deref()).await?,
    };
    if input.repair && !differing.is_empty() {
        let jobs = differing.iter().flat_map(|(id, _)| reindex(ports, actor.tenant(), *id)).collect();
        let entry = entry.again(ports).with("conversations", Some(differing.len() as u64)).changed(true);
        ports.generations.mend(actor.tenant(), &differing, jobs, entry).await?;
        ports.signals.raise(Signal::Jobs);
        verified.mended = differing.len() as u64;
    } else if input.after.is_none() {
        ports.audit.insert(entry.again(ports).changed(false)).await?;
    }
    Ok(verified)
}

/// Conversations that are to be written anew, under a version later than this one.
type Differing = Vec<(ConversationId, Version)>;

struct Check<'a> {
    ports: &'a Ports,
    tenant: Tenant,
    /// The engines' live generations.
    legs: Vec<(Leg, Arc<dyn Inspect>)>,
}

impl<'a> Check<'a> {
    async fn new(ports: &'a Ports, tenant: Tenant) -> Result<Self> {
        const DOING: &str = "compare the search engines";
        let missing = || Error::unavailable(DOING, "this server has not all engines that are searched");
        let generations = ports.search.generations.as_ref().ok_or_else(missing)?;
        let standing = ports.generations.find(SCOPE).await?.standing;
        generations.align(standing, None).await?;
        let mut legs = vec![(Leg::Text, generations.inspect(standing.live, Leg::Text).ok_or_else(missing)?)];
        // Those of another model, or with gaps, are mended by a rebuild alone.
        let is_sound = |built: OneGeneration| {
            let embeds_by = ports.search.embedder.as_ref().map(|embedder| &embedder.model().name);
            !built.lapsed && embeds_by == Some(&built.model)
        };
        if ports.search.vectors.is_some() && generations.only(standing.live).is_some_and(is_sound) {
            legs.push((Leg::Vectors, generations.inspect(standing.live, Leg::Vectors).ok_or_else(missing)?));
        }
        Ok(Self { ports, tenant, legs })
    }

    async fn conversations(
        &self,
        after: Option<ConversationId>,
        first: usize,
    ) -> Result<(Verified, Differing)> {
        let page = self.ports.generations.expected_in(self.tenant, after, first).await?;
        let ids: Vec<ConversationId> = page.iter().map(|one| one.conversation_id).collect();
        let mut suspects = Vec::new();
        for id in &ids {
            if !self.differences(*id).await?.is_empty() {
                suspects.push(*id);
            }
        }
        let (mut found, mut differing) = (Vec::new(), Vec::new());
        for id in self.settled(suspects).await? {
            // Its jobs may have ended between the looks.
            let differences = self.differences(id).await?;
            let versions = differences.iter().filter_map(|(_, difference)| difference.version);
            let greatest = versions.filter(|version| *version < FINAL).max().unwrap_or(0);
            if !differences.is_empty() {
                differing.push((id, greatest));
            }
            found.extend(differences.iter().flat_map(|(wanted, one)| told(id, *wanted, one)));
        }
        let next = match ids.last() {
            Some(last) if ids.len() == first => Stage::Conversations(Some(*last)),
            _ => Stage::Orphans(Leg::Text, None),
        };
        let verified = Verified { checked: ids.len() as u64, found, mended: 0, next: Some(next.show()) };
        Ok((verified, differing))
    }

    /// With the version that PostgreSQL has.
    async fn differences(&self, id: ConversationId) -> Result<Vec<(Version, Difference)>> {
        let (_, indexable) = self.ports.passages.find_indexable(self.tenant, id).await?;
        let Some(indexable) = indexable else { return Ok(Vec::new()) };
        let hashes: Vec<_> = indexable.passages.iter().map(|passage| text_hash(&passage.text)).collect();
        let vectors = match &self.ports.search.embedder {
            Some(embedder) => {
                self.ports.passages.vectors(self.tenant, &embedder.model().name, &hashes).await?
            }
            None => Vec::new(),
        };
        let wanted = Wanted {
            tenant: self.tenant,
            version: indexable.version,
            facets: indexable.facets,
            passages: indexable.passages.into_iter().map(PassageDocument::from).collect(),
            vectors,
        };
        let mut differences = Vec::new();
        for (_, leg) in &self.legs {
            differences.extend(leg.compare(&wanted).await?.map(|difference| (wanted.version, difference)));
        }
        Ok(differences)
    }

    /// What no job has yet to bring to the engines.
    async fn settled(&self, ids: Vec<ConversationId>) -> Result<Vec<ConversationId>> {
        if ids.is_empty() {
            return Ok(ids);
        }
        let under_way = self.ports.generations.under_way(SCOPE, &ids).await?;
        Ok(ids.into_iter().filter(|id| !under_way.contains(id)).collect())
    }

    async fn orphans(&self, leg: Leg, from: Option<&str>) -> Result<(Verified, Differing)> {
        let Some((_, engine)) = self.legs.iter().find(|(one, _)| *one == leg) else {
            return Ok((Verified::default(), Vec::new()));
        };
        let listed = engine.list(self.tenant, from).await?;
        let ids: BTreeSet<ConversationId> = listed.conversations.into_iter().collect();
        let ids: Vec<ConversationId> = ids.into_iter().collect();
        let known = self.ports.generations.expected_of(SCOPE, &ids).await?;
        let stands = |id: &ConversationId| {
            let is = |one: &crate::ports::store::generations::Expected| {
                one.conversation_id == *id && one.organization_id == self.tenant.0
            };
            known.iter().any(is)
        };
        let suspects = ids.iter().copied().filter(|id| !stands(id)).collect();
        let (mut found, mut differing) = (Vec::new(), Vec::new());
        for id in self.settled(suspects).await? {
            let extra = engine.compare(&nothing(self.tenant, id)).await?.map_or(0, |one| one.extra);
            if extra > 0 {
                found.push(Found { conversation_id: id, leg, kind: Kind::Orphaned, passages: extra });
                differing.push((id, 0));
            }
        }
        let next = match (listed.next, leg) {
            (Some(next), _) => Some(Stage::Orphans(leg, Some(next))),
            (None, Leg::Text) if self.legs.len() > 1 => Some(Stage::Orphans(Leg::Vectors, None)),
            (None, _) => None,
        };
        let next = next.map(|stage| stage.show());
        Ok((Verified { checked: 0, found, mended: 0, next }, differing))
    }
}

/// A conversation that there is not.
fn nothing(tenant: Tenant, conversation_id: ConversationId) -> Wanted {
    let facets = ConversationFacets {
        conversation_id,
        revision: 1,
        kind: ConversationKind::Meeting,
        tags: Vec::new(),
        occurred_at: None,
        language: None,
    };
    Wanted { tenant, version: Version::MAX, facets, passages: Vec::new(), vectors: Vec::new() }
}

fn told(conversation_id: ConversationId, wanted: Version, one: &Difference) -> Vec<Found> {
    let found = |kind, passages| Found { conversation_id, leg: one.leg, kind, passages };
    match one.version {
        None => return vec![found(Kind::Missing, one.missing)],
        Some(version) if version < wanted => {
            return vec![found(Kind::Stale, one.missing + one.altered + one.extra)];
        }
        Some(_) => {}
    }
    let kinds = [(Kind::Missing, one.missing), (Kind::Altered, one.altered), (Kind::Extra, one.extra)];
    let told: Vec<Found> =
        kinds.into_iter().filter(|(_, n)| *n > 0).map(|(kind, n)| found(kind, n)).collect();
    // Only the version is another: a later one than there ever was.
    if told.is_empty() { vec![found(Kind::Altered, 0)] } else { told }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_shown() {
        let id = ConversationId(Uuid::from_u128(7));
        for stage in [
            Stage::Conversations(Some(id)),
            Stage::Orphans(Leg::Text, None),
            Stage::Orphans(Leg::Vectors, Some(id.to_string())),
        ] {
            assert_eq!(Stage::parse(Some(&stage.show())), Some(stage));
        }
        assert_eq!(Stage::parse(None), Some(Stage::Conversations(None)));
        for wrong in ["", "conversations:", "conversations:7", "other:x", "text", "vectors:7"] {
            assert_eq!(Stage::parse(Some(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_difference_is_told_by_its_kind() {
        let id = ConversationId(Uuid::from_u128(7));
        let kinds = |version, missing, altered, extra| {
            let one = Difference { leg: Leg::Text, version, missing, altered, extra };
            told(id, 5, &one).iter().map(|found| (found.kind, found.passages)).collect::<Vec<_>>()
        };
        assert_eq!(kinds(None, 3, 0, 0), [(Kind::Missing, 3)]);
        assert_eq!(kinds(Some(4), 1, 1, 1), [(Kind::Stale, 3)]);
        assert_eq!(kinds(Some(5), 1, 0, 2), [(Kind::Missing, 1), (Kind::Extra, 2)]);
        assert_eq!(kinds(Some(9), 0, 0, 0), [(Kind::Altered, 0)]);
    }
}
