//! What an import made of a source: every cue that was dropped or merged is named with its line and reason.
//! Notes never repeat what was said, so that erasing a conversation need not touch them.

use std::{borrow::Cow, collections::HashMap};

use serde::{Deserialize, Serialize};

use crate::{language::Detected, time::Millis};

/// The source formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Format {
    WebVtt,
    Srt,
    /// `Name: text` lines, also as Markdown `**Name:** text` and with a time before the name.
    NamedLines,
}

/// What became of the source, in numbers and line by line. The numbers add up:
/// `segments + cues_merged + cues_dropped == cues_read + cues_split`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportReport {
    pub format: Format,
    /// Cues, or turns where the format knows no cues, that the source holds; also what ought to be one and
    /// cannot be read.
    pub cues_read: u32,
    /// Segments that were made of them.
    pub segments: u32,
    pub cues_dropped: u32,
    /// Cues, or voices in a cue of several, that continue a segment instead of making one.
    pub cues_merged: u32,
    /// Voices beyond the first in cues that hold several.
    #[serde(default)]
    pub cues_split: u32,
    /// Labels in the order of first speaking.
    pub speakers: Vec<String>,
    /// The latest end of a cue, where the source has times.
    pub duration_ms: Option<Millis>,
    /// What is spoken, where the text is enough to tell.
    #[serde(default)]
    pub language: Option<Detected>,
    /// By line; at most [`MAX_NOTES`]; `notes_omitted` counts the rest.
    pub notes: Vec<ReportNote>,
    pub notes_omitted: u32,
}

/// How many notes a report keeps.
pub const MAX_NOTES: usize = 200;

/// How often a report repeats one and the same warning.
const MAX_SAME_WARNINGS: u32 = 10;

/// One thing worth telling about one place of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportNote {
    /// From 1.
    pub line: u32,
    pub action: NoteAction,
    pub reason: String,
}

/// In the order in which a full report gives them up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NoteAction {
    /// The cue continues the segment before it.
    Merged,
    /// Kept, but something about it is odd.
    Warning,
    /// The cue is not in the transcript.
    Dropped,
}

/// Counts and notes while a source is read.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) cues_read: u32,
    pub(super) cues_dropped: u32,
    pub(super) cues_merged: u32,
    pub(super) cues_split: u32,
    notes: Vec<ReportNote>,
    omitted: u32,
    warned: HashMap<&'static str, u32>,
}

impl Log {
    pub(super) fn dropped(&mut self, line: u32, reason: impl Into<Cow<'static, str>>) {
        self.cues_dropped += 1;
        self.note(line, NoteAction::Dropped, reason.into());
    }

    /// `count` cues were merged, the first of which is on `line`.
    pub(super) fn merged(&mut self, line: u32, count: u32, reason: impl Into<Cow<'static, str>>) {
        self.cues_merged += count;
        self.note(line, NoteAction::Merged, reason.into());
    }

    pub(super) fn warning(&mut self, line: u32, reason: &'static str) {
        let times = self.warned.entry(reason).or_default();
        *times += 1;
        match *times > MAX_SAME_WARNINGS {
            true => self.omitted += 1,
            false => self.note(line, NoteAction::Warning, reason.into()),
        }
    }

    /// Where the first cue was dropped, and why.
    pub(super) fn first_drop(&self) -> Option<&ReportNote> {
        self.notes.iter().filter(|note| note.action == NoteAction::Dropped).min_by_key(|note| note.line)
    }

    fn note(&mut self, line: u32, action: NoteAction, reason: Cow<'static, str>) {
        if self.notes.len() >= MAX_NOTES {
            self.omitted += 1;
            let least = self.notes.iter().enumerate().rev().min_by_key(|(_, note)| note.action);
            match least {
                Some((at, note)) if note.action < action => drop(self.notes.remove(at)),
                _ => return,
            }
        }
        self.notes.push(ReportNote { line, action, reason: reason.into_owned() });
    }

    /// The report, once `segments` segments by `speakers` are made.
    pub(super) fn report(
        mut self,
        format: Format,
        segments: u32,
        speakers: Vec<String>,
        duration_ms: Option<Millis>,
        language: Option<Detected>,
    ) -> ImportReport {
        self.notes.sort_by_key(|note| note.line);
        ImportReport {
            format,
            cues_read: self.cues_read,
            segments,
            cues_dropped: self.cues_dropped,
            cues_merged: self.cues_merged,
            cues_split: self.cues_split,
            speakers,
            duration_ms,
            language,
            notes: self.notes,
            notes_omitted: self.omitted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_report_gives_up_what_matters_least() {
        let mut log = Log::default();
        for line in 1..=MAX_NOTES as u32 {
            log.merged(line, 1, "merged");
        }
        log.dropped(500, "dropped");
        log.merged(501, 1, "merged");
        for line in 600..620 {
            log.warning(line, "odd");
        }
        let report = log.report(Format::Srt, 0, Vec::new(), None, None);
        assert_eq!(report.notes.len(), MAX_NOTES);
        assert_eq!(report.notes_omitted, 22);
        let count = |action| report.notes.iter().filter(|note| note.action == action).count();
        assert_eq!((count(NoteAction::Dropped), count(NoteAction::Warning)), (1, 10));
        assert_eq!((report.cues_dropped, report.cues_merged), (1, 201));
        assert_eq!(report.notes[0].line, 1, "the last of the least goes first");
    }
}
