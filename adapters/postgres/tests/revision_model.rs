//! Revisions beside their model: random changes run on PostgreSQL, as the domain works them out, and on whole copies of the
//! transcript. After each the present state agrees, and at the end every past one, and what differs between any two.

use std::collections::{BTreeMap, BTreeSet};

use colloquy_domain::{
    accounts::Tenant,
    conversations::{
        Participant, Talk,
        revise::{
            Change,
            change::{Base, Delta, check, delta},
        },
        revisions::compare_participants,
    },
    ids::{ConversationId, ParticipantId, PersonId, SegmentId},
    people::Person,
    ports::{
        jobs::Follow,
        store::{
            conversations::ConversationStore,
            people::PersonStore,
            revisions::{NewEdit, RevisionStore},
        },
    },
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::support::{
    Database,
    fixtures::{Org, entry, id, imported, new_edit, now, organization},
};

/// Numbers are places in lists, taken round and round.
#[derive(Debug, Clone)]
enum Step {
    Edit { which: usize, text: u8 },
    Remove { which: Vec<usize> },
    Rename { who: usize, label: u8 },
    Merge { who: usize, into: usize },
    Split { who: usize, every: usize, label: u8 },
    Reassign { which: Vec<usize>, to: Option<usize> },
    Tie { who: usize, person: Option<usize> },
    Revert { to: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let some = || vec(any::<usize>(), 1..4);
    prop_oneof![
        (any::<usize>(), 0..4u8).prop_map(|(which, text)| Step::Edit { which, text }),
        some().prop_map(|which| Step::Remove { which }),
        (any::<usize>(), 0..5u8).prop_map(|(who, label)| Step::Rename { who, label }),
        (any::<usize>(), any::<usize>()).prop_map(|(who, into)| Step::Merge { who, into }),
        (any::<usize>(), 1..3usize, 0..5u8).prop_map(|(who, every, label)| Step::Split { who, every, label }),
        (some(), proptest::option::of(any::<usize>())).prop_map(|(which, to)| Step::Reassign { which, to }),
        (any::<usize>(), proptest::option::of(0..2usize)).prop_map(|(who, person)| Step::Tie { who, person }),
        any::<usize>().prop_map(|to| Step::Revert { to }),
    ]
}

type Who = (String, Option<PersonId>);
type Said = (SegmentId, Option<ParticipantId>, String);

/// What anybody sees of a revision.
#[derive(Debug, Clone, Default, PartialEq)]
struct Seen {
    speaking: BTreeMap<ParticipantId, Who>,
    said: Vec<Said>,
}

struct Model<'a> {
    db: &'a Database,
    tenant: Tenant,
    id: ConversationId,
    people: Vec<PersonId>,
    /// Everybody who has ever spoken, in the order of coming.
    everybody: Vec<(ParticipantId, Who)>,
    said: Vec<Said>,
    history: Vec<Seen>,
    rows: i64,
}

impl<'a> Model<'a> {
    async fn new(db: &'a Database, org: &Org) -> Self {
        let new = imported(&db.store, org.tenant, 6).await;
        let mut people = Vec::new();
        for name in ["Ana", "Ben"] {
            let (id, at) = (PersonId(id()), now());
            let organization_id = org.tenant.0;
            let person =
                Person { id, organization_id, name: name.to_owned(), created_at: at, updated_at: at };
            let entry = entry(org.tenant);
            PersonStore::insert(&db.store, org.tenant, &person, 100_000, entry).await.unwrap();
            people.push(id);
        }
        let everybody = new.participants.iter().map(|one| (one.id, (one.label.clone(), None))).collect();
        let said = new.segments.iter().map(|one| (one.id, one.participant_id, one.text.clone())).collect();
        let mut model = Self {
            db,
            tenant: org.tenant,
            id: new.conversation.id,
            people,
            everybody,
            said,
            history: Vec::new(),
            rows: 6,
        };
        model.history.push(model.seen());
        model
    }

    fn seen(&self) -> Seen {
        let speakers: BTreeSet<_> = self.said.iter().filter_map(|(_, who, _)| *who).collect();
        let speaking = self.everybody.iter().filter(|(id, _)| speakers.contains(id)).cloned().collect();
        Seen { speaking, said: self.said.clone() }
    }

    fn segments(&self, which: &[usize]) -> Vec<SegmentId> {
        which.iter().map(|at| self.said[at % self.said.len()].0).collect()
    }

    fn who(&self, at: usize) -> ParticipantId {
        self.everybody[at % self.everybody.len()].0
    }

    fn change(&self, step: &Step) -> Change {
        let label = |n: u8| ["Coach", "Client", "Ana", "Ben", "Cleo"][n as usize].to_owned();
        match step {
            Step::Edit { which, text } => {
                Change::EditSegment { id: self.segments(&[*which])[0], text: format!("Text {text}.") }
            }
            Step::Remove { which } => Change::RemoveSegments { ids: self.segments(which) },
            Step::Rename { who, label: n } => Change::Rename { id: self.who(*who), label: label(*n) },
            Step::Merge { who, into } => {
                Change::Merge { others: vec![self.who(*who)], into: self.who(*into) }
            }
            Step::Split { who, every, label: n } => {
                let id = self.who(*who);
                let theirs = self.said.iter().filter(|(_, who, _)| *who == Some(id));
                let segments = theirs.step_by(*every).map(|(id, ..)| *id).collect();
                Change::Split { id, segments, label: label(*n) }
            }
            Step::Reassign { which, to } => {
                Change::Reassign { segments: self.segments(which), to: to.map(|at| self.who(at)) }
            }
            Step::Tie { who, person } => {
                Change::Tie { id: self.who(*who), person: person.map(|at| self.people[at]) }
            }
            Step::Revert { to } => Change::Revert { to: (to % self.history.len()) as i32 + 1 },
        }
    }

    /// Whether it is allowed; then it is done to the copies.
    fn apply(&mut self, change: &Change, new: ParticipantId) -> bool {
        let seen = self.seen();
        let taken = |label: &String| seen.speaking.values().any(|(other, _)| other == label);
        match change {
            Change::EditSegment { id, text } => {
                self.said.iter_mut().filter(|one| one.0 == *id).for_each(|one| one.2 = text.clone());
            }
            Change::RemoveSegments { ids } => {
                if self.said.iter().all(|one| ids.contains(&one.0)) {
                    return false;
                }
                self.said.retain(|one| !ids.contains(&one.0));
            }
            Change::Rename { id, label } => {
                let old = self.of(*id).0.clone();
                if old != *label && taken(label) {
                    return false;
                }
                self.of(*id).0 = label.clone();
            }
            Change::Merge { others, into } => {
                if others.contains(into) || self.clashes(*into, others) {
                    return false;
                }
                self.said
                    .iter_mut()
                    .filter(|one| one.1 == Some(others[0]))
                    .for_each(|one| one.1 = Some(*into));
                let theirs = self.of(others[0]).1;
                let person = &mut self.of(*into).1;
                *person = person.or(theirs);
            }
            Change::Split { segments, label, .. } => {
                if taken(label) || segments.is_empty() {
                    return false;
                }
                self.said
                    .iter_mut()
                    .filter(|one| segments.contains(&one.0))
                    .for_each(|one| one.1 = Some(new));
                self.everybody.push((new, (label.clone(), None)));
            }
            Change::Reassign { segments, to } => {
                if to.is_some_and(|to| self.clashes(to, &[])) {
                    return false;
                }
                self.said.iter_mut().filter(|one| segments.contains(&one.0)).for_each(|one| one.1 = *to);
            }
            Change::Tie { id, person } => self.of(*id).1 = *person,
            Change::Revert { to } => {
                let target = self.history[*to as usize - 1].clone();
                self.said = target.said;
                for (id, who) in target.speaking {
                    *self.of(id) = who;
                }
            }
        }
        true
    }

    /// Whether somebody else speaks under the label of whoever is to speak.
    fn clashes(&self, who: ParticipantId, but: &[ParticipantId]) -> bool {
        let label = self.everybody.iter().find(|(id, _)| *id == who).map(|(_, (label, _))| label);
        let others = self.seen().speaking;
        let mut others = others.iter().filter(|(id, _)| **id != who && !but.contains(id));
        others.any(|(_, (other, _))| Some(other) == label)
    }

    fn of(&mut self, id: ParticipantId) -> &mut Who {
        &mut self.everybody.iter_mut().find(|(other, _)| *other == id).expect("somebody known").1
    }

    async fn run(&mut self, step: &Step) {
        let change = self.change(step);
        let new = ParticipantId(id());
        let everybody = self.everybody.clone();
        let before = self.seen();
        let allowed = self.apply(&change, new);
        let worked_out = self.delta(&change, new).await;
        assert_eq!(worked_out.is_ok(), allowed, "{change:?}: {worked_out:?}");
        let Ok(delta) = worked_out else { return };
        let is_same = before == self.seen() && everybody == self.everybody;
        assert_eq!(delta.is_empty(), is_same, "{change:?}");
        if is_same {
            return;
        }
        assert!(delta.segments.len() <= self.said.len());
        self.rows += delta.segments.len() as i64;
        let number = self.history.len() as i32 + 1;
        let kind = change.kind();
        let edit = NewEdit {
            ended: delta.ended,
            segments: delta.segments,
            characters: delta.characters,
            added: delta.added,
            changed: delta.changed,
            memory: delta.memory,
            ..new_edit(self.id, number, kind)
        };
        let store = &self.db.store;
        RevisionStore::write(store, self.tenant, &edit, Follow::default(), None).await.unwrap();
        let again = RevisionStore::write(store, self.tenant, &edit, Follow::default(), None).await;
        assert_eq!(again.unwrap_err().code(), "REVISION_CONFLICT", "of two who come at once one wins");
        self.history.push(self.seen());
        assert_eq!(seen(&self.db.store.find_talk(self.tenant, self.id).await.unwrap().unwrap()), self.seen());
    }

    async fn delta(&self, change: &Change, new: ParticipantId) -> colloquy_domain::Result<Delta> {
        let (store, number) = (&self.db.store, self.history.len() as i32);
        let talk = async |number| {
            RevisionStore::talk(store, self.tenant, self.id, number).await.unwrap().expect("it stands")
        };
        let base = Base {
            known: store.known_participants(self.tenant, self.id).await?,
            speaking: RevisionStore::participants(store, self.tenant, self.id, number).await?,
            segments: talk(number).await.segments,
            target: match change {
                Change::Revert { to } => Some(talk(*to).await),
                _ => None,
            },
        };
        delta(&base, &check(change.clone())?, || new)
    }

    async fn agrees(&self) {
        let store = &self.db.store;
        for (number, model) in (1..).zip(&self.history) {
            let talk = RevisionStore::talk(store, self.tenant, self.id, number).await.unwrap().unwrap();
            assert_eq!(&seen(&talk), model, "revision {number}");
            assert!((0..).zip(&talk.segments).all(|(place, one)| one.sequence == place), "no gaps");
        }
        let last = self.history.len();
        for (from, to) in [(1, last), (last, 1), (last.div_ceil(2), last)] {
            self.compares(from, to).await;
        }
        let counts = format!(
            "SELECT count(*) FROM conversations c WHERE id = '{}' AND segment_count = {} AND characters = {}",
            self.id,
            self.said.len(),
            self.said.iter().map(|one| one.2.chars().count()).sum::<usize>()
        );
        assert_eq!(self.db.number(&counts).await, 1, "{counts}");
        let rows = format!("SELECT count(*) FROM segments WHERE conversation_id = '{}'", self.id);
        assert_eq!(self.db.number(&rows).await, self.rows, "what stays is not written");
    }

    async fn compares(&self, from: usize, to: usize) {
        let (store, tenant) = (&self.db.store, self.tenant);
        let (before, after) = (&self.history[from - 1], &self.history[to - 1]);
        let mut told = Vec::new();
        let mut place = None;
        loop {
            let page = store.compare(tenant, self.id, from as i32, to as i32, place, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(last.place() > place, "in order");
            place = last.place();
            let said = |one: &colloquy_domain::conversations::SpokenSegment| {
                (one.segment.id, one.segment.participant_id, one.segment.text.clone())
            };
            told.extend(page.iter().map(|one| (one.before.as_ref().map(said), one.after.as_ref().map(said))));
        }
        let find = |of: &Seen, id: SegmentId| of.said.iter().find(|one| one.0 == id).cloned();
        let ids: BTreeSet<_> = before.said.iter().chain(&after.said).map(|one| one.0).collect();
        let differing = ids.into_iter().map(|id| (find(before, id), find(after, id)));
        let differing: BTreeSet<_> = differing.filter(|(before, after)| before != after).collect();
        assert_eq!(told.len(), differing.len(), "each once");
        assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), differing, "from {from} to {to}");

        let speaking = async |number: usize| {
            RevisionStore::participants(store, tenant, self.id, number as i32).await.unwrap()
        };
        let told = compare_participants(speaking(from).await, speaking(to).await);
        let who = |one: &Participant| (one.label.clone(), one.person_id);
        for change in &told {
            assert_ne!(change.before.as_ref().map(who), change.after.as_ref().map(who));
        }
        let ids: BTreeSet<_> = before.speaking.keys().chain(after.speaking.keys()).collect();
        let differing = ids.iter().filter(|id| before.speaking.get(id) != after.speaking.get(id)).count();
        assert_eq!(told.len(), differing);
    }
}

fn seen(talk: &Talk) -> Seen {
    let who = |one: &Participant| (one.id, (one.label.clone(), one.person_id));
    Seen {
        speaking: talk.participants.iter().map(who).collect(),
        said: talk.segments.iter().map(|one| (one.id, one.participant_id, one.text.clone())).collect(),
    }
}

#[test]
fn every_revision_of_random_histories_reads_back_as_it_was() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some((db, org)) = runtime.block_on(async {
        let db = Database::new().await?;
        let org = organization(&db.store).await;
        Some((db, org))
    }) else {
        return;
    };
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&vec(step(), 1..25), |steps| {
        runtime.block_on(async {
            let mut model = Model::new(&db, &org).await;
            for step in &steps {
                model.run(step).await;
            }
            model.agrees().await;
        });
        Ok(())
    });
    outcome.unwrap();
}
