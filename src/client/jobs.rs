//! Jobs and queues, as the shell asks for them.

use std::time::Duration;

use anyhow::{Context, Result};
use colloquy_domain::{
    jobs::{JobKind, JobState, Queue},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    Client, GraphqlError, Trouble, UserError,
    shapes::{List, mutation},
    socket::{Heard, Socket},
};

macro_rules! job_fields {
    () => {
        "id kind queue state priority attempts maxAttempts waitsFor runAt createdAt startedAt finishedAt
        cancelRequestedAt traceId payload errors { attempt at message } conversation { id title }"
    };
}

macro_rules! queue_fields {
    () => {
        "name ready delayed waiting running dead oldestReadyMs workers isPaused isPausedHere rateIn rateOut
        drainSeconds"
    };
}

const LIST: &str = concat!(
    "query Jobs($filter: JobFilter!, $first: Int!) { jobs(filter: $filter, first: $first) {
        edges { node { ",
    job_fields!(),
    " } } pageInfo { hasNextPage } } }"
);
const FIND: &str = concat!("query Job($id: ID!) { job(id: $id) { ", job_fields!(), " } }");
const QUEUES: &str = concat!("{ queues { ", queue_fields!(), " } }");
const WATCH: &str =
    concat!("subscription Queues($every: Int!) { queueStats(intervalMs: $every) { ", queue_fields!(), " } }");

/// Looks that may fail in a row.
const MAX_FAILURES: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// A list that is empty narrows nothing.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobFilter {
    pub(crate) ids: Vec<String>,
    pub(crate) kinds: Vec<&'static str>,
    pub(crate) queues: Vec<String>,
    pub(crate) states: Vec<&'static str>,
    pub(crate) conversation_id: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) created_from: Option<Timestamp>,
    pub(crate) created_before: Option<Timestamp>,
}

impl JobFilter {
    pub(crate) fn names(kinds: &[JobKind], queues: &[Queue], states: &[JobState]) -> Self {
        Self {
            kinds: kinds.iter().map(|kind| kind.as_str()).collect(),
            queues: queues.iter().map(|queue| constant(*queue)).collect(),
            states: states.iter().map(|state| state.as_str()).collect(),
            ..Self::default()
        }
    }
}

fn constant(queue: Queue) -> String {
    queue.as_str().to_uppercase()
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) queue: String,
    pub(crate) state: String,
    pub(crate) priority: i32,
    pub(crate) attempts: u32,
    pub(crate) max_attempts: u32,
    pub(crate) waits_for: u32,
    pub(crate) run_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) cancel_requested_at: Option<Timestamp>,
    pub(crate) trace_id: Option<String>,
    pub(crate) payload: Value,
    pub(crate) errors: Vec<AttemptError>,
    pub(crate) conversation: Option<Conversation>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AttemptError {
    pub(crate) attempt: u32,
    pub(crate) at: Timestamp,
    pub(crate) message: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) title: String,
}

pub(crate) struct Listed {
    pub(crate) jobs: Vec<Job>,
    /// The jobs as the server gave them, for programs.
    pub(crate) nodes: Vec<Value>,
    pub(crate) more: bool,
}

