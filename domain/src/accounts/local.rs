//! The local organization of a standalone: whoever owns the data folder owns it, without a password.

use crate::{
    Error, Result,
    accounts::{
        Actor, Credential, Organization, Tenant, User,
        api_keys::{CreateApiKeyInput, create_api_key},
        authenticate::authenticate,
        sign_in::prepare_session,
    },
    audit::Origin,
    ids::{OrganizationId, UserId},
    ports::{Ports, store::accounts::NewUser},
};

const EMAIL: &str = "owner@localhost";

/// An API key of the local organization's owner: `kept`, where it is still good, or a new one. The first call
/// makes the organization.
pub async fn ensure_local(ports: &Ports, kept: Option<&str>) -> Result<String> {
    if let Some(key) = kept
        && authenticate(ports, key).await.is_ok()
    {
        return Ok(key.to_owned());
    }
    let owner = match ports.accounts.find_user_by_email(EMAIL).await? {
        Some((user, _)) => user.id,
        None => make(ports).await?,
    };
    let local = find(ports, owner).await?;
    let memberships = ports.accounts.memberships(owner).await?;
    let (organization, role) = memberships
        .into_iter()
        .find(|(organization, _)| Some(organization.id) == local)
        .ok_or_else(|| Error::internal("find the local organization", "its owner has left it"))?;
    let session = prepare_session(ports, owner, organization.id).session;
    let actor = Actor {
        user_id: owner,
        organization_id: organization.id,
        role,
        credential: Credential::Session(session.id),
    };
    let input = CreateApiKeyInput { name: "standalone".to_owned(), role, expires_at: None };
    Ok(create_api_key(ports, &actor, &Origin::default(), input).await?.1)
}

/// Whether this is the local organization: whose owner holds the data folder, and so the installation.
pub async fn is_local(ports: &Ports, tenant: Tenant) -> Result<bool> {
    let Some((owner, _)) = ports.accounts.find_user_by_email(EMAIL).await? else { return Ok(false) };
    Ok(find(ports, owner.id).await? == Some(tenant.0))
}

/// Whether an address is the local owner's, which nobody may sign up with: the installation goes with it.
pub(crate) fn is_reserved(email: &str) -> bool {
    email.eq_ignore_ascii_case(EMAIL)
}

/// The organization that was made with its owner, and not another that they are in: the two have one id. Where the
/// owner was made before that was so, it is the first that they are in.
async fn find(ports: &Ports, owner: UserId) -> Result<Option<OrganizationId>> {
    let local = OrganizationId(owner.0);
    if ports.accounts.find_organization(Tenant(local)).await?.is_some() {
        return Ok(Some(local));
    }
    let memberships = ports.accounts.memberships(owner).await?;
    Ok(memberships.first().map(|(organization, _)| organization.id))
}

async fn make(ports: &Ports) -> Result<UserId> {
    let now = ports.clock.now();
    let mut salt = [0; 16];
    salt.copy_from_slice(&ports.ids.secret()[..16]);
    // Nobody knows it: the key is the only way in.
    let password = crate::accounts::tokens::refresh_token(ports.ids.secret());
    let password_hash = ports.credentials.passwords.hash(password.into(), salt).await?;
    let user = User {
        id: UserId(ports.ids.next()),
        email: EMAIL.to_owned(),
        name: "Owner".to_owned(),
        created_at: now,
    };
    let id = user.id;
    let organization = Organization { id: OrganizationId(id.0), name: "Local".to_owned(), created_at: now };
    let session = prepare_session(ports, id, organization.id).session;
    let owner = NewUser { user, password_hash };
    if !ports.accounts.insert_organization(organization, owner, session).await? {
        return Err(Error::conflict(
            "LOCAL_ORGANIZATION",
            "another process is making the local organization",
        ));
    }
    Ok(id)
}
