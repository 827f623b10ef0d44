//! From bytes to text: UTF-8 and UTF-16 with or without a byte order mark, and the encodings of before, which
//! are guessed as browsers guess them, and said. What is no text is refused with the place and, where its first
//! bytes give it away, the name of what it is.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use memchr::{memchr, memchr_iter, memmem};

use super::{Limits, docx, lines::breaks};
use crate::error::Problem;

const BOM: char = '\u{feff}';

/// The text of a source, and how it was written.
#[derive(Debug)]
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, str>,
    /// As the web's standards name it.
    pub(super) encoding: &'static str,
    /// What had to be guessed or replaced, by line.
    pub(super) odd: Vec<(u32, &'static str)>,
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
    let decoded = match bytes {
        _ if docx::is_one(bytes) => {
            Decoded { text: Cow::Owned(docx::text(bytes, limits)?), encoding: UTF_8.name(), odd: Vec::new() }
        }
        [0xff, 0xfe, rest @ ..] => utf16(rest, UTF_16LE)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, UTF_16BE)?,
        _ => {
            refuse_known(bytes)?;
            match utf16_without_mark(bytes) {
                Some(encoding) => utf16(bytes, encoding)?,
                None => bytewise(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))?,
            }
        }
    };
    if decoded.text.trim_start_matches(BOM).trim().is_empty() {
        return Err(Problem::new("EMPTY_TRANSCRIPT", "the transcript is empty: there is no text in it"));
    }
    Ok(decoded)
}

/// Refuses what its first bytes tell to be something else.
fn refuse_known(bytes: &[u8]) -> Result<(), Problem> {
    // A word is one only before what no text has: somebody may be called RIFF.
    let is_meant = |magic: &[u8]| {
        let mut after = bytes[magic.len()..].iter().take(8);
        !magic.iter().all(u8::is_ascii_alphanumeric) || after.any(|byte| *byte < b'\t')
    };
    let known = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic) && is_meant(magic));
    if let Some((_, name)) = known {
        let name = if *name == ZIP { zip_kind(bytes) } else { name };
        let hint = match name {
            ZIP | GZIP => "an archive is brought by `importArchive`, which takes its files one by one",
            _ => "bring the text as WebVTT, SRT or `Name: text` lines",
        };
        let message = format!("this is {name}, not a transcript: {hint}");
        return Err(Problem::new("NOT_TEXT", message).on_line(1));
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        let message = "this is an MP4 or M4A recording, not a transcript: bring its text instead";
        return Err(Problem::new("NOT_TEXT", message).on_line(1));
    }
    Ok(())
}

/// UTF-8, or one of the encodings of before.
fn bytewise(bytes: &[u8]) -> Result<Decoded<'_>, Problem> {
    if let Some(offset) = memchr(0, bytes) {
        let hint = "text has none of these, so this is a binary file: bring the transcript as text in UTF-8";
        return Err(not_text(bytes, offset, "is a NUL", hint));
    }
    let (text, encoding, odd) = match std::str::from_utf8(bytes) {
        Ok(text) => {
            return Ok(Decoded { text: Cow::Borrowed(text), encoding: UTF_8.name(), odd: Vec::new() });
        }
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            let whole = &bytes[..error.valid_up_to()];
            let odd = vec![(line_of(bytes, whole.len()), CUT_OFF)];
            (String::from_utf8_lossy(whole).into_owned(), UTF_8, odd)
        }
        Err(error) => {
            let first = line_of(bytes, error.valid_up_to());
            match mostly_utf8(bytes) {
                Some((text, odd)) => (text, UTF_8, odd),
                None => {
                    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
                    detector.feed(bytes, true);
                    let encoding = detector.guess(None, Utf8Detection::Deny);
                    let (text, wrong) = encoding.decode_without_bom_handling(bytes);
                    let odd = if wrong { GUESSED_WITH_GAPS } else { GUESSED };
                    (text.into_owned(), encoding, vec![(first, odd)])
                }
            }
        }
    };
    refuse_controls(bytes, &text)?;
    Ok(Decoded { text: Cow::Owned(text), encoding: encoding.name(), odd })
}

const CUT_OFF: &str = "the file ends in half a character, which was left out: it may have been cut off";
const MIXED: &str = "bytes that are not UTF-8 were read as Windows-1252";
const GUESSED: &str = "the file is not UTF-8: its encoding was guessed from here on; where the text looks wrong, save it as UTF-8";
const GUESSED_WITH_GAPS: &str = "the file is not UTF-8: its encoding was guessed, and what it does not know was replaced by a sign; \
     save it as UTF-8";
