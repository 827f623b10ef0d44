//! Accounts and credentials.

use chrono::TimeDelta;
use colloquy_domain::{
    accounts::{Actor, Credential, Organization, Role, Tenant},
    ids::{ApiKeyId, InvitationId, OrganizationId, SessionId, UserId},
    ports::{
        jobs::Follow,
        store::accounts::{AccountStore, ApiKey, Invitation, RoleChange, Rotation},
    },
};

use crate::support::{
    Database,
    fixtures::{Org, entry, id, member, new_session, new_user, now, organization, token},
};

fn actor(org: &Org, user_id: UserId, role: Role) -> Actor {
    Actor { user_id, organization_id: org.tenant.0, role, credential: Credential::Session(SessionId(id())) }
}

#[tokio::test]
async fn an_address_is_taken_whatever_its_case() {
    let Some(db) = Database::new().await else { return };
    let sign_up = async |email: &str| {
        let organization = Organization { id: OrganizationId(id()), name: "Acme".into(), created_at: now() };
        let user = new_user(email);
        let session = new_session(user.user.id, organization.id);
        db.store.insert_organization(organization, user, session).await.unwrap()
    };
    assert!(sign_up("Ada@Example.org").await);
    assert!(!sign_up("ada@example.ORG").await);
    assert_eq!(db.number("SELECT count(*) FROM organizations").await, 1);
    let (user, hash) = db.store.find_user_by_email("ADA@example.org").await.unwrap().unwrap();
    assert_eq!((user.email.as_str(), hash.as_str()), ("Ada@Example.org", "$argon2id$…"));
    let memberships = db.store.memberships(user.id).await.unwrap();
    assert_eq!((memberships.len(), memberships[0].1), (1, Role::Owner));
    assert!(db.store.find_user_by_email("nobody@example.org").await.unwrap().is_none());
}

#[tokio::test]
async fn of_two_who_show_one_refresh_token_at_once_one_is_served_and_the_session_ends() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let later = now() + TimeDelta::days(30);
    let uses = (0..2).map(|_| {
        let (store, shown) = (db.store.clone(), org.session.refresh_hash);
        tokio::spawn(async move { store.rotate_refresh(shown, token(), later).await.unwrap() })
    });
    let outcomes: Vec<_> =
        futures::future::join_all(uses).await.into_iter().map(|outcome| outcome.unwrap()).collect();
    let rotated =
        Rotation::Rotated { session_id: org.session.id, user_id: org.owner, organization_id: org.tenant.0 };
    assert!(outcomes.contains(&rotated) && outcomes.contains(&Rotation::Reused), "{outcomes:?}");
    assert!(db.store.find_session_actor(org.session.id).await.unwrap().is_none());
    let after = db.store.rotate_refresh(org.session.refresh_hash, token(), later).await.unwrap();
    assert_eq!(after, Rotation::Unknown, "the session is revoked");
}

#[tokio::test]
async fn a_family_of_refresh_tokens_goes_on_until_one_is_shown_twice() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let later = now() + TimeDelta::days(30);
    let mut shown = org.session.refresh_hash;
    for _ in 0..3 {
        let next = token();
        let outcome = db.store.rotate_refresh(shown, next, later).await.unwrap();
        assert!(matches!(outcome, Rotation::Rotated { .. }));
        shown = next;
    }
    assert!(db.store.find_session_actor(org.session.id).await.unwrap().is_some());
    assert_eq!(db.store.rotate_refresh(token(), token(), later).await.unwrap(), Rotation::Unknown);
    let stolen = org.session.refresh_hash;
    assert_eq!(db.store.rotate_refresh(stolen, token(), later).await.unwrap(), Rotation::Reused);
    assert_eq!(db.store.rotate_refresh(shown, token(), later).await.unwrap(), Rotation::Unknown);

    let mut expired = new_session(org.owner, org.tenant.0);
    expired.refresh_expires_at = now() - TimeDelta::seconds(1);
    db.store.insert_session(expired.clone()).await.unwrap();
    let outcome = db.store.rotate_refresh(expired.refresh_hash, token(), later).await.unwrap();
    assert_eq!(outcome, Rotation::Unknown);
}

