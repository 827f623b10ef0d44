//! Times that people put before or after a speaker's name: `[00:00:03]`, `(1:02)`, `\[01:02.50\]`,
//! `[00:03 - 00:05]`.

use super::times::{ARROW, lenient};
use crate::time::Millis;

/// When something begins and, where that is said, ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) start: Millis,
    pub(super) end: Option<Millis>,
}

/// A bracketed time, or a range of two, at the head of `text`, and what follows.
pub(super) fn bracketed(text: &str) -> Option<(Mark, &str)> {
    let (mark, rest) = one(text)?;
    let second = range_sign(rest).and_then(one);
    match second {
        Some((second, rest)) if mark.end.is_none() => Some((Mark { end: Some(second.start), ..mark }, rest)),
        _ => Some((mark, rest)),
    }
}

/// A time or a range without brackets at the head of `text`; white space or the end must follow it.
pub(super) fn bare(text: &str) -> Option<(Mark, &str)> {
    let (mark, rest) = range(text)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some((mark, rest))
}

fn one(text: &str) -> Option<(Mark, &str)> {
    let text = text.strip_prefix('\\').unwrap_or(text);
    let close = match text.bytes().next()? {
        b'[' => ']',
        b'(' => ')',
        b'{' => '}',
        _ => return None,
    };
    let (mark, rest) = range(text[1..].trim_start())?;
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('\\').unwrap_or(rest).strip_prefix(close)?;
    Some((mark, rest))
}

fn range(text: &str) -> Option<(Mark, &str)> {
    let (start, rest) = lenient(text)?;
    match range_sign(rest).and_then(lenient) {
        Some((end, rest)) => Some((Mark { start, end: Some(end) }, rest)),
        None => Some((Mark { start, end: None }, rest)),
    }
}

/// What follows the sign of a range.
fn range_sign(text: &str) -> Option<&str> {
    let text = text.trim_start();
    [ARROW, "->", "-", "–", "—", "to "].iter().find_map(|sign| text.strip_prefix(sign)).map(str::trim_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_in_all_their_shapes() {
        let cases = [
            ("[00:00:03] Hi", 3_000, None, " Hi"),
            ("\\[01:36:52.23\\]", 5_812_230, None, ""),
            ("(1:02)x", 62_000, None, "x"),
            ("[ 00:03 - 00:05 ]", 3_000, Some(5_000), ""),
            ("[00:00.000 --> 00:05.500]  Hi", 0, Some(5_500), "  Hi"),
            ("\\[27:11\\] to \\[27:24\\] a", 1_631_000, Some(1_644_000), " a"),
            ("[00:03] - Hi", 3_000, None, " - Hi"),
        ];
        for (text, start, end, rest) in cases {
            let expected = (Mark { start: Millis(start), end: end.map(Millis) }, rest);
            assert_eq!(bracketed(text), Some(expected), "{text}");
        }
        for text in ["[laughs]", "[unintelligible 00:03]", "[00:03", "(2)", "00:03", "[00:03}", ""] {
            assert_eq!(bracketed(text), None, "{text}");
        }
    }

    #[test]
    fn a_bare_time_stands_alone() {
        assert_eq!(bare("00:03 Anna").map(|(mark, rest)| (mark.start.0, rest)), Some((3_000, " Anna")));
        assert_eq!(bare("00:03-00:04").and_then(|(mark, _)| mark.end), Some(Millis(4_000)));
        assert_eq!(bare("10:30pm"), None);
    }
}
