//! People, which participants they are, and what search is told of that.

use colloquy_domain::{
    Result,
    accounts::Tenant,
    conversations::{Participant, revisions::RevisionKind},
    events::{EventKind, NewEvent, Topic},
    ids::{ConversationId, PersonId},
    jobs::JobKind,
    people::{Known, Person, key},
    ports::{
        jobs::Follow,
        store::{
            PageBy,
            conversations::{ConversationFilter, ConversationStore, NewConversation},
            events::EventLog,
            passages::{Indexable, PassageStore},
            people::{AfterPerson, PersonStore},
            revisions::{Memory, NewEdit, RevisionStore},
        },
    },
};

use crate::support::{
    Database,
    fixtures::{SCOPE, entry, id, imported_and_claimed, job_of, new_edit, now, organization, passages},
};

async fn person(db: &Database, tenant: Tenant, name: &str) -> Person {
    let person = Person {
        id: PersonId(id()),
        organization_id: tenant.0,
        name: name.to_owned(),
        created_at: now(),
        updated_at: now(),
    };
    PersonStore::insert(&db.store, tenant, &person, 10, entry(tenant)).await.unwrap();
    person
}

/// A conversation whose passages stand: Coach and Client take turns in both of them.
async fn talk(db: &Database, tenant: Tenant) -> NewConversation {
    let (new, job) = imported_and_claimed(&db.store, tenant).await;
    let cut = passages(new.conversation.id);
    db.store.replace(tenant, job.claim, new.conversation.id, 1, &cut, Follow::default()).await.unwrap();
    new
}

fn follow(tenant: Tenant, id: ConversationId) -> Follow {
    let kind = EventKind::ConversationUpdated { conversation_id: id };
    Follow {
        jobs: vec![job_of(tenant, JobKind::IndexPassages, id)],
        events: vec![NewEvent { organization_id: tenant.0, kind }],
    }
}

/// As whoever has looked at the current revision ties.
async fn try_tie(
    db: &Database,
    tenant: Tenant,
    participant: &Participant,
    to: Option<PersonId>,
) -> Result<Participant> {
    let id = participant.conversation_id;
    let current = ConversationStore::find(&db.store, tenant, &[id]).await?.pop();
    let tied = Participant { person_id: to, ..participant.clone() };
    let number = current.map_or(2, |current| current.revision + 1);
    let edit = NewEdit {
        changed: vec![tied.clone()],
        memory: to.map(|person_id| Memory::Keep { key: key(&tied.label), person_id }),
        ..new_edit(id, number, RevisionKind::Tie)
    };
    let entry = entry(tenant).changed(true);
    RevisionStore::write(&db.store, tenant, &edit, follow(tenant, id), Some(entry)).await?;
    Ok(tied)
}

async fn tie(db: &Database, tenant: Tenant, participant: &Participant, to: Option<PersonId>) -> Participant {
    try_tie(db, tenant, participant, to).await.unwrap()
}

async fn indexable(db: &Database, tenant: Tenant, id: ConversationId) -> Indexable {
    db.store.find_indexable(tenant, id).await.unwrap().1.expect("it stands")
}

async fn updates(db: &Database, tenant: Tenant, id: ConversationId) -> usize {
    while db.store.number(SCOPE, 1_000).await.unwrap() > 0 {}
    let head = db.store.bounds().await.unwrap().head;
    let events = db.store.replay(tenant, Topic::Conversation(id), 0, head, 100).await.unwrap();
    events.iter().filter(|event| matches!(event.kind, EventKind::ConversationUpdated { .. })).count()
}

fn known(people: &[&Person]) -> Vec<Known> {
    let mut known: Vec<Known> = people.iter().map(|one| Known { id: one.id, key: key(&one.name) }).collect();
    known.sort_by_key(|one| one.id);
    known
}

async fn changes(db: &Database, action: &str) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM audit_entries WHERE action = '{action}' AND (detail ->> 'changed')::boolean"
    );
    db.number(&sql).await
}