/// What became of jobs; a number is there where the action has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    pub(crate) matched: Option<usize>,
    pub(crate) retried: Option<usize>,
    pub(crate) left_to_batches: Option<usize>,
    pub(crate) cancelled: Option<usize>,
    pub(crate) asked: Option<usize>,
    pub(crate) discarded: Option<usize>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueStats {
    pub(crate) name: String,
    pub(crate) ready: u64,
    pub(crate) delayed: u64,
    pub(crate) waiting: u64,
    pub(crate) running: u64,
    pub(crate) dead: u64,
    pub(crate) oldest_ready_ms: Option<u64>,
    pub(crate) workers: u64,
    pub(crate) is_paused: bool,
    pub(crate) is_paused_here: bool,
    pub(crate) rate_in: Option<f64>,
    pub(crate) rate_out: Option<f64>,
    pub(crate) drain_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settled<T> {
    #[serde(flatten)]
    payload: T,
    user_errors: Vec<UserError>,
}

impl<T> Settled<T> {
    fn well(self) -> Result<T> {
        match self.user_errors.first() {
            Some(error) => Err(anyhow::anyhow!("{error}")),
            None => Ok(self.payload),
        }
    }
}

impl Client {
    pub(crate) async fn jobs(&self, filter: &JobFilter, first: u8) -> Result<Listed, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            jobs: List,
        }

        let Data { jobs } = self.query(LIST, json!({ "filter": filter, "first": first })).await?;
        let (more, nodes) = (jobs.more(), jobs.nodes());
        let shape = |cause| Trouble::Shape { server: self.server.clone(), cause };
        let listed = nodes.iter().map(Job::deserialize).collect::<Result<_, _>>().map_err(shape)?;
        Ok(Listed { jobs: listed, nodes, more })
    }

    /// `None` where the id names no job of the organization. As the server gave it, and as read.
    pub(crate) async fn job(&self, id: &str) -> Result<Option<(Value, Job)>, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            job: Option<Value>,
        }

        let Data { job } = self.query(FIND, json!({ "id": id })).await?;
        let shape = |cause| Trouble::Shape { server: self.server.clone(), cause };
        job.map(|node| Job::deserialize(&node).map(|job| (node, job))).transpose().map_err(shape)
    }

    /// `action` is the mutation's first word: `retry`, `cancel`, `discard`; `numbers` are the payload's fields.
    pub(crate) async fn change_jobs(
        &self,
        action: &str,
        numbers: &str,
        filter: &JobFilter,
        all: bool,
        dry_run: bool,
    ) -> Result<Counts> {
        #[derive(Deserialize)]
        struct Data {
            payload: Settled<Counts>,
        }

        let document = mutation(&format!("{action}Jobs"), numbers);
        let input = json!({ "filter": filter, "all": all, "dryRun": dry_run });
        let data: Data = self.mutate(&document, json!({ "input": input })).await?;
        data.payload.well()
    }

    /// Whether it was not so already.
    pub(crate) async fn pause_queue(&self, queue: Queue, paused: bool) -> Result<bool> {
        #[derive(Deserialize)]
        struct Data {
            payload: Settled<Changed>,
        }
        #[derive(Deserialize)]
        struct Changed {
            changed: bool,
        }

        let document = mutation(if paused { "pauseQueue" } else { "resumeQueue" }, "changed");
        let variables = json!({ "input": { "queue": constant(queue) } });
        let data: Data = self.mutate(&document, variables).await?;
        Ok(data.payload.well()?.changed)
    }

    pub(crate) async fn queues(&self) -> Result<Vec<Value>, Trouble> {
        #[derive(Deserialize)]
        struct Data {
            queues: Vec<Value>,
        }

        let Data { queues } = self.query(QUEUES, json!({})).await?;
        Ok(queues)
    }
}

/// The queues, again and again; a connection that breaks is opened anew.
pub(crate) struct QueueWatch {
    client: Client,
    every: Duration,
    socket: Option<Socket>,
    failures: u32,
}

impl QueueWatch {
    pub(crate) fn new(client: Client, every: Duration) -> Self {
        Self { client, every, socket: None, failures: 0 }
    }

    pub(crate) async fn next(&mut self) -> Result<Vec<Value>> {
        loop {
            let heard = match self.socket.as_mut() {
                Some(socket) => socket.hear().await,
                None => {
                    let variables = json!({ "every": self.every.as_millis() as u64 });
                    match Socket::subscribe(&self.client, WATCH, &variables).await {
                        Ok(socket) => {
                            self.socket = Some(socket);
                            continue;
                        }
                        Err(error) => Err(error),
                    }
                }
            };
            let error = match heard {
                Ok(Heard::Next(payload)) => match self.take(payload)? {
                    Some(queues) => return Ok(queues),
                    None => anyhow::anyhow!("the server could not look"),
                },
                Ok(Heard::Refused(errors)) => return Err(self.refused(errors).into()),
                Ok(Heard::Complete) => anyhow::anyhow!("the subscription ended"),
                Err(error) => error,
            };
            self.socket = None;
            self.failures += 1;
            if self.failures >= MAX_FAILURES {
                return Err(error.context("the queues cannot be watched any more"));
            }
            tracing::debug!(error = format!("{error:#}"), failures = self.failures, "watching again");
            sleep(FIRST_WAIT * 2_u32.pow(self.failures - 1)).await;
        }
    }

    /// `None` for an error that may pass.
    fn take(&mut self, payload: Value) -> Result<Option<Vec<Value>>> {
        #[derive(Deserialize)]
        struct Payload {
            data: Option<Data>,
            #[serde(default)]
            errors: Vec<GraphqlError>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            queue_stats: Vec<Value>,
        }

        let payload: Payload = serde_json::from_value(payload).context("an event is not as expected")?;
        if !payload.errors.is_empty() {
            let passes = payload.errors.iter().all(|error| error.extensions.retryable);
            return if passes { Ok(None) } else { Err(self.refused(payload.errors).into()) };
        }
        self.failures = 0;
        Ok(Some(payload.data.context("an event has no data")?.queue_stats))
    }

    fn refused(&self, errors: Vec<GraphqlError>) -> Trouble {
        let server = self.client.server.clone();
        Trouble::Refused { server, status: reqwest::StatusCode::OK, errors, retry_after: None }
    }
}
