//! Where the original bytes and the exports of a conversation stand, and the sweep of those whose conversation is
//! gone.

use std::{collections::HashSet, time::Duration};

use crate::{
    Result,
    accounts::SystemScope,
    ids::{BatchId, ConversationId, OrganizationId},
    ports::Ports,
};

/// An object this young may belong to an import that is under way.
const GRACE: Duration = Duration::from_secs(60 * 60);
const PAGE: usize = 500;
const ORIGINALS: &str = "conversations/";
const EXPORTS: &str = "exports/";

pub fn object_key(organization: OrganizationId, conversation: ConversationId) -> String {
    format!("{ORIGINALS}{organization}/{conversation}")
}

/// Where a batch's export of a conversation stands.
pub fn export_key(organization: OrganizationId, batch: BatchId, conversation: ConversationId) -> String {
    format!("{EXPORTS}{organization}/{batch}/{conversation}.json")
}

/// The key of the original bytes, under which a conversation is known, of an object that goes with it; `None` for
/// what is not ours to sweep.
fn original_of(key: &str) -> Option<String> {
    if key.starts_with(ORIGINALS) {
        return Some(key.to_owned());
    }
    let mut parts = key.strip_prefix(EXPORTS)?.split('/');
    let (organization, _batch, file) = (parts.next()?, parts.next()?, parts.next()?);
    let conversation = file.strip_suffix(".json")?;
    parts.next().is_none().then(|| format!("{ORIGINALS}{organization}/{conversation}"))
}

/// Deletes orphans; how many.
pub async fn sweep(ports: &Ports, scope: SystemScope) -> Result<usize> {
    let mut after: Option<String> = None;
    let mut swept = 0;
    loop {
        let keys = ports.objects.list(GRACE, after.as_deref(), PAGE).await?;
        let Some(last) = keys.last().cloned() else {
            return Ok(swept);
        };
        let ours: Vec<_> = keys.into_iter().filter_map(|key| Some((original_of(&key)?, key))).collect();
        let originals: Vec<_> = ours.iter().map(|(original, _)| original.clone()).collect();
        let known: HashSet<_> =
            ports.conversations.known_objects(scope, &originals).await?.into_iter().collect();
        for (_, key) in ours.iter().filter(|(original, _)| !known.contains(original)) {
            ports.objects.delete(key).await?;
            swept += 1;
        }
        after = Some(last);
    }
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
        let export = export_key(organization, BatchId(Uuid::from_u128(3)), conversation);
        assert_eq!(original_of(&original).as_ref(), Some(&original));
        assert_eq!(original_of(&export).as_ref(), Some(&original));
        for other in ["exports/a/b", "exports/a/b/c", "exports/a/b/c/d.json", "backups/a"] {
            assert_eq!(original_of(other), None, "{other}");
        }
    }
}
