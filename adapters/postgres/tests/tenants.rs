//! Whoever names another tenant's things finds nothing and changes nothing.

use colloquy_domain::{
    accounts::{Actor, Credential, Role},
    analysis::Measures,
    conversations::Tag,
    ids::{AnalysisId, ApiKeyId, InsightId, SessionId, TagId},
    jobs::{JobKind, Queue},
    money::MicroDollars,
    passages::text_hash,
    ports::{
        jobs::{Follow, JobFilter, Ledger},
        store::{
            PageBy,
            accounts::{AccountStore, ApiKey, RoleChange},
            analyses::{Analysis, AnalysisStore},
            conversations::{ConversationFilter, ConversationPatch, ConversationStore},
            passages::PassageStore,
        },
    },
};

use crate::support::{
    Database,
    fixtures::{
        SCOPE, claim, entry, erasure, id, imported_and_claimed, job_of, now, organization, passages, token,
    },
};

#[tokio::test]
async fn another_tenants_ids_lead_nowhere() {
    let Some(db) = Database::new().await else { return };
    let (ours, theirs) = (organization(&db.store).await, organization(&db.store).await);
    let (store, us, them) = (&db.store, ours.tenant, theirs.tenant);

    let (new, job) = imported_and_claimed(store, them).await;
    let (conversation, cut) = (new.conversation.id, passages(new.conversation.id));
    let page = PageBy { after: None, before: None, limit: 10, backward: false };

    // Writes under their claim are refused to us, and leave no trace.
    let replaced = store.replace(us, job.claim, conversation, 1, &cut, Follow::default()).await;
    assert_eq!(replaced.unwrap_err().code(), "NOT_FOUND");
    store.replace(them, job.claim, conversation, 1, &cut, Follow::default()).await.unwrap();
    store.enqueue(SCOPE, vec![job_of(them, JobKind::AnalyzeConversation, conversation)]).await.unwrap();
    let analyze = claim(store, Queue::Analyze, 1).await;
    let analysis = Analysis {
        id: AnalysisId(id()),
        conversation_id: conversation,
        revision: 1,
        analyzer: "extractive".to_owned(),
        analyzer_version: 1,
        key: [7; 32],
        measures: Measures::default(),
        created_at: now(),
    };
    let insights: [(InsightId, _); 0] = [];
    let claim = analyze[0].claim;
    let refused =
        AnalysisStore::insert(store, us, claim, &analysis, &insights, Follow::default(), MicroDollars::ZERO)
            .await;
    assert_eq!(refused.unwrap_err().code(), "NOT_FOUND");
    AnalysisStore::insert(store, them, claim, &analysis, &insights, Follow::default(), MicroDollars::ZERO)
        .await
        .unwrap();
    let hash = text_hash(&cut[0].text);
    store.insert_vectors(them, "mini", &[(hash, vec![1.0])]).await.unwrap();

    // Conversations.
    assert!(ConversationStore::find(store, us, &[conversation]).await.unwrap().is_empty());
    let every = ConversationFilter::default();
    assert!(ConversationStore::list(store, us, &every, page).await.unwrap().is_empty());
    assert_eq!(store.count(us, &every).await.unwrap(), 0);
    let patch = ConversationPatch { title: Some("ours".into()), ..ConversationPatch::default() };
    assert!(store.update(us, conversation, patch, Follow::default()).await.unwrap().is_none());
    let tag = Tag { id: TagId(id()), organization_id: us.0, name: "ours".into() };
    let remove = ["Salary".to_owned()];
    assert!(store.set_tags(us, conversation, &[tag], &remove, Follow::default()).await.unwrap().is_none());
    assert!(
        store
            .delete(us, conversation, None, erasure(conversation.0), Follow::default(), None)
            .await
            .unwrap()
            .is_none()
    );
    assert!(store.tags(us, &[conversation]).await.unwrap().is_empty());
    assert!(store.list_tags(us, None, 10).await.unwrap().is_empty());
    assert!(store.participants(us, &[conversation]).await.unwrap().is_empty());
    assert!(store.find_participants(us, &[new.participants[0].id]).await.unwrap().is_empty());
    let all = PageBy { after: None, before: None, limit: 10, backward: false };
    assert!(store.segments(us, conversation, all).await.unwrap().is_empty());
    assert!(store.find_segments(us, &[new.segments[0].id]).await.unwrap().is_empty());
    assert!(store.segment_runs(us, &[(conversation, 0, 9)]).await.unwrap()[0].is_empty());
    assert!(store.count_segments(us, &[conversation]).await.unwrap().is_empty());
    assert!(store.find_talk(us, conversation).await.unwrap().is_none());
    assert!(store.progress(us, &[conversation]).await.unwrap().is_empty());

    // Passages, vectors, analyses, jobs.
    assert!(store.find_indexable(us, conversation).await.unwrap().1.is_none());
    assert!(PassageStore::find(store, us, &[cut[0].id]).await.unwrap().is_empty());
    assert_eq!(store.vectors(us, "mini", &[hash]).await.unwrap(), [None]);
    assert!(store.find_by_key(us, analysis.key).await.unwrap().is_none());
    assert!(AnalysisStore::find(store, us, &[analysis.id]).await.unwrap().is_empty());
    assert!(store.current(us, &[conversation]).await.unwrap().is_empty());
    assert!(store.insights(us, &[analysis.id]).await.unwrap().is_empty());
    assert!(Ledger::find(store, us, &[job.claim.job_id]).await.unwrap().is_empty());
    let of_theirs = JobFilter { conversation_id: Some(conversation), ..JobFilter::default() };
    assert!(Ledger::list(store, us, &of_theirs, None, 10).await.unwrap().is_empty());

    // Accounts.
    let key = ApiKey {
        id: ApiKeyId(id()),
        organization_id: them.0,
        user_id: theirs.owner,
        name: "key".to_owned(),
        role: Role::Admin,
        created_at: now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    store.insert_api_key(them, key.clone(), token(), entry(them)).await.unwrap();
    assert!(store.revoke_api_key(us, None, key.id, entry(us)).await.unwrap().is_none());
    assert!(store.list_api_keys(us, None, None, 10).await.unwrap().is_empty());
    assert!(store.find_members(us, &[theirs.owner]).await.unwrap().is_empty());
    let by = Actor {
        user_id: ours.owner,
        organization_id: us.0,
        role: Role::Owner,
        credential: Credential::Session(SessionId(id())),
    };
    let change = store.set_role(us, &by, theirs.owner, Role::Viewer, entry(us)).await.unwrap();
    assert_eq!(change, RoleChange::NotAMember);

    // All of it is still theirs.
    let now = ConversationStore::find(store, them, &[conversation]).await.unwrap();
    assert_eq!(now, [new.conversation]);
    assert_eq!(store.tags(them, &[conversation]).await.unwrap().len(), 1);
    assert_eq!(store.list_api_keys(them, None, None, 10).await.unwrap()[0].revoked_at, None);
}