#[tokio::test]
async fn people_are_listed_by_name_and_found_by_it_without_case_and_accents() {
    let Some(db) = Database::new().await else { return };
    let (us, them) = (organization(&db.store).await.tenant, organization(&db.store).await.tenant);
    let mut ours = Vec::new();
    for name in ["zoë", "Ana López", "Ben", "ANA LOPEZ"] {
        ours.push(person(&db, us, name).await);
    }
    let theirs = person(&db, them, "Ana Lopez").await;
    let names = async |part: Option<&str>, after: Option<AfterPerson>, limit| {
        let people = PersonStore::list(&db.store, us, part, after, limit).await.unwrap();
        people.into_iter().map(|one| one.name).collect::<Vec<_>>()
    };
    assert_eq!(names(None, None, 10).await, ["Ana López", "ANA LOPEZ", "Ben", "zoë"]);
    let after = Some(AfterPerson { key: "ana lopez".into(), id: ours[1].id });
    assert_eq!(names(None, after, 2).await, ["ANA LOPEZ", "Ben"]);
    assert_eq!(names(Some("LÓP"), None, 10).await, ["Ana López", "ANA LOPEZ"]);
    assert!(names(Some("%"), None, 10).await.is_empty());
    let named = async |tenant, name: &str| db.store.named(tenant, &[key(name)], 10).await.unwrap();
    assert_eq!(named(us, "ana  lopez").await, [ours[1].id, ours[3].id]);
    assert_eq!(named(them, "Ana López").await, [theirs.id]);
    assert_eq!(db.store.named(us, &["ana lopez".into()], 1).await.unwrap(), [ours[1].id]);

    let too_many = Person { id: PersonId(id()), ..ours[0].clone() };
    let refused = PersonStore::insert(&db.store, us, &too_many, 4, entry(us)).await;
    assert_eq!(refused.unwrap_err().code(), "TOO_MANY_PEOPLE");

    let renamed = async |name: &str| db.store.rename(us, ours[2].id, name, entry(us)).await.unwrap();
    let changed = renamed("Benjamin").await.expect("he is there");
    assert_eq!((changed.name.as_str(), changed.id), ("Benjamin", ours[2].id));
    assert_eq!(renamed("Benjamin").await, Some(changed));
    assert_eq!(named(us, "benjamin").await, [ours[2].id]);
    assert!(named(us, "ben").await.is_empty());
}

