//! The text of a Word document, a paragraph a line: a ZIP archive whose `word/document.xml` is read and nothing
//! else. Never reads more than the limits allow, expands no entities and knows nothing of transcripts.

use std::io::{BufRead, BufReader, Cursor, Read};

use memchr::memmem;
use quick_xml::{
    Reader,
    events::{BytesRef, Event},
};
use zip::{ZipArchive, result::ZipError};

use super::Limits;
use crate::error::Problem;

/// The document's own part; Word Online calls it by the second name.
const PARTS: [&str; 2] = ["word/document.xml", "word/document2.xml"];
/// More elements within each other, or more files in the archive, no document has.
const MAX_DEPTH: usize = 256;
const MAX_ENTRIES: u16 = 10_000;

/// Whether the bytes are, by their names, a Word document.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") && memmem::find(bytes, b"word/document").is_some()
}

/// Paragraphs and line breaks end lines, tabs are kept.
pub(super) fn text(bytes: &[u8], limits: &Limits) -> Result<String, Problem> {
    if entries(bytes).is_none_or(|entries| entries > MAX_ENTRIES) {
        return Err(damaged("its list of contents is cut off or too long"));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| refusal(&error))?;
    let part = PARTS.into_iter().find_map(|part| archive.index_for_name(part));
    let part = part.ok_or_else(|| {
        refused(
            "this ZIP archive holds no Word document (DOCX) of its own: unpack it, and import what it holds",
        )
    })?;
    let entry = archive.by_index(part).map_err(|error| refusal(&error))?;
    let mut bounded = BufReader::new(entry).take(limits.max_bytes as u64 + 1);
    let read = paragraphs(&mut bounded);
    if bounded.limit() == 0 {
        let message = format!(
            "the text of the Word document unpacks to more than {} bytes, which is the most that is taken: split it",
            limits.max_bytes
        );
        return Err(Problem::new("TOO_LARGE", message));
    }
    read
}

/// How many files the archive says it holds; its last record says it.
fn entries(bytes: &[u8]) -> Option<u16> {
    let at = memmem::rfind(bytes, b"PK\x05\x06")?;
    let count = bytes.get(at + 10..at + 12)?;
    Some(u16::from_le_bytes(count.try_into().ok()?))
}

fn paragraphs(source: impl BufRead) -> Result<String, Problem> {
    let mut reader = Reader::from_reader(source);
    let mut text = Text::default();
    let mut buffer = Vec::new();
    loop {
        let event = reader
            .read_event_into(&mut buffer)
            .map_err(|_error| damaged("its text is no well-formed XML"))?;
        match event {
            Event::Start(element) => text.open(element.local_name().as_ref())?,
            Event::Empty(element) => text.mark(element.local_name().as_ref()),
            Event::End(element) => text.close(element.local_name().as_ref()),
            Event::Text(said) => text.push(&said.xml10_content()),
            Event::CData(said) => text.push(&said.xml10_content()),
            Event::GeneralRef(reference) => text.push_char(character(&reference)?),
            Event::DocType(_) => {
                return Err(damaged("its text declares a document type, which Word never does"));
            }
            Event::Eof => break,
            _ => {}
        }
        buffer.clear();
    }
    match text.depth {
        0 => Ok(text.text),
        _ => Err(damaged("its text is cut off")),
    }
}

#[derive(Default)]
struct Text {
    text: String,
    depth: usize,
    /// Within how many `w:t`, which hold what is written; deleted text and fields have others.
    writing: usize,
    /// Within how many lists of tab stops, whose `w:tab` write nothing.
    tab_stops: usize,
    /// At which depth a second rendering of the same content began.
    fallback: Option<usize>,
}

impl Text {
    fn open(&mut self, name: &str) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(damaged("its elements are nested too deep"));
        }
        match name {
            "t" => self.writing += 1,
            "tabs" => self.tab_stops += 1,
            // What was moved elsewhere stands there, too.
            "Fallback" | "moveFrom" if self.fallback.is_none() => self.fallback = Some(self.depth),
            _ => self.mark(name),
        }
        Ok(())
    }

    fn close(&mut self, name: &str) {
        if self.fallback == Some(self.depth) {
            self.fallback = None;
        }
        self.depth = self.depth.saturating_sub(1);
        match name {
            "t" => self.writing = self.writing.saturating_sub(1),
            "tabs" => self.tab_stops = self.tab_stops.saturating_sub(1),
            "p" => self.end_line(),
            _ => {}
        }
    }

    fn mark(&mut self, name: &str) {
        match name {
            "br" | "cr" => self.end_line(),
            "tab" if self.tab_stops == 0 && self.fallback.is_none() => self.text.push('\t'),
            "noBreakHyphen" if self.fallback.is_none() => self.text.push('-'),
            _ => {}
        }
    }

    fn push(&mut self, said: &str) {
        if self.writing == 0 || self.fallback.is_some() {
            return;
        }
        match said.contains(['\n', '\r']) {
            true => self.text.push_str(&said.replace(['\n', '\r'], " ")),
            false => self.text.push_str(said),
        }
    }

    fn push_char(&mut self, said: char) {
        self.push(said.encode_utf8(&mut [0; 4]));
    }

    fn end_line(&mut self) {
        if self.fallback.is_none() {
            self.text.push('\n');
        }
    }
}

