//! Archives: what became of their entries is written once, counted, and forgotten with its conversation.

use chrono::TimeDelta;
use colloquy_domain::{
    accounts::Tenant,
    archives::Start,
    bulk::{
        ArchiveImport, ArchiveState, BulkOptions, EntryCounts, EntryOutcome, EntryProblem, ImportedEntry,
    },
    conversations::ConversationKind,
    ids::{ArchiveImportId, ConversationId, UserId},
    jobs::{JobKind, NewJob, Payload, Queue},
    ports::{
        jobs::{Follow, JobFilter, Ledger},
        store::{PageBy, archives::ArchiveStore, conversations::ConversationStore},
    },
};

use crate::support::{
    Database,
    fixtures::{SCOPE, claim, erasure, id, imported, now, organization},
};

fn import(tenant: Tenant, created_by: UserId) -> (ArchiveImport, NewJob) {
    let import_id = ArchiveImportId(id());
    let payload = Payload::Archive { archive_import_id: import_id };
    let job = NewJob::new(id(), JobKind::UnpackArchive, Some(tenant.0), payload);
    let import = ArchiveImport {
        id: import_id,
        organization_id: tenant.0,
        file_name: Some("talks.zip".to_owned()),
        object_key: format!("archives/{}/{import_id}", tenant.0),
        options: BulkOptions {
            kind: ConversationKind::Coaching,
            tags: vec!["Archive".to_owned()],
            occurred_at: Some(now()),
            format: None,
            dry_run: false,
        },
        job_id: job.id,
        state: ArchiveState::Queued,
        entry_count: Some(7),
        counts: EntryCounts::default(),
        problem: None,
        created_by: Some(created_by),
        created_at: now(),
        finished_at: None,
    };
    (import, job)
}

fn problem() -> EntryProblem {
    EntryProblem { code: "MALFORMED".to_owned(), message: "it is odd".to_owned(), line: Some(3) }
}

fn entry(place: u32, outcome: EntryOutcome, conversation_id: Option<ConversationId>) -> ImportedEntry {
    ImportedEntry {
        place,
        name: Some(format!("{place}.vtt")),
        outcome,
        unpacked: 100,
        conversation_id,
        report: None,
        problem: (outcome == EntryOutcome::Failed).then(problem),
    }
}

async fn found(db: &Database, tenant: Tenant, id: ArchiveImportId) -> ArchiveImport {
    ArchiveStore::find(&db.store, tenant, &[id]).await.unwrap().pop().unwrap()
}

#[tokio::test]
async fn an_entry_is_written_once_counted_and_forgotten_with_its_conversation() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (store, tenant) = (&db.store, org.tenant);
    let (new, job) = import(tenant, org.owner);
    assert!(ArchiveStore::insert(store, tenant, &new, job, 5).await.unwrap());
    assert_eq!(found(&db, tenant, new.id).await, new);
    assert_eq!(store.reached(tenant, new.id).await.unwrap(), Start::default());

    let talk = imported(store, tenant, 2).await.conversation.id;
    let gone = ConversationId(id());
    let entries = [
        entry(0, EntryOutcome::Created, Some(talk)),
        entry(2, EntryOutcome::Failed, None),
        entry(3, EntryOutcome::Existing, Some(gone)),
        entry(4, EntryOutcome::PassedOver, None),
    ];
    store.record(tenant, new.id, &entries[..2]).await.unwrap();
    // A run of before comes late, and says something else.
    let late = ImportedEntry { name: Some("other".to_owned()), ..entry(0, EntryOutcome::Existing, None) };
    store.record(tenant, new.id, &[late]).await.unwrap();
    store.record(tenant, new.id, &entries).await.unwrap();
    assert_eq!(store.reached(tenant, new.id).await.unwrap(), Start { place: 5, unpacked: 400 });
    let running = found(&db, tenant, new.id).await;
    assert_eq!(running.state, ArchiveState::Running);
    let counts = EntryCounts { created: 1, existing: 1, failed: 1, passed_over: 1, would_import: 0 };
    assert_eq!(running.counts, counts);
    let all = store.entries(tenant, new.id, None, None, 10).await.unwrap();
    let nameless = ImportedEntry { name: None, conversation_id: None, ..entries[2].clone() };
    assert_eq!(all, [entries[0].clone(), entries[1].clone(), nameless, entries[3].clone()]);
    assert_eq!(store.entries(tenant, new.id, None, Some(2), 1).await.unwrap(), all[2..3]);
    let failed = store.entries(tenant, new.id, Some(EntryOutcome::Failed), None, 10).await.unwrap();
    assert_eq!(failed, all[1..2]);

    let erasure = erasure(talk.0);
    store.delete(tenant, talk, None, erasure, Follow::default(), None).await.unwrap().unwrap();
    let first = store.entries(tenant, new.id, None, None, 1).await.unwrap().remove(0);
    assert_eq!((first.name, first.conversation_id, first.outcome), (None, None, EntryOutcome::Created));
}

