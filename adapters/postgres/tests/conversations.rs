//! Conversations, their transcripts and tags.

use std::{ops::Range, time::Duration};

use chrono::TimeDelta;
use colloquy_domain::{
    conversations::{ContentHash, ConversationKind, Segment, SpokenSegment, Tag},
    events::{EventKind, NewEvent, Stage},
    ids::{ConversationId, TagId},
    jobs::{JobKind, Queue},
    ports::{
        jobs::Follow,
        store::{
            PageBy,
            conversations::{
                ConversationFilter, ConversationPatch, ConversationStore, Inserted, NewConversation,
            },
            events::EventLog,
            passages::PassageStore,
        },
    },
};
use colloquy_postgres::{DatabaseSettings, Postgres};

use crate::support::{
    Database,
    fixtures::{SCOPE, claim, conversation, erasure, import_follow, imported, job_of, organization},
};

fn first<K>(limit: usize) -> PageBy<K> {
    PageBy { after: None, before: None, limit, backward: false }
}

#[tokio::test]
async fn a_conversation_comes_back_as_it_was_kept() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let new = imported(&db.store, org.tenant, 7).await;
    let id = new.conversation.id;
    assert_eq!(
        ConversationStore::find(&db.store, org.tenant, &[id]).await.unwrap(),
        std::slice::from_ref(&new.conversation)
    );
    let talk = db.store.find_talk(org.tenant, id).await.unwrap().unwrap();
    assert_eq!((talk.revision, &talk.participants, &talk.segments), (1, &new.participants, &new.segments));
    assert_eq!(db.store.participants(org.tenant, &[id]).await.unwrap(), new.participants);
    let one = new.participants[1].clone();
    assert_eq!(db.store.find_participants(org.tenant, &[one.id]).await.unwrap(), [one]);
    let segment = new.segments[3].clone();
    assert_eq!(db.store.find_segments(org.tenant, &[segment.id]).await.unwrap(), spoken(&new, 3..4));
    assert_eq!(db.store.tags(org.tenant, &[id]).await.unwrap(), [(id, new.tags[0].clone())]);
    assert_eq!(db.store.count_segments(org.tenant, &[id]).await.unwrap(), [(id, 7)]);
    let progress = db.store.progress(org.tenant, &[id]).await.unwrap();
    assert_eq!(progress[0].reached.iter().map(|(stage, _)| *stage).collect::<Vec<_>>(), [Stage::Imported]);
    assert_eq!(claim(&db.store, Queue::Ingest, 5).await.len(), 1);
    let key = new.conversation.object_key.clone();
    let asked = [key.clone(), "orphan".to_owned()];
    assert_eq!(db.store.known_objects(SCOPE, &asked).await.unwrap(), [key]);
    assert_eq!(db.store.scan(SCOPE, None, 10).await.unwrap(), [(org.tenant.0, id)]);
    assert!(db.store.scan(SCOPE, Some(id), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_long_transcript_is_kept_in_a_few_statements() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let new = imported(&db.store, org.tenant, 5_000).await;
    let talk = db.store.find_talk(org.tenant, new.conversation.id).await.unwrap().unwrap();
    assert_eq!(talk.segments, new.segments);
}

#[tokio::test]
async fn of_many_who_import_the_same_bytes_at_once_one_writes() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let imports = (0..10).map(|n| {
        let (store, tenant) = (db.store.clone(), org.tenant);
        tokio::spawn(async move {
            let mut new = conversation(tenant, b"the same bytes", 20);
            // Half of them also name it.
            new.conversation.external_id = (n % 2 == 0).then(|| "crm-1".to_owned());
            let (id, follow) = (new.conversation.id, import_follow(tenant, new.conversation.id));
            (id, ConversationStore::insert(&store, tenant, new, follow).await.unwrap())
        })
    });
    let outcomes: Vec<_> =
        futures::future::join_all(imports).await.into_iter().map(|outcome| outcome.unwrap()).collect();
    let new: Vec<_> = outcomes.iter().filter(|(_, outcome)| *outcome == Inserted::New).collect();
    assert_eq!(new.len(), 1);
    for (_, outcome) in outcomes.iter().filter(|(_, outcome)| *outcome != Inserted::New) {
        let Inserted::Existing(known) = outcome else { panic!("{outcome:?}") };
        assert_eq!(known.id, new[0].0);
    }
    assert_eq!(db.number("SELECT count(*) FROM segments").await, 20);
    assert_eq!(db.number("SELECT count(*) FROM jobs").await, 1);
}

