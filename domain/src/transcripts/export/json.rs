//! The documented JSON of a transcript (`schema/transcript-1.schema.json`): all that the export of a conversation
//! holds, and a format that is imported.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        formats::FormatReader,
        plain::normal,
        report::Format,
        times::LATEST,
    },
    File, Said,
};
use crate::{
    error::Problem,
    time::{Millis, Timestamp},
};

/// What the field `format` says.
pub const FORMAT: &str = "colloquy-transcript";
/// Grows with every change that a reader must know of.
pub const VERSION: u32 = 1;
/// Where the format is said.
const HEAD_BYTES: usize = 4096;

/// A conversation's transcript. What an import needs is `segments`; the rest is for those who read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document<'a> {
    pub format: String,
    pub version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default)]
    pub occurred_at: Option<Timestamp>,
    #[serde(default)]
    pub external_id: Option<String>,
    #[serde(default)]
    pub file_name: Option<String>,
    #[serde(default)]
    pub language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i32>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(borrow)]
    pub segments: Vec<Segment<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default)]
    pub speaker: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    #[serde(default)]
    pub start_ms: Option<Millis>,
    /// Not before `start_ms`.
    #[serde(default)]
    pub end_ms: Option<Millis>,
}

impl Document<'_> {
    pub fn write(&self) -> Result<String, serde_json::Error> {
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        Ok(json)
    }
}

pub(in crate::transcripts) struct ColloquyJson;

impl FormatReader for ColloquyJson {
    fn format(&self) -> Format {
        Format::ColloquyJson
    }

    fn name(&self) -> &'static str {
        "Colloquy JSON"
    }

    fn looks_like(&self) -> &'static str {
        "a JSON object whose `format` is `colloquy-transcript`"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        match is_one(sample.head) {
            true => Confidence::new(100, "it says that it is a transcript of Colloquy"),
            false => Confidence::new(0, "it does not say that it is a transcript of Colloquy"),
        }
    }

    fn has_lines(&self) -> bool {
        false
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let document: Document<'_> =
            serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(malformed)?;
        if (document.format.as_str(), document.version) != (FORMAT, VERSION) {
            let message = format!(
                "this is `{}`, version {}, and `{FORMAT}`, version {VERSION}, is read: export it again by a release \
                 that writes this version",
                document.format, document.version
            );
            return Err(Problem::new("MALFORMED", message));
        }
        let mut file = File { title: document.title, said: Vec::new() };
        // One more than there may be is enough to be refused.
        for (at, segment) in document.segments.into_iter().enumerate().take(limits.max_cues.saturating_add(1))
        {
            file.said.push((1, checked(at, segment, limits)?));
        }
        file.transcript(Format::ColloquyJson, limits)
    }
}

pub(super) fn is_one(text: &str) -> bool {
    let head = &text[..text.floor_char_boundary(HEAD_BYTES)];
    head.trim_start().starts_with('{') && head.contains(&format!("\"{FORMAT}\""))
}

fn malformed(error: serde_json::Error) -> Problem {
    let (line, column) = (error.line().max(1) as u32, error.column());
    let what = match error.classify() {
        serde_json::error::Category::Eof => "the file ends in the middle: it was cut off".to_owned(),
        _ => error.to_string(),
    };
    let message =
        format!("line {line}, column {column}: {what}; export the conversation again or mend the file");
    Problem::new("MALFORMED", message).on_line(line)
}

/// As all segments are. What another program wrote may not be so.
fn checked<'a>(at: usize, segment: Segment<'a>, limits: &Limits) -> Result<Said<'a>, Problem> {
    let Segment { speaker, text, start_ms, end_ms, .. } = segment;
    let wrong = |what: &str| {
        Problem::new(
            "MALFORMED",
            format!("segments[{at}] {what}; mend the file, or export the conversation again"),
        )
    };
    if text.len() > limits.max_line_bytes {
        let message = format!(
            "the text of segments[{at}] has {} bytes and at most {} are taken",
            text.len(),
            limits.max_line_bytes
        );
        return Err(Problem::new("LINE_TOO_LONG", message));
    }
    if normal(Cow::Borrowed(&text)).is_empty() {
        return Err(wrong("has no text"));
    }
    if start_ms.max(end_ms) > Some(LATEST) || (end_ms.is_some() && end_ms < start_ms) {
        return Err(wrong("has an end before its start, or a time that no recording has"));
    }
    let speaker = speaker.map(normal).filter(|label| !label.is_empty());
    Ok(Said { speaker, text, start_ms, end_ms })
}
