//! The domain's filter in the server's notation, and the conditions of writes.

use colloquy_domain::{
    accounts::Tenant, ids::ConversationId, ports::search::Version, search::query::SearchFilter,
    time::Timestamp,
};
use qdrant_client::qdrant::{Condition, DatetimeRange, Filter, Range, Timestamp as ServerTime};

use crate::payload::{
    CONVERSATION, KIND, LANGUAGE, MARKER, OCCURRED, ORGANIZATION, PEOPLE, SPEAKERS, TAGS, VERSION, label,
};

/// `None` where nothing can match.
pub(crate) fn of(tenant: Tenant, filter: &SearchFilter) -> Option<Filter> {
    let SearchFilter {
        kinds,
        tags,
        speakers,
        occurred_from,
        occurred_before,
        conversation_ids,
        languages,
        person_ids,
        people: _,
    } = filter;
    let lists = [
        (KIND, kinds.iter().map(|kind| kind.as_str().to_owned()).collect()),
        (LANGUAGE, languages.iter().map(ToString::to_string).collect()),
        (TAGS, tags.iter().map(|tag| label(tag)).collect()),
        (SPEAKERS, speakers.iter().map(|speaker| label(speaker)).collect()),
        (PEOPLE, person_ids.iter().map(ToString::to_string).collect()),
        (CONVERSATION, conversation_ids.iter().map(ToString::to_string).collect::<Vec<_>>()),
    ];
    let mut must = vec![of_tenant(tenant)];
    let narrowed = lists.into_iter().filter(|(_, values)| !values.is_empty());
    must.extend(narrowed.map(|(field, values)| Condition::matches(field, values)));
    match (occurred_from, occurred_before) {
        (None, None) => {}
        (Some(from), Some(before)) if before <= from => return None,
        (from, before) => {
            let span = DatetimeRange {
                gte: from.as_ref().map(server_time),
                lt: before.as_ref().map(server_time),
                ..DatetimeRange::default()
            };
            must.push(Condition::datetime_range(OCCURRED, span));
        }
    }
    Some(Filter::must(must))
}

/// Whether a filter leaves out more than other organizations.
pub(crate) fn narrows(filter: &SearchFilter) -> bool {
    *filter != SearchFilter::default()
}

pub(crate) fn of_tenant(tenant: Tenant) -> Condition {
    Condition::matches(ORGANIZATION, tenant.0.to_string())
}

pub(crate) fn of_conversation(tenant: Tenant, id: ConversationId) -> Vec<Condition> {
    vec![of_tenant(tenant), Condition::matches(CONVERSATION, id.to_string())]
}

pub(crate) fn is_marker() -> Condition {
    Condition::matches(MARKER, true)
}

/// A point of this version or an earlier one.
pub(crate) fn until(version: Version) -> Filter {
    Filter::must([Condition::range(VERSION, Range { lte: Some(version as f64), ..Range::default() })])
}

/// The conversation's passages of earlier versions.
pub(crate) fn earlier(tenant: Tenant, id: ConversationId, version: Version) -> Filter {
    let mut must = of_conversation(tenant, id);
    must.push(Condition::range(VERSION, Range { lt: Some(version as f64), ..Range::default() }));
    Filter { must, must_not: vec![is_marker()], ..Filter::default() }
}

fn server_time(at: &Timestamp) -> ServerTime {
    let micros = at.timestamp_micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    ServerTime { seconds: micros.div_euclid(1_000_000), nanos }
}
