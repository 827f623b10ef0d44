//! From pieces of speech to turns: speakers are numbered, exact repeats dropped, cues that continue a
//! sentence merged into the turn they continue. Knows no format.

mod cue_labels;
mod doubts;
mod rolling;

use std::collections::HashMap;

use super::{
    Transcript, Turn, plain,
    report::{Clock, Found, Log, Place, SpeakerSource},
    spoken::{LONG_LABEL, Piece, Source},
};
use crate::{error::Problem, language};

/// A cue continues a sentence after at most this long a silence.
pub(super) const MAX_GAP_MS: u64 = 2_000;
/// A merged turn has at most this many characters.
const MAX_MERGED_CHARS: usize = 600;

/// The transcript of what a reader gathered; MALFORMED or EMPTY_TRANSCRIPT where nothing is said in it.
pub(super) fn transcript(mut source: Source<'_>) -> Result<Transcript, Problem> {
    if source.speaker_source.is_none() {
        rolling::unroll(&mut source);
        cue_labels::resolve(&mut source)?;
    }
    if !source.exact {
        doubts::tell(&source.pieces, &mut source.log);
    }
    normalise(&mut source);
    let Source { format, log, pieces, voiced, speaker_source, wall_origin, exact, title, .. } = source;
    let mut assembler = Assembler { exact, turns: Vec::new(), speakers: Speakers::default(), run: None, log };
    let mut previous: &[Piece<'_>] = &[];
    for cue in pieces.chunk_by(|_, next| !next.opens) {
        assembler.cue(cue, previous);
        previous = cue;
    }
    assembler.end_run();
    let Assembler { turns, speakers, log, .. } = assembler;
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

/// Brings texts and labels into their one form. Control characters go: no store or screen can do anything with
/// them.
fn normalise(source: &mut Source<'_>) {
    let Source { pieces, log, .. } = source;
    for piece in pieces.iter_mut() {
        if let Some(label) = piece.speaker.take() {
            let (label, is_cut) = plain::label(label);
            if is_cut {
                log.warning(piece.place, LONG_LABEL);
            }
            piece.speaker = Some(label).filter(|label| !label.is_empty());
        }
        let text = std::mem::take(&mut piece.text);
        let hidden = !plain::is_normal(&text) && text.contains(plain::is_hidden);
        piece.text = plain::normal(text);
        if hidden {
            log.warning(piece.place, "control characters were left out");
        }
    }
    if pieces.iter().all(|piece| !piece.text.is_empty()) {
        return;
    }
    let mut unsaid = None;
    let mut kept: Vec<Piece<'_>> = Vec::with_capacity(pieces.len());
    for mut piece in pieces.drain(..) {
        if piece.opens
            && let Some(place) = unsaid.take()
        {
            log.dropped(place, UNSAID);
        }
        if !piece.text.is_empty() {
            piece.opens |= unsaid.take().is_some();
            kept.push(piece);
        } else if piece.opens {
            unsaid = Some(piece.place);
        }
    }
    if let Some(place) = unsaid {
        log.dropped(place, UNSAID);
    }
    *pieces = kept;
}

const UNSAID: &str = "there is nothing but control characters";

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

struct Assembler {
    exact: bool,
    turns: Vec<Turn>,
    speakers: Speakers,
    /// Cues that were merged into the last turn.
    run: Option<Run>,
    log: Log,
}

struct Run {
    place: Place,
    count: u32,
}

impl Assembler {
    fn cue(&mut self, cue: &[Piece<'_>], previous: &[Piece<'_>]) {
        if !self.exact && is_repeat(cue, previous) {
            self.log.dropped(cue[0].place, "the cue repeats the one before it");
            return;
        }
        self.log.cues_split += cue.len() as u32 - 1;
        for piece in cue {
            let speaker = piece.speaker.as_deref().map(|label| self.speakers.number(label));
            match self.turns.last_mut() {
                Some(turn) if turn.speaker == speaker && continues(turn, piece) => {
                    turn.text.push(' ');
                    turn.text.push_str(&piece.text);
                    turn.end_ms = turn.end_ms.max(piece.end);
                    let run = self.run.get_or_insert(Run { place: piece.place, count: 0 });
                    run.place = run.place.to(piece.place);
                    run.count += 1;
                }
                _ => {
                    self.end_run();
                    self.turns.push(Turn {
                        speaker,
                        text: piece.text.clone().into_owned(),
                        start_ms: piece.start,
                        end_ms: piece.end,
                        line: piece.place.line,
                    });
                }
            }
        }
    }

    fn end_run(&mut self) {
        let (Some(run), Some(turn)) = (self.run.take(), self.turns.last()) else {
            return;
        };
        let reason = match run.count {
            1 => format!("continues the sentence that begins on line {}", turn.line),
            n => format!(
                "{n} cues up to line {} continue what begins on line {}",
                run.place.end_line, turn.line
            ),
        };
        self.log.merged(run.place, run.count, reason);
    }
}

/// Labels, each with its number in the order of first speaking.
#[derive(Default)]
struct Speakers {
    labels: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Speakers {
    fn number(&mut self, label: &str) -> usize {
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
