//! Which format a text is in, by its content; its file name is not asked.

use std::cell::OnceCell;

pub use super::report::Confidence;
use super::{
    export,
    formats::{self, FormatReader, READERS, named_lines},
    json::Outline,
};
use crate::error::Problem;

/// How much of a text is looked at, in bytes.
const HEAD_BYTES: usize = 64 << 10;

/// A text whose format is asked for.
pub struct Sample<'a> {
    /// All of it.
    pub text: &'a str,
    /// Its beginning, at most 64 KiB.
    pub head: &'a str,
    outline: OnceCell<Outline>,
}

impl<'a> Sample<'a> {
    pub fn of(text: &'a str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        Self { text, head: &text[..text.floor_char_boundary(HEAD_BYTES)], outline: OnceCell::new() }
    }

    /// The keys of a document of JSON.
    pub(super) fn outline(&self) -> &Outline {
        self.outline.get_or_init(|| Outline::of(self.text))
    }
}

/// The reader of a text's format and what speaks for it.
pub struct Detected {
    pub reader: &'static dyn FormatReader,
    pub confidence: Confidence,
}

/// The likeliest format of a text; UNKNOWN_FORMAT where none is likely.
pub fn detect(text: &str) -> Result<Detected, Problem> {
    let sample = Sample::of(text);
    if let Some(reader) = export::format_of(sample.text).map(formats::reader) {
        return Ok(Detected { reader, confidence: Confidence::new(100, "it is an export of Colloquy") });
    }
    let mut best: Option<Detected> = None;
    for reader in READERS {
        let confidence = reader.detect(&sample);
        if confidence.score > best.as_ref().map_or(0, |best| best.confidence.score) {
            best = Some(Detected { reader, confidence });
        }
    }
    best.ok_or_else(|| {
        let names: Vec<_> = READERS.iter().map(|reader| reader.name()).collect();
        let message = format!(
            "the format is not known: the content looks like none of {}. The simplest is `Name: text` lines: {}. Name \
             the format if you know better",
            names.join(", "),
            named_lines::NamedLines.looks_like()
        );
        Problem::new("UNKNOWN_FORMAT", message).on_line(1)
    })
}

#[cfg(test)]
mod tests {
    use super::{super::report::Format, *};

    fn format(text: &str) -> Option<Format> {
        detect(text).ok().map(|detected| detected.reader.format())
    }

    #[test]
    fn the_content_tells_the_format() {
        let cases = [
            ("WEBVTT\n\n00:00.000 --> 00:01.000\nHi", Some(Format::WebVtt)),
            ("WEBVTT - a title\r\rNOTE", Some(Format::WebVtt)),
            ("1\n00:00:00,000 --> 00:00:01,000\nAnna: Hi", Some(Format::Srt)),
            ("00:00:00.000 --> 00:00:01.000\nno header", Some(Format::Srt)),
            ("Anna: Hi.\nBen: Hello.\nAnna: Well.", Some(Format::NamedLines)),
            ("Anna: Hi.\nBen: Hello.", Some(Format::NamedLines)),
            ("**Anna Lee:** Hi.\n\nAnd more.\n\n**Ben:** Hello.", Some(Format::NamedLines)),
            ("WEBVTTX\n\nnothing", None),
            ("One thing is clear: we must go.\n\nThen we went, and it rained.\n\nAnd so on.", None),
            ("https://example.org/a\nhttps://example.org/b\n", None),
            ("{\"a\": 1,\n \"b\": 2}", None),
            ("<!DOCTYPE html>\n<html><body>Anna: hi</body></html>", None),
            ("fn main() {\n    let x: u8 = 1;\n    let y: u8 = 2;\n}\n", None),
            ("at 10:30 we met\nat 11:45 we left\n", None),
            ("Anna: Hi.\nBen: Hello.\n[laughs] 00:01:02\nAnna: Well.", Some(Format::NamedLines)),
            ("Intro  0:00\nThe guest  3:45\nQuestions  41:10\n", None),
            ("It says start, end, text and more,\nand that is all it says.", None),
            (
                "WEBVTT\n\n1\n00:00.000 --> 00:01.000\nNow: no names here.\n\n2\n00:01.000 --> 00:02.000\nNone.",
                Some(Format::WebVtt),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(format(text), expected, "{text}");
        }
    }

    #[test]
    fn an_unknown_format_says_what_was_tried() {
        let problem = detect("Just a sentence.").err().expect("unknown");
        assert_eq!(problem.code, "UNKNOWN_FORMAT");
        for name in ["WebVTT", "SRT", "Name: text"] {
            assert!(problem.message.contains(name), "{}", problem.message);
        }
    }
}
