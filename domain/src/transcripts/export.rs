//! Transcripts as files that other programs read, and the way back: an export that is imported gives the same
//! turns, by the same speakers, at the same times. Each file says that it is an export, and then it is read to
//! the letter: no cue is joined with another, no label is guessed. One that was changed by hand until it has
//! not this form any more is read like any other file of its format.

pub mod json;
mod markdown;
mod srt;
mod text;
mod webvtt;

use std::borrow::Cow;

use super::{
    Limits, Transcript, assemble,
    report::{Format, SpeakerSource},
    spoken::{Piece, Source},
    times::{self, LATEST},
};
use crate::{error::Problem, time::Millis};

/// The forms of an export but JSON, which holds more than what was said; see [`json`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    WebVtt,
    Srt,
    Markdown,
    Text,
}

impl TextForm {
    pub const ALL: [Self; 4] = [Self::WebVtt, Self::Srt, Self::Markdown, Self::Text];

    /// The ending of a file's name, without the dot.
    pub fn ending(self) -> &'static str {
        match self {
            Self::WebVtt => "vtt",
            Self::Srt => "srt",
            Self::Markdown => "md",
            Self::Text => "txt",
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::WebVtt => "text/vtt; charset=utf-8",
            Self::Srt => "application/x-subrip; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

/// One turn of what is exported. Its text is as [`Turn`](super::Turn)'s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said<'a> {
    pub speaker: Option<Cow<'a, str>>,
    pub text: Cow<'a, str>,
    pub start_ms: Option<Millis>,
    pub end_ms: Option<Millis>,
}

/// The file; NO_TIMES where the form is one of timed cues and nothing has a time.
pub fn write(form: TextForm, title: &str, said: &[Said<'_>]) -> Result<String, Problem> {
    let timed = matches!(form, TextForm::WebVtt | TextForm::Srt);
    if timed && said.iter().all(|one| one.start_ms.or(one.end_ms).is_none()) {
        let message = "the transcript has no times, which this format cannot be without: export it as Markdown, plain \
                       text or JSON";
        return Err(Problem::new("NO_TIMES", message).at("format"));
    }
    Ok(match form {
        TextForm::WebVtt => webvtt::write(title, said),
        TextForm::Srt => srt::write(said),
        TextForm::Markdown => markdown::write(title, said),
        TextForm::Text => text::write(title, said),
    })
}

/// What an export of ours says; `None` where it is none.
pub(super) fn read(format: Format, text: &str, limits: &Limits) -> Option<Result<Transcript, Problem>> {
    let found = match format {
        Format::WebVtt => webvtt::read(text),
        Format::Srt => srt::read(text),
        Format::NamedLines => markdown::read(text).or_else(|| text::read(text)),
        _ => None,
    };
    found.map(|file| file.transcript(format, limits))
}

/// The format of a text that says of itself that it is an export.
pub(super) fn format_of(text: &str) -> Option<Format> {
    let named_lines = markdown::is_one(text) || text::is_one(text);
    let found = [
        (json::is_one(text), Format::ColloquyJson),
        (webvtt::is_one(text), Format::WebVtt),
        (named_lines, Format::NamedLines),
        (srt::is_one(text), Format::Srt),
    ];
    found.into_iter().find(|(is_one, _)| *is_one).map(|(_, format)| format)
}

/// What stands in a file, by line.
#[derive(Default)]
struct File<'a> {
    title: Option<String>,
    said: Vec<(u32, Said<'a>)>,
}

impl File<'_> {
    fn transcript(self, format: Format, limits: &Limits) -> Result<Transcript, Problem> {
        let found = match format {
            Format::WebVtt => SpeakerSource::VoiceTags,
            Format::ColloquyJson => SpeakerSource::Fields,
            _ => SpeakerSource::Labels,
        };
        let mut source = Source::in_order(format, limits, found);
        (source.exact, source.title) = (true, self.title);
        for (line, said) in self.said {
            // No export has such a one, but a hand that changed it may have written it.
            let backwards = said.end_ms.is_some() && said.end_ms < said.start_ms;
            if backwards {
                source.log.warning(line, "it ends before it starts: its end was left out");
            }
            source.push(Piece {
                speaker: said.speaker,
                text: said.text,
                start: said.start_ms,
                end: said.end_ms.filter(|_| !backwards),
                place: line.into(),
                opens: true,
                turns: true,
            })?;
        }
        assemble::transcript(source)
    }
}

/// Which times of a cue are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Own {
    start: bool,
    end: bool,
}

impl Own {
    fn only(self, start: Millis, end: Millis) -> (Option<Millis>, Option<Millis>) {
        (self.start.then_some(start), self.end.then_some(end))
    }
}

/// How long a cue is shown whose end nobody knows.
const SHOWN_MS: u64 = 2_000;

