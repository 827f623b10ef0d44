//! From elements of a document to pieces of speech, each with its place in the source. What is wrong with an element
//! is told with its lines and bytes; speech without a time that can be trusted stays without one.

use std::borrow::Cow;

use super::{
    super::{
        Limits, Transcript, assemble,
        lines::breaks,
        plain::squeezed,
        report::{Format, Place, SpeakerSource},
        spoken::{Piece, Source},
        times,
    },
    Document, Kind, Value, malformed,
};
use crate::{error::Problem, time::Millis};

/// What the numbers of a format's times count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transcripts) enum Unit {
    Seconds,
    Millis,
}

/// An element in which somebody says something.
#[derive(Debug, Clone)]
pub(in crate::transcripts) struct Said<'a> {
    pub(in crate::transcripts) element: Value<'a>,
    pub(in crate::transcripts) text: Option<Value<'a>>,
    pub(in crate::transcripts) speaker: Option<Cow<'a, str>>,
    pub(in crate::transcripts) start: Option<Value<'a>>,
    pub(in crate::transcripts) end: Option<Value<'a>>,
    pub(in crate::transcripts) unit: Unit,
    /// The source marks it as the word of somebody else than before.
    pub(in crate::transcripts) turns: bool,
}

/// No recording is as long, in milliseconds: ten thousand hours.
pub(in crate::transcripts) const MAX_MILLIS: u64 = 36_000_000_000;

const MAX_LABEL_CHARS: usize = 200;

pub(in crate::transcripts) const BACKWARDS: &str = "it ends before it starts: its end was left out";

pub(in crate::transcripts) struct Reading<'a> {
    pub(in crate::transcripts) source: Source<'a>,
    pub(in crate::transcripts) max_text_bytes: usize,
    pub(in crate::transcripts) text: &'a str,
    max_cues: usize,
    /// An offset in the text and its line.
    at: (usize, u32),
}

impl<'a> Reading<'a> {
    pub(in crate::transcripts) fn new(document: &'a Document<'a>, format: Format, limits: &Limits) -> Self {
        let mut source = Source::new(format, limits);
        // Who speaks is told by fields, so that no `Name:` is looked for in what is said.
        source.voiced = true;
        source.speaker_source = Some(SpeakerSource::Fields);
        let (max_text_bytes, max_cues) = (limits.max_line_bytes, limits.max_cues);
        Self { source, max_text_bytes, max_cues, text: document.text(), at: (0, 1) }
    }

    /// Counts from where it counted last: elements are read in their order, or nearly so.
    fn line(&mut self, offset: usize) -> u32 {
        let (at, line) = self.at;
        let line = match offset >= at {
            true => line.saturating_add(breaks(&self.text[at..offset])),
            false => line.saturating_sub(breaks(&self.text[offset..at])),
        };
        self.at = (offset, line);
        line
    }

    pub(in crate::transcripts) fn place(&mut self, value: Value<'_>) -> Place {
        let (start, end) = (value.start(), value.end());
        let line = self.line(start);
        Place::lines(line, self.line(end)).with_bytes(start, end)
    }

    /// Values of an element, which is told where it holds one of the keys twice.
    pub(in crate::transcripts) fn pick<const N: usize>(
        &mut self,
        element: Value<'a>,
        keys: [&str; N],
    ) -> [Option<Value<'a>>; N] {
        let picked = element.pick(keys);
        if picked.twice {
            let place = self.place(element);
            self.source.log.warning(place, "a key stands twice: the last one counts");
        }
        picked.values
    }

    /// Takes an element as a piece of speech; `false` where it had to be dropped.
    pub(in crate::transcripts) fn say(&mut self, said: Said<'a>) -> Result<bool, Problem> {
        let place = self.place(said.element);
        let Some(text) = self.text(place, said.text)? else {
            return Ok(false);
        };
        let start = self.time(place, said.start, said.unit);
        let end = self.time(place, said.end, said.unit);
        let end = self.not_before(place, start, end);
        let turns = said.turns;
        self.source.push(Piece { speaker: said.speaker, text, start, end, place, opens: true, turns })?;
        Ok(true)
    }