#[tokio::test]
async fn a_tie_is_told_to_search_once_and_goes_with_the_person() {
    let Some(db) = Database::new().await else { return };
    let us = organization(&db.store).await.tenant;
    let (ana, ben) = (person(&db, us, "Ana López").await, person(&db, us, "Ben").await);
    let new = talk(&db, us).await;
    let (id, [coach, client]) = (new.conversation.id, [&new.participants[0], &new.participants[1]]);
    let before = indexable(&db, us, id).await;
    assert!(before.passages.iter().all(|passage| passage.people.is_empty()));

    let tied = tie(&db, us, coach, Some(ana.id)).await;
    assert_eq!(tied, Participant { person_id: Some(ana.id), ..coach.clone() });
    let after = indexable(&db, us, id).await;
    assert_eq!(after.version, before.version + 1);
    assert!(after.passages.iter().all(|passage| passage.people == known(&[&ana])));
    let ids: Vec<_> = after.passages.iter().map(|passage| passage.id).collect();
    let found = PassageStore::find(&db.store, us, &ids).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|found| found.passage.people == known(&[&ana])));

    assert_eq!((updates(&db, us, id).await, changes(&db, "test").await), (1, 1));

    tie(&db, us, client, Some(ben.id)).await;
    assert_eq!(indexable(&db, us, id).await.passages[0].people, known(&[&ana, &ben]));
    assert_eq!(
        ConversationStore::participants(&db.store, us, &[id]).await.unwrap()[1].person_id,
        Some(ben.id)
    );
    let by = async |person: &Person| {
        let filter = ConversationFilter { person_ids: vec![person.id], ..ConversationFilter::default() };
        let page = PageBy { after: None, before: None, limit: 10, backward: false };
        let found = ConversationStore::list(&db.store, us, &filter, page).await.unwrap();
        assert_eq!(db.store.count(us, &filter).await.unwrap(), found.len() as u64);
        found.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!((by(&ana).await, by(&ben).await), (vec![id], vec![id]));
    let page = PageBy { after: None, before: None, limit: 10, backward: false };
    let segments = ConversationStore::segments(&db.store, us, id, page).await.unwrap();
    let runs = db.store.segment_runs(us, &[(id, 0, 9)]).await.unwrap().remove(0);
    assert_eq!(segments, runs);
    assert_eq!(segments[0].participant.as_ref().unwrap().person_id, Some(ana.id));

    tie(&db, us, client, None).await;
    assert_eq!(indexable(&db, us, id).await.passages[0].people, known(&[&ana]));
    assert!(by(&ben).await.is_empty());

    // Whoever is tied elsewhere yet is not gone.
    let other = talk(&db, us).await;
    tie(&db, us, &other.participants[1], Some(ana.id)).await;
    let tied_in = async || db.store.conversations(us, ana.id, 10).await.unwrap();
    assert_eq!(tied_in().await, [id, other.conversation.id]);
    let version = indexable(&db, us, id).await.version;
    let delete = async |untie: &[ConversationId]| {
        let follow = untie.first().map(|id| follow(us, *id)).unwrap_or_default();
        PersonStore::delete(&db.store, us, ana.id, untie, follow, entry(us)).await
    };
    assert!(!delete(&[id]).await.unwrap());
    assert_eq!(tied_in().await, [other.conversation.id]);
    let untied = indexable(&db, us, id).await;
    assert_eq!((untied.version, untied.passages[0].people.len()), (version + 1, 0));
    assert!(delete(&[other.conversation.id]).await.unwrap());
    assert!(PersonStore::find(&db.store, us, &[ana.id]).await.unwrap().is_empty());
    assert_eq!(delete(&[]).await.unwrap_err().code(), "NOT_FOUND");
    assert_eq!(ConversationStore::participants(&db.store, us, &[id]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_label_suggests_whoever_has_its_name_until_it_is_somebody() {
    let Some(db) = Database::new().await else { return };
    let us = organization(&db.store).await.tenant;
    let them = organization(&db.store).await.tenant;
    person(&db, them, "Coach").await;
    let new = talk(&db, us).await;
    let participants = [new.participants[0].id, new.participants[1].id];
    let suggested = async || db.store.suggest(us, &participants).await.unwrap();
    assert!(suggested().await.is_empty());
    let first = person(&db, us, "cóach").await;
    let second = person(&db, us, "COACH").await;
    assert_eq!(suggested().await, [(participants[0], first.clone()), (participants[0], second)]);
    for _ in 0..5 {
        person(&db, us, "Coach").await;
    }
    assert_eq!(suggested().await.len(), 5);
    tie(&db, us, &new.participants[0], Some(first.id)).await;
    assert!(suggested().await.is_empty());

    // Who was that last time comes first next time, by whatever name.
    let third = person(&db, us, "Zoë").await;
    tie(&db, us, &new.participants[1], Some(third.id)).await;
    let next = talk(&db, us).await;
    let participants = [next.participants[0].id, next.participants[1].id];
    let mut suggested = db.store.suggest(us, &participants).await.unwrap();
    suggested.sort_by_key(|(id, _)| *id == participants[0]);
    assert_eq!((suggested.len(), &suggested[0]), (6, &(participants[1], third.clone())));
    assert_eq!(suggested[1], (participants[0], first));
    let untied = NewEdit {
        changed: vec![Participant { person_id: None, ..new.participants[1].clone() }],
        memory: Some(Memory::Drop { key: "client".to_owned(), person_id: third.id }),
        ..new_edit(new.conversation.id, 4, RevisionKind::Tie)
    };
    RevisionStore::write(&db.store, us, &untied, Follow::default(), None).await.unwrap();
    assert_eq!(db.store.suggest(us, &participants).await.unwrap().len(), 5);
    let elsewhere = talk(&db, them).await;
    let theirs = db.store.suggest(them, &[elsewhere.participants[1].id]).await.unwrap();
    assert!(theirs.is_empty(), "another organization remembers nothing of it");
}

#[tokio::test]
async fn nobody_of_another_organization_is_found_named_or_tied() {
    let Some(db) = Database::new().await else { return };
    let (us, them) = (organization(&db.store).await.tenant, organization(&db.store).await.tenant);
    let (ours, theirs) = (person(&db, us, "Ana").await, person(&db, them, "Ana").await);
    let (own, other) = (talk(&db, us).await, talk(&db, them).await);
    tie(&db, them, &other.participants[0], Some(theirs.id)).await;
    let before = indexable(&db, them, other.conversation.id).await;

    assert!(PersonStore::find(&db.store, us, &[theirs.id]).await.unwrap().is_empty());
    assert!(db.store.rename(us, theirs.id, "Mine", entry(us)).await.unwrap().is_none());
    assert!(db.store.conversations(us, theirs.id, 10).await.unwrap().is_empty());
    assert!(db.store.suggest(us, &[other.participants[1].id]).await.unwrap().is_empty());
    let refused = async |participant: &Participant, person: Option<PersonId>| {
        try_tie(&db, us, participant, person).await.unwrap_err().to_string()
    };
    assert_eq!(
        refused(&own.participants[0], Some(theirs.id)).await,
        format!("there is no person {}", theirs.id)
    );
    let missing = format!("there is no conversation {}", other.conversation.id);
    assert_eq!(refused(&other.participants[0], Some(ours.id)).await, missing);
    assert_eq!(refused(&other.participants[0], None).await, missing);
    let delete = async |id: PersonId| {
        let untie = [other.conversation.id];
        PersonStore::delete(&db.store, us, id, &untie, Follow::default(), entry(us)).await
    };
    assert_eq!(delete(theirs.id).await.unwrap_err().code(), "NOT_FOUND");
    // Nor does one's own deletion reach another's conversations.
    assert!(delete(ours.id).await.unwrap());
    assert_eq!(indexable(&db, them, other.conversation.id).await, before);
    let filter = ConversationFilter { person_ids: vec![theirs.id], ..ConversationFilter::default() };
    assert_eq!(db.store.count(us, &filter).await.unwrap(), 0);

    // The table itself keeps them apart.
    let forced = format!(
        "UPDATE participants SET person_id = '{}' WHERE id = '{}'",
        theirs.id, own.participants[0].id
    );
    assert!(db.refuses(&forced).await);
}
