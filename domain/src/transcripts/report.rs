//! What an import made of a source: every cue that was dropped or merged is named with its line and reason.
//! Notes never repeat what was said or who said it, so that erasing a conversation need not touch them.

use std::{borrow::Cow, collections::HashMap, fmt, num::NonZeroU32};

use serde::{Deserialize, Serialize};

use super::formats;
use crate::{language::Detected, time::Millis};

/// The source formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Format {
    WebVtt,
    Srt,
    /// `Name: text` lines, also as Markdown `**Name:** text` and with a time before the name.
    NamedLines,
    /// What the export of a conversation writes as JSON.
    ColloquyJson,
    /// WebVTT of Microsoft Teams, whose cues may stand out of order.
    TeamsVtt,
    /// The Word document of Microsoft Teams.
    TeamsDocx,
    /// WebVTT of Zoom, with `Name: text` in the cues.
    ZoomVtt,
    /// Captions that Zoom saves as text, by the clock on the wall.
    ZoomText,
    /// The document that Google Meet writes.
    MeetText,
    /// Transcript entries of Google Meet's REST interface.
    MeetJson,
    OtterText,
    RevText,
    FirefliesJson,
    WhisperJson,
    WhisperTsv,
    WhisperCppJson,
    WhisperXJson,
    AssemblyAiJson,
    DeepgramJson,
    AmazonTranscribeJson,
    /// Praat's TextGrid.
    TextGrid,
    /// Comma- or tab-separated values with a header.
    Table,
}

impl Format {
    /// As the API writes it: `WEB_VTT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebVtt => "WEB_VTT",
            Self::Srt => "SRT",
            Self::NamedLines => "NAMED_LINES",
            Self::ColloquyJson => "COLLOQUY_JSON",
            Self::TeamsVtt => "TEAMS_VTT",
            Self::TeamsDocx => "TEAMS_DOCX",
            Self::ZoomVtt => "ZOOM_VTT",
            Self::ZoomText => "ZOOM_TEXT",
            Self::MeetText => "MEET_TEXT",
            Self::MeetJson => "MEET_JSON",
            Self::OtterText => "OTTER_TEXT",
            Self::RevText => "REV_TEXT",
            Self::FirefliesJson => "FIREFLIES_JSON",
            Self::WhisperJson => "WHISPER_JSON",
            Self::WhisperTsv => "WHISPER_TSV",
            Self::WhisperCppJson => "WHISPER_CPP_JSON",
            Self::WhisperXJson => "WHISPER_X_JSON",
            Self::AssemblyAiJson => "ASSEMBLY_AI_JSON",
            Self::DeepgramJson => "DEEPGRAM_JSON",
            Self::AmazonTranscribeJson => "AMAZON_TRANSCRIBE_JSON",
            Self::TextGrid => "TEXT_GRID",
            Self::Table => "TABLE",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        formats::all().find(|format| format.as_str() == name)
    }

    /// For people.
    pub fn name(self) -> &'static str {
        formats::reader(self).name()
    }
}

/// How the speakers of a source were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SpeakerSource {
    /// Voice tags of WebVTT.
    VoiceTags,
    /// `Name:` before what is said.
    Labels,
    /// A line of its own before what is said.
    Headings,
    /// A field of the data or a column of the table.
    Fields,
    /// One channel of the recording a speaker.
    Channels,
    /// One tier of the annotation a speaker.
    Tiers,
}

/// What the times of a source are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Clock {
    /// There are none.
    None,
    /// They run from the beginning of the recording.
    Offset,
    /// They are of the clock on the wall, kept as milliseconds since `origin`, as the source writes it.
    Wall { origin: String },
}

/// How much a source looks like its format, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confidence {
    /// From 0 (not at all) to 100 (says so itself).
    pub score: u8,
    pub reason: String,
}

impl Confidence {
    pub fn new(score: u8, reason: impl Into<String>) -> Self {
        Self { score, reason: reason.into() }
    }
}

