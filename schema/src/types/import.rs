//! What an import made of a source.

use async_graphql::{Enum, SimpleObject};
use colloquy_domain::{conversations::import, transcripts::report};

use super::{NoteAction, SpeakerSource, TranscriptFormat, int, ms};

/// What the times of a source are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum Clock {
    /// There are none.
    None,
    /// They run from the beginning of the recording.
    Offset,
    /// They are of the clock on the wall; those of segments count from `clockOrigin`.
    Wall,
}

/// What became of a source, in numbers and line by line.
#[derive(SimpleObject)]
pub(crate) struct ImportReport {
    format: TranscriptFormat,
    /// How sure the format is, from 0 to 100; null where it was named.
    format_confidence: Option<u8>,
    /// What speaks for the format.
    format_reason: Option<String>,
    /// The character encoding, as the web's standards name it; null in reports of older imports.
    encoding: Option<String>,
    /// Cues, or turns where the format knows no cues, that the source holds.
    cues_read: u32,
    /// Segments that were made of them.
    segments: u32,
    cues_dropped: u32,
    cues_merged: u32,
    /// Further voices of cues with several: each is a segment of its own.
    cues_split: u32,
    /// Labels in the order of first speaking.
    speakers: Vec<String>,
    /// How the speakers were found; null where nobody is named.
    speaker_source: Option<SpeakerSource>,
    /// What the times of the source are; null in reports of older imports.
    clock: Option<Clock>,
    /// What the times are counted from where `clock` is WALL, as the source writes it.
    clock_origin: Option<String>,
    /// End of the last cue, where the source has times.
    duration_ms: Option<i32>,
    /// What is spoken, as a code of ISO 639; null where the text does not tell for sure.
    language: Option<String>,
    /// How sure that is, from 0 to 1.
    language_confidence: Option<f64>,
    /// What happened to which line: at most 200 notes.
    notes: Vec<ReportNote>,
    /// How many more notes there were.
    notes_omitted: u32,
}

/// What a conversation would be like.
#[derive(SimpleObject)]
pub(crate) struct ImportPreview {
    title: String,
    /// The first 20.
    turns: Vec<PreviewTurn>,
}

/// What one speaker says in one go.
#[derive(SimpleObject)]
pub(crate) struct PreviewTurn {
    /// The label; null where nobody is named.
    speaker: Option<String>,
    /// Its first 500 characters.
    text: String,
    start_ms: Option<i32>,
    end_ms: Option<i32>,
}

impl From<import::Preview> for ImportPreview {
    fn from(preview: import::Preview) -> Self {
        let turns = preview.turns.into_iter().map(|turn| PreviewTurn {
            speaker: turn.speaker,
            text: turn.text,
            start_ms: ms(turn.start_ms),
            end_ms: ms(turn.end_ms),
        });
        Self { title: preview.title, turns: turns.collect() }
    }
}

/// One thing worth telling about one place of the source.
#[derive(SimpleObject)]
pub(crate) struct ReportNote {
    /// From 1; in a document, the paragraph.
    line: u32,
    /// The last line, where there are several.
    end_line: Option<u32>,
    /// Offset of the first byte of the text as UTF-8, where lines say little.
    start_byte: Option<i32>,
    /// Offset of the byte after the last.
    end_byte: Option<i32>,
    action: NoteAction,
    reason: String,
}

impl From<report::ImportReport> for ImportReport {
    fn from(report: report::ImportReport) -> Self {
        let note = |note: report::ReportNote| ReportNote {
            line: note.line,
            end_line: note.end_line,
            start_byte: note.bytes.map(|bytes| int(bytes.start)),
            end_byte: note.bytes.map(|bytes| int(bytes.end)),
            action: note.action.into(),
            reason: note.reason,
        };
        let (clock, clock_origin) = match report.clock {
            None => (None, None),
            Some(report::Clock::None) => (Some(Clock::None), None),
            Some(report::Clock::Offset) => (Some(Clock::Offset), None),
            Some(report::Clock::Wall { origin }) => (Some(Clock::Wall), Some(origin)),
        };
        Self {
            format: report.format.into(),
            format_confidence: report.confidence.as_ref().map(|found| found.score),
            format_reason: report.confidence.map(|found| found.reason),
            encoding: report.encoding,
            cues_read: report.cues_read,
            segments: report.segments,
            cues_dropped: report.cues_dropped,
            cues_merged: report.cues_merged,
            cues_split: report.cues_split,
            speakers: report.speakers,
            speaker_source: report.speaker_source.map(Into::into),
            clock,
            clock_origin,
            duration_ms: ms(report.duration_ms),
            language: report.language.map(|found| found.language.into()),
            language_confidence: report.language.map(|found| found.confidence),
            notes: report.notes.into_iter().map(note).collect(),
            notes_omitted: report.notes_omitted,
        }
    }
}
