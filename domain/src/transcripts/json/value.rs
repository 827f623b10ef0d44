//! A value of a document as it stands there: nothing is read before it is asked for, and text without escapes is
//! borrowed.

use std::borrow::Cow;

use memchr::memchr;

use super::{Document, scan};

#[derive(Debug, Clone, Copy)]
pub(in crate::transcripts) struct Value<'a> {
    document: &'a Document<'a>,
    start: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transcripts) enum Kind {
    Object,
    List,
    Text,
    Null,
    /// A number, `true`, `false`, and what is none of them.
    Scalar,
}

impl Kind {
    /// Of the value that begins at `at`.
    pub(super) fn of(text: &str, at: usize) -> Self {
        match text.as_bytes().get(at) {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::List,
            Some(b'"') => Self::Text,
            Some(b'n') if text[at..].starts_with("null") => Self::Null,
            _ => Self::Scalar,
        }
    }
}

/// A text without its escapes.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::transcripts) struct Text<'a> {
    pub(in crate::transcripts) text: Cow<'a, str>,
    /// An escape stood for no character.
    pub(in crate::transcripts) mended: bool,
}

/// Of each key the last value that is not null.
pub(in crate::transcripts) struct Picked<'a, const N: usize> {
    pub(in crate::transcripts) values: [Option<Value<'a>>; N],
    /// One of the keys stands there again.
    pub(in crate::transcripts) twice: bool,
}

impl<'a> Value<'a> {
    pub(super) fn new(document: &'a Document<'a>, start: usize, end: usize) -> Self {
        Self { document, start, end }
    }

    pub(in crate::transcripts) fn start(self) -> usize {
        self.start
    }

    pub(in crate::transcripts) fn end(self) -> usize {
        self.end
    }

    pub(in crate::transcripts) fn raw(self) -> &'a str {
        &self.document.text()[self.start..self.end]
    }

    pub(in crate::transcripts) fn kind(self) -> Kind {
        Kind::of(self.document.text(), self.start)
    }

    /// Keys as they are written, and values; none where this is no object.
    pub(super) fn fields(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let mut at = if self.kind() == Kind::Object { self.start + 1 } else { self.end };
        std::iter::from_fn(move || {
            let key = self.next_value(at)?;
            let bytes = self.document.text().as_bytes();
            let colon = scan::white(bytes, key.end);
            if key.kind() != Kind::Text || colon >= self.end || bytes[colon] != b':' {
                return None;
            }
            let value = self.next_value(colon + 1)?;
            at = value.end;
            Some((&self.document.text()[key.start + 1..key.end - 1], value))
        })
    }

    /// The elements; none where this is no list.
    pub(in crate::transcripts) fn items(self) -> impl Iterator<Item = Value<'a>> {
        let mut at = if self.kind() == Kind::List { self.start + 1 } else { self.end };
        std::iter::from_fn(move || {
            let value = self.next_value(at)?;
            at = value.end;
            Some(value)
        })
    }

    fn next_value(self, at: usize) -> Option<Value<'a>> {
        let bytes = &self.document.text().as_bytes()[..self.end];
        let mut start = scan::white(bytes, at);
        if bytes.get(start) == Some(&b',') {
            start = scan::white(bytes, start + 1);
        }
        let end = self.document.end_of(start)?;
        Some(Value { start, end, ..self })
    }

    pub(in crate::transcripts) fn pick<const N: usize>(self, keys: [&str; N]) -> Picked<'a, N> {
        let mut picked = Picked { values: [None; N], twice: false };
        for (key, value) in self.fields() {
            let plain = plain_key(key);
            let Some(at) = keys.iter().position(|wanted| *wanted == plain) else {
                continue;
            };
            picked.twice |= picked.values[at].is_some();
            if value.kind() != Kind::Null {
                picked.values[at] = Some(value);
            }
        }
        picked
    }

    pub(in crate::transcripts) fn get(self, key: &str) -> Option<Value<'a>> {
        let [value] = self.pick([key]).values;
        value
    }

    /// Itself, where it is a list that is not empty.
    pub(in crate::transcripts) fn filled(self) -> Option<Value<'a>> {
        self.items().next().map(|_| self)
    }

    /// `None` where this is no text.
    pub(in crate::transcripts) fn text(self) -> Option<Text<'a>> {
        let inner = self.raw().strip_prefix('"')?;
        let inner = inner.strip_suffix('"').unwrap_or(inner);
        Some(match memchr(b'\\', inner.as_bytes()) {
            None => Text { text: Cow::Borrowed(inner), mended: false },
            Some(_) => unescaped(inner),
        })
    }

    /// A number, or a text that is one.
    pub(in crate::transcripts) fn number(self) -> Option<f64> {
        match self.kind() {
            Kind::Scalar => self.raw().parse().ok(),
            Kind::Text => self.text()?.text.trim().parse().ok(),
            _ => None,
        }
    }
}