#[tokio::test]
async fn how_far_an_archive_is_its_job_says_until_it_has_ended() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (store, tenant) = (&db.store, org.tenant);
    let (new, job) = import(tenant, org.owner);
    let job_id = job.id;
    assert!(ArchiveStore::insert(store, tenant, &new, job, 1).await.unwrap());
    let (second, job) = import(tenant, org.owner);
    assert!(!ArchiveStore::insert(store, tenant, &second, job.clone(), 1).await.unwrap(), "one is under way");
    let keys = [new.object_key.clone(), second.object_key.clone()];
    assert_eq!(store.needed_objects(SCOPE, &keys).await.unwrap(), keys[..1]);

    let claimed = claim(store, Queue::Ingest, 1).await;
    assert_eq!(found(&db, tenant, new.id).await.state, ArchiveState::Running);
    store.finish(tenant, claimed[0].claim, new.id, now(), Some(&problem())).await.unwrap();
    let failed = found(&db, tenant, new.id).await;
    assert_eq!((failed.state, failed.problem), (ArchiveState::Failed, Some(problem())));
    let again = store.finish(tenant, claimed[0].claim, new.id, now(), None).await;
    assert_eq!(again.unwrap_err().code(), "ARCHIVE_ENDED");
    let done = Ledger::find(store, tenant, &[job_id]).await.unwrap().remove(0);
    assert!(done.finished_at.is_some());
    assert!(store.needed_objects(SCOPE, &keys).await.unwrap().is_empty());

    let cancelled = job.id;
    assert!(ArchiveStore::insert(store, tenant, &second, job, 1).await.unwrap());
    let filter = JobFilter { ids: vec![cancelled], ..JobFilter::default() };
    store.cancel(tenant, &filter, 1).await.unwrap();
    assert_eq!(found(&db, tenant, second.id).await.state, ArchiveState::Cancelled);
    assert!(store.needed_objects(SCOPE, &keys).await.unwrap().is_empty());

    let page = PageBy { after: None, before: None, limit: 10, backward: false };
    let listed: Vec<_> = ArchiveStore::list(store, tenant, page).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [second.id, new.id]);
    let (third, job) = import(tenant, org.owner);
    assert!(ArchiveStore::insert(store, tenant, &third, job, 1).await.unwrap());
    let later = now() + TimeDelta::seconds(1);
    assert_eq!(ArchiveStore::prune(store, SCOPE, now() - TimeDelta::days(1), 10).await.unwrap(), 0);
    assert_eq!(ArchiveStore::prune(store, SCOPE, later, 10).await.unwrap(), 2);
    let left = ArchiveStore::list(store, tenant, page).await.unwrap();
    assert_eq!(left.iter().map(|one| one.id).collect::<Vec<_>>(), [third.id], "it is under way");
}

#[tokio::test]
async fn another_tenants_archive_is_not_there() {
    let Some(db) = Database::new().await else { return };
    let (ours, theirs) = (organization(&db.store).await, organization(&db.store).await);
    let (store, us) = (&db.store, ours.tenant);
    let (new, job) = import(theirs.tenant, theirs.owner);
    assert!(ArchiveStore::insert(store, theirs.tenant, &new, job, 5).await.unwrap());
    let talk = imported(store, us, 2).await.conversation.id;
    store.record(theirs.tenant, new.id, &[entry(0, EntryOutcome::Created, Some(talk))]).await.unwrap();
    let kept = store.entries(theirs.tenant, new.id, None, None, 10).await.unwrap();
    assert_eq!((kept[0].conversation_id, &kept[0].name), (None, &None), "our conversation is not theirs");

    assert!(ArchiveStore::find(store, us, &[new.id]).await.unwrap().is_empty());
    assert!(store.entries(us, new.id, None, None, 10).await.unwrap().is_empty());
    assert_eq!(store.reached(us, new.id).await.unwrap(), Start::default());
    store.record(us, new.id, &[entry(1, EntryOutcome::Failed, None)]).await.unwrap();
    let claimed = claim(store, Queue::Ingest, 10).await;
    let unpacking = claimed.iter().find(|job| job.kind == JobKind::UnpackArchive).unwrap();
    assert!(store.finish(us, unpacking.claim, new.id, now(), None).await.is_err());
    let theirs = found(&db, theirs.tenant, new.id).await;
    assert_eq!((theirs.counts.failed, theirs.finished_at), (0, None));
}
