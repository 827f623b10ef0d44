//! The blocks of a WebVTT file, one after another: borrows the text, keeps nothing, allocates nothing.
//! The W3C's "WebVTT parser algorithm" with two choices of its own: a block whose timing line cannot be read
//! is left out to its blank line (and told), and a comma before the milliseconds is taken (and told).

use super::{
    super::super::{
        lines::{Line, Lines},
        report::Place,
        spoken::Source,
        times::{self, Span, has_arrow},
    },
    after_signature,
};
use crate::{error::Problem, time::Millis};

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

/// A block that is no cue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub line: u32,
    /// Of the block's last line.
    pub end_line: u32,
    pub reason: &'static str,
    /// Nobody would say it: the head of the file, a comment, a style, a region.
    pub is_aside: bool,
}

impl Skipped {
    pub(in crate::transcripts) fn tell(&self, source: &mut Source<'_>) -> Result<(), Problem> {
        let place = Place::lines(self.line, self.end_line);
        if self.is_aside {
            source.log.aside(place, self.reason);
            return Ok(());
        }
        source.skip(place, self.reason)
    }
}

/// Cues in the order of the file.
#[derive(Debug, Clone)]
pub struct Cues<'a> {
    lines: Lines<'a>,
    /// A line that was read and belongs to the next block.
    pending: Option<Line<'a>>,
    /// What stands with the signature and below it, up to the first blank line.
    head: Option<Skipped>,
}

impl<'a> Cues<'a> {
    /// `None` where `text` does not begin as a WebVTT file does. A byte order mark may stand before it.
    pub fn new(text: &'a str) -> Option<Self> {
        let rest = after_signature(text)?;
        let mut cues = Self { lines: Lines::new(text), pending: None, head: None };
        cues.lines.next();
        let (titled, mut end_line) = (!Lines::new(rest).next().is_none_or(|line| line.is_blank()), 1);
        for line in cues.lines.by_ref() {
            if line.text.is_empty() {
                break;
            }
            if has_arrow(line.text) {
                cues.pending = Some(line);
                break;
            }
            end_line = line.number;
        }
        if titled || end_line > 1 {
            let line = if titled { 1 } else { 2 };
            cues.head = Some(Skipped { line, end_line, reason: "the head of the file", is_aside: true });
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
            let line = timing.number;
            return Err(Skipped { line, end_line, reason: "the times cannot be read", is_aside: false });
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
        if let Some(head) = self.head.take() {
            return Some(Err(head));
        }
        loop {
            let first = self.line()?;
            if first.text.is_empty() {
                continue;
            }
            if has_arrow(first.text) {
                let aside = |skipped: Skipped| match aside(first.text) {
                    Some(reason) => Skipped { reason, is_aside: true, ..skipped },
                    None => skipped,
                };
                return Some(self.cue("", first).map_err(aside));
            }
            let end_line = match self.line_of_block() {
                Some(second) if has_arrow(second.text) => return Some(self.cue(first.text, second)),
                Some(second) => self.rest_of_text(second.number),
                None => first.number,
            };
            if !first.is_blank() {
                let aside = aside(first.text);
                let (reason, is_aside) = (aside.unwrap_or("text without times"), aside.is_some());
                return Some(Err(Skipped { line: first.number, end_line, reason, is_aside }));
            }
        }
    }
}

/// What a block is that says nothing, by its first line.
fn aside(first: &str) -> Option<&'static str> {
    const KINDS: [(&str, &str); 3] = [("NOTE", "a comment"), ("STYLE", "a style"), ("REGION", "a region")];
    let is_one = |word: &str| {
        first.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    };
    KINDS.into_iter().find(|(word, _)| is_one(word)).map(|(_, reason)| reason)
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
        let head = Skipped { line: 1, end_line: 2, reason: "the head of the file", is_aside: true };
        assert_eq!(cues(text), [Err(head), Ok(expected)]);
    }

    #[test]
    fn asides_and_lost_text_are_told() {
        let text = "WEBVTT\n\nNOTE a --> b\n\nSTYLE\n::cue {}\n\nstray\ntext\n\nNOTES\n\n00:01 --> 00:02.000\nbad\n\n00:01.000 --> 00:02.000\ngood";
        let found = cues(text);
        let skipped = found.iter().filter_map(|cue| cue.as_ref().err());
        let skipped: Vec<_> = skipped.map(|skipped| (skipped.line, skipped.is_aside)).collect();
        assert_eq!(skipped, [(3, true), (5, true), (8, false), (11, false), (13, false)]);
        assert_eq!(found.iter().flatten().map(|cue| cue.payload).collect::<Vec<_>>(), ["good"]);
    }
}
