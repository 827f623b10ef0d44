//! One error type, by meaning. What a user may read (`Problem`) and what only the log may hold (`source`)
//! are kept apart, so that the second cannot leak: `Display` never prints a source.

use std::{error::Error as StdError, fmt, time::Duration};

pub type Result<T, E = Error> = std::result::Result<T, E>;
type Source = Box<dyn StdError + Send + Sync>;

/// What is wrong with what the caller gave or asked, in words for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable and machine-readable, in capitals: `EMAIL_TAKEN`.
    pub code: &'static str,
    /// What is wrong, where, and what to do.
    pub message: String,
    /// The path of the argument: `["input", "email"]`.
    pub field: Vec<&'static str>,
    /// The line of the uploaded text, from 1.
    pub line: Option<u32>,
    /// The character of the argument, from 1.
    pub character: Option<u32>,
}

impl Problem {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: Vec::new(), line: None, character: None }
    }

    /// The argument at fault, below `input`.
    pub fn at(mut self, field: &'static str) -> Self {
        self.field = vec!["input", field];
        self
    }

    pub fn at_character(mut self, character: u32) -> Self {
        self.character = Some(character);
        self
    }

    pub fn on_line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }
}

#[derive(Debug)]
pub enum Error {
    /// No such thing in this tenant; another tenant's thing is not there either.
    NotFound { what: &'static str, id: String },
    /// The input breaks a rule; the same input will fail again.
    Invalid(Problem),
    /// The input is fine, the state of things is against it.
    Conflict(Problem),
    /// Nobody is signed in, or the credential is not (any longer) valid.
    Unauthenticated(Problem),
    /// Somebody is signed in who may not do this.
    Forbidden(Problem),
    /// A limit of rate, size or money is used up.
    Exhausted { problem: Problem, retry_after: Option<Duration> },
    /// Something that is needed does not answer; the same call may work later.
    Unavailable { doing: &'static str, source: Source },
    /// A defect of ours, or an answer that makes no sense.
    Internal { doing: &'static str, source: Source },
}

impl Error {
    pub fn not_found(what: &'static str, id: impl fmt::Display) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    pub fn invalid(field: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(Problem::new(code, message).at(field))
    }

    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict(Problem::new(code, message))
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::Forbidden(Problem::new("FORBIDDEN", message))
    }

    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::Unauthenticated(Problem::new("UNAUTHENTICATED", message))
    }

    pub fn unavailable(doing: &'static str, source: impl Into<Source>) -> Self {
        Self::Unavailable { doing, source: source.into() }
    }

    pub fn internal(doing: &'static str, source: impl Into<Source>) -> Self {
        Self::Internal { doing, source: source.into() }
    }

    /// Whether the same call may succeed later without anybody changing it.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Exhausted { .. })
    }

    /// The stable code that clients see.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "NOT_FOUND",
            Self::Invalid(problem) | Self::Conflict(problem) => problem.code,
            Self::Unauthenticated(problem) | Self::Forbidden(problem) => problem.code,
            Self::Exhausted { problem, .. } => problem.code,
            Self::Unavailable { .. } => "UNAVAILABLE",
            Self::Internal { .. } => "INTERNAL",
        }
    }

    /// The outcome a client is expected to handle; `None` for a fault.
    pub fn problem(&self) -> Option<Problem> {
        match self {
            Self::NotFound { .. } => Some(Problem::new("NOT_FOUND", self.to_string())),
            Self::Invalid(problem) | Self::Conflict(problem) => Some(problem.clone()),
            Self::Exhausted { problem, .. } => Some(problem.clone()),
            Self::Unauthenticated(_) | Self::Forbidden(_) => None,
            Self::Unavailable { .. } | Self::Internal { .. } => None,
        }
    }

    /// This error and all that caused it, for the log alone.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { what, id } => write!(f, "there is no {what} {id}"),
            Self::Invalid(problem) | Self::Conflict(problem) => f.write_str(&problem.message),
            Self::Unauthenticated(problem) | Self::Forbidden(problem) => f.write_str(&problem.message),
            Self::Exhausted { problem, .. } => f.write_str(&problem.message),
            Self::Unavailable { doing, .. } | Self::Internal { doing, .. } => write!(f, "could not {doing}"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Unavailable { source, .. } | Self::Internal { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
