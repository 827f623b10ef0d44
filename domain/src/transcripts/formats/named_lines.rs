//! `Name: text` lines: plain, as Markdown, with times before the names. A line without a label goes on with
//! the turn before it, after a blank line as a new paragraph. What counts as a label, the whole text decides.

mod survey;

use std::borrow::Cow;

pub(super) use self::survey::Survey;
use super::{
    super::{
        Limits, Transcript, assemble,
        detect::{Confidence, Sample},
        export,
        labels::{self, Labelled},
        lines::{Line, Lines},
        markers::{self, Mark},
        report::{Format, SpeakerSource},
        spoken::{Piece, Source},
    },
    FormatReader,
    webvtt::squeeze,
};
use crate::error::Problem;

pub(in crate::transcripts) struct NamedLines;

impl FormatReader for NamedLines {
    fn format(&self) -> Format {
        Format::NamedLines
    }

    fn name(&self) -> &'static str {
        "`Name: text` lines"
    }

    fn looks_like(&self) -> &'static str {
        "a turn begins with the speaker's name and a colon, as in `Anna: Good morning.`"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        Survey::of(sample.head).confidence()
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        if let Some(read) = export::read(Format::NamedLines, text, limits) {
            return read;
        }
        let survey = Survey::of(text);
        let source = Source::in_order(Format::NamedLines, limits, SpeakerSource::Labels);
        let mut reading = Reading { source, survey: &survey, turn: None };
        let (mut blank, mut finished) = (true, true);
        let mut leading: Option<u32> = None;
        for line in Lines::new(text) {
            if line.is_blank() {
                blank = true;
                continue;
            }
            let label = labels::split(line.text).filter(|found| survey.accepts(found, blank || finished));
            if let Some(label) = label {
                if let (None, Some(first)) = (&reading.turn, leading.take()) {
                    reading.source.skip(first, "text before the first speaker")?;
                }
                reading.begin(line, &label)?;
            } else if reading.turn.is_none() {
                leading.get_or_insert(line.number);
            } else {
                reading.go_on(line, blank)?;
            }
            (blank, finished) = (false, assemble::is_finished(line.text.trim()));
        }
        reading.end_turn()?;
        if reading.source.log.cues_read == 0 {
            let line = leading.unwrap_or(1);
            let message = format!(
                "line {line}: no line of the file begins with a speaker's name and a colon, as in `Anna: Good \
                 morning.`; add the names or name another format"
            );
            return Err(Problem::new("MALFORMED", message).on_line(line));
        }
        assemble::transcript(reading.source)
    }
}

/// The turn that is being read.
struct Open<'a> {
    speaker: &'a str,
    text: String,
    mark: Option<Mark>,
    line: u32,
}

struct Reading<'a, 's> {
    source: Source<'a>,
    survey: &'s Survey<'a>,
    turn: Option<Open<'a>>,
}

impl<'a> Reading<'a, '_> {
    fn begin(&mut self, line: Line<'a>, found: &Labelled<'a>) -> Result<(), Problem> {
        self.end_turn()?;
        if self.survey.is_guess(found) {
            self.source.log.warning(line.number, "a label that occurs only once was taken for a speaker");
        }
        let mut open =
            Open { speaker: found.label, text: String::new(), mark: found.mark, line: line.number };
        self.append(&mut open, found.text, false);
        self.turn = Some(open);
        Ok(())
    }

    /// A line without a label: a time before it begins a turn of the same speaker at that time.
    fn go_on(&mut self, line: Line<'a>, paragraph: bool) -> Result<(), Problem> {
        let Some(mut open) = self.turn.take() else {
            return Ok(());
        };
        let said = line.text.trim();
        if is_rule(said) {
            self.turn = Some(open);
            return Ok(());
        }
        if let Some((mark, rest)) = markers::bracketed(said) {
            let speaker = open.speaker;
            if open.text.is_empty() && open.mark.is_none() {
                open.mark = Some(mark);
            } else {
                self.turn = Some(open);
                self.end_turn()?;
                open = Open { speaker, text: String::new(), mark: Some(mark), line: line.number };
            }
            self.append(&mut open, rest, false);
        } else {
            self.append(&mut open, said, paragraph);
        }
        self.turn = Some(open);
        Ok(())
    }

    fn append(&self, open: &mut Open<'_>, said: &str, paragraph: bool) {
        if !open.text.is_empty() {
            open.text.push_str(if paragraph { "\n\n" } else { " " });
        }
        if open.text.is_empty() {
            open.text.reserve_exact(said.len());
        }
        if !(self.survey.is_markdown() && said.contains('\\')) {
            return open.text.push_str(&squeeze(said));
        }
        for (at, word) in said.split_whitespace().enumerate() {
            if at > 0 {
                open.text.push(' ');
            }
            open.text.push_str(&export::unescaped(word));
        }
    }

    fn end_turn(&mut self) -> Result<(), Problem> {
        let Some(open) = self.turn.take() else {
            return Ok(());
        };
        if open.text.is_empty() {
            return self.source.skip(open.line, "nothing is said after the label");
        }
        let start = open.mark.map(|mark| mark.start);
        let end = open.mark.and_then(|mark| mark.end);
        if end < start && end.is_some() {
            self.source.log.warning(open.line, "the turn ends before it starts: its end was left out");
        }
        self.source.push(Piece {
            speaker: Some(Cow::Borrowed(open.speaker)),
            text: Cow::Owned(open.text),
            start,
            end: end.filter(|end| Some(*end) >= start),
            place: open.line.into(),
            opens: true,
            turns: true,
        })
    }
}

/// A rule of Markdown or of mail, which nobody says.
fn is_rule(line: &str) -> bool {
    line.len() >= 3 && ['-', '*', '_', '='].iter().any(|sign| line.chars().all(|c| c == *sign))
}
