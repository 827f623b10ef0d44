//! Batches, as the shell asks for them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Client, Trouble, UserError,
    shapes::{List, mutation},
};

const FIELDS: &str = "
fragment All on Batch {
  id kind state total fed done failed skipped cancelled cap reserved spent perMinute rate secondsLeft reason
  createdAt startedAt finishedAt
  plan {
    conversations segments characters tokens price pricePer1000Tokens durationMs durationBasis
    impossible { reason conversations }
  }
  report { done failed skipped cancelled spent durationMs failures { message conversations } }
}";

/// As the shell shows it; beside it stands what the server gave, for programs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Batch {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) total: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) cancelled: u64,
    pub(crate) cap: Option<u64>,
    pub(crate) spent: u64,
    pub(crate) rate: f64,
    pub(crate) seconds_left: Option<u64>,
    pub(crate) reason: Option<String>,
    pub(crate) plan: BatchPlanned,
    pub(crate) report: Option<BatchReport>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchPlanned {
    pub(crate) conversations: u64,
    pub(crate) segments: u64,
    pub(crate) tokens: u64,
    pub(crate) price: u64,
    pub(crate) duration_ms: u64,
    pub(crate) duration_basis: String,
    pub(crate) impossible: Vec<BatchImpossible>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct BatchImpossible {
    pub(crate) reason: String,
    pub(crate) conversations: u64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchReport {
    pub(crate) duration_ms: u64,
    pub(crate) failures: Vec<BatchFailures>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct BatchFailures {
    pub(crate) message: String,
    pub(crate) conversations: u64,
}

impl Batch {
    pub(crate) fn ended(&self) -> u64 {
        self.done + self.failed + self.skipped + self.cancelled
    }

    /// Nothing more happens until somebody says so.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "DONE" | "CANCELLED" | "STOPPED" | "PLANNED")
    }

    pub(crate) fn went_well(&self) -> bool {
        self.state == "PLANNED" || (self.state == "DONE" && self.failed == 0)
    }

    pub(crate) fn read(value: &Value) -> anyhow::Result<Self> {
        Ok(Self::deserialize(value)?)
    }
}

impl Client {
    /// The batch as the server gave it. `field` is the mutation's name; its input type is named after it.
    pub(crate) async fn change_batch(
        &self,
        field: &str,
        input: Value,
    ) -> Result<Result<Value, Vec<UserError>>, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            payload: Payload,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Payload {
            batch: Option<Value>,
            user_errors: Vec<UserError>,
        }
        let document = mutation(field, "batch { ...All }") + FIELDS;
        // Only another plan would be another batch.
        let variables = json!({ "input": input });
        let Data { payload } = match field {
            "planBatch" => self.mutate(&document, variables).await?,
            _ => self.query(&document, variables).await?,
        };
        Ok(payload.batch.ok_or(payload.user_errors))
    }

    pub(crate) async fn batch(&self, id: &str) -> Result<Option<Value>, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            batch: Option<Value>,
        }
        let document = format!("query Batch($id: ID!) {{ batch(id: $id) {{ ...All }} }}{FIELDS}");
        let Data { batch } = self.query(&document, json!({ "id": id })).await?;
        Ok(batch)
    }

    pub(crate) async fn batches(&self, first: u8) -> Result<Vec<Value>, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            batches: List,
        }
        let document = format!(
            "query Batches($first: Int!) {{ batches(first: $first) {{ edges {{ node {{ ...All }} }} }} }}{FIELDS}"
        );
        let Data { batches } = self.query(&document, json!({ "first": first })).await?;
        Ok(batches.nodes())
    }
}
