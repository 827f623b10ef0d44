//! JSON of Amazon Transcribe, with times in seconds as text: audio segments; without them items, which are words and
//! punctuation, joined to turns. Who speaks stands with them, or in segments of speaker labels by time, or is a
//! channel.

use std::borrow::Cow;

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        json::{Document, Kind, Reading, Said, Unit, Value},
        report::{Format, SpeakerSource},
        words::{Word, Words},
    },
    FormatReader,
};
use crate::{error::Problem, time::Millis};

pub(super) struct AmazonTranscribeJson;

impl FormatReader for AmazonTranscribeJson {
    fn format(&self) -> Format {
        Format::AmazonTranscribeJson
    }

    fn name(&self) -> &'static str {
        "JSON of Amazon Transcribe"
    }

    fn looks_like(&self) -> &'static str {
        "its results have items with alternatives and a type"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let outline = sample.outline();
        let items = "results.items[].";
        let channels = "results.channel_labels.channels[].items[].";
        outline.judge(
            &[
                (outline.has_all(items, &["alternatives[].content", "type"]), 98, "its results have items"),
                (
                    outline.has_all(channels, &["alternatives[].content", "type"]),
                    98,
                    "its channels have items",
                ),
                (
                    outline.has_all("results.audio_segments[].", &["transcript", "start_time"]),
                    97,
                    "its results have audio segments",
                ),
            ],
            "its results have no items with alternatives",
        )
    }

    fn has_lines(&self) -> bool {
        false
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let document = Document::read(text, limits)?;
        let mut reading = Reading::new(&document, Format::AmazonTranscribeJson, limits);
        let document = document.only()?;
        let results = document.get("results").unwrap_or(document);
        let keys = ["items", "audio_segments", "speaker_labels", "channel_labels", "transcripts", "segments"];
        let [items, segments, speakers, channels, transcripts, others] = reading.pick(results, keys);
        let channels = channels.and_then(|labels| labels.get("channels")).and_then(Value::filled);
        if channels.is_some() {
            reading.source.speaker_source = Some(SpeakerSource::Channels);
        }
        let in_channels =
            channels.is_some_and(|channels| channels.items().any(|channel| list(channel).is_some()));
        let named = speakers.or(channels).is_some();
        let segments = segments.and_then(Value::filled).filter(|segments| !named || are_named(*segments));
        if let Some(others) = others.and_then(Value::filled) {
            let place = reading.place(others);
            reading.source.log.aside(place, "other readings of the same speech");
        }
        let turns = Turns::of(&mut reading, speakers)?;
        if let Some(segments) = segments {
            segments.items().try_for_each(|element| segment(&mut reading, element))?;
        } else if let Some(channels) = channels.filter(|_| in_channels) {
            channels.items().try_for_each(|channel| turns.channel(&mut reading, channel))?;
        } else if let Some(items) = items.and_then(Value::filled) {
            turns.join(&mut reading, items, None, channels.is_some())?;
        } else if let Some(transcripts) = transcripts.filter(|list| list.kind() == Kind::List) {
            let mut texts = transcripts.items().filter_map(|transcript| transcript.get("transcript"));
            texts.try_for_each(|text| reading.say_alone(text, None))?;
        } else if items.is_none() {
            return Err(reading.lacks("`results.items`"));
        }
        if channels.is_some() {
            reading.sort(None);
        }
        reading.transcript()
    }
}

/// The words of a channel.
fn list(channel: Value<'_>) -> Option<Value<'_>> {
    channel.get("items").and_then(Value::filled)
}

fn are_named(segments: Value<'_>) -> bool {
    segments
        .items()
        .any(|segment| segment.pick(["speaker_label", "channel_label"]).values.iter().any(Option::is_some))
}

fn segment<'a>(reading: &mut Reading<'a>, element: Value<'a>) -> Result<(), Problem> {
    let keys = ["transcript", "speaker_label", "channel_label", "start_time", "end_time"];
    let [text, speaker, channel, start, end] = reading.pick(element, keys);
    let place = reading.place(element);
    let [speaker, channel] = [speaker, channel].map(|label| reading.label(place, label));
    let (speaker, unit) = (both(channel, speaker), Unit::Seconds);
    reading.say(Said { element, text, speaker, start, end, unit, turns: false }).map(drop)
}

