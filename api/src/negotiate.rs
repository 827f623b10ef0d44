//! Which media type an answer has, from the `Accept` header, and which a body has, from `Content-Type`.
//!
//! A client that takes anything (`*/*`, or no `Accept` at all) gets `application/graphql-response+json`, as the
//! specification prefers since its watershed of 2025: with it the status code tells a request error. A client
//! that asks for `application/json` gets 200 for every well-formed request, as older clients expect.

use http::{HeaderMap, StatusCode, header};

use crate::fault::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    GraphqlJson,
    Json,
    EventStream,
}

impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlJson => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::EventStream => "text/event-stream; charset=utf-8",
        }
    }
}

/// The best of what the client takes and we have.
pub(crate) fn response_format(headers: &HeaderMap) -> Result<Format, Fault> {
    let ranges = accept(headers);
    if ranges.is_empty() {
        return Ok(Format::GraphqlJson);
    }
    let mut best = None;
    for (format, kind, subtype) in [
        (Format::GraphqlJson, "application", "graphql-response+json"),
        (Format::Json, "application", "json"),
        (Format::EventStream, "text", "event-stream"),
    ] {
        let Some((exactness, quality)) = quality(&ranges, kind, subtype) else {
            continue;
        };
        let named = exactness == EXACT || format != Format::EventStream;
        if quality > 0.0 && named && best.is_none_or(|(_, other)| quality > other) {
            best = Some((format, quality));
        }
    }
    best.map(|(format, _)| format).ok_or_else(|| {
        let message =
            "the answer can be application/graphql-response+json, application/json or text/event-stream";
        Fault::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
    })
}

/// Whether this is a browser that wants a page.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    let ranges = accept(headers);
    let named = |kind, subtype| {
        quality(&ranges, kind, subtype).filter(|(exactness, _)| *exactness == EXACT).map_or(0.0, |(_, q)| q)
    };
    let html = named("text", "html");
    html > 0.0
        && html >= named("application", "json")
        && html >= named("application", "graphql-response+json")
}

/// Whether the client takes `encoding`.
pub(crate) fn accepts_encoding(headers: &HeaderMap, encoding: &str) -> bool {
    let list = header_list(headers, header::ACCEPT_ENCODING);
    list.iter().any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)));
        (name.eq_ignore_ascii_case(encoding) || name == "*") && !refused
    })
}

const EXACT: u8 = 2;

struct Range {
    kind: String,
    subtype: String,
    quality: f32,
}

fn header_list(headers: &HeaderMap, name: header::HeaderName) -> Vec<&str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// Ranges of another character set than UTF-8 are left out: JSON has no other.
fn accept(headers: &HeaderMap) -> Vec<Range> {
    let mut ranges = Vec::new();
    for item in header_list(headers, header::ACCEPT) {
        let media = Media::parse(item);
        let quality = media.parameter("q").and_then(|q| q.parse().ok()).unwrap_or(1.0);
        let quality = if media.utf8() { quality } else { 0.0 };
        let (kind, subtype) = media.essence.split_once('/').unwrap_or((&media.essence, ""));
        ranges.push(Range { kind: kind.to_owned(), subtype: subtype.to_owned(), quality });
    }
    ranges
}

/// The quality that the most exact matching range gives, and how exact it is.
fn quality(ranges: &[Range], kind: &str, subtype: &str) -> Option<(u8, f32)> {
    let exactness = |range: &Range| match (range.kind == kind, range.subtype == subtype) {
        (true, true) => Some(EXACT),
        (true, false) if range.subtype == "*" => Some(1),
        _ if range.kind == "*" && range.subtype == "*" => Some(0),
        _ => None,
    };
    let matching = ranges.iter().filter_map(|range| Some((exactness(range)?, range.quality)));
    matching.reduce(|a, b| if b.0 > a.0 || (b.0 == a.0 && b.1 > a.1) { b } else { a })
}

/// What a request's body is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Json,
    /// With its boundary.
    Multipart(String),
}

pub(crate) fn body(headers: &HeaderMap) -> Result<Body, Fault> {
    let unsupported =
        |message| Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message);
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Err(unsupported("say what the body is: Content-Type: application/json"));
    };
    let text = value.to_str().unwrap_or_default();
    let media = Media::parse(text);
    match media.essence.as_str() {
        _ if !media.utf8() => Err(unsupported("the body must be UTF-8")),
        "application/json" => Ok(Body::Json),
        "multipart/form-data" => match multer::parse_boundary(text) {
            Ok(boundary) => Ok(Body::Multipart(boundary)),
            Err(_) => Err(Fault::bad_request("the multipart body has no boundary")),
        },
        _ => Err(unsupported("a body must be application/json, or multipart/form-data with files")),
    }
}

struct Media<'a> {
    /// `application/json`, in lower case.
    essence: String,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Media<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters = parts.filter_map(|part| part.split_once('='));
        Self { essence, parameters: parameters.map(|(name, value)| (name.trim(), value.trim())).collect() }
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        let parameter = self.parameters.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        parameter.map(|(_, value)| value.trim_matches('"'))
    }

    fn utf8(&self) -> bool {
        self.parameter("charset").is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"))
    }
}

/// Refuses what a web page of any origin could send without the browser asking first: a request counts as asked
/// for with a content type or a header that pages may only send to those who allow it.
pub(crate) fn refuse_forgery(headers: &HeaderMap) -> Result<(), Fault> {
    let preflighted = ["graphql-require-preflight", "apollo-require-preflight"];
    let json = headers.contains_key(header::CONTENT_TYPE) && matches!(body(headers), Ok(Body::Json));
    if json || preflighted.iter().any(|name| headers.get(*name).is_some_and(|value| !value.is_empty())) {
        return Ok(());
    }
    let message = "a GET request or an upload needs the header GraphQL-Require-Preflight with any value, so that \
                   no web page can make a browser send it unasked";
    Err(Fault::new(StatusCode::BAD_REQUEST, "PREFLIGHT_REQUIRED", message))
}
