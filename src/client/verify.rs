//! Comparing the search engines with PostgreSQL, as the shell asks for it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Client, Trouble, UserError, shapes::mutation};

/// One page of a run.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifiedPage {
    pub(crate) checked: u64,
    pub(crate) differences: Vec<IndexDifference>,
    pub(crate) mended: u64,
    pub(crate) next: Option<String>,
    pub(crate) user_errors: Vec<UserError>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IndexDifference {
    pub(crate) conversation_id: String,
    pub(crate) engine: String,
    pub(crate) kind: String,
    pub(crate) passages: u64,
}

impl Client {
    pub(crate) async fn verify_index(
        &self,
        after: Option<&str>,
        repair: bool,
    ) -> Result<VerifiedPage, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            payload: VerifiedPage,
        }
        let select = "checked mended next differences { conversationId engine kind passages }";
        let input = json!({ "after": after, "repair": repair });
        // What is asked again is compared again.
        let Data { payload } =
            self.query(&mutation("verifyIndex", select), json!({ "input": input })).await?;
        Ok(payload)
    }
}
