//! What became of each file and of all of them, for people and for programs.

use colloquy_domain::transcripts::report::Format;
use serde::Serialize;

use super::preview;
use crate::{
    client::{ConversationRef, Preview, Report, ReportNote, UserError},
    commands::text::{count, time_code, wrap},
    output::{bad, bold, faint, good, odd, plain},
};

/// Notes that are shown of one file.
const NOTES: usize = 6;
/// A format that its file tells by less than this is a guess.
const SURE: u8 = 60;
const INDENT: &str = "               ";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fate {
    Created,
    AlreadyThere,
    WouldImport,
    Failed,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileResult {
    pub(super) file: String,
    pub(super) outcome: Fate,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) conversation: Option<ConversationRef>,
    /// After a dry run, where it is not there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) preview: Option<Preview>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) report: Option<Report>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<UserError>,
    /// The errors as people read them.
    #[serde(skip)]
    pub(super) told: Vec<String>,
    /// After a wait: whether it is found by word and meaning, and analysed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ready: Option<bool>,
}

impl FileResult {
    /// A reason found on this side: its code is for programs alone.
    pub(super) fn failed(file: String, code: &str, message: String) -> Self {
        let told = vec![message.clone()];
        let error = UserError { code: code.to_owned(), message, field: Vec::new(), line: None };
        Self { told, ..Self::refused(file, vec![error]) }
    }

    pub(super) fn refused(file: String, errors: Vec<UserError>) -> Self {
        let told = errors.iter().map(ToString::to_string).collect();
        Self {
            file,
            outcome: Fate::Failed,
            conversation: None,
            preview: None,
            report: None,
            errors,
            told,
            ready: None,
        }
    }

    /// For people; with `all_notes` none is left out, with `all_turns` none of the preview's.
    pub(super) fn show(&self, width: usize, all_notes: bool, all_turns: bool) -> String {
        let state = match self.outcome {
            Fate::Created => good("imported     "),
            Fate::AlreadyThere => faint("already there"),
            Fate::WouldImport => odd("would import "),
            Fate::Failed => bad("failed       "),
        };
        let mut lines = vec![format!("{state}  {}", bold(plain(&self.file)))];
        for told in &self.told {
            lines.extend(wrap(&[(&plain(told), false)], width - INDENT.len(), str::to_owned));
        }
        match (&self.report, self.outcome) {
            (_, Fate::Failed) | (None, _) => {}
            (Some(_), Fate::AlreadyThere) => {
                let title = self.conversation.as_ref().map_or("", |conversation| &conversation.title);
                lines.push(faint(format_args!("as “{}”", plain(title))));
            }
            (Some(report), _) => {
                let width = width - INDENT.len();
                lines.extend(report_lines(report, width, all_notes));
                if let Some(preview) = &self.preview {
                    lines.extend(preview::lines(preview, report.segments, width, all_turns));
                }
            }
        }
        lines.join(&format!("\n{INDENT}"))
    }
}

fn report_lines(report: &Report, width: usize, whole: bool) -> Vec<String> {
    let length = report.duration_ms.map(|ms| format!(", {}", time_code(ms))).unwrap_or_default();
    let language = report.language.as_deref().map(|code| format!(", {}", plain(code))).unwrap_or_default();
    let mut lines = vec![format!(
        "{}{length}{language}: {} read, {} merged, {} dropped, {}",
        format_name(&report.format),
        count(report.cues_read as usize, "cue"),
        report.cues_merged,
        report.cues_dropped,
        count(report.segments as usize, "segment"),
    )];
    if report.cues_split > 0 {
        let more = count(report.cues_split as usize, "segment");
        lines.push(format!("{more} more than cues: some cues have several voices"));
    }
    if let Some(told) = guesses(report) {
        lines.extend(wrap(&[(&told, false)], width, str::to_owned));
    }
    let speakers = match report.speakers.is_empty() {
        true => "nobody is named as a speaker".to_owned(),
        false => {
            format!("{}: {}", count(report.speakers.len(), "speaker"), plain(&report.speakers.join(", ")))
        }
    };
    lines.extend(wrap(&[(&speakers, false)], width, str::to_owned));
    // What is lost counts more than what is odd, and that more than what was joined.
    let weight = |note: &&ReportNote| match note.action.as_str() {
        "DROPPED" => 0,
        "WARNING" => 1,
        "MERGED" => 2,
        _ => 3,
    };
    let mut notes: Vec<&ReportNote> = report.notes.iter().filter(|note| whole || weight(note) < 2).collect();
    let shown = if whole { notes.len() } else { notes.len().min(NOTES) };
    notes.sort_by_key(|note| (weight(note), note.line));
    notes.truncate(shown);
    notes.sort_by_key(|note| note.line);
    lines.extend(notes.iter().map(|note| {
        let what = match note.action.as_str() {
            "DROPPED" => "dropped: ",
            "MERGED" => "merged: ",
            "ASIDE" => "no speech: ",
            _ => "",
        };
        let place = match note.end_line {
            Some(end) => format!("lines {} to {end}", note.line),
            None => format!("line {}", note.line),
        };
        odd(format_args!("{place}: {what}{}", plain(&note.reason)))
    }));
    let hidden = report.notes.iter().filter(|note| whole || weight(note) < 2).count() - shown;
    let hidden = hidden + report.notes_omitted as usize;
    if hidden > 0 {
        let more = if whole { "" } else { "; --verbose shows more" };
        lines.push(faint(format_args!("and {}{more}", count(hidden, "further note"))));
    }
    lines
}