#[tokio::test]
async fn a_known_external_id_with_other_bytes_is_told_apart() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let mut new = conversation(org.tenant, b"one", 2);
    new.conversation.external_id = Some("crm-1".to_owned());
    let known = new.conversation.clone();
    let insert =
        async |new| ConversationStore::insert(&db.store, org.tenant, new, Follow::default()).await.unwrap();
    assert_eq!(insert(new).await, Inserted::New);

    let mut other = conversation(org.tenant, b"two", 2);
    other.conversation.external_id = Some("crm-1".to_owned());
    assert_eq!(insert(other).await, Inserted::ExternalIdTaken(Box::new(known.clone())));
    let same = async |bytes: &[u8], external_id| {
        db.store.find_same(org.tenant, ContentHash::of(bytes), external_id).await.unwrap()
    };
    assert_eq!(same(b"one", Some("crm-1")).await, Inserted::Existing(Box::new(known.clone())));
    assert_eq!(same(b"one", Some("crm-2")).await, Inserted::Existing(Box::new(known.clone())));
    assert_eq!(same(b"two", Some("crm-1")).await, Inserted::ExternalIdTaken(Box::new(known)));
    assert_eq!(same(b"two", None).await, Inserted::New);
    let elsewhere = organization(&db.store).await;
    let there = db.store.find_same(elsewhere.tenant, ContentHash::of(b"one"), Some("crm-1")).await.unwrap();
    assert_eq!(there, Inserted::New);
}

#[tokio::test]
async fn pages_of_conversations_meet_without_gap_or_overlap() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.insert(0, imported(&db.store, org.tenant, 1).await.conversation.id);
    }
    let filter = ConversationFilter::default();
    let list = async |page| -> Vec<ConversationId> {
        let found = db.store.list(org.tenant, &filter, page).await.unwrap();
        found.iter().map(|one| one.id).collect()
    };
    assert_eq!(list(first(3)).await, ids[..3]);
    assert_eq!(list(PageBy { after: Some(ids[2]), ..first(3) }).await, ids[3..6]);
    assert_eq!(list(PageBy { backward: true, ..first(3) }).await, ids[4..]);
    assert_eq!(list(PageBy { before: Some(ids[4]), backward: true, ..first(3) }).await, ids[1..4]);
    assert_eq!(list(PageBy { after: Some(ids[0]), before: Some(ids[4]), ..first(9) }).await, ids[1..4]);
    assert_eq!(db.store.count(org.tenant, &filter).await.unwrap(), 7);
}

#[tokio::test]
async fn conversations_are_filtered_by_kind_tag_time_and_title() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let coaching = imported(&db.store, org.tenant, 1).await.conversation;
    let mut other = conversation(org.tenant, b"other", 1);
    other.conversation.kind = ConversationKind::Meeting;
    other.conversation.title = "100% Größe".to_owned();
    other.conversation.occurred_at = None;
    other.tags.clear();
    let meeting = other.conversation.id;
    ConversationStore::insert(&db.store, org.tenant, other, Follow::default()).await.unwrap();

    let all = ConversationFilter::default;
    let at = coaching.occurred_at.unwrap();
    let cases = [
        (ConversationFilter { kinds: vec![ConversationKind::Meeting], ..all() }, meeting),
        (ConversationFilter { tags: vec!["other".into(), "SALARY".into()], ..all() }, coaching.id),
        (ConversationFilter { occurred_from: Some(at), ..all() }, coaching.id),
        (ConversationFilter { occurred_before: Some(at + TimeDelta::seconds(1)), ..all() }, coaching.id),
        (ConversationFilter { title_contains: Some("0% gr".into()), ..all() }, meeting),
        (ConversationFilter { title_contains: Some("FIRST".into()), ..all() }, coaching.id),
    ];
    for (filter, expected) in cases {
        let found = db.store.list(org.tenant, &filter, first(9)).await.unwrap();
        assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), [expected], "{filter:?}");
        assert_eq!(db.store.count(org.tenant, &filter).await.unwrap(), 1);
    }
    let nothing = ConversationFilter { occurred_before: Some(at), ..all() };
    assert_eq!(db.store.count(org.tenant, &nothing).await.unwrap(), 0);
}

/// These segments with who speaks.
fn spoken(new: &NewConversation, range: Range<usize>) -> Vec<SpokenSegment> {
    let of = |segment: &Segment| SpokenSegment {
        participant: new.participants.iter().find(|one| Some(one.id) == segment.participant_id).cloned(),
        segment: segment.clone(),
    };
    new.segments[range].iter().map(of).collect()
}

#[tokio::test]
async fn segments_are_read_by_page_and_by_run() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (one, two) = (imported(&db.store, org.tenant, 10).await, imported(&db.store, org.tenant, 3).await);
    let (id, other) = (one.conversation.id, two.conversation.id);
    let page = async |page| db.store.segments(org.tenant, id, page).await.unwrap();
    assert_eq!(page(first(4)).await, spoken(&one, 0..4));
    assert_eq!(page(PageBy { after: Some(3), ..first(4) }).await, spoken(&one, 4..8));
    assert_eq!(page(PageBy { before: Some(9), backward: true, ..first(2) }).await, spoken(&one, 7..9));
    let runs =
        [(other, 1, 9), (id, 2, 4), (ConversationId(crate::support::fixtures::id()), 0, 5), (id, 3, 3)];
    let found = db.store.segment_runs(org.tenant, &runs).await.unwrap();
    let expected = [spoken(&two, 1..3), spoken(&one, 2..5), Vec::new(), spoken(&one, 3..4)];
    assert_eq!(found, expected);
}

