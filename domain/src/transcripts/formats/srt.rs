//! SubRip, as it is found: the numbers may be missing or wrong, the blank lines too; times have a comma or a
//! full stop; a blank line within a subtitle does not end it, only the next times do.

use std::borrow::Cow;

use super::{
    super::{
        Limits, Transcript, assemble,
        detect::{Confidence, Sample},
        export,
        lines::{Line, Lines},
        report::{Format, Log, Place},
        spoken::{self, Piece},
        times::{self, ARROW, Span},
    },
    FormatReader,
    otter_text::is_footer,
};
use crate::error::Problem;

pub(super) struct Srt;

impl FormatReader for Srt {
    fn format(&self) -> Format {
        Format::Srt
    }

    fn name(&self) -> &'static str {
        "SRT"
    }

    fn looks_like(&self) -> &'static str {
        "its subtitles have times like 00:00:01,000 --> 00:00:02,000 on a line before the text"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        match Lines::new(sample.head).find(|line| timing(line.text).is_some_and(|span| span.is_some())) {
            Some(line) => Confidence::new(90, format!("line {} has the times of a subtitle", line.number)),
            None => Confidence::new(0, "no line has the times of a subtitle"),
        }
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        if let Some(read) = export::read(Format::Srt, text, limits) {
            return read;
        }
        let text = without_overrides(text);
        let mut source = spoken::Source::new(Format::Srt, limits);
        let mut block = Block::default();
        let mut index = None;
        for line in Lines::new(&text) {
            if line.is_blank() {
                block.blank = true;
            } else if let Some(timing) = timing(line.text) {
                index = block.take_index(index);
                let next = Block { head: Some(Head { timing, line }), ..Block::default() };
                std::mem::replace(&mut block, next).give(&text, &mut source)?;
            } else if is_footer(line.text) && text[line.end()..].trim_start().is_empty() {
                source.log.aside(line.number, "the footer of the exporter");
            } else {
                block.push(line);
            }
        }
        block.give(&text, &mut source)?;
        if source.pieces.is_empty() && source.log.first_drop().is_none_or(|note| note.reason == NO_TIMES) {
            let message = "line 1: no line has times like 00:00:01,000 --> 00:00:02,000, so this is no SRT file; \
                           name another format";
            return Err(Problem::new("MALFORMED", message).on_line(1));
        }
        assemble::transcript(source)
    }
}

const NO_TIMES: &str = "text before the first times";

/// Times and the text below them; before the first times, what stands there.
#[derive(Default)]
struct Block<'a> {
    head: Option<Head<'a>>,
    /// The first line of text.
    first: Option<Line<'a>>,
    last: Option<Last<'a>>,
    /// Where the text ends without `last`.
    end: usize,
    /// A blank line came after `last`.
    blank: bool,
}

struct Head<'a> {
    /// `None` where the times cannot be read.
    timing: Option<Timing<'a>>,
    line: Line<'a>,
}

/// The last line of text so far: the next subtitle's number, perhaps.
struct Last<'a> {
    line: Line<'a>,
    after_blank: bool,
}

impl<'a> Block<'a> {
    fn push(&mut self, line: Line<'a>) {
        self.first.get_or_insert(line);
        self.end = self.last.as_ref().map_or(line.start, |last| last.line.end());
        let after_blank = self.blank || (self.head.is_none() && self.last.is_none());
        self.last = Some(Last { line, after_blank });
        self.blank = false;
    }

    /// Takes the last line away where it is the number of the subtitle that begins now. Where no blank line
    /// tells a number from a text of digits, the previous number does, and in a numbered file the text above.
    fn take_index(&mut self, previous: Option<u64>) -> Option<u64> {
        let number = self.last.as_ref().and_then(|last| {
            let number: u64 = last.line.text.trim().parse().ok()?;
            let follows = previous.is_some_and(|previous| previous.checked_add(1) == Some(number));
            let apart = last.after_blank && !self.blank;
            let text_of_its_own = self.blank && !last.after_blank;
            let below_text = self.first.is_some_and(|first| first.number < last.line.number);
            let directly = previous.is_some() && below_text && !self.blank;
            (apart || directly || (follows && !text_of_its_own)).then_some(number)
        });
        if number.is_none() {
            return previous;
        }
        if self.first == self.last.take().map(|last| last.line) {
            self.first = None;
        }
        number
    }

