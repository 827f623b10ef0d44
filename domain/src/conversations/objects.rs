//! Where the original bytes stand, and the sweep of those that no conversation refers to.

use std::time::Duration;

use crate::{
    Result,
    accounts::SystemScope,
    ids::{BatchId, ConversationId, OrganizationId},
    ports::Ports,
};

/// An object this young may belong to an import that is under way.
const GRACE: Duration = Duration::from_secs(60 * 60);
const PAGE: usize = 500;
/// Only these are swept: exports refer to conversations that may be gone.
const ORIGINALS: &str = "conversations/";

pub fn object_key(organization: OrganizationId, conversation: ConversationId) -> String {
    format!("{ORIGINALS}{organization}/{conversation}")
}

/// Where a batch's export of a conversation stands.
pub fn export_key(organization: OrganizationId, batch: BatchId, conversation: ConversationId) -> String {
    format!("exports/{organization}/{batch}/{conversation}.json")
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
        let known = ports.conversations.known_objects(scope, &keys).await?;
        for key in &keys {
            if key.starts_with(ORIGINALS) && !known.contains(key) {
                ports.objects.delete(key).await?;
                swept += 1;
            }
        }
        after = Some(last);
    }
}