async fn version(store: &Postgres, org: colloquy_domain::accounts::Tenant, id: ConversationId) -> i64 {
    store.find_indexable(org, id).await.unwrap().1.unwrap().version
}

#[tokio::test]
async fn a_change_that_search_can_see_bumps_the_version_and_is_told() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let conversation = imported(&db.store, org.tenant, 1).await.conversation;
    let id = conversation.id;
    assert_eq!(version(&db.store, org.tenant, id).await, 1);
    let follow = || Follow {
        jobs: vec![job_of(org.tenant, JobKind::IndexPassages, id)],
        events: vec![NewEvent {
            organization_id: org.tenant.0,
            kind: EventKind::ConversationUpdated { conversation_id: id },
        }],
    };
    let patch = ConversationPatch { title: Some("Second".into()), ..ConversationPatch::default() };
    let after = db.store.update(org.tenant, id, patch, follow()).await.unwrap().unwrap();
    assert_eq!(
        (after.title.as_str(), after.kind, after.occurred_at),
        ("Second", conversation.kind, conversation.occurred_at)
    );
    let clear = ConversationPatch { occurred_at: Some(None), ..ConversationPatch::default() };
    let after = db.store.update(org.tenant, id, clear, Follow::default()).await.unwrap().unwrap();
    assert_eq!((after.title.as_str(), after.occurred_at), ("Second", None));
    assert_eq!(version(&db.store, org.tenant, id).await, 3);
    db.store.number(SCOPE, 100).await.unwrap();
    let events = db.store.read(SCOPE, 0, 100).await.unwrap();
    assert_eq!(events.last().unwrap().kind, EventKind::ConversationUpdated { conversation_id: id });

    let tag = |name: &str| Tag {
        id: TagId(crate::support::fixtures::id()),
        organization_id: org.tenant.0,
        name: name.into(),
    };
    let add = [tag("Promotion"), tag("promotion"), tag("SALARY")];
    db.store.set_tags(org.tenant, id, &add, &[], Follow::default()).await.unwrap().unwrap();
    let names = async || -> Vec<String> {
        db.store.tags(org.tenant, &[id]).await.unwrap().into_iter().map(|(_, tag)| tag.name).collect()
    };
    assert_eq!(names().await, ["Promotion", "Salary"]);
    db.store
        .set_tags(org.tenant, id, &[], &["salary".into(), "none".into()], Follow::default())
        .await
        .unwrap();
    assert_eq!(names().await, ["Promotion"]);
    assert_eq!(version(&db.store, org.tenant, id).await, 5);
    let listed = db.store.list_tags(org.tenant, None, 10).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|(tag, count)| (tag.name.as_str(), *count)).collect();
    assert_eq!(listed, [("Promotion", 1), ("Salary", 0)]);
}

#[tokio::test]
async fn a_deleted_conversation_leaves_nothing_but_its_event() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let conversation = imported(&db.store, org.tenant, 5).await.conversation;
    let follow = Follow {
        jobs: Vec::new(),
        events: vec![NewEvent {
            organization_id: org.tenant.0,
            kind: EventKind::ConversationDeleted { conversation_id: conversation.id },
        }],
    };
    let deleted = db
        .store
        .delete(org.tenant, conversation.id, None, erasure(conversation.id.0), follow.clone(), None)
        .await
        .unwrap();
    assert_eq!(deleted, Some(conversation.clone()));
    assert_eq!(
        db.store
            .delete(org.tenant, conversation.id, None, erasure(conversation.id.0), follow, None)
            .await
            .unwrap(),
        None
    );
    for table in ["segments", "participants", "revisions", "conversation_tags"] {
        assert_eq!(db.number(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    db.store.number(SCOPE, 100).await.unwrap();
    let events = db.store.read(SCOPE, 0, 100).await.unwrap();
    let gone = EventKind::ConversationDeleted { conversation_id: conversation.id };
    assert_eq!(events.iter().filter(|event| event.kind == gone).count(), 1);
    assert!(db.store.find_indexable(org.tenant, conversation.id).await.unwrap().1.is_none());
    assert!(db.store.find_talk(org.tenant, conversation.id).await.unwrap().is_none());
    let again = imported(&db.store, org.tenant, 5).await;
    assert_ne!(again.conversation.id, conversation.id);
}

#[tokio::test]
async fn a_caller_who_leaves_in_the_middle_leaves_no_broken_connection_behind() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let id = imported(&db.store, org.tenant, 1).await.conversation.id;
    let settings = DatabaseSettings { max_connections: 2, ..db.settings.clone() };
    let store = Postgres::connect(&settings).await.unwrap();
    db.execute("BEGIN; UPDATE conversations SET title = title").await;
    for _ in 0..4 {
        let patch = ConversationPatch { title: Some("Second".into()), ..ConversationPatch::default() };
        let waiting = store.update(org.tenant, id, patch, Follow::default());
        tokio::time::timeout(Duration::from_millis(50), waiting).await.unwrap_err();
    }
    db.execute("ROLLBACK").await;
    let found = ConversationStore::find(&store, org.tenant, &[id]).await.unwrap();
    assert_eq!(found[0].title, "First session");
    imported(&store, org.tenant, 1).await;
}
