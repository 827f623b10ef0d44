//! Tables with a header, separated by commas, semicolons, tabs or bars: the header says which column is the
//! speaker, the text, the times. What a row does not say stays unknown.

mod columns;
mod rows;

use std::borrow::Cow;

use self::{columns::Time, rows::Row};
pub(super) use self::{
    columns::{Columns, Unit},
    rows::{Field, Rows},
};
use super::{
    super::{
        Limits, Transcript, assemble,
        detect::{Confidence, Sample},
        plain::squeezed,
        report::{Format, Place, SpeakerSource},
        spoken::{Piece, Source},
        times,
    },
    FormatReader,
};
use crate::{error::Problem, time::Millis};

pub(super) struct Table;

const SEPARATORS: [u8; 4] = [b'\t', b',', b';', b'|'];

impl FormatReader for Table {
    fn format(&self) -> Format {
        Format::Table
    }

    fn name(&self) -> &'static str {
        "table"
    }

    fn looks_like(&self) -> &'static str {
        "its first line names columns like speaker, start and text"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let Some(separator) = separator(sample.head) else {
            return Confidence::new(0, "its first line names no columns like speaker, start and text");
        };
        let mut rows = Rows::new(sample.head, separator, true, sample.head.len());
        let mut fields = Vec::new();
        let columns = rows.read(&mut fields).map_or(0, |_| fields.len());
        let _first = rows.read(&mut fields);
        match fields.len() == columns {
            true => Confidence::new(88, "its first line names columns, and the next has as many fields"),
            false => Confidence::new(60, "its first line names columns"),
        }
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let Some(separator) = separator(text) else {
            let message = "line 1: the first line names no column that holds text beside one with speakers or times; \
                           name them, as in `start,end,speaker,text`";
            return Err(Problem::new("MALFORMED", message).on_line(1));
        };
        read(
            Source::new(Format::Table, limits),
            Rows::new(text, separator, true, limits.max_line_bytes),
            text,
            None,
        )
    }
}

/// The separator that makes columns of the first line; of several, the one that makes most.
fn separator(text: &str) -> Option<u8> {
    let first = text.trim_start_matches(['\u{feff}', '\n', '\r', ' ']);
    let first = &first[..first.find(['\n', '\r']).unwrap_or(first.len())];
    let columns = SEPARATORS.into_iter().filter_map(|separator| {
        let mut fields = Vec::new();
        Rows::new(first, separator, true, first.len()).read(&mut fields)?;
        Columns::of(&fields).map(|_| (fields.len(), separator))
    });
    columns.max_by_key(|(count, _)| *count).map(|(_, separator)| separator)
}

/// Reads the rows below a header; `unit`, where it is given, is that of all numbers.
pub(super) fn read<'a>(
    mut source: Source<'a>,
    mut rows: Rows<'a>,
    text: &'a str,
    unit: Option<Unit>,
) -> Result<Transcript, Problem> {
    let mut fields = Vec::new();
    let header = rows.read(&mut fields);
    let Some((header, mut columns)) = header.zip(Columns::of(&fields)) else {
        let message = "line 1: the first line names no column that holds text";
        return Err(Problem::new("MALFORMED", message).on_line(1));
    };
    for time in [&mut columns.start, &mut columns.end, &mut columns.duration].into_iter().flatten() {
        time.unit = unit.unwrap_or(time.unit);
    }
    if columns.speaker.is_some() {
        source.speaker_source = Some(SpeakerSource::Fields);
    }
    let unread = columns.unread(&fields);
    if unread > 0 {
        source.log.aside(header.place, format!("columns that are not read: {unread}"));
    }
    let names: Vec<_> = fields.iter().map(|field| field.text.clone().into_owned()).collect();
    let mut reading = Reading { source, columns, names, text };
    while let Some(row) = rows.read(&mut fields) {
        reading.row(&row, &mut fields)?;
    }
    assemble::transcript(reading.source)
}

struct Reading<'a> {
    source: Source<'a>,
    columns: Columns,
    names: Vec<String>,
    text: &'a str,
}