/// How many lines are told to be of mixed encodings.
const MAX_MIXED: usize = 20;

/// Text in UTF-8 into which somebody has pasted something else: the strays are fewer than the characters of
/// several bytes that are whole.
fn mostly_utf8(bytes: &[u8]) -> Option<(String, Vec<(u32, &'static str)>)> {
    let (mut whole, mut strays) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        strays += chunk.invalid().len();
    }
    if strays >= whole {
        return None;
    }
    let mut text = String::with_capacity(bytes.len());
    let mut odd: Vec<(u32, &'static str)> = Vec::new();
    let mut line = 1;
    for chunk in bytes.utf8_chunks() {
        line += breaks(chunk.valid());
        text.push_str(chunk.valid());
        if chunk.invalid().is_empty() {
            continue;
        }
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
        if odd.len() < MAX_MIXED && odd.last().is_none_or(|(last, _)| *last != line) {
            odd.push((line, MIXED));
        }
    }
    Some((text, odd))
}

/// What was guessed to be text is none where control characters abound.
fn refuse_controls(bytes: &[u8], text: &str) -> Result<(), Problem> {
    let is_odd = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}');
    let odd = text.chars().filter(|c| is_odd(*c) || *c == char::REPLACEMENT_CHARACTER).count();
    if odd * 50 <= text.chars().count() {
        return Ok(());
    }
    let offset = std::str::from_utf8(bytes).err().map_or(0, |error| error.valid_up_to());
    let hint = "nor text in any encoding that is known: bring the transcript as text in UTF-8";
    Err(not_text(bytes, offset, "is not UTF-8", hint))
}

/// UTF-16 tells itself by its NULs, which stand in one half of the pairs only. A text of single bytes may have a
/// stray one.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(4096) & !1];
    let (pairs, _) = head.as_chunks::<2>();
    let is_plain = |byte: u8| (b' '..0x7f).contains(&byte);
    let count = |holds: fn(&[u8; 2]) -> bool| pairs.iter().filter(|pair| holds(pair)).count();
    if pairs.iter().filter(|pair| is_plain(pair[0]) && is_plain(pair[1])).count() * 2 >= pairs.len() {
        return None;
    }
    // Blanks, digits and line ends are enough of them in any language.
    match (count(|pair| pair[0] == 0), count(|pair| pair[1] == 0)) {
        (0, nuls) if nuls > 0 && nuls * 20 >= pairs.len() => Some(UTF_16LE),
        (nuls, 0) if nuls > 0 && nuls * 20 >= pairs.len() => Some(UTF_16BE),
        _ => None,
    }
}

fn utf16<'a>(bytes: &[u8], encoding: &'static Encoding) -> Result<Decoded<'a>, Problem> {
    let unit = if encoding == UTF_16LE { u16::from_le_bytes } else { u16::from_be_bytes };
    let (pairs, left) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    for (at, decoded) in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).enumerate() {
        match decoded {
            Ok('\0') | Err(_) => {
                let line = line_of(text.as_bytes(), text.len());
                let message = format!(
                    "line {line} is not UTF-16 (character {} of the file): save the file as UTF-8",
                    at + 1
                );
                return Err(Problem::new("NOT_TEXT", message).on_line(line));
            }
            Ok(decoded) => text.push(decoded),
        }
    }
    let odd = match left {
        [] => Vec::new(),
        _ => vec![(line_of(text.as_bytes(), text.len()), CUT_OFF)],
    };
    Ok(Decoded { text: Cow::Owned(text), encoding: encoding.name(), odd })
}

fn line_of(bytes: &[u8], offset: usize) -> u32 {
    let is_lone = |at: &usize| bytes.get(at + 1) != Some(&b'\n');
    let returns = memchr_iter(b'\r', &bytes[..offset]).filter(is_lone).count();
    1 + (memchr_iter(b'\n', &bytes[..offset]).count() + returns) as u32
}

fn not_text(bytes: &[u8], offset: usize, what: &str, hint: &str) -> Problem {
    let line = line_of(bytes, offset);
    Problem::new("NOT_TEXT", format!("line {line}: byte {offset} {what}; {hint}")).on_line(line)
}

const ZIP: &str = "a ZIP archive";
const GZIP: &str = "a gzip archive";

