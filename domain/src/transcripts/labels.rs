//! Speaker labels at the head of a line: what may be one, not whether it is. Whether it is, its recurrence in
//! the whole source decides, which is the readers' matter.

use super::markers::{self, Mark};

/// A line that may begin a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Labelled<'a> {
    pub(super) label: &'a str,
    /// What is said, perhaps nothing on this line.
    pub(super) text: &'a str,
    /// The label is set off by Markdown emphasis.
    pub(super) marked: bool,
    /// The time before, in or after the label.
    pub(super) mark: Option<Mark>,
}

const MAX_CHARS: usize = 60;
const MAX_WORDS: usize = 6;

/// Splits `Name: text` in its many shapes: `**Name:** text`, `[00:03] Name: text`, `Name (00:03): text`,
/// `- Name: text`.
pub(super) fn split(line: &str) -> Option<Labelled<'_>> {
    let line = strip_bullet(line.trim());
    let (before, rest) = match markers::bracketed(line).or_else(|| markers::bare(line)) {
        Some((mark, rest)) => (Some(mark), rest.trim_start()),
        None => (None, line),
    };
    let rest = strip_bullet(rest);
    let (marked, head, text) = match emphasised(rest) {
        Some((label, text)) => (true, label, text),
        None => plain(rest).map(|(label, text)| (false, label, text))?,
    };
    let (label, within) = mark_at_end(head.trim());
    let text = text.trim();
    let (after, text) = match markers::bracketed(text) {
        Some((mark, rest)) if before.or(within).is_none() => (Some(mark), rest.trim_start()),
        _ => (None, text),
    };
    let valid = if marked { may_be_emphasised(label) } else { may_be_label(label) };
    valid.then_some(Labelled { label, text, marked, mark: before.or(within).or(after) })
}

/// [`split`] where the plain label of the line before is likely to stand again, which is seen sooner.
pub(super) fn split_after<'a>(last: Option<&str>, line: &'a str) -> Option<Labelled<'a>> {
    let again = last.and_then(|last| {
        let text = line.strip_prefix(last)?.strip_prefix(": ")?.trim();
        let begins_with_a_letter = last.starts_with(|first: char| first.is_ascii_alphabetic());
        let may_hold_a_time = text.starts_with(['[', '(', '{', '\\']);
        let label = &line[..last.len()];
        (begins_with_a_letter && !may_hold_a_time).then_some(Labelled {
            label,
            text,
            marked: false,
            mark: None,
        })
    });
    again.or_else(|| split(line))
}

impl<'a> Labelled<'a> {
    /// For [`split_after`].
    pub(super) fn plain(&self) -> Option<&'a str> {
        (!self.marked).then_some(self.label)
    }
}

/// Every word is written like a part of a name, and there are few.
pub(super) fn is_name_like(label: &str) -> bool {
    label.split_whitespace().count() <= 4 && words_are_capitalised(label)
}

/// What people set before a turn in lists, quotations and captions.
pub(super) fn strip_bullet(line: &str) -> &str {
    let mut after = line.chars();
    let bullet = after.next();
    let rest = after.as_str();
    let blank = rest.strip_prefix(' ');
    let said = match bullet {
        Some('-') => Some(blank.unwrap_or(rest)),
        Some('>') => match rest.strip_prefix('>') {
            Some(rest) => Some(rest.strip_prefix(' ').unwrap_or(rest)),
            None => blank,
        },
        Some('*' | '•' | '–' | '—') => blank,
        _ => None,
    };
    said.filter(|said| !said.starts_with(['-', '>'])).map_or(line, str::trim_start)
}

