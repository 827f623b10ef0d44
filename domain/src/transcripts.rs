//! From the bytes people bring to turns of talk. One file a format below [`formats`], [`detect`] chooses by
//! content, [`report`] says honestly what became of every cue. Pure functions: no I/O. No time is invented
//! here: what the source does not say stays unknown.

mod assemble;
mod decode;
pub mod detect;
mod docx;
pub mod export;
pub mod formats;
mod json;
mod labels;
pub mod lines;
mod markers;
mod plain;
pub mod report;
mod spoken;
pub mod times;
mod words;

pub use self::plain::normal;
use self::report::{Format, ImportReport};
use crate::{error::Problem, time::Millis};

/// What a source says, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// Where the source has one.
    pub title: Option<String>,
    pub turns: Vec<Turn>,
    pub report: ImportReport,
}

/// What one speaker says in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Index into the report's `speakers`; `None` where the source does not say who speaks.
    pub speaker: Option<usize>,
    /// Without markup and never blank. Lines are joined by a space, paragraphs by an empty line.
    pub text: String,
    pub start_ms: Option<Millis>,
    /// Never before `start_ms`.
    pub end_ms: Option<Millis>,
    /// Where the turn begins in the source, from 1.
    pub line: u32,
}

/// How large a source may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub max_bytes: usize,
    pub max_line_bytes: usize,
    pub max_cues: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 32 << 20, max_line_bytes: 1 << 20, max_cues: 200_000 }
    }
}

/// Reads a transcript; without a `format`, the content decides.
pub fn parse(bytes: &[u8], format: Option<Format>, limits: &Limits) -> Result<Transcript, Problem> {
    let decoded = decode::text(bytes, limits)?;
    let (reader, confidence) = match format {
        Some(format) => (formats::reader(format), None),
        None => {
            let detected = detect::detect(&decoded.text)?;
            (detected.reader, Some(detected.confidence))
        }
    };
    if reader.has_lines() {
        lines::check_length(&decoded.text, limits)?;
    }
    let mut transcript = reader.parse(&decoded.text, limits)?;
    transcript.report.confidence = confidence;
    transcript.report.encoding = Some(decoded.encoding.to_owned());
    transcript.report.warn(&decoded.odd);
    Ok(transcript)
}
