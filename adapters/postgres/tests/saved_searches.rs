//! Saved searches and what matches them.

use std::collections::BTreeSet;

use colloquy_domain::{
    accounts::Tenant,
    events::{Event, EventKind, Topic},
    ids::{ClaimToken, ConversationId, SavedSearchId, SearchMatchId},
    jobs::{Claim, ClaimedJob, JobKind, Queue},
    passages::{Passage, text_hash},
    ports::{
        jobs::Follow,
        store::{
            PageBy,
            conversations::ConversationStore,
            events::EventLog,
            passages::PassageStore,
            saved_searches::{NewMatch, SavedSearchStore},
        },
    },
    search::{
        query::SearchFilter,
        saved::{Question, SavedSearch, Watch},
    },
};

use crate::support::{
    Database,
    fixtures::{
        Org, SCOPE, claim, entry, erasure, id, imported_and_claimed, job_of, now, organization, passages,
    },
};

fn search(org: &Org, name: &str) -> SavedSearch {
    let filter = SearchFilter { tags: vec!["q3".to_owned()], ..SearchFilter::default() };
    SavedSearch {
        id: SavedSearchId(id()),
        organization_id: org.tenant.0,
        created_by: Some(org.owner),
        name: name.to_owned(),
        question: Question { query: "pay \"notice period\"".to_owned(), filter, watch: Watch::Text },
        version: 1,
        since: now(),
        created_at: now(),
        updated_at: now(),
    }
}

async fn saved(db: &Database, org: &Org, name: &str) -> SavedSearch {
    let search = search(org, name);
    SavedSearchStore::insert(&db.store, org.tenant, &search, 10, entry(org.tenant)).await.unwrap();
    one(db, org.tenant, search.id).await
}

async fn one(db: &Database, tenant: Tenant, id: SavedSearchId) -> SavedSearch {
    SavedSearchStore::find(&db.store, tenant, &[id]).await.unwrap().pop().expect("it stands")
}

/// A conversation whose passages stand, and the job that indexes it.
async fn cut(db: &Database, org: &Org) -> (ConversationId, Vec<Passage>, ClaimedJob) {
    let (new, job) = imported_and_claimed(&db.store, org.tenant).await;
    let (id, cut) = (new.conversation.id, passages(new.conversation.id));
    let follow = Follow { jobs: vec![job_of(org.tenant, JobKind::IndexPassages, id)], events: vec![] };
    db.store.replace(org.tenant, job.claim, id, 1, &cut, follow).await.unwrap();
    let index = claim(&db.store, Queue::Index, 1).await.pop().expect("a job");
    (id, cut, index)
}

fn matched(search: &SavedSearch, passage: &Passage) -> NewMatch {
    NewMatch {
        id: SearchMatchId(id()),
        saved_search_id: search.id,
        version: search.version,
        text_hash: text_hash(&passage.text),
        similarity: None,
    }
}

async fn events(db: &Database, tenant: Tenant, of: SavedSearchId) -> Vec<Event> {
    while db.store.number(SCOPE, 1_000).await.unwrap() > 0 {}
    let head = db.store.bounds().await.unwrap().head;
    db.store.replay(tenant, Topic::SavedSearch(of), 0, head, 100).await.unwrap()
}

fn first(limit: usize) -> PageBy<SearchMatchId> {
    PageBy { after: None, before: None, limit, backward: false }
}

