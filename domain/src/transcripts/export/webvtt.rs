//! WebVTT with a note that says whose it is. A paragraph is a line of its cue; the cue's identifier says where
//! times are not its own.

use std::borrow::Cow;

use super::{
    super::{
        formats::webvtt::{
            cues::Cues,
            text::{Voice, voices},
        },
        lines::Lines,
    },
    File, Own, Said, shown, stamp,
};

const NOTE: &str = "NOTE Colloquy transcript 1";
const NO_START: &str = " (no start)";
const NO_END: &str = " (no end)";
const NO_TIMES: &str = " (no times)";

pub(super) fn write(title: &str, said: &[Said<'_>]) -> String {
    let mut file = format!("WEBVTT - {}\n\n{NOTE}\n", title.replace("-->", "->"));
    for ((at, one), (start, end, own)) in said.iter().enumerate().zip(shown(said)) {
        let mark = match own {
            Own { start: true, end: true } => "",
            Own { start: true, end: false } => NO_END,
            Own { start: false, end: true } => NO_START,
            Own { start: false, end: false } => NO_TIMES,
        };
        let times = format!("{} --> {}", stamp(start, '.'), stamp(end, '.'));
        file.push_str(&format!("\n{}{mark}\n{times}\n", at + 1));
        let text = escaped(&one.text).replace("\n\n", "\n");
        match &one.speaker {
            Some(speaker) => file.push_str(&format!("<v {}>{text}</v>\n", annotation(speaker))),
            None => file.push_str(&format!("{text}\n")),
        }
    }
    file
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A label whose dashes make no arrow with the end of the tag.
fn annotation(speaker: &str) -> String {
    let label = escaped(speaker);
    match label.strip_suffix("--") {
        Some(label) => format!("{label}-&#45;"),
        None => label,
    }
}

pub(super) fn is_one(text: &str) -> bool {
    let head = text.split("-->").next().unwrap_or_default();
    head.starts_with("WEBVTT") && Lines::new(head).any(|line| line.text == NOTE)
}

pub(super) fn read(text: &str) -> Option<File<'_>> {
    let text = text.trim_start_matches('\u{feff}');
    if !is_one(text) {
        return None;
    }
    let title = text.lines().next()?.strip_prefix("WEBVTT - ").map(str::to_owned);
    let mut file = File { title, said: Vec::new() };
    let mut found = Vec::new();
    for cue in Cues::new(text)? {
        let cue = match cue {
            Err(skipped) if skipped.is_aside => continue,
            cue => cue.ok()?,
        };
        let timeless = cue.id.ends_with(NO_TIMES);
        let own = Own {
            start: !timeless && !cue.id.ends_with(NO_START),
            end: !timeless && !cue.id.ends_with(NO_END),
        };
        voices(cue.payload, &mut found);
        let mut voices = found.drain(..);
        let (Some(voice), None) = (voices.next(), voices.next()) else {
            return None;
        };
        let (start_ms, end_ms) = own.only(cue.start, cue.end);
        let Voice { speaker, text, .. } = voice;
        file.said.push((cue.payload_line, Said { speaker, text: paragraphs(text), start_ms, end_ms }));
    }
    Some(file)
}

/// Each line is a paragraph.
fn paragraphs(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains(['\n', '\r']) {
        return text;
    }
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Cow::Owned(lines.join("\n\n"))
}