    /// Takes a text that is all there is: nobody says when anything of it was said. Nothing was, where it is empty.
    pub(in crate::transcripts) fn say_alone(
        &mut self,
        text: Value<'a>,
        speaker: Option<Cow<'a, str>>,
    ) -> Result<(), Problem> {
        if text.text().is_some_and(|text| text.text.trim().is_empty()) {
            return Ok(());
        }
        let (start, end, unit) = (None, None, Unit::Seconds);
        self.say(Said { element: text, text: Some(text), speaker, start, end, unit, turns: false }).map(drop)
    }

    /// What is said, in one line. `None` where there is nothing of it, and the element at `place` is dropped.
    pub(in crate::transcripts) fn text(
        &mut self,
        place: Place,
        value: Option<Value<'a>>,
    ) -> Result<Option<Cow<'a, str>>, Problem> {
        let Some(value) = value else {
            return self.source.skip(place, "it has no text").map(|()| None);
        };
        let Some(text) = value.text() else {
            return self.source.skip(place, "its text is no text").map(|()| None);
        };
        if text.text.len() > self.max_text_bytes {
            return Err(self.too_long(place, text.text.len()));
        }
        let squeezed = squeezed(text.text);
        if squeezed.is_empty() {
            return self.source.skip(place, "it has no text").map(|()| None);
        }
        if text.mended {
            self.source.log.warning(place, "an escape in the text stands for no character");
        }
        Ok(Some(squeezed))
    }

    fn too_long(&self, place: Place, bytes: usize) -> Problem {
        let message = format!(
            "line {}: the text of one element has {bytes} bytes and at most {} are taken: give its parts their own \
             times",
            place.line, self.max_text_bytes
        );
        Problem::new("LINE_TOO_LONG", message).on_line(place.line)
    }

    /// Who speaks, as the source has it.
    pub(in crate::transcripts) fn label(
        &mut self,
        place: Place,
        value: Option<Value<'a>>,
    ) -> Option<Cow<'a, str>> {
        let value = value?;
        let label = match value.kind() {
            Kind::Text => {
                let text = value.text()?;
                if text.mended {
                    self.source
                        .log
                        .warning(place, "an escape in the speaker's label stands for no character");
                }
                squeezed(text.text)
            }
            Kind::Scalar => Cow::Borrowed(value.raw()),
            _ => {
                self.source.log.warning(place, "the speaker cannot be read and was left out");
                return None;
            }
        };
        match label.char_indices().nth(MAX_LABEL_CHARS) {
            Some((end, _)) => {
                self.source.log.warning(place, "a speaker's label is too long and was cut");
                Some(Cow::Owned(label[..end].trim_end().to_owned()))
            }
            None => (!label.is_empty()).then_some(label),
        }
    }

    /// `None` where the source does not say, or says nonsense, which is told.
    pub(in crate::transcripts) fn time(
        &mut self,
        place: Place,
        value: Option<Value<'a>>,
        unit: Unit,
    ) -> Option<Millis> {
        match read_time(value?, unit) {
            Ok(time) => Some(time),
            Err(reason) => {
                self.source.log.warning(place, reason);
                None
            }
        }
    }

    pub(in crate::transcripts) fn not_before(
        &mut self,
        place: Place,
        start: Option<Millis>,
        end: Option<Millis>,
    ) -> Option<Millis> {
        let backwards = end.is_some() && end < start;
        if backwards {
            self.source.log.warning(place, BACKWARDS);
        }
        end.filter(|_| !backwards)
    }

    /// The pieces by their start; one without stays behind the piece before it. Tells of those that stood elsewhere.
    pub(in crate::transcripts) fn sort(&mut self, told: Option<&'static str>) {
        let pieces = std::mem::take(&mut self.source.pieces);
        let mut latest = None;
        let mut keyed = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let key = piece.start.or(latest);
            if let Some(reason) = told.filter(|_| key < latest) {
                self.source.log.warning(piece.place, reason);
            }
            latest = key;
            keyed.push((key, piece));
        }
        keyed.sort_by_key(|(key, _)| *key);
        self.source.pieces = keyed.into_iter().map(|(_, piece)| piece).collect();
    }

    pub(in crate::transcripts) fn transcript(self) -> Result<Transcript, Problem> {
        assemble::transcript(self.source)
    }

    /// The refusal of a document that has nothing a format needs.
    pub(in crate::transcripts) fn lacks(&self, what: &str) -> Problem {
        malformed(self.text, 0, &format!("the document has no {what}; name another format"))
    }

    /// Whether one more element can be kept beside `taken`.
    pub(in crate::transcripts) fn check_room(
        &mut self,
        taken: usize,
        element: Value<'_>,
    ) -> Result<(), Problem> {
        if taken < self.max_cues {
            return Ok(());
        }
        let line = self.line(element.start());
        self.source.check_room(taken, line)
    }
}

