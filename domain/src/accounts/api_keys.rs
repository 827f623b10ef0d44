//! API keys: credentials for machines that outlive a sign-in. A key never may more than its maker, nor more
//! than the role it was made with.

use serde_json::json;

use crate::{
    Error, Result,
    accounts::{Actor, Role, sign_up::check_name, tokens},
    audit::{self, NewAuditEntry, Origin},
    ids::{ApiKeyId, UserId},
    ports::{Ports, store::accounts::ApiKey},
    time::Timestamp,
};

pub struct CreateApiKeyInput {
    pub name: String,
    pub role: Role,
    pub expires_at: Option<Timestamp>,
}

/// The key's row and the key itself, which is shown this once.
pub async fn create_api_key(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    input: CreateApiKeyInput,
) -> Result<(ApiKey, String)> {
    let entry = NewAuditEntry::new(ports, actor, origin, "apiKeys.create")
        .with("role", Some(input.role.as_str()))
        .with("expiresAt", input.expires_at.map(|at| json!(at)));
    let made = try_to_create(ports, actor, input, entry.again(ports)).await;
    audit::settle(ports, entry, made).await
}

async fn try_to_create(
    ports: &Ports,
    actor: &Actor,
    input: CreateApiKeyInput,
    entry: NewAuditEntry,
) -> Result<(ApiKey, String)> {
    actor.require(Role::Member)?;
    let name = check_name("name", &input.name)?;
    let now = ports.clock.now();
    if input.role > actor.role {
        let message = format!("a key may have at most your own role, {}", actor.role.as_str());
        return Err(Error::invalid("role", "ROLE_ABOVE_YOURS", message));
    }
    if input.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::invalid("expiresAt", "EXPIRES_IN_THE_PAST", "expiresAt is in the past"));
    }
    let secret = tokens::api_key(ports.ids.secret());
    let key = ApiKey {
        id: ApiKeyId(ports.ids.next()),
        organization_id: actor.organization_id,
        user_id: actor.user_id,
        name,
        role: input.role,
        created_at: now,
        expires_at: input.expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    let hash = tokens::token_hash(&secret);
    ports.accounts.insert_api_key(actor.tenant(), key.clone(), hash, entry.on(key.id)).await?;
    Ok((key, secret))
}

/// Members revoke their own keys, administrators any. A second time changes nothing.
pub async fn revoke_api_key(ports: &Ports, actor: &Actor, origin: &Origin, id: ApiKeyId) -> Result<ApiKey> {
    let entry = NewAuditEntry::new(ports, actor, origin, "apiKeys.revoke").on(id);
    let revoked = async {
        actor.require(Role::Member)?;
        let (tenant, whose) = (actor.tenant(), whose(actor));
        let revoked = ports.accounts.revoke_api_key(tenant, whose, id, entry.again(ports)).await?;
        revoked.ok_or_else(|| Error::not_found("API key", id))
    };
    let revoked = revoked.await;
    audit::settle(ports, entry, revoked).await
}

/// One's own; an administrator sees all. Newest first.
pub async fn list_api_keys(
    ports: &Ports,
    actor: &Actor,
    after: Option<ApiKeyId>,
    limit: usize,
) -> Result<Vec<ApiKey>> {
    ports.accounts.list_api_keys(actor.tenant(), whose(actor), after, limit).await
}

/// Whose keys the actor sees and revokes: everybody's, or one's own.
fn whose(actor: &Actor) -> Option<UserId> {
    (actor.role < Role::Admin).then_some(actor.user_id)
}
