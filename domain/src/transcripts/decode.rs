//! From bytes to text: UTF-8 with or without a byte order mark, UTF-16 with one. Everything else is refused
//! with the place and, where its first bytes give it away, the name of what it is.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memmem};

use super::{Limits, docx};
use crate::error::Problem;

const BOM: char = '\u{feff}';

/// The text of a source, and how it was written.
#[derive(Debug)]
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, str>,
    /// As the web's standards name it.
    pub(super) encoding: &'static str,
}

/// The text of a source within `limits`, without its byte order mark.
pub(super) fn text<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Decoded<'a>, Problem> {
    if bytes.len() > limits.max_bytes {
        return Err(Problem::new(
            "TOO_LARGE",
            format!(
                "the transcript has {} bytes and at most {} are taken: split it, or import the parts one by one",
                bytes.len(),
                limits.max_bytes
            ),
        ));
    }
    let (text, encoding) = match bytes {
        _ if docx::is_one(bytes) => (Cow::Owned(docx::text(bytes, limits)?), "UTF-8"),
        [0xff, 0xfe, rest @ ..] => (Cow::Owned(utf16(rest, u16::from_le_bytes)?), "UTF-16LE"),
        [0xfe, 0xff, rest @ ..] => (Cow::Owned(utf16(rest, u16::from_be_bytes)?), "UTF-16BE"),
        _ => (Cow::Borrowed(utf8(bytes)?), "UTF-8"),
    };
    if text.trim_start_matches(BOM).trim().is_empty() {
        return Err(Problem::new("EMPTY_TRANSCRIPT", "the transcript is empty: there is no text in it"));
    }
    Ok(Decoded { text, encoding })
}

fn utf8(bytes: &[u8]) -> Result<&str, Problem> {
    if let Some((_, name)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        let name = if *name == ZIP { zip_kind(bytes) } else { name };
        let message =
            format!("this is {name}, not a transcript: bring the text as WebVTT, SRT or `Name: text` lines");
        return Err(Problem::new("NOT_TEXT", message).on_line(1));
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        let message = "this is an MP4 or M4A recording, not a transcript: bring its text instead";
        return Err(Problem::new("NOT_TEXT", message).on_line(1));
    }
    if let Some(offset) = memchr(0, bytes) {
        let hint = match (bytes.first(), bytes.get(1)) {
            (Some(0), Some(1..)) | (Some(1..), Some(0)) => {
                "it looks like UTF-16 without a byte order mark: save it as UTF-8"
            }
            _ => "text has none of these, so this is a binary file: bring the transcript as text in UTF-8",
        };
        return Err(not_text(bytes, offset, "is a NUL", hint));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        not_text(bytes, error.valid_up_to(), "is not UTF-8", "save the file as UTF-8 and import it again")
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Problem> {
    let (pairs, left) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    for (at, decoded) in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).enumerate() {
        match decoded {
            Ok('\0') | Err(_) => {
                let line = 1 + memchr_iter(b'\n', text.as_bytes()).count() as u32;
                let message = format!(
                    "line {line} is not UTF-16 (character {} of the file): save the file as UTF-8",
                    at + 1
                );
                return Err(Problem::new("NOT_TEXT", message).on_line(line));
            }
            Ok(decoded) => text.push(decoded),
        }
    }
    match left {
        [] => Ok(text),
        _ => Err(Problem::new(
            "NOT_TEXT",
            "the file begins as UTF-16 but ends in half a character: it was cut off, or is not text; save it as UTF-8",
        )),
    }
}

fn not_text(bytes: &[u8], offset: usize, what: &str, hint: &str) -> Problem {
    let line = 1 + memchr_iter(b'\n', &bytes[..offset]).count() as u32;
    Problem::new("NOT_TEXT", format!("line {line}: byte {offset} {what}; {hint}")).on_line(line)
}

const ZIP: &str = "a ZIP archive";

/// First bytes of what people mistake for a transcript.
const MAGIC: [(&[u8], &str); 14] = [
    (b"PK\x03\x04", ZIP),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document, or one with a password"),
    (b"\x7fELF", "an executable (ELF)"),
    (b"MZ\x90", "an executable (Windows)"),
    (b"\xcf\xfa\xed\xfe", "an executable (macOS)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"ID3", "an MP3 recording"),
    (b"RIFF", "a WAV or AVI recording"),
    (b"OggS", "an Ogg recording"),
    (b"\x1a\x45\xdf\xa3", "a WebM or Matroska recording"),
];

/// Office documents are ZIP archives whose first entries tell which.
fn zip_kind(bytes: &[u8]) -> &'static str {
    let head = &bytes[..bytes.len().min(4096)];
    let kinds = [
        ("word/", "a Word document (DOCX)"),
        ("xl/", "a spreadsheet (XLSX)"),
        ("ppt/", "a presentation (PPTX)"),
        ("opendocument", "an OpenDocument file"),
    ];
    let found = kinds.iter().find(|(mark, _)| memmem::find(head, mark.as_bytes()).is_some());
    found.map_or(ZIP, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> Problem {
        text(bytes, &Limits::default()).expect_err("refused")
    }

    #[test]
    fn utf8_and_utf16_are_read_with_and_without_a_mark() {
        let le: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("Zoë 🎤".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let be: Vec<u8> =
            [0xfe, 0xff].into_iter().chain("Zoë 🎤".encode_utf16().flat_map(u16::to_be_bytes)).collect();
        for bytes in ["Zoë 🎤".as_bytes(), "\u{feff}Zoë 🎤".as_bytes(), &le, &be] {
            assert_eq!(text(bytes, &Limits::default()).expect("text").text, "Zoë 🎤");
        }
    }

    #[test]
    fn what_is_not_text_is_named_with_its_place() {
        let cases: [(&[u8], Option<u32>, &str); 8] = [
            (b"PK\x03\x04....word/document.xml", Some(1), "DOCX"),
            (b"%PDF-1.7", Some(1), "PDF"),
            (b"\x7fELF\x02", Some(1), "ELF"),
            (b"Anna: hi\nBen: \0\0", Some(2), "byte 14"),
            (b"A\0n\0n\0a\0", Some(1), "UTF-16 without"),
            (b"Anna: hi\nBen: caf\xe9\n", Some(2), "UTF-8"),
            (b"\xff\xfeA\0\n\0\x00\xd8B\0", Some(2), "UTF-16"),
            (b"\xff\xfeA\0B", None, "half a character"),
        ];
        for (bytes, line, part) in cases {
            let problem = refusal(bytes);
            assert_eq!((problem.code, problem.line), ("NOT_TEXT", line), "{problem:?}");
            assert!(problem.message.contains(part), "{problem:?}");
        }
    }

    #[test]
    fn blank_and_oversized_sources_are_refused() {
        for bytes in [&b""[..], b"\xef\xbb\xbf", b" \r\n\t\n", b"\xff\xfe"] {
            assert_eq!(refusal(bytes).code, "EMPTY_TRANSCRIPT");
        }
        let limits = Limits { max_bytes: 20, max_line_bytes: 5, max_cues: 1 };
        assert_eq!(text(&[b'a'; 21], &limits).expect_err("refused").code, "TOO_LARGE");
    }
}
