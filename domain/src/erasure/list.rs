//! The list of what was erased, by ids alone, in the object store: a database that is restored has lost its own. Whoever
//! begins to lead compares the two, and erases again what is back. Somebody who is to stay after a restore is taken off
//! the list by hand first.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ErasureKind, NewErasure, person};
use crate::{
    Error, Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    conversations::delete,
    ids::{AuditEntryId, ConversationId, ErasureId, OrganizationId},
    ports::{Ports, store::erasures::Listed},
};

const FOLDER: &str = "erasures/";
const PAGE: usize = 500;

#[derive(Serialize, Deserialize)]
struct Entry {
    erasure_id: ErasureId,
}

fn key(organization: OrganizationId, kind: ErasureKind, subject: Uuid) -> String {
    let kind = kind.as_str().to_ascii_lowercase();
    format!("{FOLDER}{organization}/{kind}-{subject}")
}

fn read(key: &str) -> Option<Listed> {
    let (organization, entry) = key.strip_prefix(FOLDER)?.split_once('/')?;
    let (kind, subject) = entry.split_once('-')?;
    Some(Listed {
        // The list is told apart by subjects; what it was called then is of no use to whoever applies it.
        erasure_id: ErasureId(Uuid::nil()),
        organization_id: organization.parse().ok()?,
        kind: ErasureKind::ALL.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(kind))?,
        subject_id: subject.parse().ok()?,
    })
}

/// Puts it on the list. Where that fails, whoever leads does it later.
pub(crate) async fn publish(ports: &Ports, tenant: Tenant, new: NewErasure) {
    let listed =
        Listed { erasure_id: new.id, organization_id: tenant.0, kind: new.kind, subject_id: new.subject_id };
    let scope = SystemScope::because("the list holds everybody's erasures");
    if let Err(error) = put(ports, scope, &[listed]).await {
        tracing::warn!(error = error.chain(), "an erasure is put on the list later");
    }
}

async fn put(ports: &Ports, scope: SystemScope, listed: &[Listed]) -> Result<()> {
    for one in listed {
        let entry = serde_json::to_vec(&Entry { erasure_id: one.erasure_id });
        let entry = entry.map_err(|error| Error::internal("write an entry of the list", error))?;
        let key = key(one.organization_id, one.kind, one.subject_id);
        ports.objects.put(&key, Bytes::from(entry)).await?;
    }
    let ids: Vec<_> = listed.iter().map(|one| one.erasure_id).collect();
    ports.erasures.listed(scope, &ids).await
}

/// What could not be put on the list when it was erased; how many.
pub async fn publish_rest(ports: &Ports, scope: SystemScope) -> Result<usize> {
    let rest = ports.erasures.unlisted(scope, PAGE).await?;
    if !rest.is_empty() {
        put(ports, scope, &rest).await?;
    }
    Ok(rest.len())
}

/// Erases again whatever is on the list and in the database; how many.
pub async fn apply(ports: &Ports, scope: SystemScope) -> Result<usize> {
    let (mut after, mut again) = (FOLDER.to_owned(), 0);
    loop {
        let keys = ports.objects.list(Duration::ZERO, Some(&after), PAGE).await?;
        let ours: Vec<_> = keys.iter().take_while(|key| key.starts_with(FOLDER)).collect();
        let listed: Vec<_> = ours.iter().filter_map(|key| read(key)).collect();
        for one in ports.erasures.back(scope, &listed).await? {
            again += usize::from(erase_again(ports, one).await?);
        }
        match ours.last() {
            Some(last) if ours.len() == PAGE => after = (*last).clone(),
            _ => return Ok(again),
        }
    }
}

/// Whether it was there still.
async fn erase_again(ports: &Ports, listed: Listed) -> Result<bool> {
    let tenant = Tenant(listed.organization_id);
    tracing::warn!(kind = listed.kind.as_str(), id = %listed.subject_id, "what was erased is back, and is erased again");
    let entry = NewAuditEntry::of_installation(AuditEntryId(ports.ids.next()), action(listed.kind));
    let entry = NewAuditEntry { organization_id: Some(tenant.0), ..entry };
    let entry = entry.on(listed.subject_id).with("again", Some(true));
    let erased = match listed.kind {
        ErasureKind::Person => {
            let new = NewErasure::new(ports, listed.kind, listed.subject_id, None);
            person::begin(ports, tenant, new, entry).await
        }
        ErasureKind::Conversation => {
            let id = ConversationId(listed.subject_id);
            delete::again(ports, tenant, id, entry).await
        }
    };
    match erased {
        Ok(()) => Ok(true),
        Err(Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn action(kind: ErasureKind) -> &'static str {
    match kind {
        ErasureKind::Person => "people.erase",
        ErasureKind::Conversation => "conversations.delete",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_the_list_is_read_back() {
        for kind in ErasureKind::ALL {
            let (organization_id, subject_id) = (OrganizationId(Uuid::from_u128(1)), Uuid::from_u128(2));
            let key = key(organization_id, kind, subject_id);
            let erasure_id = ErasureId(Uuid::nil());
            assert_eq!(read(&key), Some(Listed { erasure_id, organization_id, kind, subject_id }), "{key}");
        }
        for other in ["erasures/x", "erasures/a/person-b", "exports/a/b", "erasures/"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
