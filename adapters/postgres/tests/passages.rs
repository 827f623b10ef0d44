//! Passages and vectors.

use colloquy_domain::{
    events::{NewEvent, Stage},
    ids::{ClaimToken, PassageId},
    jobs::{Claim, JobKind, Queue},
    passages::text_hash,
    ports::{
        jobs::{Follow, Ledger},
        store::{conversations::ConversationStore, generations::GenerationStore, passages::PassageStore},
    },
};

use crate::support::{
    Database,
    fixtures::{LEASE, SCOPE, claim, erasure, id, imported_and_claimed, job_of, organization, passages},
};

#[tokio::test]
async fn passages_stand_with_the_end_of_the_job_that_cut_them() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (new, job) = imported_and_claimed(&db.store, org.tenant).await;
    let (id, cut) = (new.conversation.id, passages(new.conversation.id));
    let follow = Follow {
        jobs: vec![job_of(org.tenant, JobKind::IndexPassages, id)],
        events: vec![NewEvent::progress(org.tenant.0, id, 1, Stage::Indexed)],
    };
    db.store.replace(org.tenant, job.claim, id, 1, &cut, follow).await.unwrap();

    let indexable = db.store.find_indexable(org.tenant, id).await.unwrap().1.unwrap();
    // Whoever read it without them has an earlier version.
    assert_eq!((indexable.version, indexable.facets.revision, &indexable.passages), (2, 1, &cut));
    assert_eq!(indexable.facets.tags, ["Salary"]);
    let asked = [cut[1].id, PassageId::of(id, &[0; 32], 9)];
    let found = PassageStore::find(&db.store, org.tenant, &asked).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0].passage, &found[0].facets, &found[0].embedding_model),
        (&cut[1], &indexable.facets, &None)
    );
    assert_eq!(claim(&db.store, Queue::Index, 5).await.len(), 1, "what follows is ready");
    assert_eq!(db.number("SELECT count(*) FROM jobs WHERE state = 'DONE'").await, 1);

    // A later revision's transcript makes these passages history.
    db.execute("UPDATE conversations SET revision = 2").await;
    assert!(PassageStore::find(&db.store, org.tenant, &asked).await.unwrap().is_empty());
    assert!(db.store.find_indexable(org.tenant, id).await.unwrap().1.unwrap().passages.is_empty());
}

#[tokio::test]
async fn without_the_claim_or_the_current_revision_nothing_is_written() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (new, job) = imported_and_claimed(&db.store, org.tenant).await;
    let (conversation, cut) = (new.conversation.id, passages(new.conversation.id));
    let follow =
        || Follow { jobs: vec![job_of(org.tenant, JobKind::IndexPassages, conversation)], events: vec![] };
    let replace = async |claim, revision| {
        db.store.replace(org.tenant, claim, conversation, revision, &cut, follow()).await
    };
    let forged = Claim { token: ClaimToken(id()), ..job.claim };
    assert_eq!(replace(forged, 1).await.unwrap_err().code(), "CLAIM_LOST");
    assert_eq!(replace(job.claim, 2).await.unwrap_err().code(), "REVISION_SUPERSEDED");
    assert_eq!(db.number("SELECT count(*) FROM passages").await, 0);
    assert_eq!(db.number("SELECT count(*) FROM jobs").await, 1);
    let held = db.store.extend(SCOPE, &[job.claim], LEASE).await.unwrap();
    assert_eq!(held, [colloquy_domain::ports::jobs::Lease::Held]);
    replace(job.claim, 1).await.unwrap();
    assert_eq!(replace(job.claim, 1).await.unwrap_err().code(), "CLAIM_LOST");
    db.store
        .delete(org.tenant, conversation, None, erasure(conversation.0), Follow::default(), None)
        .await
        .unwrap();
    assert_eq!(replace(job.claim, 1).await.unwrap_err().code(), "NOT_FOUND");
}

#[tokio::test]
async fn vectors_are_kept_by_text_and_model_and_never_overwritten() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (new, job) = imported_and_claimed(&db.store, org.tenant).await;
    let cut = passages(new.conversation.id);
    db.store.replace(org.tenant, job.claim, new.conversation.id, 1, &cut, Follow::default()).await.unwrap();
    let (one, two, none) = (text_hash(&cut[0].text), text_hash(&cut[1].text), text_hash("else"));
    let insert = async |vectors: &[([u8; 32], Vec<f32>)]| {
        db.store.insert_vectors(org.tenant, "mini", vectors).await.unwrap();
    };
    insert(&[(one, vec![0.25, -1.5]), (two, vec![1.0, f32::MIN_POSITIVE])]).await;
    insert(&[(one, vec![9.0, 9.0])]).await;
    let found = db.store.vectors(org.tenant, "mini", &[two, none, one, one]).await.unwrap();
    let first = Some(vec![0.25, -1.5]);
    assert_eq!(found, [Some(vec![1.0, f32::MIN_POSITIVE]), None, first.clone(), first]);
    assert_eq!(db.store.vectors(org.tenant, "maxi", &[one]).await.unwrap(), [None]);
    let passage = PassageStore::find(&db.store, org.tenant, &[cut[0].id]).await.unwrap();
    assert_eq!(passage[0].embedding_model.as_deref(), Some("mini"));
}

#[tokio::test]
async fn the_first_to_ask_makes_the_search_generation() {
    let Some(db) = Database::new().await else { return };
    let asked = (0..4).map(|_| {
        let store = db.store.clone();
        tokio::spawn(async move { GenerationStore::find(&store, SCOPE).await.unwrap() })
    });
    let answers: Vec<_> =
        futures::future::join_all(asked).await.into_iter().map(|one| one.unwrap()).collect();
    assert!(answers.iter().all(|one| *one == answers[0] && one.standing.live == 1));
}
