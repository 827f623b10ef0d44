//! Reading a body that is no longer than it may be, in no more time than it may take.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{fault::Fault, settings::HttpSettings};

pub(crate) async fn read(body: Body, headers: &HeaderMap, settings: &HttpSettings) -> Result<Bytes, Fault> {
    let limit = settings.max_body_bytes;
    refuse_long(headers, "a JSON body", limit)?;
    let limited = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX));
    match tokio::time::timeout(settings.body_timeout(), limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Fault::too_large("a JSON body", limit)),
        Ok(Err(_)) => Err(Fault::bad_request("the body broke off")),
        Err(_elapsed) => Err(too_slow()),
    }
}

/// Refuses by what the header announces, before a byte is read.
pub(crate) fn refuse_long(headers: &HeaderMap, what: &str, limit: u64) -> Result<(), Fault> {
    if content_length(headers).is_some_and(|length| length > limit) {
        return Err(Fault::too_large(what, limit));
    }
    Ok(())
}

pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pub(crate) fn too_slow() -> Fault {
    Fault::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "the body did not come in time")
}
