//! The formats that are read: one file and one line of [`READERS`] each.

mod amazon_transcribe_json;
mod assemblyai_json;
mod deepgram_json;
mod fireflies_json;
mod meet_json;
mod named_lines;
mod srt;
pub mod webvtt;
mod whisper_cpp_json;
mod whisper_json;
mod whisperx_json;

use super::{
    Limits, Transcript,
    detect::{Confidence, Sample},
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
pub(super) static READERS: [&dyn FormatReader; 11] = [
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
];

pub(super) fn reader(format: Format) -> Option<&'static dyn FormatReader> {
    READERS.into_iter().find(|reader| reader.format() == format)
}
