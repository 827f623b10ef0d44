//! What went wrong with a call, as the log may have it: codes, never the server's own words, which may repeat what was
//! sent.

use std::{error::Error as StdError, time::Duration};

use colloquy_domain::Error;
use tonic::{Code, Status};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
    #[error("the server could not be reached")]
    Connection(#[source] tonic::transport::Error),
    #[error("the server answers {0:?}")]
    Status(Code),
    #[error("{0}")]
    Other(&'static str),
}

impl Fault {
    pub(crate) fn of(status: Status) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = StdError::source(&status);
        while let Some(error) = cause {
            if error.is::<tonic::transport::Error>() {
                return Self::Other("the server could not be reached");
            }
            cause = error.source();
        }
        Self::Status(status.code())
    }
}

/// Whether the same call may be taken a moment later.
pub(crate) fn is_transient(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Unknown
    )
}

/// An answer that says no: somebody can put right credentials, rights, a collection that is gone and a server in
/// trouble; another refusal is a defect.
pub(crate) fn refused(doing: &'static str, status: Status) -> Error {
    let code = status.code();
    let fault = Fault::of(status);
    match code {
        Code::Unauthenticated | Code::PermissionDenied | Code::NotFound | Code::Internal | Code::DataLoss => {
            Error::unavailable(doing, fault)
        }
        code if is_transient(code) => Error::unavailable(doing, fault),
        _ => Error::internal(doing, fault),
    }
}

/// An answer that is not in the form that it should have.
pub(crate) fn senseless(doing: &'static str, what: &'static str) -> Error {
    Error::internal(doing, Fault::Other(what))
}
