//! The name of one request, in its answer, its errors and every line of the log that it causes; and whom it
//! comes from.

use std::{fmt, net::IpAddr, sync::Arc};

use colloquy_domain::{audit::Origin, time::IdGen};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const MAX_BYTES: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId {
    name: Arc<str>,
    caller: Option<IpAddr>,
}

impl RequestId {
    /// The one that the client or a proxy gave, where it is fit for a log, else a new one.
    pub(crate) fn of(headers: &HeaderMap, ids: &dyn IdGen) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|text| fits(text));
        Self { name: given.map_or_else(|| ids.next().to_string().into(), Arc::from), caller: None }
    }

    pub(crate) fn from(self, caller: Option<IpAddr>) -> Self {
        Self { caller, ..self }
    }

    /// For the audit log.
    pub(crate) fn origin(&self) -> Origin {
        Origin { remote_address: self.caller, request_id: Some(self.name.to_string()) }
    }

    pub fn as_str(&self) -> &str {
        &self.name
    }

    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.name).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Who called the first of the proxies that are trusted, as they say; else who is connected.
pub(crate) fn caller(peer: Option<IpAddr>, headers: &HeaderMap, trusted_proxies: usize) -> Option<IpAddr> {
    let Some(before) = trusted_proxies.checked_sub(1) else { return peer };
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let addresses: Vec<_> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let said = addresses.iter().rev().nth(before).and_then(|address| address.parse().ok());
    said.or(peer)
}

fn fits(text: &str) -> bool {
    (1..=MAX_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_trusted_proxies_append_are_believed() {
        let peer: Option<IpAddr> = "10.0.0.1".parse().ok();
        let mut headers = HeaderMap::new();
        let who =
            |headers: &HeaderMap, proxies| caller(peer, headers, proxies).map(|address| address.to_string());
        assert_eq!(who(&headers, 1).as_deref(), Some("10.0.0.1"));
        headers.append("x-forwarded-for", HeaderValue::from_static("6.6.6.6, 2001:db8::7"));
        headers.append("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
        assert_eq!(who(&headers, 0).as_deref(), Some("10.0.0.1"), "anybody can send a header");
        assert_eq!(who(&headers, 1).as_deref(), Some("192.0.2.1"));
        assert_eq!(who(&headers, 2).as_deref(), Some("2001:db8::7"));
        headers.append("x-forwarded-for", HeaderValue::from_static("nonsense"));
        assert_eq!(who(&headers, 1).as_deref(), Some("10.0.0.1"));
    }
}
