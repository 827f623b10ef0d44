//! From domain errors to what a client sees: expected outcomes become `userErrors` of a payload, all else an
//! error with `extensions.code`. Causes stay in the log.

use std::borrow::Borrow;

use async_graphql::{ErrorExtensions, SimpleObject};
use colloquy_domain::{Error, Problem};

/// What is wrong with the input, in words for the user.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct UserError {
    /// Stable and machine-readable: `EMAIL_TAKEN`.
    pub(crate) code: String,
    /// What is wrong, where, and what to do.
    pub(crate) message: String,
    /// Path of the argument at fault, such as `["input", "email"]`; empty where it is none in particular.
    pub(crate) field: Vec<String>,
    /// Line of the uploaded text, from 1, where the fault has a line.
    pub(crate) line: Option<u32>,
    /// Character of the argument, from 1, where the fault has one.
    pub(crate) character: Option<u32>,
}

impl From<Problem> for UserError {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code.to_owned(),
            message: problem.message,
            field: problem.field.into_iter().map(str::to_owned).collect(),
            line: problem.line,
            character: problem.character,
        }
    }
}

/// A fault, or a refusal that is no outcome of a mutation. Faults are logged here, once.
pub(crate) fn fault(error: impl Borrow<Error>) -> async_graphql::Error {
    let error = error.borrow();
    match error {
        Error::Internal { .. } => tracing::error!(error = error.chain(), "a resolver failed"),
        Error::Unavailable { .. } => tracing::warn!(error = error.chain(), "a resolver could not be served"),
        _ => {}
    }
    let message = match error {
        Error::Internal { .. } => {
            "something went wrong on our side; the log has it under this request id".to_owned()
        }
        Error::Unavailable { .. } => format!("{error}; try again in a moment"),
        _ => error.to_string(),
    };
    async_graphql::Error::new(message).extend_with(|_, extensions| {
        extensions.set("code", error.code());
        if let Some(character) = error.problem().and_then(|problem| problem.character) {
            extensions.set("character", character);
        }
        if error.retryable() {
            extensions.set("retryable", true);
        }
    })
}

/// Splits an outcome into what a payload carries: the object, or why there is none.
pub(crate) fn settle<T>(
    result: colloquy_domain::Result<T>,
) -> async_graphql::Result<(Option<T>, Vec<UserError>)> {
    match result {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(error) => match error.problem() {
            Some(problem) => Ok((None, vec![problem.into()])),
            None => Err(fault(error)),
        },
    }
}
