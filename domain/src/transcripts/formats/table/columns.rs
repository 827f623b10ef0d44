//! Which column of a table holds what, by the names in its header.

use super::rows::Field;

/// Indices of the columns that are read.
pub(in super::super) struct Columns {
    pub(in super::super) text: usize,
    pub(in super::super) speaker: Option<usize>,
    pub(in super::super) start: Option<Time>,
    pub(in super::super) end: Option<Time>,
    pub(in super::super) duration: Option<Time>,
    /// How many there are.
    pub(in super::super) count: usize,
}

#[derive(Clone, Copy)]
pub(in super::super) struct Time {
    pub(in super::super) column: usize,
    pub(in super::super) unit: Unit,
}

/// What a number without colons counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Unit {
    Seconds,
    Millis,
}

/// The first name of each list that a header has is its column.
const TEXT: [&str; 19] = [
    "text",
    "transcript",
    "transcription",
    "content",
    "utterance",
    "sentence",
    "caption",
    "subtitle",
    "speech",
    "message",
    "dialogue",
    "said",
    "words",
    "inhalt",
    "texte",
    "texto",
    "testo",
    "tekst",
    "paragraph",
];
const SPEAKER: [&str; 19] = [
    "speaker",
    "speaker_name",
    "speaker_label",
    "participant",
    "participant_name",
    "name",
    "speaker_id",
    "person",
    "display_name",
    "author",
    "user",
    "who",
    "sprecher",
    "sprecherin",
    "locuteur",
    "hablante",
    "parlante",
    "spreker",
    "falante",
];
const START: [&str; 22] = [
    "start",
    "start_time",
    "begin",
    "begin_time",
    "in",
    "from",
    "time_in",
    "timecode_in",
    "start_timestamp",
    "timestamp",
    "time",
    "timecode",
    "offset",
    "start_offset",
    "beginn",
    "anfang",
    "startzeit",
    "von",
    "zeit",
    "debut",
    "début",
    "inicio",
];
const END: [&str; 16] = [
    "end",
    "end_time",
    "stop",
    "stop_time",
    "finish",
    "out",
    "to",
    "time_out",
    "timecode_out",
    "end_timestamp",
    "end_offset",
    "ende",
    "endzeit",
    "bis",
    "fin",
    "fim",
];
const DURATION: [&str; 5] = ["duration", "length", "dur", "dauer", "durée"];

impl Columns {
    /// `None` where no column holds text, or nothing else is known beside it.
    pub(in super::super) fn of(header: &[Field<'_>]) -> Option<Self> {
        let names: Vec<_> = header.iter().map(|field| Name::of(&field.text)).collect();
        let find = |list: &[&str]| {
            list.iter().find_map(|wanted| names.iter().position(|name| name.words == *wanted))
        };
        let time = |list| find(list).map(|column| Time { column, unit: names[column].unit });
        let columns = Self {
            text: find(&TEXT)?,
            speaker: find(&SPEAKER),
            start: time(&START),
            end: time(&END),
            duration: time(&DURATION),
            count: header.len(),
        };
        (columns.speaker.is_some() || columns.start.is_some()).then_some(columns)
    }

    /// How many columns are not read.
    pub(in super::super) fn unread(&self, header: &[Field<'_>]) -> usize {
        let times = [self.start, self.end, self.duration].map(|time| time.map(|time| time.column));
        let read = |column: usize| {
            column == self.text || self.speaker == Some(column) || times.contains(&Some(column))
        };
        header
            .iter()
            .enumerate()
            .filter(|(column, field)| !read(*column) && !field.text.trim().is_empty())
            .count()
    }
}

/// A column's name without its unit, in small letters with `_` between the words.
struct Name {
    words: String,
    unit: Unit,
}

const MAX_NAME_BYTES: usize = 60;

impl Name {
    fn of(field: &str) -> Self {
        let field = field.trim_start_matches('\u{feff}').trim();
        let mut name = Self { words: String::new(), unit: Unit::Seconds };
        if field.len() > MAX_NAME_BYTES {
            return name;
        }
        for word in spaced(field).split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            match word {
                "ms" | "msec" | "millis" | "milliseconds" => name.unit = Unit::Millis,
                "s" | "sec" | "secs" | "seconds" | "hh" | "mm" | "ss" | "hms" => {}
                _ => {
                    if !name.words.is_empty() {
                        name.words.push('_');
                    }
                    name.words.push_str(word);
                }
            }
        }
        name
    }
}

/// `startTime` as `start time`.
fn spaced(name: &str) -> String {
    let mut spaced = String::with_capacity(name.len() + 4);
    let mut small = false;
    for c in name.chars() {
        if small && c.is_uppercase() {
            spaced.push(' ');
        }
        small = c.is_lowercase();
        spaced.extend(c.to_lowercase());
    }
    spaced
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn columns(header: &str) -> Option<Columns> {
        let fields: Vec<_> =
            header.split(',').map(|name| Field { text: Cow::Borrowed(name), start: 0 }).collect();
        Columns::of(&fields)
    }

    #[test]
    fn columns_are_known_by_many_names() {
        let found = columns("Start Time (ms),endTime,Speaker Name,\u{feff}Transcript,id").expect("columns");
        assert_eq!((found.text, found.speaker), (3, Some(2)));
        let time = |time: Option<Time>| time.map(|time| (time.column, time.unit == Unit::Millis));
        assert_eq!((time(found.start), time(found.end)), (Some((0, true)), Some((1, false))));
        let german = columns("Sprecher,Beginn,Dauer,Text").expect("columns");
        assert_eq!(
            (german.text, german.speaker, german.duration.map(|time| time.column)),
            (3, Some(0), Some(2))
        );
        for header in ["a,b", "text", "speaker,start", "Anna: text,and more"] {
            assert!(columns(header).is_none(), "{header}");
        }
    }
}
