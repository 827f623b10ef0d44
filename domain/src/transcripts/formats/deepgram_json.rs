//! JSON of Deepgram, with times in seconds: utterances; without them the sentences of each channel's paragraphs, or its
//! words, which are joined to turns, or its text alone. Several channels are as many speakers, merged by time. Messages
//! of a stream are read, too; see [`stream`].

mod stream;

use std::borrow::Cow;

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        json::{Document, Kind, Reading, Said, Unit, Value, numbered},
        report::{Format, Place, SpeakerSource},
        words::Words,
    },
    FormatReader,
};
use crate::error::Problem;

pub(super) struct DeepgramJson;

impl FormatReader for DeepgramJson {
    fn format(&self) -> Format {
        Format::DeepgramJson
    }

    fn name(&self) -> &'static str {
        "JSON of Deepgram"
    }

    fn looks_like(&self) -> &'static str {
        "its results have channels with alternatives, also one by one as they were streamed"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let outline = sample.outline();
        let results = ["results.", "result.results."];
        let channels = |path: &&str| outline.has(&format!("{path}channels[].alternatives[].transcript"));
        let utterances =
            |path: &&str| outline.has_all(path, &["utterances[].transcript", "utterances[].start"]);
        let words = |path: &&str| outline.has(&format!("{path}channels[].alternatives[].words[].word"));
        let streams = ["", "[]."];
        let messages = |path: &&str| {
            outline.has(&format!("{path}channel.alternatives[].transcript"))
                && outline.has_any(path, &["is_final", "channel_index"])
        };
        outline.judge(
            &[
                (streams.iter().any(messages), 97, "it is a stream of results of channels"),
                (results.iter().any(channels), 98, "its results have channels with alternatives"),
                (results.iter().any(utterances), 96, "its results have utterances with a transcript"),
                (results.iter().any(words), 96, "its results have channels with words"),
            ],
            "its results have no channels with alternatives",
        )
    }

    fn has_lines(&self) -> bool {
        false
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let document = Document::read(text, limits)?;
        let mut reading = Reading::new(&document, Format::DeepgramJson, limits);
        if stream::is_one(&document) {
            stream::read(&mut reading, &document)?;
            return reading.transcript();
        }
        let document = document.only()?;
        let document = document.get("result").unwrap_or(document);
        let results = document.get("results").unwrap_or(document);
        let [utterances, channels] = reading.pick(results, ["utterances", "channels"]);
        if utterances.or(channels).is_none_or(|list| list.kind() != Kind::List) {
            return Err(reading.lacks("`results.channels`"));
        }
        let several = channels.is_some_and(|channels| channels.items().nth(1).is_some());
        if several {
            reading.source.speaker_source = Some(SpeakerSource::Channels);
        }
        if let Some(utterances) = utterances.and_then(Value::filled) {
            for element in utterances.items() {
                utterance(&mut reading, element, several)?;
            }
        } else {
            for (at, channel) in channels.into_iter().flat_map(Value::items).enumerate() {
                Channel { number: several.then_some(at as u64) }.read(&mut reading, channel)?;
            }
        }
        if several {
            reading.sort(None);
        }
        reading.transcript()
    }
}

fn utterance<'a>(reading: &mut Reading<'a>, element: Value<'a>, several: bool) -> Result<(), Problem> {
    let [text, speaker, start, end, channel] =
        reading.pick(element, ["transcript", "speaker", "start", "end", "channel"]);
    let place = reading.place(element);
    let speaker = reading.label(place, speaker);
    let number = channel.and_then(Value::number).filter(|_| several).map(|number| number as u64);
    let speaker = Channel { number }.label(speaker);
    reading.say(Said { element, text, speaker, start, end, unit: Unit::Seconds, turns: false }).map(drop)
}

#[derive(Clone, Copy)]
struct Channel {
    /// From 0, where there are several.
    number: Option<u64>,
}

impl Channel {
    fn read<'a>(self, reading: &mut Reading<'a>, channel: Value<'a>) -> Result<(), Problem> {
        let mut alternatives = channel.get("alternatives").into_iter().flat_map(Value::items);
        let Some(alternative) = alternatives.next() else {
            return Ok(());
        };
        if let Some(others) = alternatives.map(|other| reading.place(other)).reduce(Place::to) {
            reading.source.log.aside(others, "it is another reading of the same speech");
        }
        let [paragraphs, words, all] = reading.pick(alternative, ["paragraphs", "words", "transcript"]);
        let paragraphs = paragraphs.map(|paragraphs| paragraphs.get("paragraphs").unwrap_or(paragraphs));
        if let Some(paragraphs) = paragraphs.and_then(Value::filled) {
            return paragraphs.items().try_for_each(|paragraph| self.paragraph(reading, paragraph));
        }
        if let Some(list) = words.and_then(Value::filled) {
            let mut words = Words::new(self.number.is_some());
            let keys = ["punctuated_word", "word"];
            return words.read(reading, list, keys, Unit::Seconds, |label| self.label(label));
        }
        all.map_or(Ok(()), |all| reading.say_alone(all, self.label(None)))
    }

    fn paragraph<'a>(self, reading: &mut Reading<'a>, paragraph: Value<'a>) -> Result<(), Problem> {
        let [sentences, speaker] = reading.pick(paragraph, ["sentences", "speaker"]);
        let place = reading.place(paragraph);
        let speaker = reading.label(place, speaker);
        let speaker = self.label(speaker);
        let Some(sentences) = sentences.and_then(Value::filled) else {
            return reading.source.skip(place, "it has no sentences");
        };
        for element in sentences.items() {
            let [text, start, end] = reading.pick(element, ["text", "start", "end"]);
            let (speaker, unit) = (speaker.clone(), Unit::Seconds);
            reading.say(Said { element, text, speaker, start, end, unit, turns: false })?;
        }
        Ok(())
    }

    fn label<'a>(self, speaker: Option<Cow<'a, str>>) -> Option<Cow<'a, str>> {
        let speaker = speaker.map(numbered);
        match (self.number, speaker) {
            (None, speaker) => speaker,
            (Some(number), None) => Some(format!("Channel {}", number.saturating_add(1)).into()),
            (Some(number), Some(speaker)) => {
                Some(format!("Channel {} {speaker}", number.saturating_add(1)).into())
            }
        }
    }
}
