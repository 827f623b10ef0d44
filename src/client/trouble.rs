//! Why a request had no answer, in words that say where and what to do.

use std::time::Duration;

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use url::Url;

/// Each says all there is to say: no cause stands behind it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("could not reach {server}: {}", root(cause))]
    Unreachable { server: Url, cause: reqwest::Error },
    #[error("{server} did not answer in time")]
    Slow { server: Url },
    #[error("the connection to {server} broke off: {}", root(cause))]
    BrokeOff { server: Url, cause: reqwest::Error },
    #[error("{server} does not answer as Colloquy does (HTTP {status}); is the address right?")]
    NotGraphql { server: Url, status: StatusCode, retry_after: Option<Duration> },
    #[error("{}{}", told(errors), advice(server, *status, errors))]
    Refused { server: Url, status: StatusCode, errors: Vec<GraphqlError>, retry_after: Option<Duration> },
    #[error(
        "{server} answers differently from what this version expects; are both of one version? ({cause})"
    )]
    Shape { server: Url, cause: serde_json::Error },
}

/// An error of a GraphQL response.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct GraphqlError {
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) extensions: Extensions,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Extensions {
    pub(crate) code: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) retryable: bool,
}

/// An expected refusal, as payloads of mutations carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserError {
    pub(crate) code: String,
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) field: Vec<String>,
    pub(crate) line: Option<u32>,
}

impl std::fmt::Display for UserError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, message, line, .. } = self;
        match line {
            Some(line) if !message.contains(&format!("line {line}")) => {
                write!(f, "line {line}: {message} ({code})")
            }
            _ => write!(f, "{message} ({code})"),
        }
    }
}

impl Trouble {
    pub(super) fn transport(server: &Url, cause: reqwest::Error) -> Self {
        let server = server.clone();
        if cause.is_connect() {
            Self::Unreachable { server, cause }
        } else if cause.is_timeout() {
            Self::Slow { server }
        } else {
            Self::BrokeOff { server, cause }
        }
    }

    /// Whether the same request may well succeed in a moment. A time-out is none of these: what was too slow
    /// once is so again.
    pub(crate) fn passes(&self) -> bool {
        let busy = |status: StatusCode| matches!(status.as_u16(), 429 | 502 | 503 | 504);
        match self {
            Self::Unreachable { .. } | Self::BrokeOff { .. } => true,
            Self::NotGraphql { status, .. } => busy(*status),
            Self::Refused { status, errors, .. } => {
                busy(*status) || errors.iter().all(|error| error.extensions.retryable)
            }
            Self::Slow { .. } | Self::Shape { .. } => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotGraphql { retry_after, .. } | Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The code of the first error, where the server gave one.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { errors, .. } => errors.first()?.extensions.code.as_deref(),
            _ => None,
        }
    }

    /// Whether every further request will fail as this one did.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::NotGraphql { status, .. } => !status.is_server_error(),
            Self::Refused { .. } => matches!(self.code(), Some("UNAUTHENTICATED" | "FORBIDDEN")),
            _ => false,
        }
    }
}

/// What the network said, without the layers around it.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let text = cause.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn told(errors: &[GraphqlError]) -> String {
    let told = errors.iter().map(|error| {
        let Extensions { code, request_id, .. } = &error.extensions;
        let request = request_id.as_ref().map(|id| format!("request {id}"));
        let about: Vec<_> = code.clone().into_iter().chain(request).collect();
        let message = crate::output::plain(&error.message);
        if about.is_empty() { message } else { format!("{message} ({})", about.join(", ")) }
    });
    told.collect::<Vec<_>>().join("; ")
}

fn advice(server: &Url, status: StatusCode, errors: &[GraphqlError]) -> String {
    let unknown = errors.iter().any(|error| error.extensions.code.as_deref() == Some("UNAUTHENTICATED"));
    match unknown || status == StatusCode::UNAUTHORIZED {
        true => format!("; sign in with `colloquy login --server {server}`"),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str, retryable: bool) -> Trouble {
        let extensions =
            Extensions { code: Some(code.to_owned()), request_id: Some("r-7".to_owned()), retryable };
        Trouble::Refused {
            server: "https://talks.example/".parse().unwrap(),
            status: StatusCode::from_u16(status).unwrap(),
            errors: vec![GraphqlError { message: "no\u{1b}[2J".to_owned(), extensions }],
            retry_after: None,
        }
    }

    #[test]
    fn an_error_shows_its_code_and_request_and_what_to_do() {
        let told = refused(200, "NOT_FOUND", false).to_string();
        assert_eq!(told, "no\u{fffd}[2J (NOT_FOUND, request r-7)");
        let told = refused(401, "UNAUTHENTICATED", false).to_string();
        assert!(told.ends_with("sign in with `colloquy login --server https://talks.example/`"), "{told}");
    }

    #[test]
    fn what_passes_is_asked_again_and_what_lasts_ends_the_run() {
        assert!(refused(503, "UNAVAILABLE", false).passes());
        assert!(refused(200, "UNAVAILABLE", true).passes());
        assert!(!refused(200, "INVALID", false).passes());
        assert!(refused(401, "UNAUTHENTICATED", false).is_lasting());
        assert!(!refused(200, "INVALID", false).is_lasting());
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told_in_one_sentence() {
        let server: Url = "http://127.0.0.1:9/".parse().unwrap();
        let cause = reqwest::get(server.clone()).await.unwrap_err();
        let trouble = Trouble::transport(&server, cause);
        assert!(trouble.passes() && trouble.is_lasting());
        let told = format!("{:#}", anyhow::Error::new(trouble));
        assert_eq!(told, "could not reach http://127.0.0.1:9/: connection refused");
    }

    #[test]
    fn a_line_is_said_once() {
        let error = |message: &str| UserError {
            code: "EMPTY".to_owned(),
            message: message.to_owned(),
            field: Vec::new(),
            line: Some(3),
        };
        assert_eq!(error("nothing here").to_string(), "line 3: nothing here (EMPTY)");
        assert_eq!(error("line 3 is empty").to_string(), "line 3 is empty (EMPTY)");
    }
}
