//! What is told about sources that say something twice, or what nobody said.

use colloquy_domain::transcripts::{
    Limits, Transcript, parse,
    report::{ImportReport, NoteAction},
};

fn read(text: &str) -> Transcript {
    parse(text.as_bytes(), None, &Limits::default()).expect("a transcript")
}

fn said(transcript: &Transcript) -> Vec<&str> {
    transcript.turns.iter().map(|turn| turn.text.as_str()).collect()
}

fn warned(report: &ImportReport) -> Vec<(u32, &str)> {
    let warnings = report.notes.iter().filter(|note| note.action == NoteAction::Warning);
    warnings
        .map(|note| (note.line, note.reason.split([':', '(']).next().unwrap_or_default().trim()))
        .collect()
}

#[test]
fn rolling_captions_say_each_line_once() {
    let mut file = "WEBVTT\nKind: captions\n\n".to_owned();
    let lines = ["so we begin", "with what you", "would like to", "change this year.", "Then we look"];
    for (at, line) in lines.iter().enumerate() {
        let before = if at == 0 { " " } else { lines[at - 1] };
        let word = line.replace(' ', "<00:00:01.000><c> ").replace("<c> ", "<c>") + "</c>";
        let time = |ms: usize| format!("00:00:{:02}.{:03}", ms / 1000, ms % 1000);
        let (start, end) = (at * 2000, at * 2000 + 1990);
        file += &format!("{} --> {}\n{before}\n{word}\n\n", time(start), time(end));
        file += &format!("{} --> {}\n{line}\n \n\n", time(end), time(end + 10));
    }
    let transcript = read(&file.replace("><c>", "><c> "));
    assert_eq!(
        said(&transcript),
        ["so we begin with what you would like to change this year.", "Then we look"],
        "{:?}",
        transcript.report
    );
    assert_eq!(transcript.report.cues_dropped, 5);
    assert_eq!(warned(&transcript.report).len(), 4);
}

#[test]
fn people_may_repeat_each_other() {
    let cues = ["Yes.\nYes.", "Yes.\nReally?", "Really.", "Really.", "No.\nYes."];
    let file: String = cues
        .iter()
        .enumerate()
        .map(|(at, text)| format!("{}\n00:00:0{at},000 --> 00:00:0{},000\n{text}\n\n", at + 1, at + 1))
        .collect();
    assert_eq!(said(&read(&file)), ["Yes. Yes.", "Yes. Really?", "Really.", "Really.", "No. Yes."]);
}

#[test]
fn what_recognisers_invent_is_kept_and_told() {
    let cue =
        |at: usize, text: &str| format!("{}\n00:{at:02}:00,000 --> 00:{at:02}:02,000\n{text}\n\n", at + 1);
    let mut file = cue(0, "Good morning.") + &cue(1, "Thanks for watching!");
    for at in 2..8 {
        file += &cue(at, "I am going home.");
    }
    file += &cue(8, "and and and and and and and and and");
    let transcript = read(&file);
    assert_eq!(transcript.turns.len(), 9);
    assert_eq!(
        warned(&transcript.report),
        [(7, "likely hallucinated"), (11, "likely hallucinated"), (35, "likely hallucinated")]
    );
    let again = transcript.report.notes.iter().find(|note| note.line == 11).expect("told");
    assert_eq!(again.end_line, Some(31));
}

#[test]
fn control_characters_are_left_out_and_told() {
    let transcript = read(
        "WEBVTT\n\n00:00.000 --> 00:01.000\n<v Anna&#7;>Hi&#1; there</v>\n\n00:01.000 --> 00:02.000\n&#2;\n",
    );
    assert_eq!(said(&transcript), ["Hi there"]);
    assert_eq!(transcript.report.speakers, ["Anna"]);
    assert_eq!((transcript.report.cues_read, transcript.report.cues_dropped), (2, 1));
}
