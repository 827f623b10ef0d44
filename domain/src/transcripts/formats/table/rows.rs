//! Rows of separated values, field by field: borrows what it can. A field in quotes may hold separators and
//! lines. A quote that does not both open and close a field is text, so that a missing one costs one row.

use std::borrow::Cow;

use memchr::{memchr, memchr3};

use super::super::super::{lines::breaks, report::Place};

pub(in super::super) struct Rows<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    separator: u8,
    /// Whether quotes mean anything.
    quotes: bool,
    /// Longer fields in quotes are none.
    max_field: usize,
}

pub(in super::super) struct Field<'a> {
    pub(in super::super) text: Cow<'a, str>,
    /// Where the field begins in the text.
    pub(in super::super) start: usize,
}

/// Where a row stands.
pub(in super::super) struct Row {
    pub(in super::super) place: Place,
    /// Where the row ends in the text.
    pub(in super::super) end: usize,
    /// A quote was kept as text.
    pub(in super::super) odd_quote: bool,
}

impl<'a> Rows<'a> {
    pub(in super::super) fn new(text: &'a str, separator: u8, quotes: bool, max_field: usize) -> Self {
        Self { text, at: 0, line: 1, separator, quotes, max_field }
    }

    /// Fills `fields` with the next row that is not blank.
    pub(in super::super) fn read(&mut self, fields: &mut Vec<Field<'a>>) -> Option<Row> {
        fields.clear();
        self.skip_blank_lines();
        if self.at >= self.text.len() {
            return None;
        }
        let (first, begun) = (self.line, self.at);
        let mut odd_quote = false;
        loop {
            let start = self.at;
            let (text, end) = match self.quoted() {
                Some(Quoted::Whole(text, end)) => (text, end),
                found => {
                    odd_quote |= found.is_some();
                    let end = self.plain_end(start);
                    (Cow::Borrowed(self.text[start..end].trim()), end)
                }
            };
            fields.push(Field { text, start });
            self.at = end;
            match self.text.as_bytes().get(end) {
                Some(byte) if *byte == self.separator => self.at += 1,
                _ => break,
            }
        }
        let end = self.at;
        let last = first + breaks(&self.text[begun..end]);
        self.line = last;
        self.end_line();
        Some(Row { place: Place::lines(first, last), end, odd_quote })
    }

    fn skip_blank_lines(&mut self) {
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let blanks = rest
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t') && **byte != self.separator)
                .count();
            if !matches!(rest.get(blanks), Some(b'\n' | b'\r')) {
                self.at += if rest.len() == blanks { blanks } else { 0 };
                return;
            }
            self.at += blanks;
            self.end_line();
        }
    }

    /// Takes the line end that is at hand.
    fn end_line(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let length = match rest {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => return,
        };
        self.at += length;
        self.line += 1;
    }

    fn plain_end(&self, from: usize) -> usize {
        memchr3(self.separator, b'\n', b'\r', &self.text.as_bytes()[from..])
            .map_or(self.text.len(), |at| from + at)
    }

    /// A field in quotes; `Some(Quoted::Broken)` where a quote opens it and does not close it.
    fn quoted(&mut self) -> Option<Quoted<'a>> {
        let bytes = self.text.as_bytes();
        let blanks = self.blanks(self.at);
        if !self.quotes || bytes.get(self.at + blanks) != Some(&b'"') {
            return None;
        }
        let start = self.at + blanks + 1;
        let limit = bytes.len().min(start.saturating_add(self.max_field));
        let (mut from, mut doubled) = (start, false);
        let close = loop {
            let Some(at) = memchr(b'"', &bytes[from..limit]).map(|at| from + at) else {
                // A quote that nothing closes makes all others doubtful.
                self.quotes = false;
                return Some(Quoted::Broken);
            };
            if bytes.get(at + 1) != Some(&b'"') {
                break at;
            }
            (from, doubled) = ((at + 2).min(limit), true);
        };
        let end = close + 1 + self.blanks(close + 1);
        let ends = bytes.get(end).is_none_or(|byte| *byte == self.separator || matches!(byte, b'\n' | b'\r'));
        if !ends {
            return Some(Quoted::Broken);
        }
        let raw = &self.text[start..close];
        let text = if doubled { Cow::Owned(raw.replace("\"\"", "\"")) } else { Cow::Borrowed(raw) };
        Some(Quoted::Whole(text, end))
    }

    fn blanks(&self, from: usize) -> usize {
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t') && **byte != self.separator).count()
    }
}

enum Quoted<'a> {
    /// The text and where the field ends.
    Whole(Cow<'a, str>, usize),
    Broken,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, separator: u8) -> Vec<(u32, u32, Vec<String>, bool)> {
        let mut rows = Rows::new(text, separator, true, 1000);
        let mut fields = Vec::new();
        let mut found = Vec::new();
        while let Some(row) = rows.read(&mut fields) {
            let texts = fields.iter().map(|field| field.text.clone().into_owned()).collect();
            found.push((row.place.line, row.place.end_line, texts, row.odd_quote));
        }
        found
    }

    #[test]
    fn fields_may_hold_separators_lines_and_quotes() {
        let expected = [
            (1, 1, vec!["a".to_owned(), "b".to_owned()], false),
            (3, 4, vec!["1, \"2\"".to_owned(), "x\r\ny".to_owned()], false),
            (5, 5, vec![String::new(), "z".to_owned(), String::new()], false),
        ];
        assert_eq!(rows("a,b\r\n  \r\n\"1, \"\"2\"\"\" , \"x\r\ny\"\r,z,", b','), expected);
    }

    #[test]
    fn a_quote_that_is_none_costs_its_own_row_at_most() {
        let found = rows("a;\"not closed\n\"b\" said he;c\nd;\"e\"\nf;\"g", b';');
        let texts: Vec<_> = found.iter().map(|(.., texts, odd)| (texts.join("|"), *odd)).collect();
        let expected = [("a|\"not closed", true), ("\"b\" said he|c", true), ("d|e", false), ("f|\"g", true)];
        assert_eq!(texts, expected.map(|(text, odd)| (text.to_owned(), odd)));
    }
}
