//! JSON of whisper and its kin: the command's, faster-whisper's, `verbose_json` and `diarized_json` of the OpenAI
//! interface. Segments are cues. Without segments, words are joined to turns; without words, the text stands alone.

mod segments;

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        json::{Document, Kind, Reading, Unit, numbered},
        report::Format,
        words::Words,
    },
    FormatReader,
};
use crate::error::Problem;

pub(super) struct WhisperJson;

impl FormatReader for WhisperJson {
    fn format(&self) -> Format {
        Format::WhisperJson
    }

    fn name(&self) -> &'static str {
        "JSON of whisper"
    }

    fn looks_like(&self) -> &'static str {
        "its segments have start, end and text"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let outline = sample.outline();
        let cues = |path: &str| {
            outline.is(&format!("{path}text"), Kind::Text) && outline.has_all(path, &["start", "end"])
        };
        let measured = |path: &str| {
            outline.has_any(path, &["no_speech_prob", "avg_logprob", "compression_ratio", "seek", "tokens"])
        };
        let (nested, bare) = (cues("segments[]."), cues("[]."));
        let words = outline.is("words[].word", Kind::Text) && outline.has("words[].start");
        outline.judge(
            &[
                (nested && measured("segments[]."), 95, "its segments have whisper's measures"),
                (bare && measured("[]."), 95, "its elements have whisper's measures"),
                (
                    nested && outline.has_all("segments[].", &["speaker", "type"]),
                    92,
                    "its segments have a type",
                ),
                (nested, 65, "its segments have start, end and text"),
                (
                    words && outline.has("text") && outline.has_any("", &["task", "duration", "language"]),
                    80,
                    "its words have times beside a text",
                ),
                (bare, 55, "its elements have start, end and text"),
            ],
            "it has no segments with start, end and text",
        )
    }

    fn has_lines(&self) -> bool {
        false
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        read(text, Format::WhisperJson, limits)
    }
}

/// Also what WhisperX writes.
pub(super) fn read(text: &str, format: Format, limits: &Limits) -> Result<Transcript, Problem> {
    let document = Document::read(text, limits)?;
    let mut reading = Reading::new(&document, format, limits);
    let document = document.only()?;
    let [segments, words, word_segments, all] =
        reading.pick(document, ["segments", "words", "word_segments", "text"]);
    let list = if document.kind() == Kind::List { Some(document) } else { segments };
    let words = words.or(word_segments).and_then(|words| words.filled());
    if let Some(segments) = list.and_then(|segments| segments.filled()) {
        for element in segments.items() {
            segments::read(&mut reading, element)?;
        }
    } else if let Some(words) = words {
        Words::new(false)
            .read(&mut reading, words, ["word", "text"], Unit::Seconds, |label| label.map(numbered))?;
    } else if let Some(all) = all {
        reading.say_alone(all, None)?;
    } else if list.is_none() {
        return Err(reading.lacks("`segments`"));
    }
    reading.transcript()
}
