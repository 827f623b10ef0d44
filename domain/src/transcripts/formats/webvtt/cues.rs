//! The blocks of a WebVTT file, one after another: borrows the text, keeps nothing, allocates nothing.
//! The W3C's "WebVTT parser algorithm" with two choices of its own: a block whose timing line cannot be read
//! is left out to its blank line (and told), and a comma before the milliseconds is taken (and told).

use super::{
    super::super::{
        lines::{Line, Lines},
        report::Place,
        times::{self, Span, has_arrow},
    },
    after_signature,
};
use crate::time::Millis;

/// A cue as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue<'a> {
    /// Empty where the cue has none.
    pub id: &'a str,
    pub start: Millis,
    pub end: Millis,
    /// What follows the times, unread.
    pub settings: &'a str,
    /// The lines of text with their markup and the line ends between them.
    pub payload: &'a str,
    /// Of the times, from 1.
    pub line: u32,
    /// Of the payload's first line.
    pub payload_line: u32,
    /// What is not as the standard wants it.
    pub odd: Option<&'static str>,
}

/// A block that is no cue and no comment, style or region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub line: u32,
    /// Of the block's last line.
    pub end_line: u32,
    pub reason: &'static str,
}

impl Skipped {
    pub(in crate::transcripts) fn place(&self) -> Place {
        Place::lines(self.line, self.end_line)
    }
}

/// Cues in the order of the file.
#[derive(Debug, Clone)]
pub struct Cues<'a> {
    lines: Lines<'a>,
    /// A line that was read and belongs to the next block.
    pending: Option<Line<'a>>,
}

impl<'a> Cues<'a> {
    /// `None` where `text` does not begin as a WebVTT file does. A byte order mark may stand before it.
    pub fn new(text: &'a str) -> Option<Self> {
        after_signature(text)?;
        let mut cues = Self { lines: Lines::new(text), pending: None };
        cues.lines.next();
        for line in cues.lines.by_ref() {
            if line.text.is_empty() {
                break;
            }
            if has_arrow(line.text) {
                cues.pending = Some(line);
                break;
            }
        }
        Some(cues)
    }

    fn line(&mut self) -> Option<Line<'a>> {
        self.pending.take().or_else(|| self.lines.next())
    }

    /// The next line, unless it is blank or the file ends.
    fn line_of_block(&mut self) -> Option<Line<'a>> {
        self.line().filter(|line| !line.text.is_empty())
    }

    /// The cue whose timing line is `timing`; its text ends at a blank line or before another arrow.
    fn cue(&mut self, id: &'a str, timing: Line<'a>) -> Result<Cue<'a>, Skipped> {
        let Some(Span { start, end, rest: settings, odd }) = times::strict_span(timing.text) else {
            let last = std::iter::from_fn(|| self.line_of_block()).last();
            let end_line = last.map_or(timing.number, |last| last.number);
            return Err(Skipped { line: timing.number, end_line, reason: "the times cannot be read" });
        };
        let mut payload: Option<(Line<'a>, usize)> = None;
        while let Some(line) = self.line_of_block() {
            if has_arrow(line.text) {
                self.pending = Some(line);
                break;
            }
            payload = Some((payload.map_or(line, |(first, _)| first), line.end()));
        }
        let (payload, payload_line) = payload
            .map_or(("", timing.number), |(first, end)| (&self.lines.text()[first.start..end], first.number));
        Ok(Cue { id, start, end, settings, payload, line: timing.number, payload_line, odd })
    }

    /// The number of the last line of a block without times, from its second line, `last`, on.
    fn rest_of_text(&mut self, mut last: u32) -> u32 {
        while let Some(line) = self.line_of_block() {
            if has_arrow(line.text) {
                self.pending = Some(line);
                break;
            }
            last = line.number;
        }
        last
    }
}

impl<'a> Iterator for Cues<'a> {
    type Item = Result<Cue<'a>, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let first = self.line()?;
            if first.text.is_empty() {
                continue;
            }
            if has_arrow(first.text) {
                match self.cue("", first) {
                    Err(_) if is_aside(first.text) => continue,
                    cue => return Some(cue),
                }
            }
            let end_line = match self.line_of_block() {
                Some(second) if has_arrow(second.text) => return Some(self.cue(first.text, second)),
                Some(second) => self.rest_of_text(second.number),
                None => first.number,
            };
            if !is_aside(first.text) && !first.is_blank() {
                return Some(Err(Skipped { line: first.number, end_line, reason: "text without times" }));
            }
        }
    }
}

/// Comments, styles and regions say nothing.
fn is_aside(first: &str) -> bool {
    ["NOTE", "STYLE", "REGION"].iter().any(|word| {
        first.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cues(text: &str) -> Vec<Result<Cue<'_>, Skipped>> {
        Cues::new(text).expect("a WebVTT file").collect()
    }

    #[test]
    fn a_cue_has_all_its_parts() {
        let text = "\u{feff}WEBVTT x\r\nKind: captions\r\n\r\nid 1\r\n00:01.000 --> 00:02.000 align:start\r\n<v A>one\r\ntwo\r\n";
        let expected = Cue {
            id: "id 1",
            start: Millis(1000),
            end: Millis(2000),
            settings: "align:start",
            payload: "<v A>one\r\ntwo",
            line: 5,
            payload_line: 6,
            odd: None,
        };
        assert_eq!(cues(text), [Ok(expected)]);
    }

    #[test]
    fn asides_are_passed_over_and_lost_text_is_told() {
        let text = "WEBVTT\n\nNOTE a --> b\n\nSTYLE\n::cue {}\n\nstray\ntext\n\nNOTES\n\n00:01 --> 00:02.000\nbad\n\n00:01.000 --> 00:02.000\ngood";
        let found = cues(text);
        let skipped: Vec<_> =
            found.iter().filter_map(|cue| cue.as_ref().err()).map(|skipped| skipped.line).collect();
        assert_eq!(skipped, [8, 11, 13]);
        assert_eq!(found.iter().flatten().map(|cue| cue.payload).collect::<Vec<_>>(), ["good"]);
    }
}