impl<'a> Reading<'a> {
    fn row(&mut self, row: &Row, fields: &mut [Field<'a>]) -> Result<(), Problem> {
        if row.odd_quote {
            self.source.log.warning(row.place, "a quote that is not closed was kept as text");
        }
        if fields.iter().all(|field| field.text.chars().all(|c| matches!(c, '-' | ':' | '=' | ' '))) {
            return self.rule(row.place, fields);
        }
        if fields.len() == self.names.len()
            && fields.iter().zip(&self.names).all(|(field, name)| field.text == *name)
        {
            self.source.log.aside(row.place, "the header once more");
            return Ok(());
        }
        let Some(text) = self.said(row, fields) else {
            let reason = match fields.len() > self.columns.count {
                true => "the row has more fields than the header",
                false => "the row has no field for the text",
            };
            return self.source.skip(row.place, reason);
        };
        let text = if self.columns.speaker.is_some() { squeezed(text) } else { text };
        if text.trim().is_empty() {
            return self.source.skip(row.place, "the row has no text");
        }
        let speaker = self
            .columns
            .speaker
            .and_then(|at| fields.get_mut(at))
            .map(|field| std::mem::take(&mut field.text));
        let speaker = speaker.map(squeezed).filter(|label| !label.is_empty());
        let (start, end) = self.times(row.place, fields);
        self.source.push(Piece { speaker, text, start, end, place: row.place, opens: true, turns: false })
    }

    /// A row of signs says nothing; below the header of a Markdown table there is one.
    fn rule(&mut self, place: Place, fields: &[Field<'_>]) -> Result<(), Problem> {
        match fields.iter().all(|field| field.text.is_empty()) {
            true => self.source.skip(place, "the row is empty"),
            false => {
                self.source.log.aside(place, "a row of rules");
                Ok(())
            }
        }
    }

    /// The text of a row. Where it is the last column and the row has too many fields, its separators were
    /// not quoted, and all to the end of the row is text.
    fn said(&mut self, row: &Row, fields: &mut [Field<'a>]) -> Option<Cow<'a, str>> {
        let (at, count) = (self.columns.text, self.columns.count);
        if fields.len() > count {
            if at + 1 != count {
                return None;
            }
            self.source
                .log
                .warning(row.place, "the row has more fields than the header: the rest was taken for text");
            return fields.get(at).map(|field| Cow::Borrowed(self.text[field.start..row.end].trim()));
        }
        if fields.len() < count && fields.len() > at {
            self.source.log.warning(row.place, "the row has fewer fields than the header");
        }
        fields.get_mut(at).map(|field| std::mem::take(&mut field.text))
    }

    fn times(&mut self, place: Place, fields: &[Field<'_>]) -> (Option<Millis>, Option<Millis>) {
        let start = self.time(self.columns.start, place, fields);
        let end = match self.columns.end {
            None => {
                let length = self.time(self.columns.duration, place, fields);
                start.zip(length).map(|(start, length)| Millis(start.0.saturating_add(length.0)))
            }
            end => self.time(end, place, fields),
        };
        if end.is_some() && end < start {
            self.source.log.warning(place, "the row ends before it starts: its end was left out");
        }
        (start, end.filter(|end| start.is_none_or(|start| start <= *end)))
    }

    fn time(&mut self, time: Option<Time>, place: Place, fields: &[Field<'_>]) -> Option<Millis> {
        let time = time?;
        let found = millis(fields.get(time.column)?.text.trim(), time.unit);
        if found.is_none() {
            self.source.log.warning(place, "a time that cannot be read was left out");
        }
        found.flatten()
    }
}

/// `1:02.5`, `62.5`, `62,5`, `62500` by the unit; `Some(None)` where nothing is said.
fn millis(field: &str, unit: Unit) -> Option<Option<Millis>> {
    if matches!(field, "" | "-" | "–")
        || ["null", "none", "nan", "n/a"].iter().any(|none| field.eq_ignore_ascii_case(none))
    {
        return Some(None);
    }
    if field.contains(':') {
        return times::lenient(field).filter(|(_, rest)| rest.is_empty()).map(|(time, _)| Some(time));
    }
    let (number, factor) = match (field.strip_suffix("ms"), field.strip_suffix('s'), unit) {
        (Some(number), ..) => (number, 1.0),
        (None, Some(number), _) => (number, 1000.0),
        (None, None, Unit::Millis) => (field, 1.0),
        (None, None, Unit::Seconds) => (field, 1000.0),
    };
    let number: f64 = number.trim_end().replace(',', ".").parse().ok()?;
    let time = number * factor;
    (0.0..=MAX_MILLIS).contains(&time).then(|| Some(Millis(time.round() as u64)))
}

/// Ten years; more is a date.
const MAX_MILLIS: f64 = 3.2e11;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_by_their_unit() {
        for (field, unit, expected) in [
            ("62.5", Unit::Seconds, Some(Some(62_500))),
            ("62,5", Unit::Seconds, Some(Some(62_500))),
            ("62500", Unit::Millis, Some(Some(62_500))),
            ("62500ms", Unit::Seconds, Some(Some(62_500))),
            ("62.5 s", Unit::Millis, Some(Some(62_500))),
            ("0:01:02.5", Unit::Millis, Some(Some(62_500))),
            ("", Unit::Seconds, Some(None)),
            ("NaN", Unit::Seconds, Some(None)),
            ("-1", Unit::Seconds, None),
            ("1e30", Unit::Seconds, None),
            ("2024-05-12T14:00:00Z", Unit::Seconds, None),
            ("soon", Unit::Seconds, None),
        ] {
            assert_eq!(millis(field, unit).map(|time| time.map(|time| time.0)), expected, "{field}");
        }
    }
}
