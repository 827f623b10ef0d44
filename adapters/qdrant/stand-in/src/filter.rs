//! Which points a filter lets through. What a field's index would have to answer must be indexed.

use chrono::DateTime;
use qdrant_client::qdrant::{
    Condition, DatetimeRange, FieldCondition, Filter, Range, Timestamp, Value, condition::ConditionOneOf,
    r#match::MatchValue, value::Kind,
};
use tonic::Status;

use crate::engine::{Collection, Point};

/// Whether all of it is something that the stand-in answers.
pub(crate) fn check(collection: &Collection, filter: &Filter) -> Result<(), Status> {
    if !filter.should.is_empty() || filter.min_should.is_some() {
        return Err(Status::unimplemented("the stand-in knows must and must_not"));
    }
    for condition in filter.must.iter().chain(&filter.must_not) {
        let Some(ConditionOneOf::Field(field)) = &condition.condition_one_of else {
            return Err(Status::unimplemented("the stand-in knows conditions of fields"));
        };
        if !collection.indexed.contains(&field.key) {
            return Err(Status::invalid_argument(format!(
                "Index required but not found for \"{}\"",
                field.key
            )));
        }
        let known = field.r#match.is_some() || field.range.is_some() || field.datetime_range.is_some();
        if !known {
            return Err(Status::unimplemented("the stand-in knows matches and ranges"));
        }
    }
    Ok(())
}

pub(crate) fn lets_through(filter: &Filter, point: &Point) -> bool {
    filter.must.iter().all(|one| holds(one, point)) && !filter.must_not.iter().any(|one| holds(one, point))
}

fn holds(condition: &Condition, point: &Point) -> bool {
    let Some(ConditionOneOf::Field(field)) = &condition.condition_one_of else { return false };
    let values: Vec<&Value> = match point.payload.get(&field.key) {
        None => return false,
        Some(value) => match &value.kind {
            Some(Kind::ListValue(list)) => list.values.iter().collect(),
            _ => vec![value],
        },
    };
    values.into_iter().any(|value| value_holds(field, value))
}

fn value_holds(field: &FieldCondition, value: &Value) -> bool {
    let matched = field.r#match.as_ref().is_none_or(|wanted| match &wanted.match_value {
        Some(MatchValue::Keyword(wanted)) => text(Some(value)) == Some(wanted),
        Some(MatchValue::Keywords(wanted)) => {
            text(Some(value)).is_some_and(|text| wanted.strings.iter().any(|one| one == text))
        }
        Some(MatchValue::Boolean(wanted)) => value.kind == Some(Kind::BoolValue(*wanted)),
        Some(MatchValue::Integer(wanted)) => value.kind == Some(Kind::IntegerValue(*wanted)),
        _ => false,
    });
    matched
        && field.range.as_ref().is_none_or(|range| in_range(range, value))
        && field.datetime_range.as_ref().is_none_or(|range| in_span(range, value))
}

fn in_range(range: &Range, value: &Value) -> bool {
    let number = match value.kind {
        Some(Kind::IntegerValue(number)) => number as f64,
        Some(Kind::DoubleValue(number)) => number,
        _ => return false,
    };
    range.lt.is_none_or(|than| number < than)
        && range.lte.is_none_or(|than| number <= than)
        && range.gt.is_none_or(|than| number > than)
        && range.gte.is_none_or(|than| number >= than)
}

/// By the microsecond.
fn in_span(range: &DatetimeRange, value: &Value) -> bool {
    let Some(at) = text(Some(value)).and_then(|text| DateTime::parse_from_rfc3339(text).ok()) else {
        return false;
    };
    let at = at.timestamp_micros();
    let micros = |time: &Timestamp| time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000;
    range.lt.as_ref().is_none_or(|than| at < micros(than))
        && range.lte.as_ref().is_none_or(|than| at <= micros(than))
        && range.gt.as_ref().is_none_or(|than| at > micros(than))
        && range.gte.as_ref().is_none_or(|than| at >= micros(than))
}

pub(crate) fn text(value: Option<&Value>) -> Option<&str> {
    match &value?.kind {
        Some(Kind::StringValue(text)) => Some(text),
        _ => None,
    }
}
