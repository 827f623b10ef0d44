//! The text of the Word document that Microsoft Teams writes, a paragraph a line. Older ones have the times,
//! the name and the text on lines of their own, newer ones the name and the time on one. The document itself
//! is opened by [`docx`](super::super::docx).

use std::collections::HashSet;

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        labels::is_name_like,
        lines::{Line, Lines},
        markers::Mark,
        report::{Format, SpeakerSource},
        times,
    },
    FormatReader,
    otter_text::headings,
    turns::{Turns, head_matter, is_name, name_and_time},
};
use crate::error::Problem;

pub(super) struct TeamsDocx;

impl FormatReader for TeamsDocx {
    fn format(&self) -> Format {
        Format::TeamsDocx
    }

    fn name(&self) -> &'static str {
        "Teams document"
    }

    fn looks_like(&self) -> &'static str {
        "it is a Word document with `Anna Lee   0:03` or `0:0:0.0 --> 0:0:2.660` above what is said"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        if old_turns(sample.head) {
            return Confidence::new(95, "times and a name, on lines of their own, stand above what is said");
        }
        let (headings, narrow) = headings(sample.head);
        let announced = Lines::new(sample.head).any(|line| announcement(line.text).is_some());
        match (headings, announced) {
            (1.., true) => Confidence::new(95, "it says who started the transcription, and names have times"),
            (2.., false) if !narrow => Confidence::new(80, "names with a time stand above what is said"),
            _ => Confidence::new(0, "no names with a time stand above what is said"),
        }
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let turns = Turns::new(Format::TeamsDocx, limits, SpeakerSource::Headings);
        let mut reading = Reading { turns, times: None, name: None, names: HashSet::new(), first: true };
        for line in Lines::new(text) {
            reading.line(line)?;
        }
        reading.end_name()?;
        reading.turns.finish()
    }
}

/// What an older document has said so far of the turn that comes.
struct Reading<'a> {
    turns: Turns<'a>,
    /// Times below which no name was read.
    times: Option<(Line<'a>, Mark)>,
    /// A line that is a name if another follows it.
    name: Option<Line<'a>>,
    /// The names of older documents.
    names: HashSet<&'a str>,
    first: bool,
}

impl<'a> Reading<'a> {
    fn line(&mut self, line: Line<'a>) -> Result<(), Problem> {
        if line.is_blank() {
            self.turns.blank();
            return Ok(());
        }
        let first = std::mem::take(&mut self.first);
        if let Some(mark) = whole_span(line.text) {
            self.end_name()?;
            self.turns.close()?;
            self.times = Some((line, mark));
        } else if let Some(heading) = name_and_time(line.text) {
            self.end_name()?;
            self.turns.begin(line, Some(heading.name), Some(heading.mark))?;
        } else if let Some(said) =
            announcement(line.text).filter(|_| self.turns.is_fresh() || !self.turns.begun())
        {
            self.end_name()?;
            self.turns.aside(line, said)?;
        } else if self.times.is_some() {
            self.below_times(line)?;
        } else if !self.turns.begun() && (first || head_matter(line.text).is_some()) {
            self.turns.aside(line, head_matter(line.text).unwrap_or("the title of the meeting"))?;
        } else {
            self.turns.say(line, line.text)?;
        }
        Ok(())
    }

    /// The first line below times is a name, where a second follows it.
    fn below_times(&mut self, line: Line<'a>) -> Result<(), Problem> {
        let Some((at, mark)) = self.times else {
            return Ok(());
        };
        let name = self.name.take().map(|name| name.text.trim());
        if name.is_none() && is_name(line.text.trim()) {
            self.name = Some(line);
            return Ok(());
        }
        self.names.extend(name);
        self.times = None;
        self.turns.begin(at, name, Some(mark))?;
        self.turns.say(line, line.text)
    }

    /// One line alone below times is what somebody says, unless it is a name that is known.
    fn end_name(&mut self) -> Result<(), Problem> {
        let Some((at, mark)) = self.times.take() else {
            return Ok(());
        };
        let name = self.name.take();
        let known = name.filter(|line| self.names.contains(&line.text.trim()));
        self.turns.begin(at, known.map(|line| line.text.trim()), Some(mark))?;
        match name {
            Some(line) if known.is_none() => self.turns.say(line, line.text),
            _ => Ok(()),
        }
    }
}

/// Whether the times of `text` have one digit where subtitles have two, and below most of them there is a
/// name, and below that what is said.
fn old_turns(text: &str) -> bool {
    let mut lines = Lines::new(text).filter(|line| !line.is_blank()).map(|line| line.text.trim()).peekable();
    let (mut found, mut named, mut one_digit) = (0, 0, false);
    while let Some(line) = lines.next() {
        if whole_span(line).is_none() {
            continue;
        }
        found += 1;
        one_digit |= line.split([':', '.', ' ']).any(|part| part.len() == 1);
        let name = lines.next_if(|line| whole_span(line).is_none() && is_name(line) && is_name_like(line));
        let said = lines.peek().is_some_and(|line| whole_span(line).is_none());
        named += usize::from(name.is_some() && said);
    }
    one_digit && named * 2 > found
}

/// Times that are all of a line.
fn whole_span(line: &str) -> Option<Mark> {
    let span = times::lenient_span(line).filter(|span| span.rest.is_empty())?;
    Some(Mark { start: span.start, end: Some(span.end) })
}

/// Teams tells who switched the transcription on and off.
fn announcement(line: &str) -> Option<&'static str> {
    let line = line.trim();
    let who = |what: &str| line.strip_suffix(what).is_some_and(|who| who.chars().count() <= 120);
    if who(" started transcription") {
        return Some("says who started the transcription");
    }
    who(" stopped transcription").then_some("says who stopped the transcription")
}
