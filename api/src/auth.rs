//! From the `Authorization` header to the one who calls. No header is an anonymous call, which the schema may
//! allow; a header that does not hold is refused here.

use std::{future::pending, time::Duration};

use colloquy_domain::time::Clock;
use http::{HeaderMap, header};

use crate::{
    edge::{Authenticated, Edge},
    fault::Fault,
};

pub(crate) async fn authenticate(
    edge: &dyn Edge,
    headers: &HeaderMap,
) -> Result<Option<Authenticated>, Fault> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => check(edge, value.to_str().unwrap_or_default()).await.map(Some),
        (Some(_), Some(_)) => Err(Fault::unauthenticated("there is more than one Authorization header")),
    }
}

/// `text` is `Bearer` and the credential.
pub(crate) async fn check(edge: &dyn Edge, text: &str) -> Result<Authenticated, Fault> {
    let credential = match text.split_once(' ') {
        Some((scheme, credential)) if scheme.eq_ignore_ascii_case("bearer") => credential.trim(),
        _ => "",
    };
    if credential.is_empty() {
        return Err(Fault::unauthenticated("the credential must have the form: Bearer TOKEN"));
    }
    Ok(edge.authenticate(credential).await?)
}

/// Ends when the credential does; never for one without an end.
pub(crate) async fn expiry(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => pending().await,
    }
}

/// How long the credential still holds.
pub(crate) fn time_left(clock: &dyn Clock, who: Option<&Authenticated>) -> Option<Duration> {
    let expires_at = who?.expires_at?;
    Some((expires_at - clock.now()).to_std().unwrap_or_default())
}