fn plain_key(key: &str) -> Cow<'_, str> {
    if key.as_bytes().contains(&b'\\') { unescaped(key).text } else { Cow::Borrowed(key) }
}

fn unescaped(raw: &str) -> Text<'static> {
    let mut text = String::with_capacity(raw.len());
    let mut mended = false;
    let mut rest = raw;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let (length, character) = escape(rest.as_bytes());
        // What is no escape stays as it is, what is no character is shown as such.
        mended |= character.is_none();
        match character {
            Some(character) => text.push(character),
            None if length == 1 => text.push('\\'),
            None => text.push(char::REPLACEMENT_CHARACTER),
        }
        rest = &rest[length..];
    }
    text.push_str(rest);
    Text { text: Cow::Owned(text), mended }
}

/// The length of the escape at the head, and its character. NUL is taken for none: no store holds it as text.
fn escape(bytes: &[u8]) -> (usize, Option<char>) {
    let plain = match bytes.get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(sign @ (b'"' | b'\\' | b'/')) => char::from(*sign),
        Some(b'u') => return unicode(bytes),
        _ => return (1, None),
    };
    (2, Some(plain))
}

fn unicode(bytes: &[u8]) -> (usize, Option<char>) {
    let Some(unit) = hex(bytes, 2) else {
        return (1, None);
    };
    let low = hex(bytes, 8).filter(|low| bytes[6..8] == *b"\\u" && (0xdc00..0xe000).contains(low));
    match (unit, low) {
        (0xd800..0xdc00, Some(low)) => {
            (12, char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)))
        }
        _ => (6, char::from_u32(unit).filter(|character| *character != '\0')),
    }
}

fn hex(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::{super::super::Limits, *};

    fn read(text: &str) -> Document<'_> {
        Document::read(text, &Limits::default()).expect("a document")
    }

    /// What a list has first, by what is done with it.
    fn first<T>(raw: &str, act: impl Fn(Value<'_>) -> T) -> T {
        act(read(&format!("[{raw}]")).only().expect("one").items().next().expect("an element"))
    }

    #[test]
    fn fields_and_elements_are_found_where_they_stand() {
        let document = read("{\"a\": 1, \"b\\u0063\" : [ 2 ,{\"d\":null}, \"e]\" ], \"a\": 3}");
        let object = document.only().expect("one");
        let picked = object.pick(["a", "bc", "z"]);
        assert!(picked.twice);
        assert_eq!(picked.values.map(|value| value.map(Value::raw).map(str::len)), [Some(1), Some(23), None]);
        assert_eq!(object.get("a").map(Value::raw), Some("3"));
        let raw: Vec<_> = object.get("bc").expect("a list").items().map(Value::raw).collect();
        assert_eq!(raw, ["2", "{\"d\":null}", "\"e]\""]);
        assert!(
            first("[1]", |list| list.get("a").is_none())
                && first("{}", |object| object.items().next().is_none())
        );
    }

    #[test]
    fn what_is_long_is_found_as_well() {
        let long = format!("{{\"a\": [{}], \"b\": {{\"c\": [[], {{}}]}}}}", "[1, {\"x\": 2}], ".repeat(2000));
        let document = read(&long);
        let object = document.only().expect("one");
        assert_eq!(object.get("a").map(|list| list.items().count()), Some(2000));
        assert_eq!(object.get("b").and_then(|object| object.get("c")).map(Value::raw), Some("[[], {}]"));
    }

    #[test]
    fn texts_lose_their_escapes_and_nothing_else() {
        let cases = [
            ("\"plain é\"", "plain é", false),
            ("\"a\\n\\\"b\\\\\\u00e9\\/\"", "a\n\"b\\é/", false),
            ("\"\\ud83c\\udfa4\"", "🎤", false),
            ("\"x\\ud83cy\"", "x\u{fffd}y", true),
            ("\"\\udfa4\\u0000\"", "\u{fffd}\u{fffd}", true),
            ("\"a\\qb\\u12é\"", "a\\qb\\u12é", true),
        ];
        for (raw, text, mended) in cases {
            let found = first(raw, |value| value.text().map(|found| (found.text.into_owned(), found.mended)));
            assert_eq!(found, Some((text.to_owned(), mended)), "{raw}");
        }
        assert!(first("12", |value| value.text().is_none()));
    }

    #[test]
    fn numbers_may_be_texts() {
        for (raw, number) in [("1.5", Some(1.5)), ("\" 2 \"", Some(2.0)), ("\"x\"", None), ("[1]", None)] {
            assert_eq!(first(raw, |value| value.number()), number, "{raw}");
        }
        assert!(first("NaN", |value| value.number()).is_some_and(f64::is_nan));
    }
}