#[tokio::test]
async fn a_session_speaks_for_a_member_until_it_is_revoked_or_they_leave() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let found = db.store.find_session_actor(org.session.id).await.unwrap().unwrap();
    let credential = Credential::Session(org.session.id);
    let organization_id = org.tenant.0;
    assert_eq!(found, Actor { user_id: org.owner, organization_id, role: Role::Owner, credential });
    db.execute("DELETE FROM memberships").await;
    assert!(db.store.find_session_actor(org.session.id).await.unwrap().is_none());

    let other = organization(&db.store).await;
    db.store.revoke_session(other.session.id).await.unwrap();
    assert!(db.store.find_session_actor(other.session.id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_key_may_do_what_its_maker_may_and_no_more_than_its_role() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let maker = member(&db.store, &db.sql, org.tenant, Role::Member).await;
    let key = |role, expires_at| ApiKey {
        id: ApiKeyId(id()),
        organization_id: org.tenant.0,
        user_id: maker,
        name: "import".to_owned(),
        role,
        created_at: now(),
        expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    let (strong, weak) = (key(Role::Owner, None), key(Role::Viewer, Some(now() + TimeDelta::hours(1))));
    let expired = key(Role::Member, Some(now() - TimeDelta::hours(1)));
    let hashes = [token(), token(), token()];
    for (key, hash) in [&strong, &weak, &expired].into_iter().zip(hashes) {
        db.store.insert_api_key(org.tenant, key.clone(), hash, entry(org.tenant)).await.unwrap();
    }
    let role = async |hash| db.store.find_api_key_actor(hash).await.unwrap().map(|actor| actor.role);
    assert_eq!(role(hashes[0]).await, Some(Role::Member));
    assert_eq!(role(hashes[1]).await, Some(Role::Viewer));
    assert_eq!((role(hashes[2]).await, role(token()).await), (None, None));

    let listed = db.store.list_api_keys(org.tenant, None, None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|key| key.id).collect::<Vec<_>>(), [expired.id, weak.id, strong.id]);
    assert!(listed[2].last_used_at.is_some() && listed[0].last_used_at.is_none());
    let page = db.store.list_api_keys(org.tenant, Some(maker), Some(expired.id), 1).await.unwrap();
    assert_eq!(page.iter().map(|key| key.id).collect::<Vec<_>>(), [weak.id]);
    let stranger = Some(UserId(id()));
    assert!(db.store.list_api_keys(org.tenant, stranger, None, 10).await.unwrap().is_empty());
    assert!(
        db.store.revoke_api_key(org.tenant, stranger, strong.id, entry(org.tenant)).await.unwrap().is_none()
    );
    let revoked =
        db.store.revoke_api_key(org.tenant, None, strong.id, entry(org.tenant)).await.unwrap().unwrap();
    assert!(revoked.revoked_at.is_some());
    let again =
        db.store.revoke_api_key(org.tenant, None, strong.id, entry(org.tenant)).await.unwrap().unwrap();
    assert_eq!(again.revoked_at, revoked.revoked_at);
    assert_eq!(role(hashes[0]).await, None);
}

#[tokio::test]
async fn an_organization_keeps_an_owner_and_owners_are_above_administrators() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let admin = member(&db.store, &db.sql, org.tenant, Role::Admin).await;
    let (owner, by_admin) = (actor(&org, org.owner, Role::Owner), actor(&org, admin, Role::Admin));
    let set = async |by: &Actor, user, role| {
        db.store.set_role(org.tenant, by, user, role, entry(org.tenant)).await.unwrap()
    };

    assert_eq!(set(&owner, org.owner, Role::Admin).await, RoleChange::LastOwner);
    assert_eq!(set(&by_admin, org.owner, Role::Viewer).await, RoleChange::AboveYou);
    let nobody = organization(&db.store).await.owner;
    assert_eq!(set(&owner, nobody, Role::Admin).await, RoleChange::NotAMember);
    let RoleChange::Changed(changed) = set(&owner, admin, Role::Owner).await else { panic!("changed") };
    assert_eq!((changed.user.id, changed.role), (admin, Role::Owner));
    // Of two owners who unmake each other at once one stays.
    let unmake = [(org.owner, admin), (admin, org.owner)].map(|(by, user)| {
        let (store, tenant, by) = (db.store.clone(), org.tenant, actor(&org, by, Role::Owner));
        tokio::spawn(
            async move { store.set_role(tenant, &by, user, Role::Member, entry(tenant)).await.unwrap() },
        )
    });
    let outcomes = futures::future::join_all(unmake).await;
    let changed = outcomes.iter().filter(|one| matches!(one, Ok(RoleChange::Changed(_)))).count();
    assert_eq!(changed, 1, "{outcomes:?}");
    assert_eq!(
        db.number(
            "SELECT count(*) FROM memberships m JOIN organizations o ON o.id = organization_id
        WHERE m.role = 'OWNER' AND (SELECT count(*) FROM memberships WHERE organization_id = o.id) = 2"
        )
        .await,
        1
    );
    assert_eq!(db.store.list_members(org.tenant, None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_invitation_is_accepted_once_and_a_later_one_replaces_it() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let invitation = |email: &str, role| Invitation {
        id: InvitationId(id()),
        organization_id: org.tenant.0,
        email: email.to_owned(),
        role,
        invited_by: org.owner,
        expires_at: now() + TimeDelta::days(7),
        accepted_at: None,
    };
    let invite = async |invitation: &Invitation| {
        db.store
            .insert_invitation(org.tenant, invitation.clone(), Follow::default(), entry(org.tenant))
            .await
            .unwrap();
    };
    let (first, second) =
        (invitation("bob@example.org", Role::Viewer), invitation("Bob@Example.org", Role::Member));
    invite(&first).await;
    invite(&second).await;
    assert!(db.store.find_invitation(first.id).await.unwrap().is_none());
    assert_eq!(db.store.find_invitation(second.id).await.unwrap(), Some(second.clone()));

    let accept = |invitation: InvitationId, user: Result<UserId, _>, at| {
        let (store, entry) = (db.store.clone(), entry(org.tenant));
        let user_id = match &user {
            Ok(id) => *id,
            Err(new) => colloquy_domain::ports::store::accounts::NewUser::clone(new).user.id,
        };
        let session = new_session(user_id, org.tenant.0);
        tokio::spawn(
            async move { store.accept_invitation(invitation, user, session, at, entry).await.unwrap() },
        )
    };
    let bob = new_user("bob@example.org");
    assert!(!accept(first.id, Err(bob.clone()), now()).await.unwrap(), "replaced");
    assert!(!accept(second.id, Err(bob.clone()), now() + TimeDelta::days(8)).await.unwrap(), "expired");
    let both =
        [accept(second.id, Err(bob.clone()), now()), accept(second.id, Err(new_user("b@b.org")), now())];
    let accepted: Vec<_> =
        futures::future::join_all(both).await.into_iter().map(|one| one.unwrap()).collect();
    assert_eq!(accepted.iter().filter(|accepted| **accepted).count(), 1);
    let members = db.store.list_members(org.tenant, None, 10).await.unwrap();
    assert_eq!(members.iter().map(|member| member.role).collect::<Vec<_>>(), [Role::Owner, Role::Member]);

    // A taken address leaves the invitation open; the user who has it may accept.
    let known = organization(&db.store).await.owner;
    let third = invitation("carol@example.org", Role::Admin);
    invite(&third).await;
    let taken = db.store.list_members(org.tenant, None, 10).await.unwrap()[1].user.email.clone();
    assert!(!accept(third.id, Err(new_user(&taken)), now()).await.unwrap());
    assert!(accept(third.id, Ok(known), now()).await.unwrap());
    let found = db.store.find_members(org.tenant, &[known, UserId(id())]).await.unwrap();
    assert_eq!((found.len(), found[0].role), (1, Role::Admin));
    let organizations = db.store.memberships(known).await.unwrap();
    assert_eq!((organizations.len(), organizations[1].0.id), (2, org.tenant.0));
    assert!(db.store.find_organization(Tenant(OrganizationId(id()))).await.unwrap().is_none());
}
