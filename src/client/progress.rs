//! `conversationProgress`, watched until it is over: a connection that breaks is opened again and goes on
//! behind the last event, so that each stage is told once.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, Result, anyhow};
use colloquy_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    Client, GraphqlError, Trouble,
    socket::{Heard, Socket},
};

const DOCUMENT: &str = "
subscription Progress($id: ID!, $after: Cursor) {
  conversationProgress(conversationId: $id, after: $after) {
    __typename
    ... on ConversationProgress { stage at cursor failedJob { kind attempts } }
    ... on Lagged { cursor }
  }
}";

/// Connections that may fail in a row.
const MAX_FAILURES: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Stage {
    Imported,
    Indexed,
    Embedded,
    Analyzed,
    Failed,
}

impl Stage {
    /// That everything is done when all have come.
    pub(crate) const GOALS: [Self; 3] = [Self::Indexed, Self::Embedded, Self::Analyzed];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Indexed => "found by word",
            Self::Embedded => "found by meaning",
            Self::Analyzed => "analysed",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reached {
    pub(crate) stage: Stage,
    pub(crate) at: Timestamp,
    cursor: String,
    pub(crate) failed_job: Option<FailedJob>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct FailedJob {
    pub(crate) kind: String,
    pub(crate) attempts: u32,
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum Told {
    ConversationProgress(Reached),
    Lagged { cursor: String },
}

/// One conversation's way through the stages.
pub(crate) struct Watch {
    client: Client,
    id: String,
    cursor: Option<String>,
    told: HashSet<Stage>,
    socket: Option<Socket>,
    failures: u32,
}

impl Watch {
    /// From now: first what has been reached already.
    pub(crate) fn new(client: Client, conversation_id: &str) -> Self {
        let id = conversation_id.to_owned();
        Self { client, id, cursor: None, told: HashSet::new(), socket: None, failures: 0 }
    }

    /// From a cursor on, such as an import's.
    pub(crate) fn after(mut self, cursor: Option<String>) -> Self {
        self.cursor = cursor;
        self
    }

    /// The next stage; `None` when it is over.
    pub(crate) async fn next(&mut self) -> Result<Option<Reached>> {
        loop {
            if self.is_over() {
                self.end().await;
                return Ok(None);
            }
            let heard = match self.socket.as_mut() {
                Some(socket) => socket.hear().await,
                None => match self.open().await {
                    Ok(()) => continue,
                    Err(error) => Err(error),
                },
            };
            match heard {
                Ok(Heard::Next(payload)) => {
                    if let Some(reached) = self.take(payload)? {
                        return Ok(Some(reached));
                    }
                }
                Ok(Heard::Refused(errors)) => self.refused(errors)?,
                // Complete before the last stage: the server ends, or another replica trimmed; ask again.
                Ok(Heard::Complete) => self.again(anyhow!("the subscription ended early")).await?,
                Err(error) => self.again(error).await?,
            }
        }
    }

    fn is_over(&self) -> bool {
        let told = |stage: &Stage| self.told.contains(stage);
        told(&Stage::Failed) || Stage::GOALS.iter().all(told)
    }

    async fn end(&mut self) {
        if let Some(socket) = self.socket.take() {
            socket.close().await;
        }
    }

    async fn open(&mut self) -> Result<()> {
        let variables = json!({ "id": self.id, "after": self.cursor });
        self.socket = Some(Socket::subscribe(&self.client, DOCUMENT, &variables).await?);
        Ok(())
    }

    fn take(&mut self, payload: Value) -> Result<Option<Reached>> {
        #[derive(Deserialize)]
        struct Payload {
            data: Option<Data>,
            #[serde(default)]
            errors: Vec<GraphqlError>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            conversation_progress: Told,
        }

        let payload: Payload = serde_json::from_value(payload).context("an event is not as expected")?;
        if !payload.errors.is_empty() {
            self.refused(payload.errors)?;
            return Ok(None);
        }
        self.failures = 0;
        match payload.data.context("an event has no data")?.conversation_progress {
            Told::Lagged { cursor } => {
                self.cursor = Some(cursor);
                self.socket = None;
                Ok(None)
            }
            Told::ConversationProgress(reached) => {
                self.cursor = Some(reached.cursor.clone());
                Ok(self.told.insert(reached.stage).then_some(reached))
            }
        }
    }

    /// A cursor that is too old is let go: then the present state comes first, of which what was told is not
    /// told again.
    fn refused(&mut self, errors: Vec<GraphqlError>) -> Result<()> {
        self.socket = None;
        let code = errors.first().and_then(|error| error.extensions.code.as_deref());
        if code == Some("CURSOR_EXPIRED") && self.cursor.take().is_some() {
            return Ok(());
        }
        let retryable = !errors.is_empty() && errors.iter().all(|error| error.extensions.retryable);
        self.failures += 1;
        if retryable && self.failures < MAX_FAILURES {
            return Ok(());
        }
        let server = self.client.server.clone();
        Err(Trouble::Refused { server, status: reqwest::StatusCode::OK, errors, retry_after: None }.into())
    }

    async fn again(&mut self, error: anyhow::Error) -> Result<()> {
        self.socket = None;
        self.failures += 1;
        if self.failures >= MAX_FAILURES {
            return Err(error.context("the progress cannot be watched any more"));
        }
        tracing::debug!(error = format!("{error:#}"), failures = self.failures, "watching again");
        sleep(FIRST_WAIT * 2_u32.pow(self.failures - 1)).await;
        Ok(())
    }
}
