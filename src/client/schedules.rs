//! Schedules, as the shell asks for them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Client, Trouble, UserError,
    shapes::{List, mutation},
};

const FIELDS: &str = "
fragment All on Schedule {
  id name cron timeZone missedRuns isEnabled nextRunAt nextRuns(first: 5) createdAt updatedAt
  batch {
    kind all createdWithinDays createdOlderThanDays analyzer overwriteEdits cap acceptPartial perMinute
    filter {
      conversationIds kinds tags occurredFrom occurredBefore createdFrom createdBefore titleContains
    }
  }
  lastRun { at outcome reason }
  lastBatch { id state total done failed skipped spent }
}";

/// As the shell shows it; beside it stands what the server gave, for programs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schedule {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) cron: String,
    pub(crate) time_zone: String,
    pub(crate) is_enabled: bool,
    pub(crate) next_run_at: Option<String>,
    pub(crate) next_runs: Vec<String>,
    pub(crate) batch: ScheduledBatch,
    pub(crate) last_run: Option<ScheduleRun>,
    pub(crate) last_batch: Option<LastBatch>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct ScheduledBatch {
    pub(crate) kind: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct ScheduleRun {
    pub(crate) at: String,
    pub(crate) outcome: String,
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct LastBatch {
    pub(crate) id: String,
    pub(crate) state: String,
}

impl Schedule {
    pub(crate) fn read(value: &Value) -> anyhow::Result<Self> {
        Ok(Self::deserialize(value)?)
    }
}

/// What a change came to, as the server gave it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settled {
    pub(crate) schedule: Option<Value>,
    #[serde(default)]
    pub(crate) next_runs: Vec<String>,
    user_errors: Vec<UserError>,
}

#[derive(Deserialize)]
struct Change {
    payload: Settled,
}

impl Client {
    /// `field` is the mutation's name; its input type is named after it.
    pub(crate) async fn change_schedule(
        &self,
        field: &str,
        input: Value,
    ) -> Result<Result<Settled, Vec<UserError>>, Trouble> {
        let (select, fragment) = match field {
            "deleteSchedule" => ("deletedId", ""),
            "runSchedule" => ("schedule { ...All }", FIELDS),
            _ => ("schedule { ...All } nextRuns", FIELDS),
        };
        let document = mutation(field, select) + fragment;
        let Change { payload } = self.mutate(&document, json!({ "input": input })).await?;
        Ok(if payload.user_errors.is_empty() { Ok(payload) } else { Err(payload.user_errors) })
    }

    pub(crate) async fn schedule(&self, id: &str) -> Result<Option<Value>, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            schedule: Option<Value>,
        }
        let document = format!("query Schedule($id: ID!) {{ schedule(id: $id) {{ ...All }} }}{FIELDS}");
        let Data { schedule } = self.query(&document, json!({ "id": id })).await?;
        Ok(schedule)
    }

    pub(crate) async fn schedules(&self, first: u8) -> Result<Vec<Value>, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            schedules: List,
        }
        let document = format!(
            "query Schedules($first: Int!) {{ schedules(first: $first) {{ edges {{ node {{ ...All }} }} }} }}{FIELDS}"
        );
        let Data { schedules } = self.query(&document, json!({ "first": first })).await?;
        Ok(schedules.nodes())
    }
}
