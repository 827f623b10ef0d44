//! Revisions by hand: every past state reads back as it was, and only what changes is written.

use colloquy_domain::{
    accounts::Tenant,
    conversations::{
        Participant,
        revisions::{RevisionKind, SegmentChange},
    },
    ids::{ConversationId, PassageId, PersonId},
    passages::{Passage, text_hash},
    people::Person,
    ports::{
        jobs::Follow,
        store::{
            PageBy,
            conversations::{ConversationStore, NewConversation},
            passages::PassageStore,
            people::PersonStore,
            revisions::{NewEdit, RevisionStore},
        },
    },
};

use crate::support::{
    Database,
    fixtures::{
        Org, entry, erasure, id, imported, imported_and_claimed, new_edit, now, organization, passages,
    },
};

const DOWN: &str = include_str!("../../../migrations/2026-11-21-000016_revisions/down.sql");

fn edit(org: &Org, id: ConversationId, number: i32, kind: RevisionKind) -> NewEdit {
    NewEdit { author_id: Some(org.owner), ..new_edit(id, number, kind) }
}

/// The text of one segment is another.
fn other_text(org: &Org, new: &NewConversation, number: i32, at: usize, text: &str) -> NewEdit {
    let mut segment = new.segments[at].clone();
    segment.text = text.to_owned();
    NewEdit {
        ended: vec![segment.id],
        segments: vec![segment],
        ..edit(org, new.conversation.id, number, RevisionKind::EditSegment)
    }
}

async fn write(db: &Database, tenant: Tenant, edit: &NewEdit) {
    RevisionStore::write(&db.store, tenant, edit, Follow::default(), None).await.unwrap();
}

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

fn all<K>() -> PageBy<K> {
    PageBy { after: None, before: None, limit: 1_000, backward: false }
}

#[tokio::test]
async fn databases_of_before_keep_what_they_have_and_can_go_back() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let ana = person(&db, org.tenant, "Ana").await;
    let new = imported(&db.store, org.tenant, 4).await;
    let id = new.conversation.id;
    write(&db, org.tenant, &other_text(&org, &new, 2, 1, "Another text.")).await;
    let undo = "DELETE FROM __diesel_schema_migrations WHERE version = '20261121000016'";
    db.execute(&format!("{DOWN}; {undo}")).await;
    db.execute(
        "UPDATE revisions SET reason = CASE number WHEN 1 THEN 'import' ELSE 'reimport' END;
        UPDATE participants SET label = 'Dr.  Coach', person_id = (SELECT id FROM people) WHERE ordinal = 0;
        UPDATE segments SET valid_from = 2 WHERE participant_id IN (SELECT id FROM participants WHERE ordinal = 1)",
    )
    .await;
    assert_eq!(db.store.migrate().await.unwrap().len(), 1);

    let listed = RevisionStore::list(&db.store, org.tenant, id, all()).await.unwrap();
    let kinds: Vec<_> = listed.iter().map(|one| (one.number, one.kind, one.reason.as_deref())).collect();
    assert_eq!(kinds, [(2, RevisionKind::Reimport, None), (1, RevisionKind::Import, None)]);
    assert!(!db.store.is_edited(org.tenant, id).await.unwrap());
    let text = db.store.find_talk(org.tenant, id).await.unwrap().unwrap().segments[1].text.clone();
    assert_eq!(text, "Another text.");
    assert_eq!(db.number("SELECT valid_from::bigint FROM participants WHERE ordinal = 0").await, 1);
    assert_eq!(db.number("SELECT valid_from::bigint FROM participants WHERE ordinal = 1").await, 2);
    let remembered = format!(
        "SELECT count(*) FROM remembered_people WHERE label_key = 'dr. coach' AND person_id = '{}'",
        ana.id
    );
    assert_eq!(db.number(&remembered).await, 1);
}

