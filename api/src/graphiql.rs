//! The GraphiQL page: one compressed file in the binary, which loads nothing from elsewhere.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use crate::negotiate;

static PAGE: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../web/graphiql/dist/graphiql.html.gz"));

/// What a `<meta>` element cannot say, or must not leave to the page alone. Which script may run, the page says
/// itself, by its hash; both policies hold.
const POLICY: &str =
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn page(headers: &HeaderMap) -> Response {
    if !negotiate::accepts_encoding(headers, "gzip") {
        let message = "this page is only to be had compressed: accept the encoding gzip\n";
        return (StatusCode::NOT_ACCEPTABLE, [(header::VARY, "Accept-Encoding")], message).into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_ENCODING, "gzip"),
        (header::VARY, "Accept, Accept-Encoding"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, Bytes::from_static(PAGE)).into_response()
}
