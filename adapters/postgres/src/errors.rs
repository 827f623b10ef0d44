//! How failures of PostgreSQL are told in the domain's words. What may pass by itself is `Unavailable`, all
//! else is `Internal`; expected outcomes (a taken e-mail, a known file) are handled where they arise.

use colloquy_domain::Error;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::pooled_connection::{PoolError, bb8::RunError};

/// Why a transaction was rolled back: PostgreSQL failed, or a rule of ours said no.
#[derive(Debug)]
pub(crate) enum Failure {
    Database(DieselError),
    Domain(Error),
}

pub(crate) type Step<T> = Result<T, Failure>;

impl From<DieselError> for Failure {
    fn from(error: DieselError) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Domain(error)
    }
}

impl Failure {
    pub(crate) fn told(self, doing: &'static str) -> Error {
        match self {
            Self::Domain(error) => error,
            Self::Database(error) => database(doing, error),
        }
    }

    /// Whether the same transaction is worth running again at once: it lost against another one.
    pub(crate) fn lost_a_race(&self) -> bool {
        match self {
            Self::Database(DieselError::DatabaseError(kind, what)) => {
                matches!(kind, DatabaseErrorKind::SerializationFailure)
                    || what.message().contains("deadlock detected")
            }
            _ => false,
        }
    }
}

/// diesel keeps no SQLSTATE, so that some conditions are known by PostgreSQL's (English) messages only.
const PASSING: [&str; 9] = [
    "deadlock detected",
    "terminating connection",
    "statement timeout",
    "lock timeout",
    "the database system is",
    "too many clients",
    "remaining connection slots",
    "connection closed",
    "cannot execute",
];

pub(crate) fn database(doing: &'static str, error: DieselError) -> Error {
    let passing = match &error {
        DieselError::DatabaseError(kind, what) => match kind {
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ReadOnlyTransaction => true,
            _ => PASSING.iter().any(|message| what.message().contains(message)),
        },
        DieselError::BrokenTransactionManager => true,
        _ => false,
    };
    if passing { Error::unavailable(doing, error) } else { Error::internal(doing, error) }
}

pub(crate) fn pool(error: RunError) -> Error {
    const DOING: &str = "reach PostgreSQL";
    match error {
        RunError::User(PoolError::QueryError(error)) => database(DOING, error),
        other => Error::unavailable(DOING, other),
    }
}

/// A row that holds what no release of ours writes.
pub(crate) fn unreadable(column: &'static str, value: &str) -> Error {
    Error::internal("read a row", format!("column {column} holds {value:?}"))
}
