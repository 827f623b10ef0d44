//! JSON of whisper.cpp: a transcription of segments with offsets in milliseconds and the same as text. Where it was
//! asked to tell speakers apart, a segment has the channel it was louder on, or says that somebody else comes next.

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        json::{Document, Kind, Reading, Said, Unit, Value, numbered},
        report::Format,
    },
    FormatReader,
};
use crate::error::Problem;

pub(super) struct WhisperCppJson;

impl FormatReader for WhisperCppJson {
    fn format(&self) -> Format {
        Format::WhisperCppJson
    }

    fn name(&self) -> &'static str {
        "JSON of whisper.cpp"
    }

    fn looks_like(&self) -> &'static str {
        "its transcription is a list with offsets and text"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let outline = sample.outline();
        let times = outline.has_any("transcription[].", &["offsets.from", "timestamps.from"]);
        outline.judge(
            &[(times && outline.has("transcription[].text"), 98, "its transcription has offsets and text")],
            "it has no transcription with offsets and text",
        )
    }

    fn has_lines(&self) -> bool {
        false
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let document = Document::read(text, limits)?;
        let mut reading = Reading::new(&document, Format::WhisperCppJson, limits);
        let document = document.only()?;
        let [list] = reading.pick(document, ["transcription"]);
        let Some(list) = list.filter(|list| list.kind() == Kind::List) else {
            return Err(reading.lacks("`transcription`"));
        };
        let mut turns = false;
        for element in list.items() {
            turns = segment(&mut reading, element, turns)?;
        }
        reading.transcript()
    }
}

/// Whether somebody else speaks next.
fn segment<'a>(reading: &mut Reading<'a>, element: Value<'a>, turns: bool) -> Result<bool, Problem> {
    let [text, speaker, next, offsets, timestamps] =
        reading.pick(element, ["text", "speaker", "speaker_turn_next", "offsets", "timestamps"]);
    let place = reading.place(element);
    // A question mark says that the channels were equally loud.
    let speaker = reading.label(place, speaker).filter(|label| label != "?").map(numbered);
    let time = |key: &str| [offsets, timestamps].into_iter().flatten().find_map(|times| times.get(key));
    let (start, end) = (time("from"), time("to"));
    let unit = Unit::Millis;
    let said = reading.say(Said { element, text, speaker, start, end, unit, turns })?;
    let next = next.is_some_and(|next| next.raw() == "true");
    Ok(next || (turns && !said))
}
