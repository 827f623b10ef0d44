//! JSON of AssemblyAI, with times in milliseconds: utterances of speakers; without them sentences or paragraphs;
//! without these words, which are joined to turns; without words the text alone. A job that failed says so and is
//! refused.

use std::borrow::Cow;

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        json::{Document, Kind, Reading, Said, Unit, Value, malformed},
        report::Format,
        words::Words,
    },
    FormatReader,
};
use crate::error::Problem;

pub(super) struct AssemblyAiJson;

impl FormatReader for AssemblyAiJson {
    fn format(&self) -> Format {
        Format::AssemblyAiJson
    }

    fn name(&self) -> &'static str {
        "JSON of AssemblyAI"
    }

    fn looks_like(&self) -> &'static str {
        "it has an audio_url, and its utterances or words have times in milliseconds"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let outline = sample.outline();
        let job = ["audio_url", "acoustic_model", "language_model", "speech_model", "audio_duration"];
        let cues = |path: &str| {
            outline.is(&format!("{path}text"), Kind::Text) && outline.has_all(path, &["start", "end"])
        };
        let words = cues("words[].");
        let parts = ["utterances[].", "sentences[].", "paragraphs[]."];
        let with_words = |path: &&str| cues(path) && outline.has(&format!("{path}words[].text"));
        // Others have words with a `word` and count in seconds.
        let speakers = cues("utterances[].")
            && outline.has("utterances[].speaker")
            && !outline.has("utterances[].words[].word");
        outline.judge(
            &[
                (outline.has_any("", &job) && words, 96, "it is a job with words"),
                (outline.has_all("", &["audio_url", "status"]), 96, "it is a job with an audio_url"),
                (parts.iter().any(with_words), 92, "its utterances have words with a text"),
                (speakers, 70, "its utterances have speakers"),
                (words && outline.has("words[].confidence"), 70, "its words have a text and a confidence"),
            ],
            "it has no utterances and no words with a text",
        )
    }

    fn has_lines(&self) -> bool {
        false
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let document = Document::read(text, limits)?;
        let mut reading = Reading::new(&document, Format::AssemblyAiJson, limits);
        let document = document.only()?;
        let keys = ["utterances", "sentences", "paragraphs", "words", "text", "status", "error"];
        let [utterances, sentences, paragraphs, words, all, status, error] = reading.pick(document, keys);
        let mut parts = [utterances, sentences, paragraphs].into_iter().flatten();
        if let Some(problem) = unfinished(&mut reading, status, error) {
            return Err(problem);
        }
        if let Some(list) = parts.find_map(Value::filled) {
            for element in list.items() {
                utterance(&mut reading, element)?;
            }
        } else if let Some(words) = words.and_then(Value::filled) {
            Words::new(false)
                .read(&mut reading, words, ["text", "word"], Unit::Millis, |label| label.map(named))?;
        } else if let Some(all) = all {
            reading.say_alone(all, None)?;
        } else if utterances.or(words).is_none() {
            return Err(reading.lacks("`utterances`"));
        }
        reading.transcript()
    }
}

fn utterance<'a>(reading: &mut Reading<'a>, element: Value<'a>) -> Result<(), Problem> {
    let [text, speaker, start, end] = reading.pick(element, ["text", "speaker", "start", "end"]);
    let place = reading.place(element);
    let speaker = reading.label(place, speaker).map(named);
    reading.say(Said { element, text, speaker, start, end, unit: Unit::Millis, turns: false }).map(drop)
}

/// Why the job has no transcript.
fn unfinished(
    reading: &mut Reading<'_>,
    status: Option<Value<'_>>,
    error: Option<Value<'_>>,
) -> Option<Problem> {
    const MAX_ERROR_CHARS: usize = 200;
    let status = status?;
    let state = status.text()?.text;
    let why = match &*state {
        "error" => {
            let error =
                error.and_then(Value::text).map_or(Cow::Borrowed("no reason is given"), |error| error.text);
            let error: String = error.chars().filter(|c| !c.is_control()).take(MAX_ERROR_CHARS).collect();
            format!("the recogniser failed ({error}): have the recording recognised again")
        }
        "queued" | "processing" => {
            format!("the recogniser had not finished ({state}): bring what it says when it has")
        }
        _ => return None,
    };
    Some(malformed(reading.text, status.start(), &why))
}

/// Letters and numbers are no names: `A` is `Speaker A`, and `1A` is who speaks second on the first channel.
fn named(label: Cow<'_, str>) -> Cow<'_, str> {
    let letters = label.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_code = letters.len() <= 2 && letters.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code { Cow::Owned(format!("Speaker {label}")) } else { label }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_speakers_are_told_from_names() {
        for (label, expected) in
            [("A", "Speaker A"), ("1", "Speaker 1"), ("12B", "Speaker 12B"), ("Anna", "Anna"), ("a", "a")]
        {
            assert_eq!(named(label.into()), expected);
        }
    }
}
