//! Where the original bytes stand, and the sweep of those that no conversation refers to.

use std::time::Duration;

use crate::{
    Result,
    accounts::SystemScope,
    ids::{ConversationId, OrganizationId},
    ports::Ports,
};

/// An object this young may belong to an import that is under way.
const GRACE: Duration = Duration::from_secs(60 * 60);
const PAGE: usize = 500;

pub fn object_key(organization: OrganizationId, conversation: ConversationId) -> String {
    format!("conversations/{organization}/{conversation}")
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
            if !known.contains(key) {
                ports.objects.delete(key).await?;
                swept += 1;
            }
        }
        after = Some(last);
    }
}
