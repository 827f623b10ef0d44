//! What stands beside a vector, and reading it back.

use std::collections::HashMap;

use chrono::SecondsFormat;
use colloquy_domain::{
    accounts::Tenant,
    ids::{ConversationId, PassageId},
    ports::search::{ConversationFacets, PassageDocument, Version},
    search::query::fold,
    time::Timestamp,
};
use qdrant_client::qdrant::{PointId, Value, value::Kind};
use uuid::Uuid;

pub(crate) const ORGANIZATION: &str = "organization";
pub(crate) const CONVERSATION: &str = "conversation_id";
pub(crate) const PASSAGE: &str = "passage_id";
pub(crate) const VERSION: &str = "version";
pub(crate) const KIND: &str = "kind";
pub(crate) const LANGUAGE: &str = "language";
pub(crate) const TAGS: &str = "tags";
pub(crate) const SPEAKERS: &str = "speakers";
/// Missing where nobody is known: so it is in what was written before there were people.
pub(crate) const PEOPLE: &str = "people";
pub(crate) const OCCURRED: &str = "occurred_at";
pub(crate) const MARKER: &str = "marker";
/// In characters; what is longer is compared by its beginning.
const LONGEST_LABEL: usize = 8_000;

pub(crate) type Payload = HashMap<String, Value>;

/// Another organization's conversation of the same id is another point.
pub(crate) fn marker_key(tenant: Tenant, id: ConversationId) -> PointId {
    PointId::from(Uuid::new_v5(&tenant.0.0, format!("conversation {id}").as_bytes()).to_string())
}

pub(crate) fn passage_key(tenant: Tenant, id: &PassageId) -> PointId {
    PointId::from(Uuid::new_v5(&tenant.0.0, id.to_string().as_bytes()).to_string())
}

pub(crate) fn marker(tenant: Tenant, id: ConversationId, version: Version) -> Payload {
    with([
        (ORGANIZATION, text(tenant.0)),
        (CONVERSATION, text(id)),
        (VERSION, Value::from(version)),
        (MARKER, Value::from(true)),
    ])
}

pub(crate) fn passage(
    tenant: Tenant,
    version: Version,
    facets: &ConversationFacets,
    passage: &PassageDocument,
) -> Payload {
    let mut payload = with([
        (ORGANIZATION, text(tenant.0)),
        (CONVERSATION, text(facets.conversation_id)),
        (PASSAGE, text(passage.id)),
        (VERSION, Value::from(version)),
        (KIND, text(facets.kind.as_str())),
        (TAGS, labels(&facets.tags)),
        (SPEAKERS, labels(&passage.speakers)),
    ]);
    if let Some(at) = facets.occurred_at {
        payload.insert(OCCURRED.to_owned(), text(moment(at)));
    }
    if !passage.people.is_empty() {
        payload.insert(PEOPLE.to_owned(), Value::from(passage.people.iter().map(text).collect::<Vec<_>>()));
    }
    if let Some(language) = facets.language {
        payload.insert(LANGUAGE.to_owned(), text(language));
    }
    payload
}

/// To the microsecond, as the server compares.
fn moment(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A tag or a speaker as it is stored and compared.
pub(crate) fn label(text: &str) -> String {
    let mut folded = fold(text);
    if let Some((end, _)) = folded.char_indices().nth(LONGEST_LABEL) {
        folded.truncate(end);
    }
    folded
}

fn labels(all: &[String]) -> Value {
    Value::from(all.iter().map(|one| Value::from(label(one))).collect::<Vec<_>>())
}

fn text(value: impl ToString) -> Value {
    Value::from(value.to_string())
}

fn with<const N: usize>(fields: [(&str, Value); N]) -> Payload {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(crate) fn string<'a>(payload: &'a Payload, field: &str) -> Option<&'a str> {
    match payload.get(field)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text),
        _ => None,
    }
}

pub(crate) fn number(payload: &Payload, field: &str) -> Option<i64> {
    match payload.get(field)?.kind.as_ref()? {
        Kind::IntegerValue(number) => Some(*number),
        _ => None,
    }
}

pub(crate) fn is_true(payload: &Payload, field: &str) -> bool {
    matches!(payload.get(field).and_then(|value| value.kind.as_ref()), Some(Kind::BoolValue(true)))
}
