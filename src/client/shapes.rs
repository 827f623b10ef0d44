//! What documents and answers of the API have in common: lists, and mutations.

use serde::Deserialize;
use serde_json::Value;

/// A list as all of the API's are, where `edges { node { … } }` was asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List<T = Value> {
    edges: Vec<Edge<T>>,
    /// Where it was asked for.
    page_info: Option<PageInfo>,
}

#[derive(Deserialize)]
struct Edge<T> {
    node: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    /// Where it was asked for.
    end_cursor: Option<String>,
}

impl<T> List<T> {
    pub(super) fn more(&self) -> bool {
        self.page_info.as_ref().is_some_and(|page| page.has_next_page)
    }

    /// Where the next page begins, where there is one and that was asked for.
    pub(super) fn next(&self) -> Option<String> {
        self.page_info.as_ref().filter(|page| page.has_next_page)?.end_cursor.clone()
    }

    pub(super) fn nodes(self) -> Vec<T> {
        self.edges.into_iter().map(|edge| edge.node).collect()
    }
}

/// The mutation `field`, whose input type is named after it, with what is wanted of its payload beside the user
/// errors. The answer has it as `payload`.
pub(super) fn mutation(field: &str, select: &str) -> String {
    let input = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
    format!(
        "mutation Change($input: {input}!) {{ payload: {field}(input: $input) {{
            {select} userErrors {{ code message field line }} }} }}"
    )
}
