//! Otter's text export: `Anna Lee  0:03` above what is said, or the time alone where nobody is known, and a
//! footer. Its times are whole seconds.

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        lines::Lines,
        markers::Mark,
        report::{Format, SpeakerSource},
        times,
    },
    FormatReader,
    turns::{Turns, head_matter, name_and_time},
};
use crate::error::Problem;

pub(super) struct OtterText;

impl FormatReader for OtterText {
    fn format(&self) -> Format {
        Format::OtterText
    }

    fn name(&self) -> &'static str {
        "Otter text"
    }

    fn looks_like(&self) -> &'static str {
        "a line with the speaker and the time, as in `Anna Lee  0:03`, stands above what is said"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let (mut headings, narrow) = headings(sample.head);
        let signed =
            Lines::new(sample.head).chain(Lines::new(tail(sample.text))).any(|line| is_footer(line.text));
        if signed {
            headings += Lines::new(sample.head).filter(|line| lone_time(line.text).is_some()).count();
        }
        match (headings, signed) {
            (0, _) | (1, false) => {
                Confidence::new(0, "no two lines are a name and a time above what is said")
            }
            (_, true) => Confidence::new(97, "its footer names Otter"),
            _ if narrow => Confidence::new(80, "names with a time stand above what is said"),
            _ => Confidence::new(72, "names with a time, far apart, stand above what is said"),
        }
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let mut turns = Turns::new(Format::OtterText, limits, SpeakerSource::Headings);
        let mut first = true;
        let mut listed = false;
        for line in Lines::new(text) {
            if line.is_blank() {
                turns.blank();
                listed = false;
            } else if let Some(heading) = name_and_time(line.text) {
                turns.begin(line, Some(heading.name), Some(heading.mark))?;
            } else if let Some(mark) = lone_time(line.text).filter(|_| turns.is_fresh()) {
                turns.begin(line, None, Some(mark))?;
            } else if is_footer(line.text) {
                turns.aside(line, "the footer of the exporter")?;
            } else if !turns.begun() && (listed || is_list_heading(line.text)) {
                turns.aside(line, "a list above the transcript")?;
                listed = true;
            } else if !turns.begun() && (first || head_matter(line.text).is_some()) {
                turns.aside(line, head_matter(line.text).unwrap_or("the title of the document"))?;
            } else {
                turns.say(line, line.text)?;
            }
            first &= line.is_blank();
        }
        turns.finish()
    }
}

/// The heading of one who is not known: `0:03`
fn lone_time(line: &str) -> Option<Mark> {
    let (start, "") = times::lenient(line.trim())? else {
        return None;
    };
    Some(Mark { start, end: None })
}

/// How many lines are headings with something below them, and whether all have two blanks before the time.
pub(super) fn headings(text: &str) -> (usize, bool) {
    let (mut count, mut narrow) = (0, true);
    let mut lines = Lines::new(text).peekable();
    while let Some(line) = lines.next() {
        let Some(heading) = name_and_time(line.text) else {
            continue;
        };
        if lines.peek().is_some_and(|next| !next.is_blank() && name_and_time(next.text).is_none()) {
            count += 1;
            narrow &= heading.gap.chars().count() == 2;
        }
    }
    (count, narrow)
}

/// `Transcribed by https://otter.ai`, perhaps cut.
pub(super) fn is_footer(line: &str) -> bool {
    let address = line.trim().strip_prefix("Transcribed by ");
    address.is_some_and(|address| {
        let address = address.trim_start_matches("https://").trim_start_matches("http://");
        !address.is_empty() && ("otter.ai".starts_with(address) || address.starts_with("otter.ai"))
    })
}

fn is_list_heading(line: &str) -> bool {
    ["SUMMARY KEYWORDS", "SPEAKERS", "KEYWORDS"].contains(&line.trim())
}

/// The last part of a text, where a footer stands.
pub(super) fn tail(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(1 << 10))..]
}
