//! The audit log: nothing is done without its entry, nothing in it changes, and what is the installation's is in
//! nobody's log. What it says of jobs is in `manage.rs`.

use chrono::TimeDelta;
use colloquy_domain::{
    accounts::{Actor, Credential, Role, Tenant},
    audit::{AuditEntry, AuditFilter, NewAuditEntry},
    batches::Steering,
    ids::{ApiKeyId, AuditEntryId, BatchId, InvitationId, SessionId},
    jobs::{Queue, manage::pause_everywhere},
    ports::{
        jobs::{Follow, Ledger},
        store::{
            accounts::{AccountStore, ApiKey, Invitation},
            audit::AuditLog,
            batches::BatchStore,
            generations::GenerationStore,
        },
    },
};
use serde_json::json;

use crate::{
    batches::planned,
    support::{
        Database,
        fixtures::{Org, SCOPE, entry, id, member, new_session, new_user, now, organization, token},
    },
};

/// All that the calls below could change.
const EVERYTHING: &str = "SELECT md5(concat(
    (SELECT string_agg(t::text, '' ORDER BY t) FROM users t),
    (SELECT string_agg(t::text, '' ORDER BY t) FROM memberships t),
    (SELECT string_agg(t::text, '' ORDER BY t) FROM sessions t),
    (SELECT string_agg(t::text, '' ORDER BY t) FROM invitations t),
    (SELECT string_agg(t::text, '' ORDER BY t) FROM api_keys t),
    (SELECT string_agg(t::text, '' ORDER BY id) FROM batches t),
    (SELECT string_agg(t::text, '') FROM search_generation t),
    (SELECT string_agg(t::text, '' ORDER BY t) FROM paused_queues t),
    (SELECT string_agg(t::text, '' ORDER BY id) FROM audit_entries t)))";