/// The five that XML itself knows, and numbers.
fn character(reference: &BytesRef<'_>) -> Result<char, Problem> {
    let name: &str = reference;
    let known = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference.resolve_char_ref().ok().flatten(),
    };
    known.ok_or_else(|| damaged("its text names an entity that XML does not know"))
}

fn refusal(error: &ZipError) -> Problem {
    match error {
        ZipError::UnsupportedArchive(_) | ZipError::InvalidPassword => refused(
            "this Word document (DOCX) is encrypted or packed in a way that is not read: save it in Word without \
             a password, or bring its text",
        ),
        ZipError::CompressionMethodNotSupported(_) => {
            refused("this Word document (DOCX) is packed in a way that is not read: save it anew in Word")
        }
        _ => damaged("the archive cannot be read"),
    }
}

fn damaged(what: &str) -> Problem {
    refused(&format!(
        "this Word document (DOCX) is damaged, {what}: open it in Word and save it anew, or bring its text"
    ))
}

fn refused(message: &str) -> Problem {
    Problem::new("NOT_TEXT", message).on_line(1)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn packed(name: &str, content: &[u8]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for (name, content) in [("[Content_Types].xml", &b"<Types/>"[..]), (name, content)] {
            writer.start_file(name, options).expect("a file");
            writer.write_all(content).expect("content");
        }
        writer.finish().expect("an archive").into_inner()
    }

    fn read(body: &str) -> Result<String, Problem> {
        let xml =
            format!("<?xml version=\"1.0\"?><w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
        text(&packed("word/document.xml", xml.as_bytes()), &Limits::default())
    }

    #[test]
    fn paragraphs_breaks_and_tabs_are_kept_and_the_rest_is_not() {
        let found = read(
            "<w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr><w:r><w:t>Anna &amp; Ben</w:t><w:br/><w:t>0:03</w:t></w:r></w:p>\n\
             <w:p><w:r><w:t xml:space=\"preserve\"> a</w:t><w:tab/><w:t>b&#233;\nc</w:t><w:delText>gone</w:delText>\
             <w:instrText>PAGE</w:instrText></w:r></w:p><w:p><mc:AlternateContent><mc:Choice><w:r><w:t>once</w:t></w:r>\
             </mc:Choice><mc:Fallback><w:r><w:t>once</w:t></w:r></mc:Fallback></mc:AlternateContent><w:moveFrom><w:r>\
             <w:t>moved</w:t></w:r></w:moveFrom><w:moveTo><w:r><w:t>, moved</w:t></w:r></w:moveTo></w:p><w:p/>",
        );
        assert_eq!(found.expect("text"), "Anna & Ben\n0:03\n a\tbé c\nonce, moved\n");
        let second = packed("word/document2.xml", b"<d><p><t>Hi</t></p></d>");
        assert_eq!(text(&second, &Limits::default()).expect("text"), "Hi\n");
    }

    #[test]
    fn what_is_no_sound_document_is_refused_with_what_to_do() {
        let good = packed("word/document.xml", b"<d><p><t>Hi</t></p></d>");
        let mut encrypted = good.clone();
        for signature in [&b"PK\x03\x04"[..], b"PK\x01\x02"] {
            let flags = if signature[2] == 3 { 6 } else { 8 };
            let places: Vec<_> = memmem::find_iter(&good, signature).collect();
            places.into_iter().for_each(|at| encrypted[at + flags] |= 1);
        }
        let cases = [
            (good[..good.len() - 30].to_vec(), "damaged"),
            (packed("word/document.xml", b"<d><p><t>Hi</p></d>"), "well-formed"),
            (packed("word/document.xml", b"<d><p><t>Hi</t></p>"), "cut off"),
            (packed("word/document.xml", b"<!DOCTYPE d [<!ENTITY a \"b\">]><d>&a;</d>"), "document type"),
            (packed("word/document.xml", b"<d>&a;</d>"), "entity"),
            (packed("word/document.xml", "<d>".repeat(300).as_bytes()), "too deep"),
            (packed("inner/word/document.xml", b"<d/>"), "no Word document"),
            (encrypted, "encrypted"),
        ];
        for (bytes, part) in cases {
            assert!(is_one(&bytes), "{part}");
            let problem = text(&bytes, &Limits::default()).expect_err("refused");
            assert_eq!((problem.code, problem.line), ("NOT_TEXT", Some(1)), "{problem:?}");
            assert!(problem.message.contains(part), "{problem:?}");
        }
    }

    #[test]
    fn what_unpacks_beyond_the_limit_is_refused() {
        let bomb = packed("word/document.xml", format!("<d><t>{}</t></d>", "a".repeat(1 << 20)).as_bytes());
        assert!(bomb.len() < 1 << 13);
        let limits = Limits { max_bytes: 1 << 14, ..Limits::default() };
        assert_eq!(text(&bomb, &limits).expect_err("refused").code, "TOO_LARGE");
    }
}