/// What became of the source, in numbers and line by line. The numbers add up:
/// `segments + cues_merged + cues_dropped == cues_read + cues_split`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportReport {
    pub format: Format,
    /// `None` where the format was named, or the import is older than the field.
    #[serde(default)]
    pub confidence: Option<Confidence>,
    /// The name of the character encoding, as the web's standards write it.
    #[serde(default)]
    pub encoding: Option<String>,
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
    /// `None` where nobody is named.
    #[serde(default)]
    pub speaker_source: Option<SpeakerSource>,
    /// `None` in imports that are older than the field.
    #[serde(default)]
    pub clock: Option<Clock>,
    /// The latest end of a cue, where the source has times.
    pub duration_ms: Option<Millis>,
    /// What is spoken, where the text is enough to tell.
    #[serde(default)]
    pub language: Option<Detected>,
    /// By line; at most [`MAX_NOTES`]; `notes_omitted` counts the rest.
    pub notes: Vec<ReportNote>,
    pub notes_omitted: u32,
}

impl ImportReport {
    /// Adds what was odd before any cue was read, by line.
    pub(super) fn warn(&mut self, odd: &[(u32, &'static str)]) {
        let room = MAX_NOTES.saturating_sub(self.notes.len());
        self.notes_omitted += odd.len().saturating_sub(room) as u32;
        let place = |(line, reason): &(u32, &'static str)| ReportNote {
            line: *line,
            end_line: None,
            bytes: None,
            action: NoteAction::Warning,
            reason: (*reason).to_owned(),
        };
        self.notes.extend(odd.iter().take(room).map(place));
        self.notes.sort_by_key(|note| note.line);
    }
}

/// How many notes a report keeps.
pub const MAX_NOTES: usize = 200;

/// How often a report repeats one and the same warning.
const MAX_SAME_WARNINGS: u32 = 10;

/// One thing worth telling about one place of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportNote {
    /// From 1; in a document, the paragraph.
    pub line: u32,
    /// The last line, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// Of the text as UTF-8, where lines say little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<ByteRange>,
    pub action: NoteAction,
    pub reason: String,
}

/// Offsets from 0; the end is without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteRange {
    pub start: u64,
    pub end: u64,
}

/// Where something stands in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u32,
    /// Not before `line`.
    pub(super) end_line: u32,
    /// Small, as there is one for each piece of a source.
    bytes: Option<(u32, NonZeroU32)>,
}

impl From<u32> for Place {
    fn from(line: u32) -> Self {
        Self { line, end_line: line, bytes: None }
    }
}

impl Place {
    pub(super) fn lines(line: u32, end_line: u32) -> Self {
        Self { line, end_line: end_line.max(line), bytes: None }
    }

    /// Without them where the offsets are beyond 4 GiB.
    pub(super) fn with_bytes(self, start: usize, end: usize) -> Self {
        let end = u32::try_from(end).ok().and_then(NonZeroU32::new);
        Self { bytes: u32::try_from(start).ok().zip(end), ..self }
    }

    fn byte_range(self) -> Option<ByteRange> {
        self.bytes.map(|(start, end)| ByteRange { start: start.into(), end: end.get().into() })
    }

    /// From the beginning of this to the end of `other`.
    pub(super) fn to(self, other: Self) -> Self {
        let bytes = self.bytes.zip(other.bytes).map(|((start, _), (_, end))| (start, end));
        Self { line: self.line, end_line: self.end_line.max(other.end_line), bytes }
    }
}

/// In the order in which a full report gives them up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NoteAction {
    /// No speech: a heading, a footer, a comment.
    Aside,
    /// The cue continues the segment before it.
    Merged,
    /// Kept, but something about it is odd.
    Warning,
    /// The cue is not in the transcript.
    Dropped,
}

/// What a whole transcript tells about itself.
pub(super) struct Found {
    pub(super) speakers: Vec<String>,
    pub(super) speaker_source: Option<SpeakerSource>,
    pub(super) clock: Clock,
    pub(super) duration_ms: Option<Millis>,
    pub(super) language: Option<Detected>,
}