fn read_time(value: Value<'_>, unit: Unit) -> Result<Millis, &'static str> {
    const UNREADABLE: &str = "a time cannot be read: it was left out";
    const ABSURD: &str = "a time is beyond ten thousand hours: it was left out";
    let millis = match value.number() {
        Some(number) if number.is_nan() => return Err(UNREADABLE),
        Some(number) if number < 0.0 => return Err("a time is negative: it was left out"),
        Some(number) => number * if unit == Unit::Seconds { 1000.0 } else { 1.0 },
        None => {
            let text = value.text().ok_or(UNREADABLE)?.text;
            match times::lenient(text.trim()) {
                Some((time, "")) => time.0 as f64,
                _ => return Err(UNREADABLE),
            }
        }
    };
    if millis > MAX_MILLIS as f64 { Err(ABSURD) } else { Ok(Millis(millis.round() as u64)) }
}

/// A bare number is no name: `0` is `Speaker 0`.
pub(in crate::transcripts) fn numbered(label: Cow<'_, str>) -> Cow<'_, str> {
    match label.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Cow::Owned(format!("Speaker {label}")),
        false => label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(raw: &str, unit: Unit) -> Option<u64> {
        let text = format!("[{raw}]");
        let document = Document::read(&text, &Limits::default()).expect("a document");
        let value = document.only().expect("one").items().next().expect("an element");
        read_time(value, unit).ok().map(|time| time.0)
    }

    #[test]
    fn times_are_numbers_or_texts_in_their_unit() {
        for (raw, unit, expected) in [
            ("1.5", Unit::Seconds, Some(1500)),
            ("\"1.5\"", Unit::Seconds, Some(1500)),
            ("1500", Unit::Millis, Some(1500)),
            ("-0.0", Unit::Seconds, Some(0)),
            ("0.0004", Unit::Seconds, Some(0)),
            ("\"00:12\"", Unit::Millis, Some(12_000)),
            ("\"00:00:01,250\"", Unit::Seconds, Some(1250)),
            ("36000000", Unit::Seconds, Some(MAX_MILLIS)),
            ("36000001", Unit::Seconds, None),
            ("1e400", Unit::Millis, None),
            ("-1", Unit::Seconds, None),
            ("NaN", Unit::Seconds, None),
            ("\"\"", Unit::Seconds, None),
            ("\"00:12 pm\"", Unit::Seconds, None),
            ("true", Unit::Seconds, None),
            ("[1]", Unit::Seconds, None),
        ] {
            assert_eq!(time(raw, unit), expected, "{raw}");
        }
    }

    #[test]
    fn lines_are_counted_forth_and_back() {
        let text = "{\n\"a\": [\r\n1,\r2]}";
        let document = Document::read(text, &Limits::default()).expect("a document");
        let mut reading = Reading::new(&document, Format::WhisperJson, &Limits::default());
        let document = document.only().expect("one");
        let items: Vec<_> = document.get("a").expect("a list").items().collect();
        let lines: Vec<_> = [items[1], items[0], items[1], document]
            .map(|value| reading.place(value))
            .map(|place| (place.line, place.end_line))
            .to_vec();
        assert_eq!(lines, [(4, 4), (3, 3), (4, 4), (1, 4)]);
    }
}
