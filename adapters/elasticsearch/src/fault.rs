//! What went wrong with a request, as the log may have it: kinds and numbers, never a document's or a query's text,
//! which the server repeats in the reasons it gives.

use std::time::Duration;

use colloquy_domain::Error;

use crate::client::{Answer, is_transient};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
    #[error("the server could not be reached")]
    Connection(#[source] elasticsearch::Error),
    #[error("the server answers {status} {kinds}")]
    Status { status: u16, kinds: String },
    #[error("{0}")]
    Other(&'static str),
}

impl Fault {
    pub(crate) fn of(answer: &Answer) -> Self {
        let error = &answer.body["error"];
        let kinds = [&error["type"], &error["root_cause"][0]["type"], &error["caused_by"]["type"]];
        let mut kinds: Vec<&str> = kinds.into_iter().filter_map(|kind| kind.as_str()).collect();
        kinds.dedup();
        Self::Status { status: answer.status, kinds: kinds.join(", ") }
    }
}

/// An answer that says no: somebody can put right credentials, rights and an index that is gone; another refusal is a
/// defect.
pub(crate) fn refused(doing: &'static str, answer: &Answer) -> Error {
    let fault = Fault::of(answer);
    match answer.status {
        401 | 403 | 404 => Error::unavailable(doing, fault),
        status if is_transient(status.into()) => Error::unavailable(doing, fault),
        _ => Error::internal(doing, fault),
    }
}

/// An answer that is not in the form that it should have.
pub(crate) fn senseless(doing: &'static str, what: &'static str) -> Error {
    Error::internal(doing, Fault::Other(what))
}
