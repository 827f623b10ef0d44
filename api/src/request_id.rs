//! The name of one request, in its answer, its errors and every line of the log that it causes.

use std::{fmt, sync::Arc};

use colloquy_domain::time::IdGen;
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const MAX_BYTES: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The one that the client or a proxy gave, where it is fit for a log, else a new one.
    pub(crate) fn of(headers: &HeaderMap, ids: &dyn IdGen) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|text| fits(text));
        Self(given.map_or_else(|| ids.next().to_string().into(), Arc::from))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn fits(text: &str) -> bool {
    (1..=MAX_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}
