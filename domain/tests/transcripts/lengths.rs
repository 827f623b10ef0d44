//! What is long costs no more than its length, whatever it is made of.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use colloquy_domain::{
    time::Millis,
    transcripts::{
        Limits,
        export::{Said, TextForm, write},
        parse,
        report::Format,
    },
};

/// Many times what it takes, and a small part of what it would take if each byte cost all that stand before it.
const LONG: Duration = Duration::from_secs(20);

fn read(text: &str, format: Format) {
    let begun = Instant::now();
    let _outcome = parse(text.as_bytes(), Some(format), &Limits::default());
    assert!(begun.elapsed() < LONG, "{format:?} took {:?}", begun.elapsed());
}

#[test]
fn a_label_of_many_lines_is_read_once() {
    let head = "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n0 9 <exists> 1 \"IntervalTier\" \"A\" 0 9 1\n0 9 \"";
    read(&format!("{head}{}", "\n".repeat(1 << 19)), Format::TextGrid);
    read(&format!("{head}{}", "\n \t".repeat(1 << 18)), Format::TextGrid);
}

#[test]
fn cues_of_many_lines_and_footers_before_blanks_are_read_once() {
    let (lines, half) = ("a\n".repeat(400_000), "a\n".repeat(200_000));
    let cues = format!("00:00.000 --> 00:01.000\n{lines}\n00:01.000 --> 00:02.000\n{half}b\n{half}");
    read(&format!("WEBVTT\n\n{cues}"), Format::WebVtt);
    let footers = "Transcribed by https://otter.ai\n".repeat(20_000);
    let text = format!("1\n00:00:00,000 --> 00:00:01,000\nHi.\n\n{footers}{}", " \n".repeat(1 << 20));
    read(&text, Format::Srt);
}

#[test]
fn words_of_closing_signs_alone_are_read_once() {
    let word = "{\"word\": \"」\", \"start\": 0, \"end\": 0},";
    read(&format!("{{\"words\": [{}]}}", word.repeat(300_000)), Format::WhisperJson);
}

#[test]
fn turns_without_times_are_written_once() {
    let said = |end: Option<u64>| Said {
        speaker: None,
        text: Cow::Borrowed("Well."),
        start_ms: None,
        end_ms: end.map(Millis),
    };
    let mut talk = vec![said(None); 200_000];
    talk.push(said(Some(5)));
    for form in [TextForm::WebVtt, TextForm::Srt] {
        let begun = Instant::now();
        write(form, "Talk", &talk).expect("a file");
        assert!(begun.elapsed() < LONG, "{form:?} took {:?}", begun.elapsed());
    }
}
