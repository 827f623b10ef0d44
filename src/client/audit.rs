//! The audit log, as the shell asks for it.

use colloquy_domain::{audit, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Client, Trouble, shapes::List};

const LIST: &str = "query Audit($first: Int!) { auditLog(first: $first) { edges { node {
    id at action subject outcome detail user { email } apiKeyId remoteAddress requestId } } } }";

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditEntry {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) action: String,
    pub(crate) subject: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) detail: Value,
    pub(crate) user: Option<AuditUser>,
    pub(crate) api_key_id: Option<String>,
    pub(crate) remote_address: Option<String>,
    pub(crate) request_id: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AuditUser {
    pub(crate) email: String,
}

/// One of the whole installation, which the API does not serve: nobody had signed in.
impl From<audit::AuditEntry> for AuditEntry {
    fn from(entry: audit::AuditEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            at: entry.at,
            action: entry.action,
            subject: entry.subject,
            outcome: Some(entry.outcome),
            detail: entry.detail,
            user: None,
            api_key_id: None,
            remote_address: entry.remote_address,
            request_id: entry.request_id,
        }
    }
}

impl Client {
    /// Newest first.
    pub(crate) async fn audit_log(&self, first: u8) -> Result<Vec<AuditEntry>, Trouble> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            audit_log: List<AuditEntry>,
        }

        let Data { audit_log } = self.query(LIST, json!({ "first": first })).await?;
        Ok(audit_log.nodes())
    }
}
