//! JSON of WhisperX: whisper's segments with aligned words, of which some have no time, and speakers of segments and
//! of words.

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        report::Format,
    },
    FormatReader, whisper_json,
};
use crate::error::Problem;

pub(super) struct WhisperXJson;

impl FormatReader for WhisperXJson {
    fn format(&self) -> Format {
        Format::WhisperXJson
    }

    fn name(&self) -> &'static str {
        "JSON of WhisperX"
    }

    fn looks_like(&self) -> &'static str {
        "its segments have words with a score"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let outline = sample.outline();
        let scored = |path: &str| {
            outline.has_all(path, &["words[].word", "words[].score"])
                && !outline.has_any(path, &["words[].probability"])
        };
        outline.judge(
            &[
                (
                    outline.has("segments") && outline.has("word_segments"),
                    98,
                    "it has segments and word_segments",
                ),
                (scored("segments[]."), 96, "its segments have words with a score"),
                (scored("[]."), 96, "its elements have words with a score"),
                (
                    outline.has("segments[].words[].speaker") && outline.has("segments[].words[].word"),
                    93,
                    "the words of its segments have speakers",
                ),
            ],
            "it has no segments whose words have a score",
        )
    }

    fn has_lines(&self) -> bool {
        false
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        whisper_json::read(text, Format::WhisperXJson, limits)
    }
}
