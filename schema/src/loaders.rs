//! One loader for all requests: lookups that resolvers make one by one are gathered into one query a kind and
//! tenant. It keeps nothing, so that an answer is never older than its request.

use std::{collections::HashMap, hash::Hash};

use async_graphql::dataloader::Loader;
use colloquy_domain::{
    Error,
    accounts::Tenant,
    analysis::Insight,
    batches::Batch,
    conversations::{Conversation, Participant, RevisionNumber, SpokenSegment, Tag},
    ids::{
        AnalysisId, BatchId, ConversationId, InsightId, JobId, ParticipantId, PersonId, SavedSearchId,
        ScheduleId, SegmentId, UserId,
    },
    jobs::Job,
    people::Person,
    ports::{
        Ports,
        store::{accounts::Member, analyses::Analysis, conversations::Progress},
    },
    schedules::Schedule,
    search::saved::SavedSearch,
};
use std::sync::Arc;

pub(crate) struct Store {
    ports: Ports,
}

impl Store {
    pub(crate) fn new(ports: Ports) -> Self {
        Self { ports }
    }
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident($id:ty)),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) struct $name(pub(crate) Tenant, pub(crate) $id);

        impl Keyed for $name {
            type Id = $id;

            fn of(tenant: Tenant, id: $id) -> Self {
                Self(tenant, id)
            }

            fn parts(self) -> (Tenant, $id) {
                (self.0, self.1)
            }
        }
    )+};
}

trait Keyed: Copy + Eq + Hash {
    type Id;

    fn of(tenant: Tenant, id: Self::Id) -> Self;
    fn parts(self) -> (Tenant, Self::Id);
}

keys! {
    ConversationById(ConversationId),
    /// As they were in a revision.
    ParticipantAt((ParticipantId, RevisionNumber)),
    SegmentAt((SegmentId, RevisionNumber)),
    PersonById(PersonId),
    /// Who it may be by its label, where it is nobody yet.
    SuggestedFor(ParticipantId),
    ParticipantsOf(ConversationId),
    TagsOf(ConversationId),
    SegmentCountOf(ConversationId),
    ProgressOf(ConversationId),
    /// The newest analysis of the newest revision that has one.
    AnalysisOf(ConversationId),
    AnalysisById(AnalysisId),
    InsightsOf(AnalysisId),
    /// Those whose transcript has changed since.
    StaleOf(AnalysisId),
    JobById(JobId),
    BatchById(BatchId),
    ScheduleById(ScheduleId),
    SavedSearchById(SavedSearchId),
    MemberById(UserId),
    /// Segments from one sequence number to another, both inclusive.
    SegmentRun((ConversationId, i32, i32)),
}

/// The ids of each tenant among the keys.
fn by_tenant<K: Keyed>(keys: &[K]) -> HashMap<Tenant, Vec<K::Id>> {
    let mut groups: HashMap<Tenant, Vec<K::Id>> = HashMap::new();
    for key in keys {
        let (tenant, id) = key.parts();
        groups.entry(tenant).or_default().push(id);
    }
    groups
}

/// A loader of one row a key: `$find` gives rows in any order, `$id` their ids.
macro_rules! one {
    ($key:ident -> $row:ty, $store:ident.$find:ident, $id:expr) => {
        impl Loader<$key> for Store {
            type Value = $row;
            type Error = Arc<Error>;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $row>, Self::Error> {
                let mut found = HashMap::with_capacity(keys.len());
                for (tenant, ids) in by_tenant(keys) {
                    let rows = self.ports.$store.$find(tenant, &ids).await.map_err(Arc::new)?;
                    let id: fn(&$row) -> <$key as Keyed>::Id = $id;
                    found.extend(rows.into_iter().map(|row| ($key::of(tenant, id(&row)), row)));
                }
                Ok(found)
            }
        }
    };
}

one!(ConversationById -> Conversation, conversations.find, |row| row.id);
one!(ParticipantAt -> ((ParticipantId, RevisionNumber), Participant), revisions.find_participants, |row| row.0);
one!(SegmentAt -> ((SegmentId, RevisionNumber), SpokenSegment), revisions.find_segments, |row| row.0);
one!(StaleOf -> AnalysisId, analyses.stale, |row| *row);
one!(PersonById -> Person, people.find, |row| row.id);
one!(ProgressOf -> Progress, conversations.progress, |row| row.conversation_id);
one!(AnalysisOf -> Analysis, analyses.current, |row| row.conversation_id);
one!(AnalysisById -> Analysis, analyses.find, |row| row.id);
one!(JobById -> Job, ledger.find, |row| row.id);
one!(BatchById -> Batch, batches.find, |row| row.id);
one!(ScheduleById -> Schedule, schedules.find, |row| row.id);
one!(SavedSearchById -> SavedSearch, saved_searches.find, |row| row.id);
one!(MemberById -> Member, accounts.find_members, |row| row.user.id);

/// A loader of a list a key: `$find` gives rows, `$split` their key's id and what is listed.
macro_rules! many {
    ($key:ident -> $item:ty, $store:ident.$find:ident, $split:expr) => {
        impl Loader<$key> for Store {
            type Value = Vec<$item>;
            type Error = Arc<Error>;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, Vec<$item>>, Self::Error> {
                let mut found: HashMap<$key, Vec<$item>> = HashMap::with_capacity(keys.len());
                for (tenant, ids) in by_tenant(keys) {
                    for row in self.ports.$store.$find(tenant, &ids).await.map_err(Arc::new)? {
                        let (id, item) = $split(row);
                        found.entry($key::of(tenant, id)).or_default().push(item);
                    }
                }
                Ok(found)
            }
        }
    };
}

many!(ParticipantsOf -> Participant, conversations.participants, |row: Participant| (row.conversation_id, row));
many!(SuggestedFor -> Person, people.suggest, |row: (ParticipantId, Person)| row);
many!(TagsOf -> Tag, conversations.tags, |row: (ConversationId, Tag)| row);
many!(SegmentCountOf -> u64, conversations.count_segments, |row: (ConversationId, u64)| row);
many!(InsightsOf -> (InsightId, Insight), analyses.insights,
    |(analysis, id, insight): (AnalysisId, InsightId, Insight)| (analysis, (id, insight)));

impl Loader<SegmentRun> for Store {
    type Value = Vec<SpokenSegment>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[SegmentRun]) -> Result<HashMap<SegmentRun, Self::Value>, Self::Error> {
        let mut found = HashMap::with_capacity(keys.len());
        for (tenant, runs) in by_tenant(keys) {
            let rows = self.ports.conversations.segment_runs(tenant, &runs).await.map_err(Arc::new)?;
            found.extend(runs.into_iter().map(|run| SegmentRun(tenant, run)).zip(rows));
        }
        Ok(found)
    }
}