/// `**Name:** text`, `**Name**: text`, and the same with `__`, `*` or `_`.
fn emphasised(line: &str) -> Option<(&str, &str)> {
    if !line.starts_with(['*', '_']) {
        return None;
    }
    for sign in ["**", "__", "*", "_"] {
        let Some(inner) = line.strip_prefix(sign) else {
            continue;
        };
        let end = inner.find(sign)?;
        let (label, text) = (inner[..end].trim_end(), inner[end + sign.len()..].trim_start());
        return match label.strip_suffix([':', '：']) {
            Some(label) => Some((label, text)),
            None => text.strip_prefix([':', '：']).map(|text| (label, text)),
        };
    }
    None
}

/// The first colon that a blank, the line's end or a capital follows.
fn plain(line: &str) -> Option<(&str, &str)> {
    let colons = line.char_indices().take(2 * MAX_CHARS).filter(|(_, c)| matches!(c, ':' | '：'));
    for (at, colon) in colons {
        let (label, text) = (&line[..at], &line[at + colon.len_utf8()..]);
        match text.chars().next() {
            Some(next) if colon == ':' && !next.is_whitespace() => {
                if (next.is_uppercase() || matches!(next, '"' | '“')) && is_name_like(label) {
                    return Some((label, text));
                }
            }
            _ => return Some((label, text)),
        }
    }
    None
}

/// `Name (00:03)` and `Name 00:03`.
fn mark_at_end(label: &str) -> (&str, Option<Mark>) {
    let bracket = label.rfind(['[', '(']).map(|at| at - usize::from(label[..at].ends_with('\\')));
    if let Some(at) = bracket
        && let Some((mark, "")) = markers::bracketed(&label[at..])
    {
        return (label[..at].trim_end(), Some(mark));
    }
    if let Some(at) = label.rfind(char::is_whitespace)
        && let Some((mark, "")) = markers::bare(label[at..].trim_start())
    {
        return (label[..at].trim_end(), Some(mark));
    }
    (label, None)
}

fn may_be_emphasised(label: &str) -> bool {
    label.chars().count() <= MAX_CHARS
        && label.contains(char::is_alphanumeric)
        && !label.contains(['?', '!', ';', '*', '\n'])
        && !label.contains("://")
}

fn may_be_label(label: &str) -> bool {
    const SCHEMES: [&str; 5] = ["http", "https", "ftp", "mailto", "file"];
    let words = label.split_whitespace().count();
    label.chars().count() <= MAX_CHARS
        && label.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '@' | '#' | '+'))
        && label.contains(char::is_alphabetic)
        && label.chars().all(|c| c.is_alphanumeric() || may_stand_in_label(c) || is_mark(c))
        && dots_abbreviate(label)
        && words <= MAX_WORDS
        && (words <= 2 || words_are_capitalised(label))
        && !SCHEMES.contains(&label)
}

fn may_stand_in_label(c: char) -> bool {
    matches!(
        c,
        ' ' | '_'
            | '-'
            | '.'
            | '\''
            | '’'
            | ','
            | '&'
            | '/'
            | '('
            | ')'
            | '#'
            | '@'
            | '+'
            | '|'
            | '·'
            | '\u{a0}'
    )
}

/// A full stop in a label ends an initial or an abbreviation: `B.`, `Dr.`, `Psy.D`.
fn dots_abbreviate(label: &str) -> bool {
    let mut parts = label.split('.');
    parts.next_back();
    parts.all(|part| {
        let word = part.rsplit([' ', ',']).next().unwrap_or(part);
        word.chars().count() <= 4 && word.starts_with(char::is_uppercase)
    })
}

fn words_are_capitalised(label: &str) -> bool {
    const SMALL: [&str; 19] = [
        "de", "da", "di", "du", "van", "von", "der", "den", "zu", "la", "le", "el", "bin", "al", "of", "the",
        "and", "y", "from",
    ];
    // `Zoë (she/her)`
    let name = label.split_once(" (").map_or(label, |(name, _)| name);
    name.split_whitespace().all(|word| {
        SMALL.contains(&word)
            || word.chars().find(|c| c.is_alphanumeric()).is_none_or(|first| !first.is_lowercase())
    })
}