fn key(org: &Org) -> ApiKey {
    ApiKey {
        id: ApiKeyId(id()),
        organization_id: org.tenant.0,
        user_id: org.owner,
        name: "import".to_owned(),
        role: Role::Member,
        created_at: now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

fn invitation(org: &Org, email: &str) -> Invitation {
    Invitation {
        id: InvitationId(id()),
        organization_id: org.tenant.0,
        email: email.to_owned(),
        role: Role::Member,
        invited_by: org.owner,
        expires_at: now() + TimeDelta::days(7),
        accepted_at: None,
    }
}

async fn log(db: &Database, tenant: Tenant) -> Vec<AuditEntry> {
    AuditLog::list(&db.store, tenant, &AuditFilter::default(), None, 100).await.unwrap()
}

async fn of_installation(db: &Database) -> Vec<AuditEntry> {
    db.store.list_of_installation(SCOPE, None, 100).await.unwrap()
}

#[tokio::test]
async fn nothing_is_done_to_members_keys_batches_and_indexes_without_its_entry() {
    let Some(db) = Database::new().await else { return };
    let (org, store) = (organization(&db.store).await, &db.store);
    let tenant = org.tenant;
    let other = member(store, &db.sql, tenant, Role::Member).await;
    let by = Actor {
        user_id: org.owner,
        organization_id: tenant.0,
        role: Role::Owner,
        credential: Credential::Session(SessionId(id())),
    };
    let (made, open, batch) = (key(&org), invitation(&org, "bob@example.org"), planned(tenant));
    store.insert_api_key(tenant, made.clone(), token(), entry(tenant)).await.unwrap();
    store.insert_invitation(tenant, open.clone(), Follow::default(), entry(tenant)).await.unwrap();
    BatchStore::insert(store, tenant, &batch).await.unwrap();
    GenerationStore::find(store, SCOPE).await.unwrap();
    db.execute("UPDATE search_generation SET number = 2, previous = 1").await;
    let start = Steering::Start { cap: None, per_minute: None };

    // An id that is taken: the entry cannot be written.
    let used = log(&db, tenant).await[0].id;
    let taken = || NewAuditEntry { id: used, ..entry(tenant) };
    let before = db.text(EVERYTHING).await;
    assert!(store.insert_api_key(tenant, key(&org), token(), taken()).await.is_err());
    assert!(store.revoke_api_key(tenant, None, made.id, taken()).await.is_err());
    assert!(store.set_role(tenant, &by, other, Role::Admin, taken()).await.is_err());
    let another = invitation(&org, "eve@example.org");
    assert!(store.insert_invitation(tenant, another, Follow::default(), taken()).await.is_err());
    let bob = new_user("bob@example.org");
    let session = new_session(bob.user.id, tenant.0);
    let accept = async |entry: NewAuditEntry| {
        store.accept_invitation(open.id, Err(bob.clone()), session.clone(), now(), entry).await
    };
    assert!(accept(taken()).await.is_err());
    assert!(store.steer(tenant, batch.id, start, taken()).await.is_err());
    assert!(store.roll_back(SCOPE, 1, taken()).await.is_err());
    assert!(store.pause(Queue::Mail, None, taken()).await.is_err());
    assert_eq!(db.text(EVERYTHING).await, before, "nothing of it is done");

    // What the rules refuse has no entry of the store's either: the use case writes one.
    let strange = ApiKeyId(id());
    assert!(store.revoke_api_key(tenant, None, strange, entry(tenant)).await.unwrap().is_none());
    store.set_role(tenant, &by, org.owner, Role::Viewer, entry(tenant)).await.unwrap();
    store.steer(tenant, batch.id, Steering::Pause, entry(tenant)).await.unwrap();
    assert!(store.steer(tenant, BatchId(id()), start, entry(tenant)).await.unwrap().is_none());
    assert!(store.roll_back(SCOPE, 7, entry(tenant)).await.unwrap().is_none());
    assert_eq!(db.text(EVERYTHING).await, before);

    store.revoke_api_key(tenant, None, made.id, entry(tenant)).await.unwrap();
    store.revoke_api_key(tenant, None, made.id, entry(tenant)).await.unwrap();
    store.set_role(tenant, &by, other, Role::Admin, entry(tenant)).await.unwrap();
    assert!(accept(entry(tenant)).await.unwrap());
    assert!(!accept(entry(tenant)).await.unwrap(), "a second time it is no invitation");
    store.steer(tenant, batch.id, start, entry(tenant)).await.unwrap();
    store.steer(tenant, batch.id, start, entry(tenant)).await.unwrap();
    store.roll_back(SCOPE, 1, entry(tenant)).await.unwrap();
    let told: Vec<_> = log(&db, tenant).await.into_iter().rev().skip(2).map(|entry| entry.detail).collect();
    assert_eq!(
        told,
        [
            json!({ "changed": true }),
            json!({ "changed": false }),
            json!({ "before": "MEMBER", "changed": true }),
            json!({}),
            json!({ "changed": true }),
            json!({ "changed": false }),
            json!({ "changed": true }),
        ]
    );
}

#[tokio::test]
async fn what_is_done_for_the_whole_installation_is_in_its_log_alone() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let everywhere =
        async |paused| pause_everywhere(&db.store, AuditEntryId(id()), Queue::Mail, paused).await.unwrap();
    assert!(everywhere(true).await);
    assert!(!everywhere(true).await, "it is already");
    assert!(everywhere(false).await);
    db.store.pause(Queue::Index, Some(org.tenant), entry(org.tenant)).await.unwrap();

    let told = of_installation(&db).await;
    let of = |entry: &AuditEntry| (entry.action.clone(), entry.subject.clone(), entry.detail.clone());
    let mail =
        |action: &str, changed| (action.to_owned(), Some("mail".to_owned()), json!({ "changed": changed }));
    assert_eq!(
        told.iter().map(of).collect::<Vec<_>>(),
        [mail("queues.resume", true), mail("queues.pause", false), mail("queues.pause", true)]
    );
    assert!(told.iter().all(|entry| entry.user_id.is_none() && entry.outcome == "DONE"));
    assert_eq!(db.store.list_of_installation(SCOPE, Some(told[1].id), 1).await.unwrap(), told[2..]);
    assert_eq!(log(&db, org.tenant).await.len(), 1, "the organization's own pause");
}

#[tokio::test]
async fn no_entry_is_changed_or_lost_also_when_the_schema_goes_back() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    AuditLog::insert(&db.store, entry(org.tenant)).await.unwrap();
    pause_everywhere(&db.store, AuditEntryId(id()), Queue::Mail, true).await.unwrap();
    let all = "SELECT md5(string_agg(t::text, '' ORDER BY id)) FROM audit_entries t";
    let before = db.text(all).await;
    for sql in [
        "UPDATE audit_entries SET action = 'x'",
        "UPDATE audit_entries SET organization_id = NULL",
        "DELETE FROM audit_entries WHERE organization_id IS NULL",
        "INSERT INTO audit_entries SELECT * FROM audit_entries ON CONFLICT (id) DO UPDATE SET action = 'x'",
        "TRUNCATE audit_entries",
        "TRUNCATE audit_entries, organizations CASCADE",
    ] {
        assert!(db.refuses(sql).await, "{sql}");
    }
    db.execute("DELETE FROM organizations; DELETE FROM users").await;
    assert_eq!(db.text(all).await, before, "entries outlive whom they are about");

    db.execute(include_str!("../../../migrations/2026-11-21-000007_audit/down.sql")).await;
    assert!(
        AuditLog::insert(&db.store, NewAuditEntry { organization_id: None, ..entry(org.tenant) })
            .await
            .is_err()
    );
    db.execute(include_str!("../../../migrations/2026-11-21-000007_audit/up.sql")).await;
    assert_eq!(db.text(all).await, before);
    assert_eq!(of_installation(&db).await.len(), 1);
}