/// First bytes of what people mistake for a transcript.
const MAGIC: [(&[u8], &str); 14] = [
    (b"PK\x03\x04", ZIP),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document, or one with a password"),
    (b"\x7fELF", "an executable (ELF)"),
    (b"MZ\x90", "an executable (Windows)"),
    (b"\xcf\xfa\xed\xfe", "an executable (macOS)"),
    (b"\x1f\x8b", GZIP),
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

    fn read(bytes: &[u8]) -> (String, &'static str, Vec<u32>) {
        let decoded = text(bytes, &Limits::default()).expect("text");
        (decoded.text.into_owned(), decoded.encoding, decoded.odd.iter().map(|(line, _)| *line).collect())
    }

    fn encoded(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn utf8_and_utf16_are_read_with_and_without_a_mark() {
        let said = "Zoë 🎤: hello there\nBen: 你好。";
        let (le, be) = (encoded(said, u16::to_le_bytes), encoded(said, u16::to_be_bytes));
        let cases = [
            (said.as_bytes().to_vec(), "UTF-8"),
            ([b"\xef\xbb\xbf", said.as_bytes()].concat(), "UTF-8"),
            ([b"\xff\xfe", &le[..]].concat(), "UTF-16LE"),
            ([b"\xfe\xff", &be[..]].concat(), "UTF-16BE"),
            (le, "UTF-16LE"),
            (be, "UTF-16BE"),
        ];
        for (bytes, encoding) in cases {
            assert_eq!(read(&bytes), (said.to_owned(), encoding, vec![]));
        }
    }

    #[test]
    fn encodings_of_before_are_guessed_and_said() {
        let cases: [(&str, &str, &Encoding); 5] = [
            ("Anna: Das Café in Köln ist schön.\nBen: Natürlich, größer auch.", "windows-1252", WINDOWS_1252),
            (
                "Анна: Привет, как дела сегодня?\nБорис: Хорошо, спасибо.",
                "windows-1251",
                encoding_rs::WINDOWS_1251,
            ),
            (
                "田中：おはようございます。\n鈴木：こちらこそ、よろしくお願いします。",
                "Shift_JIS",
                encoding_rs::SHIFT_JIS,
            ),
            ("王：你好，今天我们谈谈工作。\n李：好的，没有问题。", "GBK", encoding_rs::GBK),
            ("김: 안녕하세요, 오늘은 어떠세요?\n이: 네, 좋습니다.", "EUC-KR", encoding_rs::EUC_KR),
        ];
        for (said, name, encoding) in cases {
            assert_eq!(read(&encoding.encode(said).0), (said.to_owned(), name, vec![1]));
        }
    }

    #[test]
    fn strays_in_utf8_are_read_and_their_lines_are_told() {
        let (found, encoding, lines) = read("Zoë: naïve café\nBen: caf\u{e9}\nZoë: ça".as_bytes());
        assert_eq!((encoding, lines.len()), ("UTF-8", 0), "{found}");
        let mixed = b"Zo\xc3\xab: na\xc3\xafve\nBen: caf\xe9 \x93so\x94\nZo\xc3\xab: \xc3\xa7a";
        assert_eq!(read(mixed), ("Zoë: naïve\nBen: café “so”\nZoë: ça".to_owned(), "UTF-8", vec![2]));
        let mixed = b"Zo\xc3\xab: na\xc3\xafve\rBen: caf\xe9\r\nZo\xc3\xab: \xc3\xa7a";
        assert_eq!(read(mixed).2, [2]);
        assert_eq!(
            read(b"RIFF: hi\rBen: ho\rZo\xc3"),
            ("RIFF: hi\rBen: ho\rZo".to_owned(), "UTF-8", vec![3])
        );
        assert_eq!(read(b"Ben: hi\nZo\xc3"), ("Ben: hi\nZo".to_owned(), "UTF-8", vec![2]));
        assert_eq!(read(b"\xff\xfeA\0B"), ("A".to_owned(), "UTF-16LE", vec![1]));
    }

    #[test]
    fn what_is_not_text_is_named_with_its_place() {
        let noise: Vec<u8> = (0..4000u32).map(|at| (at * 7919 % 255) as u8 + 1).collect();
        let cases: [(&[u8], Option<u32>, &str); 6] = [
            (b"PK\x03\x04....word/document.xml", Some(1), "DOCX"),
            (b"%PDF-1.7", Some(1), "PDF"),
            (b"\x7fELF\x02", Some(1), "ELF"),
            (b"Anna: hi\nBen: \0\0", Some(2), "byte 14"),
            (b"\xff\xfeA\0\n\0\x00\xd8B\0", Some(2), "UTF-16"),
            (&noise, Some(1), "in any encoding"),
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