#[tokio::test]
async fn a_saved_search_comes_back_as_it_was_given_and_its_number_grows() {
    let Some(db) = Database::new().await else { return };
    let (org, other) = (organization(&db.store).await, organization(&db.store).await);
    assert_eq!(db.store.change(org.tenant).await.unwrap(), 0);
    let kept = saved(&db, &org, "Pay").await;
    let meant = search(&org, "Pay");
    assert_eq!((&kept.name, &kept.question, kept.version), (&meant.name, &meant.question, 1));
    assert_eq!(kept.since, kept.created_at);
    assert_eq!(db.store.versions(org.tenant, false).await.unwrap(), [(kept.id, 1)]);
    assert!(db.store.versions(org.tenant, true).await.unwrap().is_empty());

    // Another name is not another question.
    let named = SavedSearch { name: "Wages".to_owned(), ..kept.clone() };
    SavedSearchStore::update(&db.store, org.tenant, &named, false, entry(org.tenant)).await.unwrap();
    let named = one(&db, org.tenant, kept.id).await;
    assert_eq!((named.name.as_str(), named.version, named.since), ("Wages", 1, kept.since));
    let mut meaning = named.clone();
    meaning.question.watch = Watch::Semantic { threshold: 0.5 };
    SavedSearchStore::update(&db.store, org.tenant, &meaning, true, entry(org.tenant)).await.unwrap();
    let meaning = one(&db, org.tenant, kept.id).await;
    assert_eq!((meaning.question.watch, meaning.version), (Watch::Semantic { threshold: 0.5 }, 2));
    assert!(meaning.since > kept.since);
    let stale = SavedSearchStore::update(&db.store, org.tenant, &named, true, entry(org.tenant)).await;
    assert_eq!(stale.unwrap_err().code(), "SAVED_SEARCH_CHANGED");
    assert_eq!(db.store.change(org.tenant).await.unwrap(), 3);

    let vector = vec![0.5, -0.25];
    let keep = async |version| {
        db.store.keep_query_vector(org.tenant, (kept.id, version), "mini", &vector).await.unwrap();
        db.store.query_vectors(org.tenant, "mini", &[kept.id]).await.unwrap()
    };
    assert!(keep(1).await.is_empty(), "of what was looked for before");
    assert_eq!(keep(2).await, [(kept.id, vector.clone())]);
    assert!(db.store.query_vectors(org.tenant, "maxi", &[kept.id]).await.unwrap().is_empty());

    assert!(SavedSearchStore::find(&db.store, other.tenant, &[kept.id]).await.unwrap().is_empty());
    assert!(db.store.query_vectors(other.tenant, "mini", &[kept.id]).await.unwrap().is_empty());
    assert!(!SavedSearchStore::delete(&db.store, other.tenant, kept.id, entry(other.tenant)).await.unwrap());
    let theirs = SavedSearchStore::update(&db.store, other.tenant, &meaning, true, entry(other.tenant)).await;
    assert_eq!(theirs.unwrap_err().code(), "NOT_FOUND");
    assert_eq!(db.store.change(other.tenant).await.unwrap(), 0);
    assert!(SavedSearchStore::delete(&db.store, org.tenant, kept.id, entry(org.tenant)).await.unwrap());
    assert_eq!(db.store.change(org.tenant).await.unwrap(), 4);
    let full = SavedSearchStore::insert(&db.store, org.tenant, &kept, 0, entry(org.tenant)).await;
    assert_eq!(full.unwrap_err().code(), "TOO_MANY_SAVED_SEARCHES");
    assert_eq!(db.number("SELECT count(*) FROM audit_entries").await, 4, "of what was done alone");
}

#[tokio::test]
async fn a_text_matches_a_search_once_with_the_end_of_the_job_that_found_it() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let search = saved(&db, &org, "Pay").await;
    let (conversation, cut, job) = cut(&db, &org).await;
    let two = [matched(&search, &cut[0]), matched(&search, &cut[1])];
    let write = async |claim, matches: &[NewMatch]| {
        db.store.record_and_complete(org.tenant, claim, conversation, matches, Follow::default()).await
    };
    let forged = Claim { token: ClaimToken(id()), ..job.claim };
    assert_eq!(write(forged, &two).await.unwrap_err().code(), "CLAIM_LOST");
    assert_eq!(db.number("SELECT count(*) FROM search_matches").await, 0);
    db.store.record(org.tenant, conversation, &two[..1]).await.unwrap();
    write(job.claim, &two).await.unwrap();
    db.store
        .record(org.tenant, conversation, &two.clone().map(|one| NewMatch { id: SearchMatchId(id()), ..one }))
        .await
        .unwrap();

    let told: Vec<EventKind> =
        events(&db, org.tenant, search.id).await.into_iter().map(|event| event.kind).collect();
    let of = |one: &NewMatch| EventKind::SearchMatched { saved_search_id: search.id, match_id: one.id };
    assert_eq!(told, [of(&two[0]), of(&two[1])]);
    let listed = db.store.list_matches(org.tenant, search.id, first(10)).await.unwrap();
    let texts: Vec<&str> = listed.iter().map(|one| one.found.passage.text.as_str()).collect();
    assert_eq!(texts, [&*cut[1].text, &*cut[0].text], "newest first");
    let next = PageBy { after: Some(two[1].id), ..first(1) };
    assert_eq!(db.store.list_matches(org.tenant, search.id, next).await.unwrap(), listed[1..]);
    let found = db.store.find_matches(org.tenant, search.id, &[two[0].id]).await.unwrap();
    assert_eq!(found, listed[1..]);

    let other = organization(&db.store).await;
    assert!(events(&db, other.tenant, search.id).await.is_empty());
    assert!(db.store.list_matches(other.tenant, search.id, first(10)).await.unwrap().is_empty());
    db.store.record(other.tenant, conversation, &[matched(&search, &cut[0])]).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM search_matches").await, 2);
}

