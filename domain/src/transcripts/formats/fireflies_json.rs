//! JSON of Fireflies: the sentences of a transcript, as the interface answers them or as they are downloaded, with
//! times in seconds or as text, and speakers by name or by number or not at all.

use std::{borrow::Cow, collections::HashMap};

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        json::{Document, Kind, Reading, Said, Unit, Value, malformed, numbered},
        report::Format,
    },
    FormatReader,
};
use crate::error::Problem;

pub(super) struct FirefliesJson;

/// Where the sentences may be.
const PATHS: [&str; 8] = [
    "[].",
    "sentences[].",
    "transcript[].",
    "transcript.sentences[].",
    "data.sentences[].",
    "data.transcript[].",
    "data.transcript.sentences[].",
    "data.transcripts[].sentences[].",
];

impl FormatReader for FirefliesJson {
    fn format(&self) -> Format {
        Format::FirefliesJson
    }

    fn name(&self) -> &'static str {
        "JSON of Fireflies"
    }

    fn looks_like(&self) -> &'static str {
        "its sentences have speaker_name, start_time and end_time"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let outline = sample.outline();
        let named = |path: &&str| outline.has_any(path, &["speaker_name", "speakerName", "speaker_id"]);
        let said = |path: &&str| outline.has_any(path, &["sentence", "raw_text", "text"]);
        let timed = |path: &&str| outline.has_any(path, &["start_time", "startTime"]);
        let own = |path: &&str| said(path) && outline.has_any(path, &["sentence", "raw_text", "ai_filters"]);
        let within = |path: &&str| path.contains("sentences") && said(path) && named(path);
        let paths = || PATHS.iter().copied();
        outline.judge(
            &[
                (paths().any(|path| own(&path) && named(&path)), 96, "its sentences have names and a text"),
                (paths().any(|path| within(&path) && timed(&path)), 94, "its sentences have names and times"),
                (paths().any(|path| own(&path) && timed(&path)), 75, "its sentences have times"),
                (
                    paths().any(|path| said(&path) && named(&path) && timed(&path)),
                    70,
                    "it has names and times",
                ),
            ],
            "it has no sentences with speaker_name and start_time",
        )
    }

    fn has_lines(&self) -> bool {
        false
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let document = Document::read(text, limits)?;
        let mut reading = Reading::new(&document, Format::FirefliesJson, limits);
        let document = document.only()?;
        let (list, names) = sentences(&mut reading, document)?;
        for element in list.items() {
            sentence(&mut reading, element, &names)?;
        }
        reading.transcript()
    }
}

type Names<'a> = HashMap<Cow<'a, str>, Value<'a>>;

/// The list of sentences, and the names of the speakers where they stand beside it.
fn sentences<'a>(reading: &mut Reading<'a>, document: Value<'a>) -> Result<(Value<'a>, Names<'a>), Problem> {
    let mut value = document;
    let mut names = HashMap::new();
    for _ in 0..4 {
        if value.kind() == Kind::List {
            return Ok((value, names));
        }
        let [sentences, transcript, transcripts, data, speakers] =
            reading.pick(value, ["sentences", "transcript", "transcripts", "data", "speakers"]);
        for speaker in speakers.into_iter().flat_map(Value::items) {
            if let ([Some(id), Some(name)], true) = (speaker.pick(["id", "name"]).values, names.len() < 1000)
            {
                names.insert(key(id), name);
            }
        }
        value = match (sentences.or(transcript), transcripts, data) {
            (Some(below), ..) => below,
            (None, Some(transcripts), _) => only(reading, transcripts)?,
            (None, None, Some(data)) => data,
            (None, None, None) => break,
        };
    }
    Err(reading.lacks("`sentences`"))
}

fn only<'a>(reading: &mut Reading<'a>, transcripts: Value<'a>) -> Result<Value<'a>, Problem> {
    let mut items = transcripts.items();
    match (items.next(), items.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Ok(transcripts),
        (_, Some(second)) => Err(malformed(
            reading.text,
            second.start(),
            "a second transcript begins here; bring each in a file of its own",
        )),
    }
}

fn key(id: Value<'_>) -> Cow<'_, str> {
    id.text().map_or(Cow::Borrowed(id.raw()), |id| id.text)
}

fn sentence<'a>(reading: &mut Reading<'a>, element: Value<'a>, names: &Names<'a>) -> Result<(), Problem> {
    let keys = [
        "text",
        "sentence",
        "raw_text",
        "speaker_name",
        "speakerName",
        "speaker",
        "speaker_id",
        "start_time",
        "startTime",
        "end_time",
        "endTime",
    ];
    let [text, sentence, raw, name, camel, speaker, id, start, start_camel, end, end_camel] =
        reading.pick(element, keys);
    let place = reading.place(element);
    let name = name.or(camel).or(speaker);
    let name = name.or_else(|| id.and_then(|id| names.get(&key(id)).copied()));
    let label = reading.label(place, name).or_else(|| reading.label(place, id));
    let said = [text, sentence, raw].into_iter().flatten();
    let text = said.clone().find(|text| text.text().is_some_and(|text| !text.text.trim().is_empty()));
    let said = Said {
        element,
        text: text.or_else(|| said.clone().next()),
        speaker: label.map(numbered),
        start: start.or(start_camel),
        end: end.or(end_camel),
        unit: Unit::Seconds,
        turns: false,
    };
    reading.say(said).map(drop)
}