/// Speakers are numbered anew in each channel.
fn both<'a>(channel: Option<Cow<'a, str>>, speaker: Option<Cow<'a, str>>) -> Option<Cow<'a, str>> {
    match (channel, speaker) {
        (Some(channel), Some(speaker)) => Some(Cow::Owned(format!("{channel} {speaker}"))),
        (channel, speaker) => channel.or(speaker),
    }
}

/// Who speaks when, as older documents have it beside the words; by start.
struct Turns<'a>(Vec<(Millis, Millis, Cow<'a, str>)>);

impl<'a> Turns<'a> {
    fn of(reading: &mut Reading<'a>, labels: Option<Value<'a>>) -> Result<Self, Problem> {
        let mut turns = Vec::new();
        let segments = labels.and_then(|labels| labels.get("segments"));
        for segment in segments.into_iter().flat_map(Value::items) {
            let [label, start, end] = segment.pick(["speaker_label", "start_time", "end_time"]).values;
            let place = reading.place(segment);
            let [start, end] = [start, end].map(|time| reading.time(place, time, Unit::Seconds));
            if let (Some(start), Some(end), Some(label)) = (start, end, reading.label(place, label)) {
                reading.check_room(turns.len(), segment)?;
                turns.push((start, end, label));
            }
        }
        turns.sort_by_key(|(start, ..)| *start);
        Ok(Self(turns))
    }

    fn at(&self, time: Option<Millis>) -> Option<Cow<'a, str>> {
        let time = time?;
        let before = self.0.partition_point(|(start, ..)| *start <= time);
        let (_, end, label) = self.0.get(before.checked_sub(1)?)?;
        (time <= *end).then(|| label.clone())
    }

    fn channel(&self, reading: &mut Reading<'a>, channel: Value<'a>) -> Result<(), Problem> {
        let [label, items] = reading.pick(channel, ["channel_label", "items"]);
        let place = reading.place(channel);
        let label = reading.label(place, label);
        items.map_or(Ok(()), |items| self.join(reading, items, label, true))
    }

    fn join(
        &self,
        reading: &mut Reading<'a>,
        items: Value<'a>,
        channel: Option<Cow<'a, str>>,
        by_sentence: bool,
    ) -> Result<(), Problem> {
        let mut words = Words::new(by_sentence);
        let mut previous = None;
        for item in items.items() {
            let keys = ["alternatives", "type", "speaker_label", "channel_label", "start_time", "end_time"];
            let [alternatives, kind, speaker, of, start, end] = reading.pick(item, keys);
            let place = reading.place(item);
            let mut readings = alternatives.into_iter().flat_map(Value::items);
            let content = readings.next().and_then(|first| first.get("content"));
            if readings.next().is_some() {
                reading.source.log.warning(place, "other readings of the word were left out");
            }
            let Some(text) = reading.text(place, content)? else {
                continue;
            };
            let attached = kind.is_some_and(|kind| kind.raw() == "\"punctuation\"");
            let [start, end] = [start, end].map(|time| reading.time(place, time, Unit::Seconds));
            let [speaker, of] = [speaker, of].map(|label| reading.label(place, label));
            let speaker = both(of.or_else(|| channel.clone()), speaker.or_else(|| self.at(start)));
            let speaker = if attached && speaker.is_none() { previous.clone() } else { speaker };
            previous.clone_from(&speaker);
            words.add(reading, Word { text, speaker, start, end, place, attached })?;
        }
        words.end(reading)
    }
}
