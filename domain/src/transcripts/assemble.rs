//! From pieces of speech to turns: speakers are numbered, exact repeats dropped, cues that continue a
//! sentence merged into the turn they continue. Knows no format.

mod cue_labels;
mod doubts;
mod rolling;

use std::collections::HashMap;

use self::{cue_labels::Labels, doubts::Doubts};
use super::{
    Limits, Transcript, Turn, plain,
    report::{Clock, Found, Log, Place, SpeakerSource},
    spoken::{LONG_LABEL, Piece, Source, check_room},
};
use crate::{error::Problem, language};

/// A cue continues a sentence after at most this long a silence.
pub(super) const MAX_GAP_MS: u64 = 2_000;
/// A merged turn has at most this many characters.
const MAX_MERGED_CHARS: usize = 600;
/// The room of so many pieces is given back at a time.
const GIVEN_BACK: usize = 1 << 16;

/// The transcript of what a reader gathered; MALFORMED or EMPTY_TRANSCRIPT where nothing is said in it.
pub(super) fn transcript(mut source: Source<'_>) -> Result<Transcript, Problem> {
    if source.speaker_source.is_none() {
        rolling::unroll(&mut source);
        source.assembler.labels = Some(Labels::of(&source));
    }
    join(&mut source)?;
    let Source { format, mut log, mut assembler, voiced, speaker_source, wall_origin, title, .. } = source;
    assembler.end(&mut log);
    let Assembler { turns, speakers, .. } = assembler;
    if turns.is_empty() {
        return Err(nothing_said(&log));
    }
    let from_text = if voiced { SpeakerSource::VoiceTags } else { SpeakerSource::Labels };
    let found = Found {
        speaker_source: (!speakers.labels.is_empty()).then_some(speaker_source.unwrap_or(from_text)),
        speakers: speakers.labels,
        clock: match wall_origin {
            Some(origin) => Clock::Wall { origin },
            None if turns.iter().any(|turn| turn.start_ms.is_some()) => Clock::Offset,
            None => Clock::None,
        },
        duration_ms: turns.iter().filter_map(|turn| turn.end_ms).max(),
        language: language::detect(turns.iter().map(|turn| turn.text.as_str())),
    };
    let report = log.report(format, turns.len() as u32, found);
    Ok(Transcript { title, turns, report })
}

/// Makes turns of the pieces that are there, which end with a whole cue. They are taken from the end of the list turned
/// round, so that its room goes back while the turns take theirs.
pub(super) fn join(source: &mut Source<'_>) -> Result<(), Problem> {
    let Source { pieces, assembler, log, exact, limits, .. } = source;
    pieces.reverse();
    while let Some(piece) = pieces.pop() {
        assembler.cue.push(piece);
        if pieces.last().is_none_or(|next| next.opens) {
            assembler.cue(*exact, limits, log)?;
        }
        if pieces.len() >= GIVEN_BACK && pieces.len().is_multiple_of(GIVEN_BACK) {
            pieces.shrink_to_fit();
        }
    }
    Ok(())
}

fn nothing_said(log: &Log) -> Problem {
    match log.first_drop() {
        Some(note) => {
            let message = format!(
                "nothing of the transcript can be used; the first trouble is on line {}: {}. Mend the file and \
                 import it again",
                note.line, note.reason
            );
            Problem::new("MALFORMED", message).on_line(note.line)
        }
        None => Problem::new("EMPTY_TRANSCRIPT", "the transcript is empty: it holds no cue and no turn"),
    }
}

/// Makes turns, a cue at a time.
#[derive(Default)]
pub(super) struct Assembler<'a> {
    /// Where speakers may stand in the text of cues.
    labels: Option<Labels>,
    doubts: Doubts,
    turns: Vec<Turn>,
    speakers: Speakers,
    /// Cues that were merged into the last turn.
    run: Option<Run>,
    /// The cue that is taken now, and the one before it.
    cue: Vec<Piece<'a>>,
    previous: Vec<Piece<'a>>,
    /// Voices of all cues so far.
    voices: usize,
}

struct Run {
    place: Place,
    count: u32,
}

