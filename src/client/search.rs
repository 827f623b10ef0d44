//! `search`, as the shell asks for it.

use colloquy_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Client, Trouble, shapes::List};
use crate::cli::{Kind, Mode};

const DOCUMENT: &str = "
query Search($query: String!, $mode: SearchMode!, $filter: SearchFilter!, $first: Int!, $group: SearchGrouping,
    $single: Boolean!, $diversity: Float, $facets: Boolean!, $explain: Boolean!) {
  search(query: $query, mode: $mode, filter: $filter, first: $first, groupBy: $group, collapseDuplicates: $single,
      diversity: $diversity) {
    degraded
    didYouMean { query }
    facets @include(if: $facets) {
      degraded matching
      kinds { value count } tags { value count } speakers { value count }
      histogram { interval buckets { from before count } }
    }
    explanation @include(if: $explain) {
      ranked checked dropped tookMs
      engines { leg engine outcome asked hits deadlineMs tookMs weight trust }
    }
    edges {
      node {
        score
        fragments { text isMatch }
        passage { id startMs endMs speakers }
        conversation { id title kind occurredAt tags { name } }
        segments { text startMs participant { label } }
        furtherHits
        duplicates
        textMatch { rank score stretched }
        semanticMatch { rank score stretched }
      }
    }
    pageInfo { hasNextPage }
  }
}";

pub(crate) struct SearchInput {
    pub(crate) query: String,
    pub(crate) mode: Mode,
    pub(crate) filter: SearchFilter,
    pub(crate) first: u8,
    pub(crate) shape: Shape,
}

/// What is asked for beyond a list of hits by their scores.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape {
    pub(crate) group: bool,
    pub(crate) varied: bool,
    pub(crate) facets: bool,
    pub(crate) explain: bool,
}

/// How much a hit loses by being like one before it where variety is asked for.
const DIVERSITY: f32 = 0.3;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchFilter {
    /// As the other lists: none narrows nothing.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) tags: Vec<String>,
    pub(crate) speakers: Vec<String>,
    pub(crate) occurred_from: Option<Timestamp>,
    pub(crate) occurred_before: Option<Timestamp>,
}

pub(crate) struct Searched {
    /// What the answer lacks because an engine did not serve.
    pub(crate) degraded: Option<String>,
    /// The query with its words put right, where some of them are unknown.
    pub(crate) meant: Option<String>,
    pub(crate) hits: Vec<Hit>,
    /// The hits as the server gave them, for programs.
    pub(crate) nodes: Vec<Value>,
    pub(crate) more: bool,
    /// As the server gave them.
    pub(crate) facets: Option<Value>,
    pub(crate) explanation: Option<Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hit {
    pub(crate) fragments: Vec<Fragment>,
    pub(crate) passage: Passage,
    pub(crate) conversation: Option<HitConversation>,
    pub(crate) segments: Vec<HitSegment>,
    #[serde(default)]
    pub(crate) further_hits: u32,
    #[serde(default)]
    pub(crate) duplicates: u32,
    pub(crate) text_match: Option<Match>,
    pub(crate) semantic_match: Option<Match>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fragment {
    pub(crate) text: String,
    pub(crate) is_match: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Passage {
    pub(crate) start_ms: Option<u64>,
    pub(crate) speakers: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HitConversation {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) kind: String,
    pub(crate) occurred_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HitSegment {
    pub(crate) start_ms: Option<u64>,
    pub(crate) participant: Option<Label>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Label {
    pub(crate) label: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Match {
    pub(crate) rank: u32,
    pub(crate) score: f32,
}

impl Client {
    pub(crate) async fn search(&self, input: &SearchInput) -> Result<Searched, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            search: Found,
        }
        #[derive(Deserialize)]
        struct Corrected {
            query: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Found {
            degraded: Option<String>,
            did_you_mean: Option<Corrected>,
            facets: Option<Value>,
            explanation: Option<Value>,
            #[serde(flatten)]
            list: List,
        }

        let SearchInput { query, mode, filter, first, shape } = input;
        let variables = json!({ "query": query, "mode": mode, "filter": filter, "first": first,
            "group": shape.group.then_some("CONVERSATION"), "single": shape.varied,
            "diversity": shape.varied.then_some(DIVERSITY), "facets": shape.facets, "explain": shape.explain });
        let Data { search: Found { degraded, did_you_mean, facets, explanation, list } } =
            self.query(DOCUMENT, variables).await?;
        let meant = did_you_mean.map(|corrected| corrected.query);
        let (more, nodes) = (list.more(), list.nodes());
        let shape = |cause| Trouble::Shape { server: self.server.clone(), cause };
        let hits = nodes.iter().map(Hit::deserialize).collect::<Result<_, _>>().map_err(shape)?;
        Ok(Searched { degraded, meant, hits, nodes, more, facets, explanation })
    }
}
