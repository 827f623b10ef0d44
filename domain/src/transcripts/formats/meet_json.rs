//! Transcript entries of Google Meet's REST interface, one page or several after another. Times are of the clock on
//! the wall: the earliest start is their origin. Who speaks is a resource name, unless a list of participants
//! stands beside, which names them.

use std::{borrow::Cow, collections::HashMap};

use chrono::DateTime;

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        json::{Document, Kind, MAX_MILLIS, Reading, Value},
        report::{Format, Place},
        spoken::Piece,
    },
    FormatReader,
};
use crate::{error::Problem, time::Millis};

pub(super) struct MeetJson;

impl FormatReader for MeetJson {
    fn format(&self) -> Format {
        Format::MeetJson
    }

    fn name(&self) -> &'static str {
        "JSON of Google Meet"
    }

    fn looks_like(&self) -> &'static str {
        "its transcriptEntries have participant, text and startTime"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let outline = sample.outline();
        let entries = ["transcriptEntries[].", "[].transcriptEntries[]."];
        let own = |path: &&str| outline.has_any(path, &["participant", "languageCode"]);
        let entry = |path: &str| outline.has_all(path, &["participant", "text", "startTime"]);
        outline.judge(
            &[
                (entries.iter().any(own), 98, "it has transcriptEntries"),
                (entry("[]."), 95, "its elements have participant, text and startTime"),
                (entry(""), 95, "it has participant, text and startTime"),
            ],
            "it has no transcriptEntries",
        )
    }

    fn has_lines(&self) -> bool {
        false
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let document = Document::read(text, limits)?;
        let mut reading = Reading::new(&document, Format::MeetJson, limits);
        let mut found = Found::default();
        for page in document.values() {
            found.page(&mut reading, page, 0)?;
        }
        if found.entries.is_empty() && !found.has_pages {
            return Err(reading.lacks("`transcriptEntries`"));
        }
        for entry in std::mem::take(&mut found.entries) {
            found.say(&mut reading, entry)?;
        }
        found.count_from_origin(&mut reading);
        reading.sort(Some("it stands out of order: all were put in the order of their starts"));
        reading.transcript()
    }
}

#[derive(Default)]
struct Found<'a> {
    entries: Vec<Value<'a>>,
    has_pages: bool,
    /// Of the resource names of participants.
    names: HashMap<Cow<'a, str>, Value<'a>>,
    /// Where each piece's start stands in the source.
    starts: Vec<Option<Value<'a>>>,
}

/// Pages are lists in objects in at most one list.
const MAX_LEVELS: u8 = 2;

impl<'a> Found<'a> {
    fn page(&mut self, reading: &mut Reading<'a>, value: Value<'a>, level: u8) -> Result<(), Problem> {
        if value.kind() == Kind::List && level < MAX_LEVELS {
            return value.items().try_for_each(|item| self.page(reading, item, level + 1));
        }
        let [entries, participants, participant, text] =
            reading.pick(value, ["transcriptEntries", "participants", "participant", "text"]);
        self.has_pages |= entries.is_some();
        for participant in participants.into_iter().flat_map(Value::items) {
            self.participant(participant);
        }
        let is_page = level == 0 || entries.or(participants).is_some();
        let is_entry = participant.or(text).is_some() || !is_page;
        let items = entries.into_iter().flat_map(Value::items);
        for entry in items.chain(is_entry.then_some(value)) {
            reading.check_room(self.entries.len(), entry)?;
            self.entries.push(entry);
        }
        Ok(())
    }

    fn participant(&mut self, participant: Value<'a>) {
        const MAX_NAMES: usize = 10_000;
        let [id, signed_in, anonymous, phone] =
            participant.pick(["name", "signedinUser", "anonymousUser", "phoneUser"]).values;
        let user = [signed_in, anonymous, phone].into_iter().flatten();
        let name = user.filter_map(|user| user.get("displayName")).next();
        if let (Some(id), Some(name), true) = (id.and_then(Value::text), name, self.names.len() < MAX_NAMES) {
            self.names.insert(id.text, name);
        }
    }

    fn say(&mut self, reading: &mut Reading<'a>, entry: Value<'a>) -> Result<(), Problem> {
        let [text, participant, start, end] =
            reading.pick(entry, ["text", "participant", "startTime", "endTime"]);
        let place = reading.place(entry);
        let Some(text) = reading.text(place, text)? else {
            return Ok(());
        };
        let id = participant.and_then(Value::text).map(|id| id.text);
        let name = id.and_then(|id| self.names.get(&id).copied());
        let speaker = reading.label(place, name).or_else(|| reading.label(place, participant));
        let [begun, ended] = [start, end].map(|time| wall(reading, place, time));
        let ended = reading.not_before(place, begun, ended);
        self.starts.push(start.filter(|_| begun.is_some()));
        let (start, end) = (begun, ended);
        reading.source.push(Piece { speaker, text, start, end, place, opens: true, turns: false })
    }

    /// Makes the times, which are since 1970, those since the earliest start. What is far from most is no time.
    fn count_from_origin(&self, reading: &mut Reading<'a>) {
        let mut starts: Vec<u64> =
            reading.source.pieces.iter().filter_map(|piece| Some(piece.start?.0)).collect();
        starts.sort_unstable();
        // Where no start can be read, there is no origin, and no end is near to it.
        let middle = starts.get(starts.len() / 2).copied().unwrap_or_default();
        let near = |time: &Millis| time.0.abs_diff(middle) <= MAX_MILLIS;
        let earliest = starts.iter().copied().find(|start| near(&Millis(*start))).unwrap_or(middle);
        for (piece, written) in reading.source.pieces.iter_mut().zip(&self.starts) {
            if piece.start == Some(Millis(earliest)) && reading.source.wall_origin.is_none() {
                reading.source.wall_origin =
                    written.and_then(|start| Some(start.text()?.text.trim().to_owned()));
            }
            let was = (piece.start.is_some(), piece.end.is_some());
            let since = |time: Millis| Some(Millis(time.0.checked_sub(earliest)?));
            piece.start = piece.start.filter(near).and_then(since);
            piece.end = piece.end.filter(near).and_then(since);
            if was != (piece.start.is_some(), piece.end.is_some()) {
                reading.source.log.warning(piece.place, "a time is far from all others: it was left out");
            }
        }
    }
}

fn wall(reading: &mut Reading<'_>, place: Place, value: Option<Value<'_>>) -> Option<Millis> {
    /// A time may have any number of digits, and the report keeps one as it is written.
    const MAX_BYTES: usize = 64;
    let text = value?.text().map(|text| text.text);
    let text = text.as_deref().map(str::trim).filter(|text| text.len() <= MAX_BYTES);
    let time = text.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let time = time.and_then(|time| u64::try_from(time.timestamp_millis()).ok());
    if time.is_none() {
        reading.source.log.warning(place, "a time cannot be read: it was left out");
    }
    time.map(Millis)
}