fn format_name(format: &str) -> String {
    Format::from_name(format).map_or_else(|| plain(format), |format| format.name().to_owned())
}

/// What about the file as a whole one should know before one trusts the rest.
fn guesses(report: &Report) -> Option<String> {
    let mut parts = Vec::new();
    if let (Some(score), Some(reason)) = (report.format_confidence, &report.format_reason)
        && score < SURE
    {
        parts.push(format!("the format is a guess ({score} of 100: {})", plain(reason)));
    }
    if let Some(encoding) = report.encoding.as_deref().filter(|encoding| *encoding != "UTF-8") {
        parts.push(format!("written in {}", plain(encoding)));
    }
    if let Some(origin) = &report.clock_origin {
        parts.push(format!("times are of the clock on the wall, from {}", plain(origin)));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// All of it in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) created: usize,
    pub(super) already_there: usize,
    pub(super) would_import: usize,
    pub(super) failed: usize,
    /// Files that were not begun, for Ctrl-C or since the server cannot be reached.
    pub(super) not_begun: usize,
    pub(super) passed_over: usize,
    /// After a wait.
    pub(super) ready: Option<usize>,
    pub(super) interrupted: bool,
}

impl Summary {
    pub(super) fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Created => self.created += 1,
            Fate::AlreadyThere => self.already_there += 1,
            Fate::WouldImport => self.would_import += 1,
            Fate::Failed => self.failed += 1,
        }
    }

    pub(super) fn all_went_well(&self) -> bool {
        let known = self.created + self.already_there;
        self.failed + self.not_begun == 0 && self.ready.is_none_or(|ready| ready == known)
    }

    pub(super) fn show(&self) -> String {
        let mut parts = Vec::new();
        let mut part = |number: usize, what: &str| {
            if number > 0 {
                parts.push(format!("{number} {what}"));
            }
        };
        part(self.created, "imported");
        part(self.already_there, "there already");
        part(self.would_import, "would be imported");
        part(self.failed, "failed");
        part(self.not_begun, "not begun");
        part(self.passed_over, "passed over");
        let mut shown = if parts.is_empty() { "nothing was imported".to_owned() } else { parts.join(", ") };
        if let Some(ready) = self.ready {
            let known = self.created + self.already_there;
            shown += &match ready == known {
                true if known > 0 => "; all searchable and analysed".to_owned(),
                true => String::new(),
                false => format!("; {ready} of {known} searchable and analysed"),
            };
        }
        if self.interrupted {
            shown = format!("interrupted: {shown}");
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn note(line: u32, action: &str, reason: &str) -> ReportNote {
        ReportNote { line, end_line: None, action: action.to_owned(), reason: reason.to_owned() }
    }

    fn result() -> FileResult {
        let mut notes: Vec<_> = (1..=8).map(|line| note(line * 10, "WARNING", "the times overlap")).collect();
        notes.insert(3, note(35, "MERGED", "goes on with the cue before"));
        notes.push(note(99, "DROPPED", "the end is before the start"));
        let report = Report {
            format: "WEB_VTT".to_owned(),
            format_confidence: Some(100),
            format_reason: Some("the first line is WEBVTT".to_owned()),
            encoding: Some("UTF-8".to_owned()),
            cues_read: 1204,
            segments: 1190,
            cues_dropped: 1,
            cues_merged: 13,
            cues_split: 0,
            speakers: vec!["Mara Lindqvist".to_owned(), "Tobias\u{1b}[31m Okafor".to_owned()],
            speaker_source: Some("VOICE_TAGS".to_owned()),
            clock: Some("OFFSET".to_owned()),
            clock_origin: None,
            duration_ms: Some(2_467_000),
            language: Some("en".to_owned()),
            notes,
            notes_omitted: 2,
        };
        let conversation = ConversationRef { id: "c1".to_owned(), title: "Coaching session".to_owned() };
        FileResult {
            file: "talks/coaching.vtt".to_owned(),
            outcome: Fate::Created,
            conversation: Some(conversation),
            preview: None,
            report: Some(report),
            errors: Vec::new(),
            told: Vec::new(),
            ready: None,
        }
    }

    fn shown(result: &FileResult, whole: bool) -> String {
        anstream::adapter::strip_str(&result.show(100, whole, whole)).to_string()
    }

    #[test]
    fn an_import_is_reported_with_what_is_odd_about_it() {
        assert_snapshot!(shown(&result(), false), @"
        imported       talks/coaching.vtt
                       WebVTT, 41:07, en: 1,204 cues read, 13 merged, 1 dropped, 1,190 segments
                       2 speakers: Mara Lindqvist, Tobias\u{fffd}[31m Okafor
                       line 10: the times overlap
                       line 20: the times overlap
                       line 30: the times overlap
                       line 40: the times overlap
                       line 50: the times overlap
                       line 99: dropped: the end is before the start
                       and 5 further notes; --verbose shows more
        ");
        let mut unknown = result();
        unknown.report.as_mut().unwrap().language = None;
        assert!(shown(&unknown, false).contains("WebVTT, 41:07: 1,204 cues read"));
        let mut split = result();
        split.report.as_mut().unwrap().cues_split = 2;
        assert!(
            shown(&split, false)
                .contains("\n               2 segments more than cues: some cues have several voices\n")
        );
        assert!(shown(&result(), true).contains("line 35: merged: goes on with the cue before"));
    }

    #[test]
    fn what_stands_there_or_fails_is_told_in_two_lines() {
        let again = FileResult { outcome: Fate::AlreadyThere, ..result() };
        assert_snapshot!(shown(&again, false), @"
        already there  talks/coaching.vtt
                       as “Coaching session”
        ");
        let error = UserError {
            code: "NOT_A_TRANSCRIPT".to_owned(),
            message: "this is no transcript".to_owned(),
            field: Vec::new(),
            line: Some(4),
        };
        let missing =
            FileResult::failed("y.vtt".to_owned(), "UNREADABLE", "there is no such file".to_owned());
        assert_snapshot!(shown(&missing, false), @"
        failed         y.vtt
                       there is no such file
        ");
        let refused = FileResult::refused("x.vtt".to_owned(), vec![error]);
        assert_snapshot!(shown(&refused, false), @"
        failed         x.vtt
                       line 4: this is no transcript (NOT_A_TRANSCRIPT)
        ");
    }

    #[test]
    fn the_summary_counts_what_there_is() {
        let mut summary = Summary { created: 3, failed: 1, passed_over: 2, ..Summary::default() };
        assert_eq!(summary.show(), "3 imported, 1 failed, 2 passed over");
        assert!(!summary.all_went_well());
        summary = Summary { created: 1, already_there: 1, ready: Some(2), ..Summary::default() };
        assert_eq!(summary.show(), "1 imported, 1 there already; all searchable and analysed");
        assert!(summary.all_went_well());
        summary =
            Summary { created: 2, not_begun: 5, ready: Some(1), interrupted: true, ..Summary::default() };
        assert_eq!(summary.show(), "interrupted: 2 imported, 5 not begun; 1 of 2 searchable and analysed");
        assert!(!summary.all_went_well());
        assert_eq!(Summary::default().show(), "nothing was imported");
    }

    #[test]
    fn a_program_reads_a_file_as_one_object() {
        let json = serde_json::to_value(FileResult { report: None, ..result() }).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "file": "talks/coaching.vtt",
                "outcome": "created",
                "conversation": { "id": "c1", "title": "Coaching session" },
            })
        );
    }
}