impl Assembler<'_> {
    fn cue(&mut self, exact: bool, limits: &Limits, log: &mut Log) -> Result<(), Problem> {
        let place = self.cue[0].place;
        if let Some(labels) = &mut self.labels {
            labels.resolve(&mut self.cue, log);
        }
        self.voices += self.cue.len();
        check_room(limits, self.voices.saturating_sub(1), place.line)?;
        if self.cue.is_empty() {
            log.dropped(place, "nothing is said after the label");
            return Ok(());
        }
        if !exact {
            self.cue.iter().for_each(|piece| self.doubts.hear(piece, log));
        }
        self.cue.iter_mut().for_each(|piece| normalise(piece, log));
        self.cue.retain(|piece| !piece.text.is_empty());
        if self.cue.is_empty() {
            log.dropped(place, "there is nothing but control characters");
        } else if !exact && is_repeat(&self.cue, &self.previous) {
            log.dropped(place, "the cue repeats the one before it");
        } else {
            log.cues_split += self.cue.len() as u32 - 1;
            for at in 0..self.cue.len() {
                self.piece(at, log);
            }
        }
        std::mem::swap(&mut self.cue, &mut self.previous);
        self.cue.clear();
        Ok(())
    }

    /// Goes on with the last turn or begins one.
    fn piece(&mut self, at: usize, log: &mut Log) {
        let piece = &self.cue[at];
        let speaker = piece.speaker.as_deref().map(|label| self.speakers.number(label));
        match self.turns.last_mut() {
            Some(turn) if turn.speaker == speaker && continues(turn, piece) => {
                turn.text.reserve_exact(1 + piece.text.len());
                turn.text.push(' ');
                turn.text.push_str(&piece.text);
                turn.end_ms = turn.end_ms.max(piece.end);
                let run = self.run.get_or_insert(Run { place: piece.place, count: 0 });
                run.place = run.place.to(piece.place);
                run.count += 1;
            }
            _ => {
                let turn = Turn {
                    speaker,
                    text: piece.text.clone().into_owned(),
                    start_ms: piece.start,
                    end_ms: piece.end,
                    line: piece.place.line,
                };
                self.end_run(log);
                self.turns.push(turn);
            }
        }
    }

    fn end(&mut self, log: &mut Log) {
        self.doubts.end(log);
        self.end_run(log);
    }

    fn end_run(&mut self, log: &mut Log) {
        let (Some(run), Some(turn)) = (self.run.take(), self.turns.last()) else {
            return;
        };
        let (begun, last) = (turn.line, run.place.end_line);
        match run.count {
            1 => log.merged(run.place, 1, format_args!("continues the sentence that begins on line {begun}")),
            count => log.merged(
                run.place,
                count,
                format_args!("{count} cues up to line {last} continue what begins on line {begun}"),
            ),
        }
    }
}

/// Brings text and label into their one form. Control characters go: no store or screen can do anything with them.
fn normalise(piece: &mut Piece<'_>, log: &mut Log) {
    if let Some(label) = piece.speaker.take() {
        let (label, is_cut) = plain::label(label);
        if is_cut {
            log.warning(piece.place, LONG_LABEL);
        }
        piece.speaker = Some(label).filter(|label| !label.is_empty());
    }
    if plain::is_normal(&piece.text) {
        return;
    }
    let text = std::mem::take(&mut piece.text);
    let hidden = text.contains(plain::is_hidden);
    piece.text = plain::normal(text);
    if hidden {
        log.warning(piece.place, "control characters were left out");
    }
}

/// Labels, each with its number in the order of first speaking.
#[derive(Default)]
struct Speakers {
    labels: Vec<String>,
    numbers: HashMap<String, usize>,
    /// Who spoke last, and mostly speaks on.
    last: Option<usize>,
}

impl Speakers {
    fn number(&mut self, label: &str) -> usize {
        if let Some(last) = self.last.filter(|last| self.labels[*last] == label) {
            return last;
        }
        let number = self.numbered(label);
        self.last = Some(number);
        number
    }

    fn numbered(&mut self, label: &str) -> usize {
        if let Some(number) = self.numbers.get(label) {
            return *number;
        }
        let number = self.labels.len();
        self.labels.push(label.to_owned());
        self.numbers.insert(label.to_owned(), number);
        number
    }
}

/// Only a timed cue can be an accident of the exporter; people do say the same thing twice.
fn is_repeat(cue: &[Piece<'_>], previous: &[Piece<'_>]) -> bool {
    cue.len() == previous.len()
        && cue.iter().zip(previous).all(|(piece, before)| {
            piece.start.is_some()
                && (piece.start, piece.end) == (before.start, before.end)
                && piece.speaker == before.speaker
                && piece.text == before.text
        })
}

/// Whether `piece`, by the turn's speaker, goes on with the turn's sentence.
fn continues(turn: &Turn, piece: &Piece<'_>) -> bool {
    let (Some(began), Some(ended), Some(start), Some(_)) =
        (turn.start_ms, turn.end_ms, piece.start, piece.end)
    else {
        return false;
    };
    !piece.turns
        && start >= began
        && start.since(ended) <= MAX_GAP_MS
        && !is_finished(&turn.text)
        && !is_aside(&turn.text)
        && !is_aside(&piece.text)
        && fits(&turn.text, &piece.text)
}

/// Whether a sentence ends at the end of `text`.
pub(super) fn is_finished(text: &str) -> bool {
    let closing = ['"', '\'', '”', '’', '»', '«', '“', ')', ']', '}', '」', '』'];
    text.trim_end_matches(closing).ends_with(['.', '?', '!', '…', '。', '？', '！', '؟', '।'])
}

/// `[Music]`, `(laughs)`, `♪ la la ♪`: no part of a sentence.
fn is_aside(text: &str) -> bool {
    [('[', ']'), ('(', ')'), ('♪', '♪')]
        .iter()
        .any(|(open, close)| text.starts_with(*open) && text.ends_with(*close))
}

fn fits(text: &str, more: &str) -> bool {
    let bytes = text.len() + 1 + more.len();
    bytes <= MAX_MERGED_CHARS || text.chars().chain(more.chars()).count() < MAX_MERGED_CHARS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_finished_by_its_mark_and_what_closes_after_it() {
        for text in ["Yes.", "Yes?\"", "(Well…)", "“No!”", "はい。"] {
            assert!(is_finished(text), "{text}");
        }
        for text in ["and then", "so,", "we said \"no\"", "—", ""] {
            assert!(!is_finished(text), "{text}");
        }
    }

    #[test]
    fn a_merged_turn_has_a_greatest_length() {
        assert!(fits(&"ä".repeat(300), &"ä".repeat(299)));
        assert!(!fits(&"ä".repeat(300), &"ä".repeat(300)));
        assert!(!fits(&"a".repeat(300), &"a".repeat(300)));
    }
}
