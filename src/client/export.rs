//! Transcripts as files, as the shell asks for them.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Client, Trouble};
use crate::cli::{ExportFormat, Kind};

const LIST: &str = "query Which($filter: ConversationFilter, $after: String) {
    conversations(filter: $filter, first: 100, after: $after) {
        edges { node { id } } pageInfo { hasNextPage endCursor } } }";
const EXPORT: &str = "query Export($id: ID!, $format: ExportFormat!, $revision: Int) {
    conversation(id: $id) { id title export(format: $format, revision: $revision) { fileName content } } }";

/// A list that is empty narrows nothing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Which {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) tags: Vec<String>,
    pub(crate) title_contains: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    edges: Vec<Edge>,
    page_info: PageInfo,
}

#[derive(Debug, Deserialize)]
struct Edge {
    node: Node,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ExportedConversation {
    pub(crate) title: String,
    pub(crate) export: ExportedFile,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExportedFile {
    pub(crate) file_name: String,
    pub(crate) content: String,
}

impl Client {
    /// The ids of a page of conversations, newest first, and where the next page begins.
    pub(crate) async fn conversation_ids(
        &self,
        which: &Which,
        after: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), Trouble> {
        #[derive(Deserialize)]
        struct Data {
            conversations: Page,
        }

        let Data { conversations } = self.query(LIST, json!({ "filter": which, "after": after })).await?;
        let PageInfo { has_next_page, end_cursor } = conversations.page_info;
        let ids = conversations.edges.into_iter().map(|edge| edge.node.id).collect();
        Ok((ids, end_cursor.filter(|_| has_next_page)))
    }

    /// `None` where there is no such conversation.
    pub(crate) async fn export(
        &self,
        id: &str,
        format: ExportFormat,
        revision: Option<i32>,
    ) -> Result<Option<ExportedConversation>, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            conversation: Option<ExportedConversation>,
        }

        let variables = json!({ "id": id, "format": format, "revision": revision });
        let Data { conversation } = self.query(EXPORT, variables).await?;
        Ok(conversation)
    }
}
