//! An answer that is no GraphQL result: the request was not one, or it could not be served. It has the shape of a
//! GraphQL response all the same, so that clients read one thing.

use std::time::Duration;

use async_graphql::{ErrorExtensionValues, ServerError};
use axum::response::{IntoResponse, Response};
use colloquy_domain::Error;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{negotiate::Format, render, request_id::RequestId};

#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    code: &'static str,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Fault {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    pub(crate) fn too_large(what: &str, limit: u64) -> Self {
        let message = format!("{what} may have {limit} bytes at most");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message)
    }

    pub(crate) fn method(allow: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
            .with(header::ALLOW, HeaderValue::from_static(allow))
    }

    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub(crate) fn busy(message: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_CONNECTIONS", message)
            .with(header::RETRY_AFTER, HeaderValue::from_static("5"))
    }

    pub(crate) fn not_ready(message: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message)
            .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn retry_after(self, delay: Option<Duration>) -> Self {
        match delay {
            Some(delay) => self.with(header::RETRY_AFTER, HeaderValue::from(delay.as_secs().max(1))),
            None => self,
        }
    }

    pub(crate) fn message(&self) -> String {
        self.message.clone()
    }

    /// Whether it is the caller who is refused, rather than us who fail.
    pub(crate) fn refuses(&self) -> bool {
        self.status.is_client_error()
    }

    /// The same as an error within a GraphQL response.
    pub(crate) fn into_error(self, id: &RequestId) -> ServerError {
        let mut error = ServerError::new(self.message, None);
        let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
        extensions.set("code", self.code);
        extensions.set("requestId", id.as_str());
        error
    }

    pub(crate) fn into_response(mut self, id: &RequestId, format: Option<Format>) -> Response {
        let status = self.status;
        let mut headers: HeaderMap = std::mem::take(&mut self.headers).into_iter().collect();
        let format = format.filter(|format| *format != Format::EventStream).unwrap_or(Format::Json);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        (status, headers, render::errors(&[self.into_error(id)])).into_response()
    }
}

/// A credential that could not be checked or was refused.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let (code, message) = (error.code(), error.to_string());
        match error {
            Error::Unauthenticated(problem) => Self::unauthenticated(problem.message),
            Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, code, message),
            Error::Exhausted { retry_after, .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, code, message).retry_after(retry_after)
            }
            Error::Unavailable { .. } => {
                tracing::warn!(error = error.chain(), "the edge could not be answered");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
                    .retry_after(Some(Duration::from_secs(1)))
            }
            Error::NotFound { .. } | Error::Invalid(_) | Error::Conflict(_) | Error::Internal { .. } => {
                tracing::error!(error = error.chain(), "the edge could not be answered");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "something went wrong on our side")
            }
        }
    }
}