/// The times under which each cue is shown. A form of timed cues wants two, so those that are not known are taken
/// from what stands around, and the cue says that they are not its own.
fn shown(said: &[Said<'_>]) -> impl Iterator<Item = (Millis, Millis, Own)> {
    let mut before = Millis(0);
    said.iter().enumerate().map(move |(at, one)| {
        let start = one.start_ms.unwrap_or_else(|| before.min(one.end_ms.unwrap_or(LATEST)));
        let next = || said[at + 1..].iter().find_map(|later| later.start_ms).filter(|next| *next > start);
        let after = Millis(start.0 + SHOWN_MS);
        let end = match (one.start_ms, one.end_ms) {
            (_, Some(end)) => end,
            (Some(_), None) => next().unwrap_or(after),
            (None, None) => after,
        };
        before = one.end_ms.or(one.start_ms).unwrap_or(before);
        (start, end, Own { start: one.start_ms.is_some(), end: one.end_ms.is_some() })
    })
}

/// `HH:MM:SS` with milliseconds after `point`.
pub(super) fn stamp(time: Millis, point: char) -> String {
    let seconds = time.0 / 1000;
    format!("{:02}:{:02}:{:02}{point}{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, time.0 % 1000)
}

/// `[00:00:01.000 - 00:00:02.500]`, `[00:00:01.000]`, `[- 00:00:02.500]`, or nothing.
fn bracketed(said: &Said<'_>) -> Option<String> {
    let [start, end] = [said.start_ms, said.end_ms].map(|time| time.map(|time| stamp(time, '.')));
    match (start, end) {
        (Some(start), Some(end)) => Some(format!("[{start} - {end}]")),
        (Some(start), None) => Some(format!("[{start}]")),
        (None, Some(end)) => Some(format!("[- {end}]")),
        (None, None) => None,
    }
}

/// The times at the head of `text`, if there are any, and what follows the blank after them.
fn unbracketed(text: &str) -> (Option<Millis>, Option<Millis>, &str) {
    let time = |text| times::lenient(text).filter(|(_, rest)| rest.is_empty()).map(|(time, _)| time);
    let read = || {
        let (inner, rest) = text.strip_prefix('[')?.split_once("] ")?;
        Some(match (inner.strip_prefix("- "), inner.split_once(" - ")) {
            (Some(end), _) => (None, Some(time(end)?), rest),
            (None, Some((start, end))) => (Some(time(start)?), Some(time(end)?), rest),
            (None, None) => (Some(time(inner)?), None, rest),
        })
    };
    read().unwrap_or((None, None, text))
}

/// Puts a backslash before each of `signs` and before backslashes.
fn escaped(text: &str, signs: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\\' || signs.contains(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Takes the backslashes of [`escaped`] away, and of Markdown.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\' && chars.peek().is_some_and(char::is_ascii_punctuation) {
            plain.extend(chars.next());
        } else {
            plain.push(c);
        }
    }
    Cow::Owned(plain)
}

/// Signs of a label that mean something where it stands before a colon.
const LABEL_SIGNS: [char; 3] = [':', '[', '?'];
/// Stands where a label would, for nobody.
const NOBODY: &str = "?";

/// `Name: ` or `?: `.
fn label(speaker: Option<&str>) -> String {
    match speaker {
        Some(speaker) => escaped(speaker, &LABEL_SIGNS),
        None => NOBODY.to_owned(),
    }
}

/// The speaker before the first colon that is not escaped, and what follows the blank after it.
fn labelled(text: &str) -> Option<(Option<Cow<'_, str>>, &str)> {
    let mut escaped = false;
    let colon = text.char_indices().find(|(_, c)| {
        let found = *c == ':' && !escaped;
        escaped = *c == '\\' && !escaped;
        found
    });
    let (name, rest) = text.split_at(colon?.0);
    let rest = rest.strip_prefix(": ")?;
    let speaker = (name != NOBODY).then(|| unescaped(name));
    (speaker.as_ref().is_none_or(|name| !name.trim().is_empty())).then_some((speaker, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_back_whatever_signs_they_have() {
        for name in ["Anna", "A: B", "?", "[x] \\: y", "c\\", "Zoë (she/her)"] {
            let line = format!("{}: text: more", label(Some(name)));
            assert_eq!(labelled(&line), Some((Some(Cow::Borrowed(name)), "text: more")), "{line}");
        }
        assert_eq!(labelled("?: text"), Some((None, "text")));
        assert_eq!(labelled("no label"), None);
        assert_eq!(labelled(": text"), None);
    }

    #[test]
    fn times_that_are_not_known_are_shown_and_not_taken_back() {
        let said = |start: Option<u64>, end: Option<u64>| Said {
            speaker: None,
            text: "x".into(),
            start_ms: start.map(Millis),
            end_ms: end.map(Millis),
        };
        let talk = [
            said(None, None),
            said(Some(5), None),
            said(None, Some(6)),
            said(Some(9), Some(12)),
            said(None, None),
            said(None, Some(11)),
        ];
        let times: Vec<_> = shown(&talk).map(|(start, end, _)| (start.0, end.0)).collect();
        assert_eq!(times, [(0, 2000), (5, 9), (5, 6), (9, 12), (12, 2012), (11, 11)]);
        for (one, (start, end, own)) in talk.iter().zip(shown(&talk)) {
            assert_eq!(own.only(start, end), (one.start_ms, one.end_ms));
        }
    }
}
