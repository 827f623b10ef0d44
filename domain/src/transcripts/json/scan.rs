//! Where values of a document begin and end. [`check`] is strict about brackets, commas and quotes, which is what the
//! rest relies on; single words and numbers are taken as they come, because `NaN` is no reason to refuse a file.

use memchr::memchr2;

/// No transcript is nested as deep.
pub(super) const MAX_DEPTH: usize = 64;

/// What is wrong with a document, and at which byte.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    CutOff,
    NoValue,
    NoKey,
    NoColon,
    NoComma,
    TooDeep,
}

/// The end of the value that begins at `at`, all of which is well made. Objects and lists that are longer than `long`
/// are added to `ends` with their starts.
pub(super) fn check(
    bytes: &[u8],
    mut at: usize,
    long: usize,
    ends: &mut Vec<(usize, usize)>,
) -> Result<usize, Fault> {
    let mut open: Vec<(u8, usize)> = Vec::new();
    loop {
        at = white(bytes, at);
        match bytes.get(at) {
            None => return Err(Fault { at, what: What::CutOff }),
            Some(b'{' | b'[') if open.len() == MAX_DEPTH => return Err(Fault { at, what: What::TooDeep }),
            Some(bracket @ (b'{' | b'[')) => {
                let (closer, start) = (bracket + 2, at);
                at = white(bytes, at + 1);
                if bytes.get(at) != Some(&closer) {
                    open.push((closer, start));
                    at = head(bytes, at, closer)?;
                    continue;
                }
                at += 1;
            }
            Some(_) => at = end_of_simple(bytes, at)?,
        }
        loop {
            let Some((closer, start)) = open.last().copied() else {
                return Ok(at);
            };
            at = white(bytes, at);
            if bytes.get(at) == Some(&b',') {
                at = white(bytes, at + 1);
                if bytes.get(at) != Some(&closer) {
                    at = head(bytes, at, closer)?;
                    break;
                }
            }
            match bytes.get(at) {
                None => return Err(Fault { at, what: What::CutOff }),
                Some(byte) if *byte == closer => at += 1,
                Some(_) => return Err(Fault { at, what: What::NoComma }),
            }
            open.pop();
            if at - start > long {
                ends.push((start, at));
            }
        }
    }
}

/// Past the key and the colon before the next value of an object; of a list, nothing.
fn head(bytes: &[u8], at: usize, closer: u8) -> Result<usize, Fault> {
    if closer != b'}' {
        return Ok(at);
    }
    let cut_off = |at| Fault { at, what: What::CutOff };
    match bytes.get(at) {
        None => return Err(cut_off(at)),
        Some(b'"') => {}
        Some(_) => return Err(Fault { at, what: What::NoKey }),
    }
    let at = white(bytes, string_end(bytes, at).ok_or_else(|| cut_off(bytes.len()))?);
    match bytes.get(at) {
        None => Err(cut_off(at)),
        Some(b':') => Ok(at + 1),
        Some(_) => Err(Fault { at, what: What::NoColon }),
    }
}

fn end_of_simple(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    if bytes[at] == b'"' {
        return string_end(bytes, at).ok_or(Fault { at: bytes.len(), what: What::CutOff });
    }
    match scalar_end(bytes, at) {
        end if end > at => Ok(end),
        _ => Err(Fault { at, what: What::NoValue }),
    }
}

/// The end of the value that begins at `at`; `None` where it is cut off or is none.
pub(super) fn skip(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'{' | b'[' => container_end(bytes, at),
        b'"' => string_end(bytes, at),
        _ => Some(scalar_end(bytes, at)).filter(|end| *end > at),
    }
}

fn container_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Past the closing quote of the string that begins at `at`. Most are keys, which are too short for a search in leaps.
pub(super) fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    const SHORT: usize = 16;
    let mut at = at + 1;
    loop {
        let rest = bytes.get(at..)?;
        let is_end = |byte: &u8| matches!(byte, b'"' | b'\\');
        at += match rest.iter().take(SHORT).position(is_end) {
            Some(near) => near,
            None => SHORT + memchr2(b'"', b'\\', rest.get(SHORT..)?)?,
        };
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn scalar_end(bytes: &[u8], at: usize) -> usize {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.' | b'_');
    at + bytes[at..].iter().take_while(is_part).count()
}

pub(super) fn white(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<usize, Fault> {
        check(text.as_bytes(), 0, usize::MAX, &mut Vec::new())
    }

    #[test]
    fn what_is_well_made_is_taken_whole() {
        for text in [
            "{}",
            "[]",
            "[ ]",
            "\"a\\\"b\"",
            "-1.5e3",
            "[1, NaN, -Infinity, null,]",
            "{\"a\": [{\"b\": {}}, []], \"c\": \"}]\",}",
        ] {
            assert_eq!(checked(text), Ok(text.len()), "{text}");
            assert_eq!(skip(text.as_bytes(), 0), Some(text.len()), "{text}");
        }
        assert_eq!(checked("{} {}"), Ok(2));
    }

    #[test]
    fn what_is_not_is_told_by_its_place() {
        let cases = [
            ("[1, {\"a\": \"b", 12, What::CutOff),
            ("[1, ", 4, What::CutOff),
            ("{\"a\"", 4, What::CutOff),
            ("[1 2]", 3, What::NoComma),
            ("[1}", 2, What::NoComma),
            ("{\"a\" 1}", 5, What::NoColon),
            ("{a: 1}", 1, What::NoKey),
            ("[,]", 1, What::NoValue),
            ("[é]", 1, What::NoValue),
        ];
        for (text, at, what) in cases {
            assert_eq!(checked(text), Err(Fault { at, what }), "{text}");
        }
        let deep = "[".repeat(1_000_000);
        assert_eq!(checked(&deep), Err(Fault { at: MAX_DEPTH, what: What::TooDeep }));
    }

    #[test]
    fn the_ends_of_what_is_long_are_kept() {
        let mut ends = Vec::new();
        let text = "{\"a\": [1, [2, 3], {}], \"b\": []}";
        assert_eq!(check(text.as_bytes(), 0, 5, &mut ends), Ok(text.len()));
        assert_eq!(ends, [(10, 16), (6, 21), (0, text.len())]);
    }
}
