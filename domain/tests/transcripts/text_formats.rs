//! The formats of text, file by file: each fixture is known for what it is, and what becomes of it stands in
//! a snapshot.

use std::{
    fmt::Write,
    fs,
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
};

use colloquy_domain::transcripts::{
    Limits, Transcript, detect, parse,
    report::{Clock, Format, NoteAction, SpeakerSource},
};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::data;

/// The folders of the fixtures, each with the format that its files are in.
const FOLDERS: [(&str, Format); 13] = [
    ("web_vtt", Format::WebVtt),
    ("srt", Format::Srt),
    ("named_lines", Format::NamedLines),
    ("text_grid", Format::TextGrid),
    ("teams_vtt", Format::TeamsVtt),
    ("zoom_vtt", Format::ZoomVtt),
    ("teams_docx", Format::TeamsDocx),
    ("zoom_text", Format::ZoomText),
    ("meet_text", Format::MeetText),
    ("otter_text", Format::OtterText),
    ("rev_text", Format::RevText),
    ("table", Format::Table),
    ("whisper_tsv", Format::WhisperTsv),
];

/// The files of a format; `srt`, `teams_docx` and so on below the fixtures.
pub(crate) fn fixtures() -> Vec<(PathBuf, Format, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/fixtures");
    let mut found = Vec::new();
    for (folder, format) in FOLDERS {
        let mut files: Vec<_> = fs::read_dir(root.join(folder))
            .expect(folder)
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{folder}");
        found.extend(files.into_iter().map(|file| {
            let text = fs::read_to_string(&file).expect("text");
            (file, format, text)
        }));
    }
    found
}

fn read(text: &str) -> Transcript {
    parse(text.as_bytes(), None, &Limits::default()).unwrap_or_else(|problem| panic!("{text:?}: {problem:?}"))
}

/// What became of a source, for people.
fn told(transcript: &Transcript) -> String {
    let report = &transcript.report;
    let mut told = String::new();
    let clock = match report.clock.as_ref().expect("a clock") {
        Clock::None => "no clock".to_owned(),
        Clock::Offset => "offset".to_owned(),
        Clock::Wall { origin } => format!("wall since {origin}"),
    };
    let confidence = report.confidence.as_ref().expect("detected");
    writeln!(told, "{:?} {} ({})", report.format, confidence.score, confidence.reason).expect("a string");
    writeln!(told, "{:?}, {clock}", report.speaker_source).expect("a string");
    let counts =
        (report.cues_read, report.segments, report.cues_dropped, report.cues_merged, report.cues_split);
    writeln!(told, "read, segments, dropped, merged, split: {counts:?}\n").expect("a string");
    for turn in &transcript.turns {
        let speaker = turn.speaker.map_or("", |at| report.speakers[at].as_str());
        let time = |time: Option<colloquy_domain::time::Millis>| {
            time.map_or(String::new(), |time| time.0.to_string())
        };
        writeln!(
            told,
            "{}: {speaker}|{}-{}|{:?}",
            turn.line,
            time(turn.start_ms),
            time(turn.end_ms),
            turn.text
        )
        .expect("a string");
    }
    told.push('\n');
    for note in &report.notes {
        let end = note.end_line.map_or(String::new(), |end| format!("-{end}"));
        writeln!(told, "{}{end} {:?}: {}", note.line, note.action, note.reason).expect("a string");
    }
    told
}

#[test]
fn every_fixture_is_known_for_what_it_is() {
    for (file, format, text) in fixtures() {
        let detected =
            detect::detect(&text).unwrap_or_else(|problem| panic!("{}: {problem:?}", file.display()));
        let confidence = &detected.confidence;
        assert_eq!(detected.reader.format(), format, "{}: {confidence:?}", file.display());
    }
}

#[test]
fn what_becomes_of_every_fixture_is_known() {
    for (file, _, text) in fixtures() {
        let name =
            file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/fixtures"));
        let name = name.expect("below the fixtures").to_string_lossy().replace(['/', '.'], "-");
        insta::assert_snapshot!(name, told(&read(&text)));
    }
}

