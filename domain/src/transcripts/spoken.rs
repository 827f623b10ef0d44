//! What is said in a source, piece by piece, on its way from a reader to [`assemble`].

use std::borrow::Cow;

use super::{
    Limits,
    assemble::{self, Assembler},
    formats::webvtt::text::{Voice, voices},
    report::{Format, Log, Place, SpeakerSource},
};
use crate::{error::Problem, time::Millis};

pub(super) const LONG_LABEL: &str = "a speaker's label is too long and was cut";

/// What one speaker says in one cue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) speaker: Option<Cow<'a, str>>,
    /// With the source's line ends until the labels in it are found.
    pub(super) text: Cow<'a, str>,
    pub(super) start: Option<Millis>,
    pub(super) end: Option<Millis>,
    pub(super) place: Place,
    /// Begins a cue; the following pieces without it are other voices of the same cue.
    pub(super) opens: bool,
    /// The source marks it as the word of somebody else than before.
    pub(super) turns: bool,
}

/// A cue as the subtitle formats have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cue<'a> {
    pub(super) start: Millis,
    pub(super) end: Millis,
    pub(super) line: u32,
    pub(super) text_line: u32,
    pub(super) payload: &'a str,
}

/// All that a reader gathers.
pub(super) struct Source<'a> {
    pub(super) format: Format,
    pub(super) log: Log,
    pub(super) pieces: Vec<Piece<'a>>,
    /// Whether the markup itself names speakers.
    pub(super) voiced: bool,
    /// How the pieces' speakers were found, where voices and labels in the text of cues are not meant.
    pub(super) speaker_source: Option<SpeakerSource>,
    /// What the times are counted from, where it is the clock on the wall: as the source writes it.
    pub(super) wall_origin: Option<String>,
    /// An export of ours, which is read to the letter: nothing is joined, dropped or guessed.
    pub(super) exact: bool,
    pub(super) title: Option<String>,
    pub(super) limits: Limits,
    pub(super) assembler: Assembler<'a>,
    in_order: bool,
    voices: Vec<Voice<'a>>,
}

/// So many pieces of a reader that never looks back are kept before turns are made of them.
const BATCH: usize = 1_024;

impl<'a> Source<'a> {
    pub(super) fn new(format: Format, limits: &Limits) -> Self {
        Self {
            format,
            log: Log::default(),
            pieces: Vec::new(),
            voiced: false,
            speaker_source: None,
            wall_origin: None,
            exact: false,
            title: None,
            limits: limits.clone(),
            assembler: Assembler::default(),
            in_order: false,
            voices: Vec::new(),
        }
    }

    /// Of a reader that knows where speakers are named and never looks back at what it has pushed, so that turns can be
    /// made of it meanwhile.
    pub(super) fn in_order(format: Format, limits: &Limits, found: SpeakerSource) -> Self {
        Self { speaker_source: Some(found), in_order: true, ..Self::new(format, limits) }
    }

    /// Takes a cue's text apart into its voices.
    pub(super) fn add(&mut self, cue: Cue<'a>) -> Result<(), Problem> {
        self.count(cue.line)?;
        if cue.payload.len() > self.limits.max_line_bytes {
            let message = format!(
                "line {}: the text of one cue has {} bytes and at most {} are taken: give its parts their own times",
                cue.line,
                cue.payload.len(),
                self.limits.max_line_bytes
            );
            return Err(Problem::new("LINE_TOO_LONG", message).on_line(cue.line));
        }
        let odd = voices(cue.payload, &mut self.voices);
        if odd.unclosed_tag {
            self.log.warning(cue.line, "a < that begins no complete tag was kept as text");
        }
        if odd.long_label {
            self.log.warning(cue.line, LONG_LABEL);
        }
        if odd.unknown_tag {
            self.log.warning(cue.line, "a tag that is not known was left out");
        }
        if self.voices.is_empty() {
            self.log.dropped(cue.line, "the cue has no text");
            return Ok(());
        }
        let end = (cue.end >= cue.start).then_some(cue.end);
        if end.is_none() {
            self.log.warning(cue.line, "the cue ends before it starts: its end was left out");
        }
        self.check_room((self.pieces.len() + self.voices.len()).saturating_sub(1), cue.line)?;
        let mut opens = true;
        for voice in self.voices.drain(..) {
            self.voiced |= voice.speaker.is_some();
            self.pieces.push(Piece {
                speaker: voice.speaker,
                text: voice.text,
                start: Some(cue.start),
                end,
                place: (cue.text_line + voice.lines_before).into(),
                opens,
                turns: false,
            });
            opens = false;
        }
        Ok(())
    }

    /// Takes a turn of a format that knows no cues.
    pub(super) fn push(&mut self, piece: Piece<'a>) -> Result<(), Problem> {
        self.count(piece.place.line)?;
        self.pieces.push(piece);
        if self.in_order && self.pieces.len() >= BATCH {
            assemble::join(self)?;
        }
        Ok(())
    }

    /// Leaves out what ought to be a cue.
    pub(super) fn skip(
        &mut self,
        place: impl Into<Place>,
        reason: impl Into<Cow<'static, str>>,
    ) -> Result<(), Problem> {
        let place = place.into();
        self.count(place.line)?;
        self.log.dropped(place, reason);
        Ok(())
    }

    fn count(&mut self, line: u32) -> Result<(), Problem> {
        self.check_room(self.log.cues_read as usize, line)?;
        self.log.cues_read += 1;
        Ok(())
    }

    /// Whether one more cue or voice can be taken beside `taken`.
    pub(super) fn check_room(&self, taken: usize, line: u32) -> Result<(), Problem> {
        check_room(&self.limits, taken, line)
    }
}

pub(super) fn check_room(limits: &Limits, taken: usize, line: u32) -> Result<(), Problem> {
    if taken < limits.max_cues {
        return Ok(());
    }
    let message = format!(
        "line {line}: there are more than {} cues or voices, which is the most that is taken: split the transcript",
        limits.max_cues
    );
    Err(Problem::new("TOO_MANY_CUES", message).on_line(line))
}
