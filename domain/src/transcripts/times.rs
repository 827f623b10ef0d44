//! Times as transcripts write them. [`strict`] is WebVTT's grammar; [`lenient`] takes what SRT files and
//! people write. Both read a prefix and return what follows it.

use memchr::memchr_iter;

use crate::time::Millis;

/// The separator of a subtitle's times.
pub const ARROW: &str = "-->";

/// What is later is no time of a recording: a million hours, as [`lenient`] takes them.
pub const LATEST: Millis = Millis(1_000_000 * 3_600_000);

/// A time range at the head of a line, and the rest of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<'a> {
    pub start: Millis,
    pub end: Millis,
    pub rest: &'a str,
    /// What about the way it is written a reader of the report should know.
    pub odd: Option<&'static str>,
}

pub const COMMA: &str = "the time has a comma where WebVTT wants a full stop";
pub const LONG_MINUTES: &str = "the time has two parts and the first is above 59: read as hours and minutes";

/// Looks for the rarest character of the arrow first.
pub fn has_arrow(line: &str) -> bool {
    let bytes = line.as_bytes();
    memchr_iter(b'>', bytes).any(|at| bytes[..at].ends_with(b"--"))
}

/// A WebVTT timing line; a comma before the milliseconds is taken too, and said.
pub fn strict_span(line: &str) -> Option<Span<'_>> {
    span(line, |text| strict(text, b'.'))
        .or_else(|| span(line, |text| strict(text, b',')).map(|span| Span { odd: Some(COMMA), ..span }))
}

/// An SRT timing line.
pub fn lenient_span(line: &str) -> Option<Span<'_>> {
    span(line, |text| lenient(text).map(|(time, rest)| (time, rest, None)))
}

type Stamp<'a> = (Millis, &'a str, Option<&'static str>);

fn span<'a>(line: &'a str, stamp: impl Fn(&'a str) -> Option<Stamp<'a>>) -> Option<Span<'a>> {
    let (start, rest, first) = stamp(line.trim_ascii_start())?;
    let rest = rest.trim_ascii_start().strip_prefix(ARROW)?.trim_ascii_start();
    let (end, rest, second) = stamp(rest)?;
    Some(Span { start, end, rest: rest.trim_ascii(), odd: first.or(second) })
}

/// `[hours:]minutes:seconds.mmm` at the head of `text`. Two parts of which the first is above 59 are hours
/// and minutes, as players have it.
fn strict(text: &str, point: u8) -> Option<Stamp<'_>> {
    let (first, first_digits, rest) = digits(text.as_bytes())?;
    let (second, rest) = two_digits(rest.strip_prefix(b":")?)?;
    let (hours, minutes, seconds, odd, rest) = match rest.strip_prefix(b":") {
        Some(rest) => {
            let (third, rest) = two_digits(rest)?;
            (first, second, third, None, rest)
        }
        None if first > 59 => (first, second, 0, Some(LONG_MINUTES), rest),
        None => (0, first, second, None, rest),
    };
    let (millis, digits, rest) = digits(rest.strip_prefix(&[point])?)?;
    if digits != 3 || first_digits > 9 || minutes > 59 || seconds > 59 {
        return None;
    }
    let time = Millis(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis);
    (time < LATEST).then(|| (time, tail(text, rest), odd))
}

/// `[h:]m:s` with one digit or more each, and a fraction after `.` or `,` of any length, or none.
pub fn lenient(text: &str) -> Option<(Millis, &str)> {
    let (mut seconds, first_digits, mut rest) = digits(text.as_bytes())?;
    if first_digits > 6 {
        return None;
    }
    let mut parts = 1;
    while parts < 3
        && let Some((part, count, after)) = rest.strip_prefix(b":").and_then(digits)
    {
        if part > 59 || count > 2 {
            return None;
        }
        (seconds, rest, parts) = (seconds * 60 + part, after, parts + 1);
    }
    if parts < 2 {
        return None;
    }
    let mut millis = 0;
    if let [b'.' | b',', fraction @ ..] = rest
        && let Some((_, count, after)) = digits(fraction)
    {
        millis = fraction[..count]
            .iter()
            .zip([100, 10, 1])
            .map(|(digit, unit)| u64::from(digit - b'0') * unit)
            .sum();
        rest = after;
    }
    Some((Millis(seconds * 1000 + millis), tail(text, rest)))
}

/// The run of digits at the head: its value (saturating), its length, what follows.
fn digits(bytes: &[u8]) -> Option<(u64, usize, &[u8])> {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = bytes[..count]
        .iter()
        .fold(0u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    (count > 0).then(|| (value, count, &bytes[count..]))
}

fn two_digits(bytes: &[u8]) -> Option<(u64, &[u8])> {
    digits(bytes).filter(|(value, count, _)| *count == 2 && *value < 60).map(|(value, _, rest)| (value, rest))
}

/// `rest` is a suffix of `text` that begins after an ASCII character.
fn tail<'a>(text: &'a str, rest: &[u8]) -> &'a str {
    &text[text.len() - rest.len()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webvtt_times_follow_the_grammar() {
        let good = [
            ("00:02.000", 2_000),
            ("00:00:00.142", 142),
            ("000:00:02.000", 2_000),
            ("120:00:00.000", 432_000_000),
            ("120:10.000", 432_600_000),
            ("1:05.000", 65_000),
            ("999999:59:59.999", LATEST.0 - 1),
        ];
        for (text, millis) in good {
            assert_eq!(
                strict(text, b'.').map(|(time, rest, _)| (time.0, rest)),
                Some((millis, "")),
                "{text}"
            );
        }
        let bad = [
            "00:00.00",
            "00.00.000",
            "00:000.000",
            "00:60.000",
            "00:60:00.000",
            "00:00:61.000",
            "00:00.0000",
            "0:0.000",
            "",
            ":",
            "9999999999:00:00.000",
            "1000000:00:00.000",
            "7777700:00.000",
            "00:00:00",
        ];
        for text in bad {
            assert_eq!(strict(text, b'.'), None, "{text}");
        }
    }

    #[test]
    fn spans_give_the_settings_and_what_is_odd() {
        let span = strict_span("00:00.000-->\t00:01.000line:40% ").expect("a span");
        assert_eq!((span.start.0, span.end.0, span.rest, span.odd), (0, 1000, "line:40%", None));
        assert_eq!(strict_span("00:00,000 --> 00:01,000").and_then(|span| span.odd), Some(COMMA));
        assert_eq!(strict_span("00:00.000 00:01.000"), None);
        assert_eq!(strict_span("-->"), None);
    }

    #[test]
    fn people_write_times_in_many_ways() {
        let good = [
            ("00:01:02,500", 62_500),
            ("1:2.5", 62_500),
            ("01:36:52.23", 5_812_230),
            ("00:03", 3_000),
            ("75:30", 4_530_000),
            ("0:0:1.2345", 1_234),
        ];
        for (text, millis) in good {
            assert_eq!(lenient(text).map(|(time, rest)| (time.0, rest)), Some((millis, "")), "{text}");
        }
        for text in ["12", "1:75", "1:234", "a", "12:x", "1234567:00"] {
            assert_eq!(lenient(text), None, "{text}");
        }
    }
}
