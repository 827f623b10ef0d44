//! Text as segments hold it: words with one blank between them, paragraphs with an empty line between them,
//! and nothing that cannot be seen.

use std::borrow::Cow;

use super::formats::webvtt::squeeze;

/// The text in that form; borrowed where it has it already. Line ends within a paragraph are blanks.
pub fn normal(text: Cow<'_, str>) -> Cow<'_, str> {
    if is_normal(&text) {
        return text;
    }
    let mut normal = String::with_capacity(text.len());
    let mut blank_line = true;
    for line in text.lines() {
        let visible: Cow<'_, str> = match line.contains(is_hidden) {
            true => Cow::Owned(line.chars().filter(|c| !is_hidden(*c)).collect()),
            false => Cow::Borrowed(line),
        };
        let mut words = visible.split_whitespace().peekable();
        if words.peek().is_none() {
            blank_line = true;
            continue;
        }
        let mut between = if blank_line { "\n\n" } else { " " };
        for word in words {
            if !normal.is_empty() {
                normal.push_str(between);
            }
            normal.push_str(word);
            between = " ";
        }
        blank_line = false;
    }
    Cow::Owned(normal)
}

/// In one line, without runs of white space.
pub(super) fn squeezed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => squeeze(text),
        Cow::Owned(text) => Cow::Owned(squeeze(&text).into_owned()),
    }
}

/// Longer labels are cut.
pub(super) const MAX_LABEL_CHARS: usize = 200;

/// A speaker's label, which has one line, and whether it was cut.
pub(super) fn label(label: Cow<'_, str>) -> (Cow<'_, str>, bool) {
    let label = match normal(label) {
        label if label.contains('\n') => Cow::Owned(label.replace("\n\n", " ")),
        label => label,
    };
    match label.char_indices().nth(MAX_LABEL_CHARS) {
        Some((at, _)) => (Cow::Owned(label[..at].trim_end().to_owned()), true),
        None => (label, false),
    }
}

/// Control characters that are no white space. No store or screen can do anything with them.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
}

pub(super) fn is_normal(text: &str) -> bool {
    let bytes = text.as_bytes();
    let plain = bytes.iter().zip(bytes.iter().skip(1).chain([&b' '])).all(|(byte, next)| {
        (*byte > b' ' && *byte < 0x7f) || (*byte == b' ' && *next > b' ' && *next < 0x7f)
    });
    if plain {
        return bytes.first() != Some(&b' ');
    }
    text.split("\n\n").all(|paragraph| {
        !paragraph.is_empty()
            && !paragraph.contains(|c: char| c.is_control() || (c.is_whitespace() && c != ' '))
            && !paragraph.contains("  ")
            && !paragraph.starts_with(' ')
            && !paragraph.ends_with(' ')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_one_form() {
        let cases = [
            ("one two", "one two"),
            (" one\u{a0} two\n", "one two"),
            ("one\ntwo\r\n\r\n \t\r\nthree\n", "one two\n\nthree"),
            ("a\u{0}b \u{1} c", "ab c"),
            ("\u{1}", ""),
            ("é ü", "é ü"),
            ("é  ü", "é ü"),
            ("", ""),
            ("a ", "a"),
        ];
        for (text, expected) in cases {
            assert_eq!(normal(Cow::Borrowed(text)), expected, "{text:?}");
            assert!(
                matches!(normal(Cow::Borrowed(expected)), Cow::Borrowed(_)) || expected.is_empty(),
                "{expected:?}"
            );
        }
    }
}
