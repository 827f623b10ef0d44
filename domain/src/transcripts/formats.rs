//! The formats that are read: one file and one line of [`READERS`] each.

mod meet_text;
mod named_lines;
mod otter_text;
mod rev_text;
mod srt;
mod table;
mod teams_docx;
mod teams_vtt;
mod text_grid;
mod turns;
pub mod webvtt;
mod whisper_tsv;
mod zoom_text;
mod zoom_vtt;

use super::{
    Limits, Transcript,
    detect::{Confidence, Sample},
    export::json::ColloquyJson,
    report::Format,
};
use crate::error::Problem;

/// Knows one format.
pub trait FormatReader: Sync {
    fn format(&self) -> Format;

    /// The format's name for people.
    fn name(&self) -> &'static str;

    /// What a file of this format looks like, for one who brought something else.
    fn looks_like(&self) -> &'static str;

    /// How much a text looks like this format. 100: it says so itself; 90 and more: nothing else looks so; 60 and more:
    /// it is made as this format is; below: it may be. The reason may be read by people who brought something else.
    fn detect(&self, sample: &Sample<'_>) -> Confidence;

    /// Whether people break it into lines, so that an endless one is refused.
    fn has_lines(&self) -> bool {
        true
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem>;
}

/// On equal confidence the earlier one wins.
pub(super) static READERS: [&dyn FormatReader; 14] = [
    &ColloquyJson,
    &teams_vtt::TeamsVtt,
    &zoom_vtt::ZoomVtt,
    &webvtt::WebVtt,
    &srt::Srt,
    &named_lines::NamedLines,
    &text_grid::TextGrid,
    &teams_docx::TeamsDocx,
    &zoom_text::ZoomText,
    &meet_text::MeetText,
    &otter_text::OtterText,
    &rev_text::RevText,
    &whisper_tsv::WhisperTsv,
    &table::Table,
];

pub(super) fn reader(format: Format) -> Option<&'static dyn FormatReader> {
    READERS.into_iter().find(|reader| reader.format() == format)
}
