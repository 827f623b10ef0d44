//! The document that Google Meet writes, as text or Markdown: a head with the attendees or with notes, turns as
//! `Name: text` that may be cut into paragraphs, and now and then a time on a line of its own, which holds
//! for the turn that follows it and for no other.

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        labels::{self, Labelled},
        lines::{Line, Lines},
        markers::{self, Mark},
        report::{Format, SpeakerSource},
    },
    FormatReader,
    named_lines::Survey,
    otter_text::tail,
    turns::{Turns, head_matter},
};
use crate::error::Problem;

pub(super) struct MeetText;

impl FormatReader for MeetText {
    fn format(&self) -> Format {
        Format::MeetText
    }

    fn name(&self) -> &'static str {
        "Google Meet document"
    }

    fn looks_like(&self) -> &'static str {
        "a turn begins with the speaker's name and a colon, and times like 00:05:00 stand on lines of their own"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let labelled = Lines::new(sample.head).filter(|line| labels::split(line.text).is_some()).count();
        let framed = Lines::new(sample.head)
            .chain(Lines::new(tail(sample.text)))
            .any(|line| frame(line.text).is_some());
        let headed = Lines::new(sample.head).any(|line| is_list_heading(line.text))
            && Lines::new(sample.head).any(|line| is_transcript_heading(line.text));
        let timed = Lines::new(sample.head).any(|line| marker(line.text).is_some());
        match labelled {
            0 => Confidence::new(0, "no line begins with a name and a colon"),
            _ if framed => Confidence::new(95, "it says of itself what Google Meet's documents say"),
            _ if headed => Confidence::new(92, "attendees are listed above a transcript"),
            2.. if timed => Confidence::new(75, "times on lines of their own stand between turns"),
            _ => Confidence::new(0, "no list of attendees, no times between the turns"),
        }
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let survey = Survey::of(text);
        let turns = Turns::new(Format::MeetText, limits, SpeakerSource::Labels);
        let begins = begins(text);
        let mut reading = Reading { turns, survey, begins, mark: None, list: false, first: true };
        for line in Lines::new(text) {
            reading.line(line)?;
        }
        reading.end_mark()?;
        reading.turns.finish()
    }
}

struct Reading<'a> {
    turns: Turns<'a>,
    survey: Survey<'a>,
    /// The line above which nothing is said.
    begins: u32,
    /// A time that waits for its turn.
    mark: Option<(Line<'a>, Mark)>,
    /// Within the list of attendees.
    list: bool,
    first: bool,
}

impl<'a> Reading<'a> {
    fn line(&mut self, line: Line<'a>) -> Result<(), Problem> {
        if line.is_blank() {
            self.turns.blank();
            return Ok(());
        }
        let first = std::mem::take(&mut self.first);
        if let Some(mark) = marker(line.text) {
            self.end_mark()?;
            self.list = false;
            self.mark = Some((line, mark));
        } else if let Some(reason) = frame(line.text) {
            self.turns.aside(line, reason)?;
        } else if !self.turns.begun() && self.above(line, first)? {
            return Ok(());
        } else {
            self.said(line)?;
        }
        Ok(())
    }

    /// Whether the line belongs to what stands above the transcript.
    fn above(&mut self, line: Line<'a>, first: bool) -> Result<bool, Problem> {
        let reason = if is_transcript_heading(line.text) {
            self.list = false;
            "a heading"
        } else if is_list_heading(line.text) {
            self.list = true;
            "a heading"
        } else if self.list && !self.is_turn(line) {
            "the list of attendees"
        } else if let Some(reason) = head_matter(line.text).filter(|_| !self.is_turn(line)) {
            reason
        } else if first && !self.is_turn(line) {
            "the title of the document"
        } else {
            return Ok(false);
        };
        self.turns.aside(line, reason)?;
        Ok(true)
    }

    fn is_turn(&self, line: Line<'a>) -> bool {
        self.label(line).is_some()
    }

    /// A document breaks no sentence into lines, so that a name may stand at the head of each.
    fn label(&self, line: Line<'a>) -> Option<Labelled<'a>> {
        let found = labels::split(line.text).filter(|_| line.number > self.begins)?;
        self.survey.accepts(&found, true).then_some(found)
    }

    fn said(&mut self, line: Line<'a>) -> Result<(), Problem> {
        let waiting = self.mark.take().map(|(_, mark)| mark);
        match self.label(line) {
            Some(found) => {
                self.turns.begin(line, Some(found.label), found.mark.or(waiting))?;
                self.turns.say(line, found.text)
            }
            None => {
                match waiting {
                    Some(mark) if self.turns.begun() => self.turns.go_on(line, mark)?,
                    _ => {}
                }
                self.turns.say(line, line.text)
            }
        }
    }

    /// A time below which nothing stands says that nothing was said.
    fn end_mark(&mut self) -> Result<(), Problem> {
        match self.mark.take() {
            Some((line, _)) => self.turns.aside(line, "a time that no turn follows"),
            None => Ok(()),
        }
    }
}

/// The line of the heading `Transcript` above the first time: what is above it, are notes. 0 without one.
fn begins(text: &str) -> u32 {
    let head = Lines::new(text).take_while(|line| marker(line.text).is_none());
    let named = Lines::new(text).any(|line| marker(line.text).is_some() || frame(line.text).is_some());
    let heading =
        head.filter(|_| named).find(|line| matches!(plain(line.text), "Transcript" | "📖 Transcript"));
    heading.map_or(0, |line| line.number)
}

/// A line without the signs of a Markdown heading and of emphasis.
fn plain(line: &str) -> &str {
    line.trim().trim_start_matches('#').trim().trim_matches('*').trim()
}

/// `00:05:00` and nothing else.
fn marker(line: &str) -> Option<Mark> {
    let line = plain(line);
    if !line.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let (mark, "") = markers::bare(line)? else {
        return None;
    };
    (mark.end.is_none() && line.bytes().filter(|byte| *byte == b':').count() == 2).then_some(mark)
}

/// What Meet says of the document itself.
fn frame(line: &str) -> Option<&'static str> {
    let line = plain(line);
    if line.starts_with("This editable transcript was computer generated")
        || line.starts_with("People can also change the text")
    {
        return Some("the exporter's own words");
    }
    let starts = ["Transcription ended after ", "Meeting ended after ", "Transcript ended after "];
    let rest = starts.iter().find_map(|start| line.strip_prefix(start))?;
    let time = rest.starts_with(|first: char| first.is_ascii_digit()) && rest.len() <= 40;
    time.then_some("says when the transcription ended")
}

fn is_list_heading(line: &str) -> bool {
    let line = plain(line).trim_end_matches(':');
    matches!(line, "Attendees" | "Invited" | "Attachments" | "Invited Attendees")
}

/// `Transcript`, `Weekly talk (2024-05-12 at 14:00 GMT+2) - Transcript`
fn is_transcript_heading(line: &str) -> bool {
    let line = plain(line);
    line == "Transcript" || line == "📖 Transcript" || (line.len() <= 300 && line.ends_with(" - Transcript"))
}