#[tokio::test]
async fn every_past_state_reads_back_and_a_revision_writes_only_what_it_changes() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let tenant = org.tenant;
    let new = imported(&db.store, tenant, 1_000).await;
    let id = new.conversation.id;
    write(&db, tenant, &other_text(&org, &new, 2, 7, "Seven is another.")).await;
    let coach = Participant { label: "Ana".to_owned(), ..new.participants[0].clone() };
    let rename = NewEdit { changed: vec![coach.clone()], ..edit(&org, id, 3, RevisionKind::Rename) };
    write(&db, tenant, &rename).await;
    let gone =
        NewEdit { ended: vec![new.segments[999].id], ..edit(&org, id, 4, RevisionKind::RemoveSegments) };
    write(&db, tenant, &gone).await;
    assert_eq!(db.number("SELECT count(*) FROM segments").await, 1_001);
    assert_eq!(db.number("SELECT count(*) FROM participant_history").await, 1);
    assert_eq!(db.number("SELECT segment_count::bigint FROM conversations").await, 999);

    let mut states = vec![(new.participants.clone(), new.segments.clone())];
    let mut segments = new.segments.clone();
    segments[7].text = "Seven is another.".to_owned();
    states.push((new.participants.clone(), segments.clone()));
    let renamed = vec![coach, new.participants[1].clone()];
    states.push((renamed.clone(), segments.clone()));
    segments.pop();
    states.push((renamed, segments));
    for (number, (participants, segments)) in (1..).zip(&states) {
        let talk = RevisionStore::talk(&db.store, tenant, id, number).await.unwrap().unwrap();
        assert_eq!((talk.revision, &talk.participants, &talk.segments), (number, participants, segments));
        let there = RevisionStore::participants(&db.store, tenant, id, number).await.unwrap();
        assert_eq!(&there, participants);
        let page = PageBy { after: Some(5), before: Some(9), limit: 2, backward: true };
        let page = RevisionStore::segments(&db.store, tenant, id, number, page).await.unwrap();
        let spoken: Vec<_> = page.iter().map(|one| &one.segment).collect();
        assert_eq!(spoken, segments[7..9].iter().collect::<Vec<_>>());
        assert_eq!(page[1].participant.as_ref(), Some(&participants[0]), "the label of then");
    }
    assert!(RevisionStore::talk(&db.store, tenant, id, 5).await.unwrap().is_none());
    let now = db.store.find_talk(tenant, id).await.unwrap().unwrap();
    assert_eq!((&now.participants, &now.segments), (&states[3].0, &states[3].1));

    // By id alone it is the latest state, also of what was taken out; by revision that of then.
    let [seven, last] = [new.segments[7].id, new.segments[999].id];
    let mut found = ConversationStore::find_segments(&db.store, tenant, &[seven, last]).await.unwrap();
    found.sort_by_key(|one| one.segment.sequence);
    assert_eq!(found[0].segment.text, "Seven is another.");
    assert_eq!(found[1].segment, new.segments[999]);
    let then = [(seven, 1), (seven, 4), (last, 3), (last, 4)];
    let mut then = RevisionStore::find_segments(&db.store, tenant, &then).await.unwrap();
    then.sort_by_key(|((id, number), _)| (*id, *number));
    let then: Vec<_> = then.into_iter().map(|(key, one)| (key, one.segment.text)).collect();
    let texts = [
        ((seven, 1), new.segments[7].text.clone()),
        ((seven, 4), "Seven is another.".to_owned()),
        ((last, 3), new.segments[999].text.clone()),
    ];
    assert_eq!(then, texts);

    let compared = db.store.compare(tenant, id, 1, 4, None, 10).await.unwrap();
    let texts = |change: &SegmentChange| {
        let text = |of: &Option<_>| {
            of.as_ref().map(|one: &colloquy_domain::conversations::SpokenSegment| one.segment.text.clone())
        };
        (text(&change.before), text(&change.after))
    };
    let [changed, removed] = &compared[..] else { panic!("{compared:#?}") };
    assert_eq!(texts(changed), (Some(new.segments[7].text.clone()), Some("Seven is another.".into())));
    assert_eq!(texts(removed), (Some(new.segments[999].text.clone()), None));
    let rest = db.store.compare(tenant, id, 1, 4, changed.place(), 10).await.unwrap();
    assert_eq!(rest.len(), 1);
    let back = db.store.compare(tenant, id, 4, 1, None, 10).await.unwrap();
    assert_eq!(texts(&back[1]), (None, Some(new.segments[999].text.clone())));
    assert!(db.store.compare(tenant, id, 2, 3, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_revision_has_its_passages_from_the_moment_on_that_it_stands() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (new, job) = imported_and_claimed(&db.store, org.tenant).await;
    let id = new.conversation.id;
    let indexable = async || {
        let found = db.store.find_indexable(org.tenant, id).await.unwrap().1.unwrap();
        (found.is_cut, found.passages)
    };
    let cut = passages(id);
    assert_eq!(indexable().await, (true, Vec::new()), "nothing to wait for that was there before");
    db.store.replace(org.tenant, job.claim, id, 1, &cut, Follow::default()).await.unwrap();
    let ana = person(&db, org.tenant, "Ana").await;
    let coach = Participant { person_id: Some(ana.id), ..new.participants[0].clone() };
    let tie = NewEdit { changed: vec![coach], ..edit(&org, id, 2, RevisionKind::Tie) };
    write(&db, org.tenant, &tie).await;
    let ids = |passages: &[Passage]| passages.iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(&indexable().await.1), ids(&cut), "who it is says nothing of what is said");
    assert_eq!(db.store.of_revision(org.tenant, id, 2).await.unwrap(), cut);
    assert!(db.store.of_revision(org.tenant, id, 1).await.unwrap().is_empty());
    db.execute("UPDATE passages SET created_at = '2026-01-01Z'").await;

    // One comes in between, the second moves down, and nothing is left of the first.
    let other = Passage {
        id: PassageId::of(id, &text_hash("Another text."), 0),
        text: "Another text.".to_owned(),
        ..cut[0].clone()
    };
    let further = Passage { id: PassageId::of(id, &[1; 32], 0), ordinal: 1, ..cut[0].clone() };
    let moved = Passage { ordinal: 2, first_sequence: 4, last_sequence: 6, ..cut[1].clone() };
    let new_cut = vec![other, further, moved];
    let edit = NewEdit { passages: Some(new_cut.clone()), ..other_text(&org, &new, 3, 0, "Another text.") };
    write(&db, org.tenant, &edit).await;
    assert_eq!(ids(&indexable().await.1), ids(&new_cut));
    assert_eq!(db.store.of_revision(org.tenant, id, 3).await.unwrap(), new_cut);
    let known = "SELECT count(*) FROM passages WHERE created_at = '2026-01-01Z' AND revision = 3";
    assert_eq!(db.number(known).await, 2, "a text keeps the time at which it came");
    let foreign = organization(&db.store).await;
    assert!(db.store.of_revision(foreign.tenant, id, 3).await.unwrap().is_empty());
}

