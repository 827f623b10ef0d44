//! What an import made of a source.

use async_graphql::SimpleObject;
use colloquy_domain::transcripts::report;

use super::{NoteAction, TranscriptFormat, ms};

/// What became of a source, in numbers and line by line.
#[derive(SimpleObject)]
pub(crate) struct ImportReport {
    format: TranscriptFormat,
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

/// One thing worth telling about one place of the source.
#[derive(SimpleObject)]
pub(crate) struct ReportNote {
    /// From 1.
    line: u32,
    action: NoteAction,
    reason: String,
}

impl From<report::ImportReport> for ImportReport {
    fn from(report: report::ImportReport) -> Self {
        let note = |note: report::ReportNote| ReportNote {
            line: note.line,
            action: note.action.into(),
            reason: note.reason,
        };
        Self {
            format: report.format.into(),
            cues_read: report.cues_read,
            segments: report.segments,
            cues_dropped: report.cues_dropped,
            cues_merged: report.cues_merged,
            cues_split: report.cues_split,
            speakers: report.speakers,
            duration_ms: ms(report.duration_ms),
            language: report.language.map(|found| found.language.into()),
            language_confidence: report.language.map(|found| found.confidence),
            notes: report.notes.into_iter().map(note).collect(),
            notes_omitted: report.notes_omitted,
        }
    }
}
