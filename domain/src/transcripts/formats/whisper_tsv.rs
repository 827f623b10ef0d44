//! Tables that whisper writes: `start`, `end` and `text` with tabs, whose quotes are text, and whisper.cpp's with
//! commas and quotes. Times are milliseconds.

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        lines::Lines,
        report::Format,
        spoken::Source,
    },
    FormatReader,
    table::{self, Rows, Unit},
};
use crate::error::Problem;

pub(super) struct WhisperTsv;

impl FormatReader for WhisperTsv {
    fn format(&self) -> Format {
        Format::WhisperTsv
    }

    fn name(&self) -> &'static str {
        "whisper TSV"
    }

    fn looks_like(&self) -> &'static str {
        "its first line is start, end and text with tabs between, and its times are whole milliseconds"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let mut lines = Lines::new(sample.head).filter(|line| !line.is_blank()).map(|line| line.text);
        let header = lines.next().map(str::trim);
        let mut last = 0;
        let shaped = match header {
            Some(TABS) => lines.next().is_none_or(|line| times(line, '\t').is_some()),
            Some(COMMAS | SPEAKERS) => lines.take(32).filter(|line| line.contains(',')).all(|line| {
                let Some((start, end, rest)) = times(line, ',') else { return false };
                last = end.max(last);
                rest.contains('"') && start % 10 == 0 && end % 10 == 0
            }),
            _ => false,
        };
        match (shaped, header) {
            (true, Some(TABS)) => {
                Confidence::new(96, "its first line is whisper's, its times are whole numbers")
            }
            (true, _) if last >= 100 => {
                Confidence::new(92, "its first line is whisper.cpp's, its times are in steps of ten")
            }
            _ => Confidence::new(0, "its first line is not start, end and text with tabs between"),
        }
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let commas =
            Lines::new(text).find(|line| !line.is_blank()).is_some_and(|line| !line.text.contains('\t'));
        let (separator, quotes) = if commas { (b',', true) } else { (b'\t', false) };
        let rows = Rows::new(text, separator, quotes, limits.max_line_bytes);
        table::read(Source::new(Format::WhisperTsv, limits), rows, text, Some(Unit::Millis))
    }
}

const TABS: &str = "start\tend\ttext";
const COMMAS: &str = "start,end,text";
const SPEAKERS: &str = "start,end,speaker,text";

/// The two whole numbers at the head of a line, and what follows them.
fn times(line: &str, separator: char) -> Option<(u64, u64, &str)> {
    let (start, rest) = line.split_once(separator)?;
    let (end, rest) = rest.split_once(separator)?;
    Some((start.trim().parse().ok()?, end.trim().parse().ok()?, rest))
}