    fn give(self, text: &'a str, source: &mut spoken::Source<'a>) -> Result<(), Problem> {
        let end = self.last.as_ref().map_or(self.end, |last| last.line.end());
        let payload = self.first.map_or("", |first| &text[first.start..end]);
        let last = self.last.as_ref().map(|last| last.line.number).or(self.first.map(|first| first.number));
        match (self.head, self.first) {
            (Some(Head { timing: Some(timing), line }), first) => {
                let before = source.pieces.len();
                source.add(spoken::Cue {
                    start: timing.span.start,
                    end: timing.span.end,
                    line: line.number,
                    text_line: first.map_or(line.number, |first| first.number),
                    payload,
                })?;
                timing.forget_negative(line.number, &mut source.log, &mut source.pieces[before..]);
                Ok(())
            }
            (Some(Head { timing: None, line }), _) => {
                source.skip(Place::lines(line.number, last.unwrap_or(0)), "the times cannot be read")
            }
            (None, Some(first)) => source.skip(Place::lines(first.number, last.unwrap_or(0)), NO_TIMES),
            (None, None) => Ok(()),
        }
    }
}

struct Timing<'a> {
    span: Span<'a>,
    /// The start is before the beginning, or the end is.
    negative: (bool, bool),
}

impl Timing<'_> {
    /// Times before the beginning of the recording are times of nothing.
    fn forget_negative(&self, line: u32, log: &mut Log, pieces: &mut [Piece<'_>]) {
        let (start, end) = self.negative;
        if start || end {
            log.warning(line, "a time before the beginning was left out");
        }
        for piece in pieces {
            piece.start = piece.start.filter(|_| !start);
            piece.end = piece.end.filter(|_| !start && !end);
        }
    }
}

/// `Some(None)` is a line that ought to be times and cannot be read.
fn timing(line: &str) -> Option<Option<Timing<'_>>> {
    if !times::has_arrow(line) {
        return None;
    }
    if let Some(span) = times::lenient_span(line) {
        return Some(Some(Timing { span, negative: (false, false) }));
    }
    match signed_span(line) {
        Some(timing) => Some(Some(timing)),
        None => line.trim_start().starts_with(|first: char| first.is_ascii_digit()).then_some(None),
    }
}

/// Times of which one or both have a minus.
fn signed_span(line: &str) -> Option<Timing<'_>> {
    let minus = |text: &str| text.starts_with(['-', '−']);
    let line = line.trim_ascii_start();
    let (start, rest) = times::lenient(line.trim_start_matches(['-', '−']))?;
    let second = rest.trim_ascii_start().strip_prefix(ARROW)?.trim_ascii_start();
    let (end, rest) = times::lenient(second.trim_start_matches(['-', '−']))?;
    let negative = (minus(line), minus(second));
    // An end that is left out must not seem to be before its start.
    let end = if negative.0 || negative.1 { end.max(start) } else { end };
    Some(Timing { span: Span { start, end, rest: rest.trim_ascii(), odd: None }, negative })
}

/// Takes out the position and style codes of other subtitle formats, `{\an8}` and `{y:i}`.
fn without_overrides(text: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = rest[from..].find('{').map(|at| from + at) {
        match override_code(&rest[at..]) {
            Some(length) => {
                kept.push_str(&rest[..at]);
                (rest, from) = (&rest[at + length..], 0);
            }
            None => from = at + 1,
        }
    }
    if rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

/// The length of the code at the head of `text`, which begins with a brace.
fn override_code(text: &str) -> Option<usize> {
    let inner = &text[1..];
    let (code, rest) = inner.split_at(inner.find(['{', '}', '\n', '\r'])?);
    if !rest.starts_with('}') {
        return None;
    }
    let style = code.starts_with('\\')
        || matches!(code.trim_start_matches('/'), "b" | "i" | "u" | "s")
        || ["y:", "Y:", "c:", "C:", "f:", "F:", "s:", "S:", "P:"].iter().any(|sign| code.starts_with(sign));
    style.then_some(code.len() + 2)
}