/// Combining marks of names in decomposed form and of Indic and Semitic scripts.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}' | '\u{900}'..='\u{d7f}' | '\u{e31}'..='\u{e4e}' | '\u{200c}'..='\u{200f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Millis;

    #[test]
    fn a_label_that_stands_again_is_read_alike() {
        let lines = [
            "Anna Lee: Hi.",
            "Anna Lee:  Hi. ",
            "Anna Lee: [00:03] Hi",
            "Anna Lee: (laughs) Hi",
            "Anna Lee:Hi.",
            "Anna Lee:",
            "Anna Lee: ",
            "Anna Lee (00:03): Hi",
            "Anna Leeds: Hi",
            "**Anna Lee:** Hi",
        ];
        for line in lines {
            for last in [None, Some("Anna Lee"), Some("Anna"), Some("")] {
                assert_eq!(split_after(last, line), split(line), "{last:?} {line}");
            }
        }
    }

    #[test]
    fn labels_are_found_in_all_their_shapes() {
        let cases = [
            ("Anna: Hi.", "Anna", "Hi.", None),
            ("Anna:", "Anna", "", None),
            ("Anna:Hi.", "Anna", "Hi.", None),
            ("SPEAKER_00: Hi", "SPEAKER_00", "Hi", None),
            ("anna: hi", "anna", "hi", None),
            ("Speaker 1: Hi: there", "Speaker 1", "Hi: there", None),
            ("Mireille B. Reece, Psy.D: Hi", "Mireille B. Reece, Psy.D", "Hi", None),
            ("Dr. Zoë O’Neil-Smith (she/her): Hi", "Dr. Zoë O’Neil-Smith (she/her)", "Hi", None),
            ("田中：はい", "田中", "はい", None),
            ("**Anna Lee:** Hi.", "Anna Lee", "Hi.", None),
            ("**Anna Lee**: Hi.", "Anna Lee", "Hi.", None),
            ("__Anna:__ Hi.", "Anna", "Hi.", None),
            ("*Anna:* Hi.", "Anna", "Hi.", None),
            ("- **Anna:** Hi.", "Anna", "Hi.", None),
            ("[00:00:03] Anna: Hi", "Anna", "Hi", Some(3_000)),
            ("\\[00:01:02.50\\] **Anna:** Hi", "Anna", "Hi", Some(62_500)),
            ("**Anna:** \\[00:03\\] Hi", "Anna", "Hi", Some(3_000)),
            ("00:03 Anna: Hi", "Anna", "Hi", Some(3_000)),
            ("Anna (00:03): Hi", "Anna", "Hi", Some(3_000)),
            ("Anna [00:00:03]: Hi", "Anna", "Hi", Some(3_000)),
            ("Anna 0:03: Hi", "Anna", "Hi", Some(3_000)),
            (">> Anna: Hi", "Anna", "Hi", None),
            ("-Anna: Hi", "Anna", "Hi", None),
        ];
        for (line, label, text, start) in cases {
            let found = split(line).unwrap_or_else(|| panic!("no label in {line}"));
            let mark = found.mark.map(|mark| mark.start);
            assert_eq!((found.label, found.text, mark), (label, text, start.map(Millis)), "{line}");
        }
    }

    #[test]
    fn prose_urls_and_times_have_no_label() {
        let lines = [
            "One thing is clear: we must go.",
            "https://example.org: a page",
            "http://x.org",
            "10:30 we met",
            "12: 30",
            "Really? Yes: really",
            "So I left. Anna: hi",
            "std::io::Error",
            "{\"a\": 1}",
            ": text",
            "Anna",
            "",
            "a very long label with many more words in it than any name has: text",
            "**Not a label** but bold",
            "**Is this one?:** no",
            "C:\\Anna",
            "- -- Anna",
            "*",
            "**",
            "[laughs]: Hi",
        ];
        for line in lines {
            assert_eq!(split(line), None, "{line}");
        }
    }
}
