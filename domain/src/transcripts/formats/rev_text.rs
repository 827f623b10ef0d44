//! Rev's text export: `Speaker 1 (00:03):` above what is said or before it on the same line.

use super::{
    super::{
        Limits, Transcript,
        detect::{Confidence, Sample},
        labels::{self, Labelled},
        lines::Lines,
        markers,
        report::{Format, SpeakerSource},
    },
    FormatReader,
    otter_text::tail,
    turns::{Turns, head_matter},
};
use crate::error::Problem;

pub(super) struct RevText;

impl FormatReader for RevText {
    fn format(&self) -> Format {
        Format::RevText
    }

    fn name(&self) -> &'static str {
        "Rev text"
    }

    fn looks_like(&self) -> &'static str {
        "a turn begins with the speaker and the time, as in `Speaker 1 (00:03):`"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        let labelled = || Lines::new(sample.head).filter_map(|line| labels::split(line.text));
        let bare = has_bare_times(sample.head);
        let headings = Lines::new(sample.head).filter(|line| heading(line.text, bare).is_some()).count();
        let signed = Lines::new(sample.head)
            .chain(Lines::new(tail(sample.text)))
            .any(|line| frame(line.text).is_some());
        match headings {
            1.. if signed => Confidence::new(95, "it names Rev, and names have a time"),
            2.. if headings * 2 > labelled().count() => {
                Confidence::new(90, "names with a time in brackets begin the turns")
            }
            _ => Confidence::new(0, "no two turns begin with a name and a time in brackets"),
        }
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        let mut turns = Turns::new(Format::RevText, limits, SpeakerSource::Labels);
        let bare = has_bare_times(text);
        for line in Lines::new(text) {
            if line.is_blank() {
                turns.blank();
            } else if let Some(reason) = frame(line.text) {
                turns.aside(line, reason)?;
            } else if let Some(found) = heading(line.text, bare) {
                turns.begin(line, Some(found.label), found.mark)?;
                turns.say(line, found.text)?;
            } else if let Some((mark, rest)) = markers::bracketed(line.text.trim()).filter(|_| turns.begun())
            {
                turns.go_on(line, mark)?;
                turns.say(line, rest.strip_prefix(':').unwrap_or(rest))?;
            } else if let Some(reason) = head_matter(line.text).filter(|_| !turns.begun()) {
                turns.aside(line, reason)?;
            } else {
                turns.say(line, line.text)?;
            }
        }
        turns.finish()
    }
}

/// Whether Rev says that it wrote the text and no label has a time in brackets: then the times stand without
/// them, which alone could be what is said.
fn has_bare_times(text: &str) -> bool {
    Lines::new(text).any(|line| frame(line.text).is_some())
        && !Lines::new(text).any(|line| heading(line.text, false).is_some())
}

/// A label with its time behind the name; with `bare`, `Anna: 00:03 text` too.
fn heading(line: &str, bare: bool) -> Option<Labelled<'_>> {
    let line = line.trim_start();
    let bracketed = ["):", "]:", ": (", ": ["].iter().any(|signs| line.contains(signs));
    if !bare && !bracketed {
        return None;
    }
    let found = labels::split(line).filter(|found| !found.marked && line.starts_with(found.label))?;
    match found.mark {
        Some(_) => Some(found).filter(|_| bracketed),
        None => markers::bare(found.text).filter(|_| bare).map(|(mark, text)| Labelled {
            mark: Some(mark),
            text: text.trim_start(),
            ..found
        }),
    }
}

/// What Rev puts around a transcript.
fn frame(line: &str) -> Option<&'static str> {
    let line = line.trim();
    if line.starts_with("This transcript was exported on ") || line == "Transcript by Rev.com" {
        return Some("the exporter's own words");
    }
    if line.contains(" (Completed ") && line.ends_with(')') {
        return Some("the name of the recording");
    }
    let (page, of) = line.strip_prefix("Page ")?.split_once(" of ")?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(page) && is_number(of)).then_some("the number of a page")
}