/// Counts and notes while a source is read.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) cues_read: u32,
    pub(super) cues_dropped: u32,
    pub(super) cues_merged: u32,
    pub(super) cues_split: u32,
    notes: Vec<ReportNote>,
    /// Nothing less than this is among the notes, once there are as many as may be.
    least: Option<NoteAction>,
    omitted: u32,
    warned: HashMap<&'static str, u32>,
}

impl Log {
    pub(super) fn dropped(&mut self, place: impl Into<Place>, reason: impl Into<Cow<'static, str>>) {
        self.cues_dropped += 1;
        self.note(place.into(), NoteAction::Dropped, format_args!("{}", reason.into()));
    }

    /// `count` cues were merged, which stand at `place`.
    pub(super) fn merged(&mut self, place: impl Into<Place>, count: u32, reason: fmt::Arguments<'_>) {
        self.cues_merged += count;
        self.note(place.into(), NoteAction::Merged, reason);
    }

    pub(super) fn warning(&mut self, place: impl Into<Place>, reason: &'static str) {
        let times = self.warned.entry(reason).or_default();
        *times += 1;
        match *times > MAX_SAME_WARNINGS {
            true => self.omitted += 1,
            false => self.note(place.into(), NoteAction::Warning, format_args!("{reason}")),
        }
    }

    /// What stands at `place` is no speech, and nobody would look for it in the transcript: a heading, a footer.
    pub(super) fn aside(&mut self, place: impl Into<Place>, reason: impl Into<Cow<'static, str>>) {
        self.note(place.into(), NoteAction::Aside, format_args!("{}", reason.into()));
    }

    /// Where the first cue was dropped, and why.
    pub(super) fn first_drop(&self) -> Option<&ReportNote> {
        self.notes.iter().filter(|note| note.action == NoteAction::Dropped).min_by_key(|note| note.line)
    }

    /// The reason is written where the note is kept alone: of a long source most are not.
    fn note(&mut self, place: Place, action: NoteAction, reason: fmt::Arguments<'_>) {
        if self.notes.len() >= MAX_NOTES {
            self.omitted += 1;
            if self.least.is_some_and(|least| action <= least) {
                return;
            }
            let least = self.notes.iter().map(|note| note.action).min();
            self.least = least;
            match self.notes.iter().rposition(|note| Some(note.action) == least && note.action < action) {
                Some(at) => drop(self.notes.remove(at)),
                None => return,
            }
        }
        let end_line = (place.end_line > place.line).then_some(place.end_line);
        let (bytes, reason) = (place.byte_range(), reason.to_string());
        self.notes.push(ReportNote { line: place.line, end_line, bytes, action, reason });
    }

    /// The report, once `segments` segments are made.
    pub(super) fn report(mut self, format: Format, segments: u32, found: Found) -> ImportReport {
        self.notes.sort_by_key(|note| (note.line, note.bytes.map(|bytes| bytes.start)));
        let Found { speakers, speaker_source, clock, duration_ms, language } = found;
        ImportReport {
            format,
            confidence: None,
            encoding: None,
            cues_read: self.cues_read,
            segments,
            cues_dropped: self.cues_dropped,
            cues_merged: self.cues_merged,
            cues_split: self.cues_split,
            speakers,
            speaker_source,
            clock: Some(clock),
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
            log.merged(line, 1, format_args!("merged"));
        }
        log.dropped(500, "dropped");
        log.merged(501, 1, format_args!("merged"));
        for line in 600..620 {
            log.warning(line, "odd");
        }
        let found = Found {
            speakers: Vec::new(),
            speaker_source: None,
            clock: Clock::None,
            duration_ms: None,
            language: None,
        };
        let report = log.report(Format::Srt, 0, found);
        assert_eq!(report.notes.len(), MAX_NOTES);
        assert_eq!(report.notes_omitted, 22);
        let count = |action| report.notes.iter().filter(|note| note.action == action).count();
        assert_eq!((count(NoteAction::Dropped), count(NoteAction::Warning)), (1, 10));
        assert_eq!((report.cues_dropped, report.cues_merged), (1, 201));
        assert_eq!(report.notes[0].line, 1, "the last of the least goes first");
    }
}