#[test]
fn the_ends_of_lines_make_no_difference() {
    for (file, _, text) in fixtures() {
        let text = text.replace("\r\n", "\n");
        let expected = read(&text);
        for end in ["\r\n", "\r"] {
            let found = read(&text.replace('\n', end));
            assert_eq!(told(&found), told(&expected), "{} with {end:?}", file.display());
        }
        let marked: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(text.trim_start_matches('\u{feff}').encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        let found = parse(&marked, None, &Limits::default()).expect("UTF-16");
        assert_eq!(told(&found), told(&expected), "{} as UTF-16", file.display());
    }
}

/// A Word document whose paragraphs are the lines of `text`.
pub(crate) fn document(text: &str) -> Vec<u8> {
    let paragraphs: String = text
        .lines()
        .map(|line| {
            let line = line.replace('&', "&amp;").replace('<', "&lt;").replace('\t', "</w:t><w:tab/><w:t>");
            format!("<w:p><w:r><w:t xml:space=\"preserve\">{line}</w:t></w:r></w:p>")
        })
        .collect();
    let xml = format!("<w:document xmlns:w=\"w\"><w:body>{paragraphs}</w:body></w:document>");
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("word/document.xml", SimpleFileOptions::default()).expect("a file");
    writer.write_all(xml.as_bytes()).expect("content");
    writer.finish().expect("an archive").into_inner()
}

#[test]
fn a_word_document_is_read_as_its_text_is() {
    for (file, format, text) in fixtures() {
        let line_wise =
            matches!(format, Format::TeamsDocx | Format::MeetText | Format::OtterText | Format::RevText);
        if !line_wise {
            continue;
        }
        let found = parse(&document(&text), None, &Limits::default()).expect("a document");
        assert_eq!(told(&found), told(&read(&text)), "{}", file.display());
    }
}

#[test]
fn an_end_is_kept_where_the_start_is_not_known() {
    let table = read("start,end,speaker,text\nsoon,2,Anna,Hi.\n3,4,Ben,Ho.\n");
    let grid = read(
        "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n0 9 <exists> 1 \"IntervalTier\" \"Anna\" 0 9 2\n\
         -1 2 \"Hi.\"\n3 4 \"Ho.\"\n",
    );
    for transcript in [table, grid] {
        let times: Vec<_> = transcript
            .turns
            .iter()
            .map(|turn| [turn.start_ms, turn.end_ms].map(|time| time.map(|time| time.0)))
            .collect();
        assert_eq!(times, [[None, Some(2_000)], [Some(3_000), Some(4_000)]]);
        assert_eq!(transcript.report.notes.len(), 1, "{:?}", transcript.report.notes);
    }
}

#[test]
fn a_paragraph_may_hold_the_heading_and_the_text() {
    let turn = |name: &str, time: &str, said: &str| {
        format!("<w:p><w:r><w:drawing/><w:br/><w:t>{name}   {time}</w:t><w:br/><w:t>{said}</w:t></w:r></w:p>")
    };
    let xml = format!("<d>{}{}</d>", turn("Lee, Anna", "0:03", "Hi."), turn("Okafor, Ben", "0:05", "Ho."));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("word/document.xml", SimpleFileOptions::default()).expect("a file");
    writer.write_all(xml.as_bytes()).expect("content");
    let bytes = writer.finish().expect("an archive").into_inner();
    let transcript = parse(&bytes, None, &Limits::default()).expect("a transcript");
    assert_eq!(transcript.report.format, Format::TeamsDocx);
    assert_eq!(transcript.report.speakers, ["Lee, Anna", "Okafor, Ben"]);
    let said: Vec<_> =
        transcript.turns.iter().map(|turn| (turn.text.as_str(), turn.start_ms.expect("a time").0)).collect();
    assert_eq!(said, [("Hi.", 3_000), ("Ho.", 5_000)]);
}

/// The labels of a TextGrid by a plain reading of the lines of its long form.
fn labels(source: &str) -> Vec<(String, u64, u64)> {
    let (mut labels, mut times, mut rest) = (Vec::new(), [0.0; 2], source);
    while let Some(at) = rest.find(" = ") {
        let key = rest[..at].rsplit(char::is_whitespace).next().unwrap_or_default();
        let value = &rest[at + 3..];
        let line = value.lines().next().unwrap_or_default().trim();
        match key {
            "xmin" => times[0] = line.parse().expect("a number"),
            "xmax" => times[1] = line.parse().expect("a number"),
            "text" => {
                let mut end = 1;
                while value[end..].starts_with("\"\"") || !value[end..].starts_with('"') {
                    end += if value[end..].starts_with("\"\"") {
                        2
                    } else {
                        value[end..].chars().next().expect("more").len_utf8()
                    };
                }
                let label = value[1..end].replace("\"\"", "\"");
                let millis = times.map(|seconds: f64| (seconds * 1000.0).round() as u64);
                labels.push((label, millis[0], millis[1]));
                rest = &value[end..];
                continue;
            }
            _ => {}
        }
        rest = value;
    }
    labels
}

#[test]
fn no_label_of_forty_text_grids_is_lost() {
    let Some(folder) = data::folder("primock57") else {
        return;
    };
    let files = data::files(&folder, "TextGrid");
    assert!(files.len() >= 40, "only {} files", files.len());
    for file in files {
        let source = fs::read_to_string(&file).expect("text");
        let transcript = read(&source);
        let report = &transcript.report;
        assert_eq!((report.format, report.speaker_source), (Format::TextGrid, Some(SpeakerSource::Tiers)));
        assert_eq!((report.cues_dropped, report.speakers.len()), (0, 1), "{}", file.display());
        assert!(report.notes.iter().all(|note| note.action == NoteAction::Merged), "{:?}", report.notes);
        let expected: Vec<_> =
            labels(&source).into_iter().filter(|(label, ..)| !label.trim().is_empty()).collect();
        assert_eq!(report.cues_read as usize, expected.len(), "{}", file.display());
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let said: Vec<_> = transcript.turns.iter().flat_map(|turn| words(&turn.text)).collect();
        assert_eq!(
            said,
            expected.iter().flat_map(|(label, ..)| words(label)).collect::<Vec<_>>(),
            "{}",
            file.display()
        );
        let starts: Vec<_> = expected.iter().map(|(_, start, _)| *start).collect();
        let ends: Vec<_> = expected.iter().map(|(.., end)| *end).collect();
        for turn in &transcript.turns {
            assert!(
                starts.contains(&turn.start_ms.expect("a start").0)
                    && ends.contains(&turn.end_ms.expect("an end").0)
            );
        }
    }
}