#[tokio::test]
async fn what_was_there_before_the_search_or_is_gone_has_no_match() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let early = saved(&db, &org, "Early").await;
    let (conversation, cut, _job) = cut(&db, &org).await;
    let late = saved(&db, &org, "Late").await;
    let outdated = NewMatch { version: 2, ..matched(&early, &cut[1]) };
    let gone = NewMatch { text_hash: text_hash("else"), ..matched(&early, &cut[1]) };
    let all = [matched(&late, &cut[0]), outdated, gone, matched(&early, &cut[0])];
    db.store.record(org.tenant, conversation, &all).await.unwrap();
    let kept = db.store.list_matches(org.tenant, early.id, first(10)).await.unwrap();
    assert_eq!(kept.iter().map(|one| one.id).collect::<Vec<_>>(), [all[3].id]);
    assert!(db.store.list_matches(org.tenant, late.id, first(10)).await.unwrap().is_empty());

    // It looks for something else: what has been found so far is no answer to that.
    SavedSearchStore::update(&db.store, org.tenant, &early, true, entry(org.tenant)).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM search_matches").await, 0);
    let early = one(&db, org.tenant, early.id).await;
    db.store.record(org.tenant, conversation, &[matched(&early, &cut[0])]).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM search_matches").await, 0);
}

#[tokio::test]
async fn a_text_that_is_cut_anew_keeps_its_time_and_its_match() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let search = saved(&db, &org, "Pay").await;
    let (conversation, cut, job) = cut(&db, &org).await;
    let matches = [matched(&search, &cut[0]), matched(&search, &cut[1])];
    db.store.record(org.tenant, conversation, &matches).await.unwrap();
    let before = db.store.find_indexable(org.tenant, conversation).await.unwrap().1.unwrap().created_at;

    // The second text comes first now, and the first has gone.
    db.execute("UPDATE conversations SET revision = 2").await;
    let moved = Passage { text: cut[1].text.clone(), ..cut[0].clone() };
    let added = Passage { text: "something new".to_owned(), ..cut[1].clone() };
    let cut = [moved, added];
    db.store.replace(org.tenant, job.claim, conversation, 2, &cut, Follow::default()).await.unwrap();
    let after = db.store.find_indexable(org.tenant, conversation).await.unwrap().1.unwrap().created_at;
    assert_eq!(after[0], before[1]);
    assert!(after[1] > before[1]);
    let kept = db.store.list_matches(org.tenant, search.id, first(10)).await.unwrap();
    assert_eq!(kept.len(), 1, "the text that is gone is passed over");
    assert_eq!((kept[0].id, &kept[0].found.passage), (matches[1].id, &cut[0]));
}

#[tokio::test]
async fn matches_go_with_their_conversation_and_with_their_search() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (one, two) = (saved(&db, &org, "One").await, saved(&db, &org, "Two").await);
    let (conversation, cut_one, _job) = cut(&db, &org).await;
    let (other, cut_two, _job) = cut(&db, &org).await;
    db.store
        .record(org.tenant, conversation, &[matched(&one, &cut_one[0]), matched(&two, &cut_one[0])])
        .await
        .unwrap();
    db.store.record(org.tenant, other, &[matched(&one, &cut_two[0])]).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM search_matches").await, 3);
    let new = erasure(conversation.0);
    ConversationStore::delete(&db.store, org.tenant, conversation, None, new, Follow::default(), None)
        .await
        .unwrap();
    let left = db.store.list_matches(org.tenant, one.id, first(10)).await.unwrap();
    let left: BTreeSet<_> = left.into_iter().map(|one| one.found.passage.conversation_id).collect();
    assert_eq!(left, BTreeSet::from([other]));
    assert!(SavedSearchStore::delete(&db.store, org.tenant, one.id, entry(org.tenant)).await.unwrap());
    assert_eq!(db.number("SELECT count(*) FROM search_matches").await, 0);
    // A handler that is late writes nothing of what is gone.
    db.store.record(org.tenant, conversation, &[matched(&two, &cut_one[0])]).await.unwrap();
    db.store.record(org.tenant, other, &[matched(&one, &cut_two[0])]).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM search_matches").await, 0);
}
