//! What is wrong with files that people bring: each kind is refused with a code and what to do, or taken with a line
//! of the report.

use std::fmt::Write;

use colloquy_domain::transcripts::{
    Limits, Transcript, parse,
    report::{Format, NoteAction},
};

fn read(bytes: &[u8]) -> Transcript {
    parse(bytes, None, &Limits::default()).expect("a transcript")
}

fn refusal(bytes: &[u8], format: Option<Format>) -> (&'static str, Option<u32>) {
    let problem = parse(bytes, format, &Limits::default()).expect_err("refused");
    assert!(problem.message.len() > 20, "{problem:?}");
    (problem.code, problem.line)
}

/// Notes that are no mere joins, as `line action reason`.
fn told(transcript: &Transcript) -> Vec<String> {
    let notes = transcript.report.notes.iter().filter(|note| note.action != NoteAction::Merged);
    notes.map(|note| format!("{} {:?} {}", note.line, note.action, note.reason)).collect()
}

#[test]
fn a_file_that_was_cut_off_gives_what_is_whole() {
    let vtt = read(b"WEBVTT\n\n00:01.000 --> 00:02.000\nHi.\n\n00:02.000 --> 00:0");
    assert_eq!((vtt.turns.len(), told(&vtt)), (1, vec!["6 Dropped the times cannot be read".to_owned()]));
    let srt = read(
        "1\n00:00:01,000 --> 00:00:02,000\nZoë: Hi.\n\n2\n00:00:02,000 --> 00:00:03,000\nZo\u{eb}"
            .as_bytes()
            .split_last()
            .expect("bytes")
            .1,
    );
    assert_eq!(srt.turns.len(), 2);
    assert!(told(&srt)[0].contains("half a character"), "{:?}", told(&srt));
    assert_eq!(
        refusal(br#"{"segments": [{"start": 0, "end": 1, "text": "Hi."}, {"sta"#, None).0,
        "MALFORMED"
    );
}

#[test]
fn what_is_no_text_is_named() {
    assert_eq!(refusal(b"WEBVTT\n\n00:01.000 --> 00:02.000\nH\0i.\n", None), ("NOT_TEXT", Some(4)));
    assert_eq!(refusal(b"\x7fELF\x02\x01\x01\0\0", Some(Format::WebVtt)), ("NOT_TEXT", Some(1)));
    assert_eq!(refusal(b"PK\x03\x04 is no archive", None).0, "NOT_TEXT");
    assert_eq!(refusal(b"PK\x03\x04\x14\0\0\0\0\0word/document.xml", None).0, "NOT_TEXT");
}

#[test]
fn what_is_beyond_the_limits_is_refused_with_its_line() {
    let long = format!("Anna: Hi.\nBen: {}\n", "x".repeat(10_000_000));
    assert_eq!(refusal(long.as_bytes(), None), ("LINE_TOO_LONG", Some(2)));
    let element =
        format!(r#"{{"segments": [{{"start": 0, "end": 1, "text": "{}"}}]}}"#, "x".repeat(10_000_000));
    assert_eq!(refusal(element.as_bytes(), Some(Format::WhisperJson)).0, "LINE_TOO_LONG");
    let mut cues = "WEBVTT\n".to_owned();
    for at in 0..1_000_000 {
        let (minutes, seconds) = (at / 60 % 60, at % 60);
        write!(cues, "\n{minutes:02}:{seconds:02}.000 --> {minutes:02}:{seconds:02}.900\nx")
            .expect("a string");
    }
    assert!(cues.len() <= Limits::default().max_bytes, "the cues are too many and not the bytes");
    assert_eq!(refusal(cues.as_bytes(), None).0, "TOO_MANY_CUES");
}

#[test]
fn times_that_cannot_be_are_left_out_and_told() {
    let srt = read(b"1\n00:00:05,000 --> 00:00:02,000\nA: Back.\n\n2\n-00:00:01,000 --> 00:00:02,000\nB: Below.\n\n3\n9999999999:00:00,000 --> 9999999999:00:01,000\nA: Beyond.\n");
    let told = told(&srt);
    assert_eq!(srt.turns[0].start_ms.map(|at| at.0), Some(5_000));
    assert_eq!(srt.turns[0].end_ms, None);
    assert!(srt.turns.iter().all(|turn| turn.end_ms.is_none_or(|end| Some(end) >= turn.start_ms)));
    for part in ["ends before it starts", "before the beginning", "cannot be read"] {
        assert!(told.iter().any(|note| note.contains(part)), "{part}: {told:?}");
    }
}

#[test]
fn ids_that_come_twice_lose_nothing() {
    let vtt = read(b"WEBVTT\n\n1\n00:01.000 --> 00:02.000\nOne.\n\n1\n00:02.000 --> 00:03.000\nTwo.\n");
    assert_eq!(vtt.turns.len(), 2);
    let json = br#"{"segments": [{"id": 0, "start": 0, "end": 1, "text": "One."}, {"id": 0, "start": 1, "end": 2, "text": "Two."}], "language": "en"}"#;
    assert_eq!(read(json).turns.len(), 2);
}

#[test]
fn encodings_that_are_mixed_are_read_line_by_line() {
    let mixed = read(b"Zo\xc3\xab: na\xc3\xafve.\nBen: caf\xe9.\nZo\xc3\xab: \xc3\xa7a.\n");
    assert_eq!(mixed.turns[1].text, "café.");
    assert!(told(&mixed)[0].starts_with("2 Warning"), "{:?}", told(&mixed));
}
