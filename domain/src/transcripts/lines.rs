//! Lines of a text as the subtitle formats count them: LF, CR and CRLF each end one.

use memchr::{memchr, memchr_iter, memchr2};

use super::Limits;
use crate::error::Problem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// From 1.
    pub number: u32,
    /// Byte offset in the text.
    pub start: usize,
    /// Without the line's end.
    pub text: &'a str,
}

impl Line<'_> {
    /// Byte offset just past the line's text.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// Borrows the text and allocates nothing.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    text: &'a str,
    at: usize,
    number: u32,
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, number: 0 }
    }

    pub fn text(&self) -> &'a str {
        self.text
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        if rest.is_empty() {
            return None;
        }
        let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        self.at = start + length + usize::from(length < rest.len());
        if rest[length..].starts_with(b"\r\n") {
            self.at += 1;
        }
        self.number = self.number.saturating_add(1);
        Some(Line { number: self.number, start, text: &self.text[start..start + length] })
    }
}

/// LINE_TOO_LONG where a line is longer than `limits` allow.
pub(super) fn check_length(text: &str, limits: &Limits) -> Result<(), Problem> {
    let Some(line) = Lines::new(text).find(|line| line.text.len() > limits.max_line_bytes) else {
        return Ok(());
    };
    let message = format!(
        "line {} has {} bytes and at most {} are taken: break it into lines",
        line.number,
        line.text.len(),
        limits.max_line_bytes
    );
    Err(Problem::new("LINE_TOO_LONG", message).on_line(line.number))
}

/// How many lines end within `text`.
pub fn breaks(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let feeds = memchr_iter(b'\n', bytes).count();
    let lone_returns = match memchr(b'\r', bytes) {
        Some(_) => memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) != Some(&b'\n')).count(),
        None => 0,
    };
    (feeds + lone_returns) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_end_ends_one_line() {
        let lines: Vec<_> =
            Lines::new("a\nb\r\nc\rd\n\r\n\r\re").map(|line| (line.number, line.text)).collect();
        assert_eq!(lines, [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, ""), (6, ""), (7, ""), (8, "e")]);
        assert_eq!(breaks("a\nb\r\nc\rd\n\r\n\r\re"), 7);
        assert_eq!(Lines::new("").count(), 0);
        assert_eq!(Lines::new("a\n").count(), 1);
    }
}
