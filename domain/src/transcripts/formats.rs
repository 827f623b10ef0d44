//! The formats that are read: one file and one line of [`READERS`] each.

mod amazon_transcribe_json;
mod assemblyai_json;
mod deepgram_json;
mod fireflies_json;
mod meet_json;
mod meet_text;
pub(super) mod named_lines;
mod otter_text;
mod rev_text;
mod srt;
mod table;
mod teams_docx;
mod teams_vtt;
mod text_grid;
mod turns;
pub mod webvtt;
mod whisper_cpp_json;
mod whisper_json;
mod whisper_tsv;
mod whisperx_json;
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
pub(super) static READERS: [&dyn FormatReader; 22] = [
    &ColloquyJson,
    &teams_vtt::TeamsVtt,
    &zoom_vtt::ZoomVtt,
    &webvtt::WebVtt,
    &srt::Srt,
    &whisperx_json::WhisperXJson,
    &whisper_cpp_json::WhisperCppJson,
    &deepgram_json::DeepgramJson,
    &amazon_transcribe_json::AmazonTranscribeJson,
    &assemblyai_json::AssemblyAiJson,
    &fireflies_json::FirefliesJson,
    &meet_json::MeetJson,
    &whisper_json::WhisperJson,
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

/// The formats that there are.
pub fn all() -> impl Iterator<Item = Format> {
    READERS.iter().map(|reader| reader.format())
}

pub(super) fn reader(format: Format) -> Option<&'static dyn FormatReader> {
    READERS.into_iter().find(|reader| reader.format() == format)
}
