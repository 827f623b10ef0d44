//! Cursors of the event log: opaque to clients, with a version, a kind, the log's id and a position inside.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use colloquy_domain::{events::LogPosition, ids::LogId};
use uuid::Uuid;

const VERSION: u8 = 1;
const KIND_LOG: u8 = b'e';

/// A place in the event log. Give it as `after` to a subscription to get everything that came after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor(pub(crate) LogPosition);

#[Scalar]
impl ScalarType for Cursor {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => decode(&text).ok_or_else(|| {
                InputValueError::custom("this is not a cursor; give one as a payload or an event carried it")
            }),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        let mut bytes = vec![VERSION, KIND_LOG];
        bytes.extend_from_slice(self.0.log_id.0.as_bytes());
        bytes.extend_from_slice(&self.0.position.to_be_bytes());
        Value::String(URL_SAFE_NO_PAD.encode(bytes))
    }
}

fn decode(text: &str) -> Option<Cursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let rest = bytes.strip_prefix(&[VERSION, KIND_LOG])?;
    let (log, position) = rest.split_at_checked(16)?;
    let log_id = LogId(Uuid::from_slice(log).ok()?);
    Some(Cursor(LogPosition { log_id, position: u64::from_be_bytes(position.try_into().ok()?) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went_and_rubbish_does_not() {
        let cursor = Cursor(LogPosition { log_id: LogId(Uuid::from_u128(3)), position: 42 });
        assert_eq!(Cursor::parse(cursor.to_value()).unwrap(), cursor);
        let Value::String(text) = cursor.to_value() else { panic!("not a string") };
        for strange in ["", "abc", &text[1..], &format!("{text}AA")] {
            assert!(Cursor::parse(Value::String(strange.to_owned())).is_err(), "{strange:?}");
        }
    }
}
