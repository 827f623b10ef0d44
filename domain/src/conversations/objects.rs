//! Where the original bytes and the exports of a conversation stand, and the sweep of those whose conversation is
//! gone.

use std::{collections::HashSet, time::Duration};

use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    ids::{ArchiveImportId, BatchId, ConversationId, OrganizationId},
    ports::Ports,
};

/// An object this young may belong to an import that is under way.
const GRACE: Duration = Duration::from_secs(60 * 60);
const PAGE: usize = 500;
const ORIGINALS: &str = "conversations/";
const EXPORTS: &str = "exports/";
const ARCHIVES: &str = "archives/";

pub fn object_key(organization: OrganizationId, conversation: ConversationId) -> String {
    format!("{ORIGINALS}{organization}/{conversation}")
}

/// Below it stand all exports of a conversation, however many batches wrote one.
pub fn exports_of(organization: OrganizationId, conversation: ConversationId) -> String {
    format!("{EXPORTS}{organization}/{conversation}")
}

/// Where a batch's export of a conversation stands.
pub fn export_key(organization: OrganizationId, conversation: ConversationId, batch: BatchId) -> String {
    format!("{}/{batch}.json", exports_of(organization, conversation))
}

/// Where an archive stands until all of it is imported.
pub fn archive_key(organization: OrganizationId, import: ArchiveImportId) -> String {
    format!("{ARCHIVES}{organization}/{import}")
}

/// The keys of original bytes, under one of which a conversation is known, of an object that goes with it; none for
/// what is not ours to sweep. Exports stood at `ORGANIZATION/BATCH/CONVERSATION.json` once, and those stay as long as
/// their conversation does.
fn originals_of(key: &str) -> Vec<String> {
    if key.starts_with(ORIGINALS) {
        return vec![key.to_owned()];
    }
    let Some(parts) = key.strip_prefix(EXPORTS) else { return Vec::new() };
    match parts.split('/').collect::<Vec<_>>()[..] {
        [organization, folder, file] => {
            let names = file.strip_suffix(".json").map(|name| [folder, name]).into_iter().flatten();
            names.map(|name| format!("{ORIGINALS}{organization}/{name}")).collect()
        }
        _ => Vec::new(),
    }
}

/// The original bytes, as they are kept today, and every export.
pub(crate) async fn delete_objects(ports: &Ports, tenant: Tenant, id: ConversationId) -> Result<()> {
    ports.objects.delete(&object_key(tenant.0, id)).await?;
    ports.objects.delete_below(&exports_of(tenant.0, id)).await
}

/// The original bytes, and exports that were written at least `age` ago.
pub(crate) async fn delete_old(
    ports: &Ports,
    tenant: Tenant,
    id: ConversationId,
    age: Duration,
) -> Result<()> {
    ports.objects.delete(&object_key(tenant.0, id)).await?;
    let folder = format!("{}/", exports_of(tenant.0, id));
    let mut after = folder.clone();
    loop {
        let keys = ports.objects.list(age, Some(&after), PAGE).await?;
        let exports = keys.into_iter().take_while(|key| key.starts_with(&folder));
        let exports: Vec<_> = exports.collect();
        for key in &exports {
            ports.objects.delete(key).await?;
        }
        match exports.last() {
            Some(last) if exports.len() == PAGE => after.clone_from(last),
            _ => return Ok(()),
        }
    }
}

/// Deletes orphans, and original bytes that were to go with somebody who was erased; how many.
pub async fn sweep(ports: &Ports, scope: SystemScope) -> Result<usize> {
    let mut after: Option<String> = None;
    let mut swept = 0;
    loop {
        let keys = ports.objects.list(GRACE, after.as_deref(), PAGE).await?;
        let Some(last) = keys.last().cloned() else {
            return Ok(swept);
        };
        let (archives, keys): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.starts_with(ARCHIVES));
        swept += sweep_archives(ports, scope, &archives).await?;
        let ours: Vec<_> = keys
            .into_iter()
            .map(|key| (originals_of(&key), key))
            .filter(|(originals, _)| !originals.is_empty())
            .collect();
        let originals: Vec<_> = ours.iter().flat_map(|(originals, _)| originals).cloned().collect();
        let known: HashSet<_> =
            ports.conversations.known_objects(scope, &originals).await?.into_iter().collect();
        let erased: HashSet<_> =
            ports.conversations.erased_objects(scope, &originals).await?.into_iter().collect();
        for (originals, key) in &ours {
            if erased.contains(key) || originals.iter().all(|original| !known.contains(original)) {
                ports.objects.delete(key).await?;
                swept += 1;
            }
        }
        after = Some(last);
    }
}

/// Those whose import has ended or is not known.
async fn sweep_archives(ports: &Ports, scope: SystemScope, keys: &[String]) -> Result<usize> {
    if keys.is_empty() {
        return Ok(0);
    }
    let needed: HashSet<_> = ports.archives.needed_objects(scope, keys).await?.into_iter().collect();
    let orphans: Vec<_> = keys.iter().filter(|key| !needed.contains(*key)).collect();
    for key in &orphans {
        ports.objects.delete(key).await?;
    }
    Ok(orphans.len())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_export_goes_with_its_conversation_and_what_is_not_ours_stays() {
        let (organization, conversation) =
            (OrganizationId(Uuid::from_u128(1)), ConversationId(Uuid::from_u128(2)));
        let original = object_key(organization, conversation);
        let batch = BatchId(Uuid::from_u128(3));
        let export = export_key(organization, conversation, batch);
        assert!(export.starts_with(&format!("{}/", exports_of(organization, conversation))), "{export}");
        let as_before = format!("{EXPORTS}{organization}/{batch}/{conversation}.json");
        for key in [&original, &export, &as_before] {
            assert!(originals_of(key).contains(&original), "{key}");
        }
        for other in ["exports/a/b", "exports/a/b/c", "exports/a/b/c/d.json", "backups/a"] {
            assert!(originals_of(other).is_empty(), "{other}");
        }
    }
}
