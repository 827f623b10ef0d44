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

pub(super) fn reader(format: Format) -> &'static dyn FormatReader {
    // A test sees to it that each format has one.
    READERS.into_iter().find(|reader| reader.format() == format).unwrap_or(&named_lines::NamedLines)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_format_has_a_reader_and_one_name_everywhere() {
        // The names of reports as they are kept; a variant without a reader could not be listed by `all`.
        let names: HashSet<_> = all().map(Format::as_str).collect();
        assert_eq!(names.len(), READERS.len());
        for format in all() {
            assert_eq!(serde_json::to_value(format).expect("a name"), format.as_str());
            assert_eq!(Format::from_name(format.as_str()), Some(format));
        }
        assert_eq!(Format::Table as usize + 1, READERS.len(), "Table is the last of the formats");
    }
}
