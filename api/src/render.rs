//! GraphQL responses as JSON text, written straight into one buffer.
//!
//! `Value::Binary` is JSON already, rendered by a resolver of a wide list, and is put out as it is. The
//! specification wants `errors` first, for whoever reads by eye; fields keep the order of the query.

use std::collections::BTreeMap;

use async_graphql::{Response, ServerError, Value};
use bytes::Bytes;
use serde::Serialize;

use crate::execute::Reply;

/// A response as HTTP, a WebSocket and an event stream carry it.
pub(crate) fn reply(out: &mut Vec<u8>, reply: &Reply) {
    let Response { data, extensions, errors, .. } = &reply.response;
    let mut object = Object::begin(out);
    if !errors.is_empty() {
        json(object.key("errors"), errors);
    }
    if !reply.request_error {
        value(object.key("data"), data);
    }
    if reply.size.is_some() || !extensions.is_empty() {
        extensions_of(object.key("extensions"), reply, extensions);
    }
    object.end();
}

fn extensions_of(out: &mut Vec<u8>, reply: &Reply, extensions: &BTreeMap<String, Value>) {
    let mut object = Object::begin(out);
    if let Some(size) = reply.size {
        let mut cost = Object::begin(object.key("cost"));
        json(cost.key("fields"), &size.fields);
        json(cost.key("depth"), &size.depth);
        cost.end();
    }
    for (name, extension) in extensions {
        value(object.key(name), extension);
    }
    object.end();
}

/// A response of nothing but errors.
pub(crate) fn errors(errors: &[ServerError]) -> Bytes {
    let mut out = Vec::with_capacity(256);
    let mut object = Object::begin(&mut out);
    json(object.key("errors"), errors);
    object.end();
    out.into()
}

pub(crate) fn value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => json(out, number),
        Value::String(text) => json(out, text),
        Value::Enum(name) => json(out, name.as_str()),
        Value::Binary(text) => out.extend_from_slice(text),
        Value::List(items) => {
            out.push(b'[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                self::value(out, item);
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            let mut object = Object::begin(out);
            for (name, field) in fields {
                self::value(object.key(name), field);
            }
            object.end();
        }
    }
}

/// Writing to memory cannot fail, and none of our types refuses to be written.
pub(crate) fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let before = out.len();
    if let Err(error) = serde_json::to_writer(&mut *out, value) {
        tracing::error!(%error, "could not render a value");
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// A JSON object in the making.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Where the value of the next key is to be written.
    pub(crate) fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        json(self.out, name);
        self.out.push(b':');
        self.out
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Name, indexmap::IndexMap};
    use proptest::prelude::*;

    use super::*;

    fn rendered(input: &Value) -> String {
        let mut out = Vec::new();
        value(&mut out, input);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[A-Z_]{1,8}".prop_map(|name| Value::Enum(Name::new(name))),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
                prop::collection::vec((any::<String>(), inner), 0..8).prop_map(|fields| {
                    let fields = fields.into_iter().map(|(name, value)| (Name::new(name), value));
                    Value::Object(fields.collect::<IndexMap<_, _>>())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_are_written_as_serde_json_writes_them(value in values()) {
            prop_assert_eq!(rendered(&value), serde_json::to_string(&value).expect("a value is JSON"));
        }
    }

    #[test]
    fn awkward_text_and_numbers_are_written_as_json_wants_them() {
        let cases = [
            (
                Value::from("a\"\\\u{0}\u{1f}\n\u{7f}\u{2028}😀"),
                "\"a\\\"\\\\\\u0000\\u001f\\n\u{7f}\u{2028}😀\"",
            ),
            (Value::from(u64::MAX), "18446744073709551615"),
            (Value::from(i64::MIN), "-9223372036854775808"),
            (Value::from(1.0e300), "1e+300"),
            (Value::from(f64::NAN), "null"),
            (Value::List(Vec::new()), "[]"),
            (Value::Object(IndexMap::new()), "{}"),
        ];
        for (value, text) in cases {
            assert_eq!(rendered(&value), text);
        }
    }

    #[test]
    fn what_is_json_already_is_put_out_as_it_is() {
        let ready = Value::Binary(Bytes::from_static(br#"[{"id":"a"},{"id":"b"}]"#));
        let list = Value::List(vec![ready, Value::from(1)]);
        assert_eq!(rendered(&list), r#"[[{"id":"a"},{"id":"b"}],1]"#);
    }
}
