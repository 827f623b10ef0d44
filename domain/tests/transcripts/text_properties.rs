//! What holds for the formats of text: a talk that is written in one comes out word for word, and no word of
//! a damaged file is gone without a note.

use std::fmt::Write;

use colloquy_domain::transcripts::{
    Limits, Transcript,
    lines::Lines,
    parse,
    report::{Clock, Format},
};
use proptest::prelude::*;

use crate::{
    invariants::check,
    properties::{NAMES, talk},
    text_formats::document,
};

/// One turn of a talk with its times in milliseconds.
#[derive(Debug)]
struct Said {
    name: &'static str,
    text: String,
    start: u64,
    end: u64,
}

/// A talk of sentences, one after another.
fn sentences(talk: &[(usize, String, u64, bool)]) -> Vec<Said> {
    let mut at = 0;
    let said = talk.iter().map(|(name, text, length, _)| {
        let start = at;
        at += length;
        Said { name: NAMES[*name], text: format!("{text}."), start, end: at }
    });
    said.collect()
}

const GUID: &str = "1f0c6a52-88de-4b3e-9a07-5d2f10c4b7aa";

fn clock(ms: u64) -> String {
    format!("{:02}:{:02}:{:02}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60)
}

fn short(ms: u64) -> String {
    format!("{}:{:02}", ms / 60_000, ms / 1000 % 60)
}

/// The start and the end of a turn, as far as a format tells them.
type Times = (Option<u64>, Option<u64>);

/// A way to write a talk down.
struct Writer {
    format: Format,
    write: fn(&[Said]) -> String,
    /// What the format tells of the turn's times, by its place in the talk.
    times: fn(usize, &Said) -> Times,
}

const WRITERS: [Writer; 14] = [
    Writer { format: Format::TextGrid, write: |talk| text_grid(talk, true), times: exact },
    Writer { format: Format::TextGrid, write: |talk| text_grid(talk, false), times: exact },
    Writer { format: Format::TeamsVtt, write: teams_vtt, times: exact },
    Writer { format: Format::ZoomVtt, write: zoom_vtt, times: exact },
    Writer { format: Format::Table, write: table, times: exact },
    Writer { format: Format::WhisperTsv, write: whisper_tsv, times: exact },
    Writer { format: Format::WhisperTsv, write: whisper_cpp, times: in_tens },
    Writer { format: Format::ZoomText, write: zoom_text, times: whole_seconds },
    Writer { format: Format::TeamsDocx, write: old_document, times: exact },
    Writer { format: Format::TeamsDocx, write: |talk| headings(talk, "   "), times: whole_seconds },
    Writer { format: Format::OtterText, write: |talk| headings(talk, "  "), times: whole_seconds },
    Writer { format: Format::RevText, write: |talk| rev(talk, "\n"), times: whole_seconds },
    Writer { format: Format::RevText, write: |talk| rev(talk, " "), times: whole_seconds },
    Writer { format: Format::MeetText, write: meet, times: of_every_third },
];

fn exact(_at: usize, said: &Said) -> Times {
    (Some(said.start), Some(said.end))
}

fn in_tens(_at: usize, said: &Said) -> Times {
    (Some(said.start / 10 * 10), Some(said.end / 10 * 10))
}

fn whole_seconds(_at: usize, said: &Said) -> Times {
    (Some(said.start / 1000 * 1000), None)
}

fn of_every_third(at: usize, said: &Said) -> Times {
    (at.is_multiple_of(3).then_some(said.start / 1000 * 1000), None)
}

fn text_grid(talk: &[Said], long: bool) -> String {
    let key = |key: &'static str| if long { key } else { "" };
    let seconds = |ms: u64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let end = seconds(talk.last().map_or(0, |said| said.end));
    let mut tiers = String::new();
    let names: Vec<_> = NAMES.into_iter().filter(|name| talk.iter().any(|said| said.name == *name)).collect();
    for name in &names {
        let own: Vec<_> = talk.iter().filter(|said| said.name == *name).collect();
        let head =
            [key("class = "), key("name = "), key("xmin = "), key("xmax = "), key("intervals: size = ")];
        let [class, label, min, max, size] = head;
        write!(
            tiers,
            "{class}\"IntervalTier\"\n{label}\"{name}\"\n{min}0\n{max}{end}\n{size}{}\n",
            own.len()
        )
        .expect("a string");
        for (at, said) in own.iter().enumerate() {
            let head = if long { format!("intervals [{}]:\n", at + 1) } else { String::new() };
            let (start, end, text) = (seconds(said.start), seconds(said.end), key("text = "));
            writeln!(tiers, "{head}{min}{start}\n{max}{end}\n{text}\"{}\"", said.text).expect("a string");
        }
    }
    let [object, min, max] = [key("Object class = "), key("xmin = "), key("xmax = ")];
    let count = names.len();
    format!(
        "File type = \"ooTextFile\"\n{object}\"TextGrid\"\n\n{min}0\n{max}{end}\n<exists>\n{count}\n{tiers}"
    )
}

fn teams_vtt(talk: &[Said]) -> String {
    let mut cues: Vec<_> = talk
        .iter()
        .enumerate()
        .map(|(at, said)| {
            let times = format!(
                "{}.{:03} --> {}.{:03}",
                clock(said.start),
                said.start % 1000,
                clock(said.end),
                said.end % 1000
            );
            format!("{GUID}/{at}-0\n{times}\n<v {}>{}</v>\n\n", said.name, said.text)
        })
        .collect();
    cues.rotate_left(talk.len() / 3);
    format!("WEBVTT\n\n{}", cues.concat())
}

fn zoom_vtt(talk: &[Said]) -> String {
    let cues = talk.iter().enumerate().map(|(at, said)| {
        let times = format!(
            "{}.{:03} --> {}.{:03}",
            clock(said.start),
            said.start % 1000,
            clock(said.end),
            said.end % 1000
        );
        format!("{}\n{times}\n{}: {}\n\n", at + 1, said.name, said.text)
    });
    format!("WEBVTT\n\n{}", cues.collect::<String>())
}

fn old_document(talk: &[Said]) -> String {
    let time =
        |ms: u64| format!("{}:{}:{}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
    talk.iter()
        .map(|said| format!("{} --> {}\n{}\n{}\n", time(said.start), time(said.end), said.name, said.text))
        .collect()
}

fn headings(talk: &[Said], gap: &str) -> String {
    talk.iter().map(|said| format!("{}{gap}{}\n{}\n\n", said.name, short(said.start), said.text)).collect()
}

fn rev(talk: &[Said], gap: &str) -> String {
    talk.iter().map(|said| format!("{} ({}):{gap}{}\n\n", said.name, short(said.start), said.text)).collect()
}

/// Three seconds before midnight it begins.
fn zoom_text(talk: &[Said]) -> String {
    let of_day = |ms: u64| clock((ms / 1000 * 1000 + 86_397_000) % 86_400_000);
    talk.iter().map(|said| format!("[{}] {}\n{}\n\n", said.name, of_day(said.start), said.text)).collect()
}

/// A time before every third turn.
fn meet(talk: &[Said]) -> String {
    let turns = talk.iter().enumerate().map(|(at, said)| {
        let marker = if at % 3 == 0 { format!("{}\n\n", clock(said.start)) } else { String::new() };
        format!("{marker}{}: {}\n\n", said.name, said.text)
    });
    format!("Talk - Transcript\n\n{}Transcription ended after 01:00:00\n", turns.collect::<String>())
}

fn table(talk: &[Said]) -> String {
    let rows =
        talk.iter().map(|said| format!("{},{},\"{}\",\"{}\"\n", said.start, said.end, said.name, said.text));
    format!("start_ms,end_ms,speaker,text\n{}", rows.collect::<String>())
}

fn whisper_tsv(talk: &[Said]) -> String {
    let rows = talk.iter().map(|said| format!("{}\t{}\t{}\n", said.start, said.end, said.text));
    format!("start\tend\ttext\n{}", rows.collect::<String>())
}

fn whisper_cpp(talk: &[Said]) -> String {
    let rows = talk
        .iter()
        .map(|said| format!("{},{},\" {}\"\n", said.start / 10 * 10, said.end / 10 * 10, said.text));
    format!("start,end,text\n{}", rows.collect::<String>())
}

fn check_talk(writer: &Writer, talk: &[Said]) {
    let text = (writer.write)(talk);
    let parsed = parse(text.as_bytes(), None, &Limits::default());
    let transcript = parsed.unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
    check(&transcript);
    let report = &transcript.report;
    assert_eq!(report.format, writer.format, "{text}");
    assert_eq!(
        (report.cues_read as usize, report.cues_dropped),
        (talk.len(), 0),
        "{text}: {:?}",
        report.notes
    );
    assert_eq!(transcript.turns.len(), talk.len(), "{text}: {:?}", report.notes);
    for (at, (turn, said)) in transcript.turns.iter().zip(talk).enumerate() {
        let name = turn.speaker.map(|at| report.speakers[at].as_str());
        let named = (writer.format != Format::WhisperTsv).then_some(said.name);
        assert_eq!((name, &turn.text), (named, &said.text), "{text}");
        let times = (turn.start_ms.map(|time| time.0), turn.end_ms.map(|time| time.0));
        assert_eq!(times, (writer.times)(at, said), "{text}");
    }
    if writer.format == Format::ZoomText {
        assert_eq!(report.clock, Some(Clock::Wall { origin: "23:59:57".to_owned() }));
    }
}

/// Every word of the damaged file that only that file has.
fn check_kept(damaged: &str, transcript: &Transcript) {
    let report = &transcript.report;
    if report.notes_omitted > 0 {
        return;
    }
    let told = |line: u32| {
        report.notes.iter().any(|note| note.line <= line && line <= note.end_line.unwrap_or(note.line))
    };
    for line in Lines::new(damaged) {
        for word in line.text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| is_unique(word)) {
            let said = transcript.turns.iter().any(|turn| turn.text.contains(word));
            let label = report.speakers.iter().any(|label| label.contains(word));
            assert!(
                said || label || told(line.number),
                "{word} on line {} of {damaged}\n{transcript:?}",
                line.number
            );
        }
    }
}

fn is_unique(word: &str) -> bool {
    word.strip_prefix("qx")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Ways to make a line bad.
fn damage(line: &str, kind: u8) -> String {
    match kind {
        0 => String::new(),
        1 => line.replace(|c: char| c.is_ascii_digit(), "x"),
        2 => line.replace('"', ""),
        3 => line.replacen(['"', ',', '\t', ':'], "", 1),
        4 => format!("{line}\n{line}"),
        5 => line.chars().take(line.chars().count() / 2).collect(),
        6 => format!("\"{line}"),
        7 => format!("  {line}"),
        _ => line.replace("-->", "->"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_format_gives_the_talk_back_word_for_word(mut talk in talk()) {
        // whisper.cpp counts in steps of ten, and is known by that only once some time has passed.
        talk[0].2 += 200;
        let talk = sentences(&talk);
        for writer in &WRITERS {
            check_talk(writer, &talk);
        }
    }

    #[test]
    fn a_document_gives_the_talk_of_its_text(talk in talk()) {
        let talk = sentences(&talk);
        for writer in &WRITERS[8..] {
            let text = (writer.write)(&talk);
            let expected = parse(text.as_bytes(), None, &Limits::default()).expect("a transcript");
            let found = parse(&document(&text), None, &Limits::default()).expect("a document");
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn no_damage_to_a_document_brings_the_reader_down(
        talk in talk(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut bytes = document(&old_document(&sentences(&talk)));
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.map_or(bytes.len(), |at| at.index(bytes.len())));
        match parse(&bytes, None, &Limits::default()) {
            Ok(transcript) => check(&transcript),
            Err(problem) => prop_assert!(!problem.message.is_empty()),
        }
    }

    #[test]
    fn no_word_of_a_damaged_file_is_gone_without_a_note(
        turns in proptest::collection::vec((0..3usize, 1..9_000u64), 3..20),
        damages in proptest::collection::vec((any::<prop::sample::Index>(), 0..9u8), 1..6),
    ) {
        let mut at = 0;
        let talk: Vec<_> = turns.iter().enumerate().map(|(number, (name, length))| {
            let start = at;
            at += length;
            let text = format!("Well qx{} and qx{}.", number * 2, number * 2 + 1);
            Said { name: NAMES[*name], text, start, end: at }
        }).collect();
        for Writer { format, write, .. } in &WRITERS {
            let text = write(&talk);
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            for (line, kind) in &damages {
                // What stands on the first lines says what the file is.
                let line = 2 + line.index(lines.len() - 2);
                lines[line] = damage(&lines[line], *kind);
            }
            let damaged = lines.join("\n");
            if let Ok(transcript) = parse(damaged.as_bytes(), Some(*format), &Limits::default()) {
                check(&transcript);
                check_kept(&damaged, &transcript);
            }
        }
    }
}