#[tokio::test]
async fn another_organization_reads_and_writes_no_revision_and_a_deleted_conversation_leaves_none() {
    let Some(db) = Database::new().await else { return };
    let (ours, theirs) = (organization(&db.store).await, organization(&db.store).await);
    let (us, them, store) = (ours.tenant, theirs.tenant, &db.store);
    let new = imported(store, them, 4).await;
    let id = new.conversation.id;
    write(&db, them, &other_text(&theirs, &new, 2, 0, "Theirs.")).await;
    let coach = Participant { label: "Ana".to_owned(), ..new.participants[0].clone() };
    let rename = NewEdit { changed: vec![coach], ..edit(&theirs, id, 3, RevisionKind::Rename) };
    write(&db, them, &rename).await;

    assert!(RevisionStore::list(store, us, id, all()).await.unwrap().is_empty());
    assert!(RevisionStore::find(store, us, id, 1).await.unwrap().is_none());
    assert!(RevisionStore::talk(store, us, id, 1).await.unwrap().is_none());
    assert!(RevisionStore::participants(store, us, id, 1).await.unwrap().is_empty());
    assert!(RevisionStore::segments(store, us, id, 1, all()).await.unwrap().is_empty());
    assert!(RevisionStore::find_segments(store, us, &[(new.segments[0].id, 1)]).await.unwrap().is_empty());
    let participant = [(new.participants[0].id, 1)];
    assert!(RevisionStore::find_participants(store, us, &participant).await.unwrap().is_empty());
    assert_eq!(RevisionStore::find_participants(store, them, &participant).await.unwrap().len(), 1);
    assert!(store.compare(us, id, 1, 3, None, 10).await.unwrap().is_empty());
    assert!(store.is_edited(them, id).await.unwrap() && !store.is_edited(us, id).await.unwrap());
    let forced = other_text(&ours, &new, 4, 0, "Ours.");
    let refused = RevisionStore::write(store, us, &forced, Follow::default(), None).await;
    assert_eq!(refused.unwrap_err().code(), "NOT_FOUND");
    let own = imported(store, us, 1).await.conversation.id;
    let forced = NewEdit { conversation_id: own, number: 2, ..forced };
    assert!(RevisionStore::write(store, us, &forced, Follow::default(), None).await.is_err());
    assert_eq!(db.number("SELECT count(*) FROM segments WHERE text = 'Ours.'").await, 0);
    assert_eq!(
        db.number("SELECT count(*) FROM segments WHERE text = 'Theirs.' AND valid_to IS NULL").await,
        1
    );

    let new = erasure(id.0);
    ConversationStore::delete(store, them, id, None, new, Follow::default(), None).await.unwrap().unwrap();
    for table in ["revisions", "segments", "participants", "participant_history"] {
        let left = format!("SELECT count(*) FROM {table} WHERE conversation_id = '{id}'");
        assert_eq!(db.number(&left).await, 0, "{table}");
    }
}
