//! WebVTT, as the W3C's parser reads it, with its voices. See [`cues`] for the blocks and [`text`] for what
//! stands in a cue.

pub mod cues;
mod entities;
pub mod text;

use std::borrow::Cow;

use self::cues::Cues;
use super::{
    super::{
        Limits, Transcript, assemble,
        detect::{Confidence, Sample},
        export,
        report::Format,
        spoken,
    },
    FormatReader,
};
use crate::error::Problem;

pub(super) struct WebVtt;

/// The file's first word.
const SIGNATURE: &str = "WEBVTT";

impl FormatReader for WebVtt {
    fn format(&self) -> Format {
        Format::WebVtt
    }

    fn name(&self) -> &'static str {
        "WebVTT"
    }

    fn looks_like(&self) -> &'static str {
        "its first line is WEBVTT and its cues have times like 00:01.000 --> 00:02.000"
    }

    fn detect(&self, sample: &Sample<'_>) -> Confidence {
        match after_signature(sample.head) {
            Some(_) => Confidence::new(100, "the first line is WEBVTT"),
            None => Confidence::new(0, "the first line is not WEBVTT"),
        }
    }

    fn parse(&self, text: &str, limits: &Limits) -> Result<Transcript, Problem> {
        if let Some(read) = export::read(Format::WebVtt, text, limits) {
            return read;
        }
        let Some(cues) = Cues::new(text) else {
            let message = "line 1: a WebVTT file begins with WEBVTT, alone or before a space; add that line or \
                           name another format";
            return Err(Problem::new("MALFORMED", message).on_line(1));
        };
        let mut source = spoken::Source::new(Format::WebVtt, limits);
        for cue in cues {
            match cue {
                Ok(cue) => {
                    if let Some(odd) = cue.odd {
                        source.log.warning(cue.line, odd);
                    }
                    let spoken = spoken::Cue {
                        start: cue.start,
                        end: cue.end,
                        line: cue.line,
                        text_line: cue.payload_line,
                        payload: cue.payload,
                    };
                    source.add(spoken)?;
                }
                Err(skipped) => skipped.tell(&mut source)?,
            }
        }
        assemble::transcript(source)
    }
}

/// What follows the signature on the first line, and all after it.
fn after_signature(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches('\u{feff}').strip_prefix(SIGNATURE)?;
    rest.is_empty().then_some(rest).or_else(|| rest.starts_with([' ', '\t', '\n', '\r']).then_some(rest))
}

/// One line of text without runs of white space; borrowed where nothing changes.
pub(in crate::transcripts) fn squeeze(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let plain = text
        .bytes()
        .zip(text.bytes().skip(1).chain([0]))
        .all(|(byte, next)| (byte > b' ' && byte < 0x80) || (byte == b' ' && next > b' ' && next < 0x80));
    if plain {
        return Cow::Borrowed(text);
    }
    let mut words = text.split_whitespace();
    let mut squeezed = String::with_capacity(text.len());
    squeezed.extend(words.next());
    for word in words {
        squeezed.push(' ');
        squeezed.push_str(word);
    }
    if squeezed == text { Cow::Borrowed(text) } else { Cow::Owned(squeezed) }
}
