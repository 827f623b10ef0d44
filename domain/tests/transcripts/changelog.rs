//! Ninety podcast transcripts of the sample data: no letter of speech is lost.

use std::fs;

use colloquy_domain::transcripts::{Limits, parse, report::Format};

use crate::data;

#[test]
fn no_letter_of_ninety_podcasts_is_lost() {
    let Some(folder) = data::folder("changelog") else {
        return;
    };
    let files = data::files(&folder, "md");
    assert!(files.len() >= 90, "only {} files", files.len());
    for file in files {
        let source = fs::read_to_string(&file).expect("text");
        let transcript = parse(source.as_bytes(), None, &Limits::default())
            .unwrap_or_else(|problem| panic!("{}: {problem:?}", file.display()));
        let report = &transcript.report;
        assert_eq!(report.format, Format::NamedLines);
        assert!(report.speakers.len() >= 2, "{}: {:?}", file.display(), report.speakers);
        assert_eq!(report.segments + report.cues_dropped, report.cues_read, "{}", file.display());

        // The dropped are labels without text (breaks with a time), so all that is left of the source is said.
        let dropped =
            report.notes.iter().filter(|note| note.reason == "nothing is said after the label").count();
        assert_eq!(dropped as u32, report.cues_dropped, "{}: {:?}", file.display(), report.notes);
        let expected: String = source.lines().map(said).collect();
        let found: String = transcript.turns.iter().map(|turn| letters(&turn.text)).collect();
        assert!(expected == found, "{}: {}", file.display(), first_difference(&expected, &found));
    }
}

/// The letters of a line without its label and the times around it.
fn said(line: &str) -> String {
    let mut line = line.trim();
    if let Some(rest) = line.strip_prefix("**")
        && let Some((label, text)) = rest.split_once("**")
        && (label.ends_with(':') || text.starts_with(':'))
    {
        line = text.trim_start_matches(':').trim();
    }
    // Three labels of the ninety files have no emphasis.
    for label in ["Nick Harries: ", "Break: ", "Outro: "] {
        line = line.strip_prefix(label).unwrap_or(line);
    }
    for _ in 0..2 {
        if let Some(rest) = line.strip_prefix("\\[")
            && let Some((time, text)) = rest.split_once("\\]")
            && time.chars().all(|c| c.is_ascii_digit() || ":.".contains(c))
        {
            line =
                text.trim().strip_prefix("to ").filter(|rest| rest.starts_with("\\[")).unwrap_or(text.trim());
        }
    }
    letters(line)
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn first_difference(expected: &str, found: &str) -> String {
    let at = expected.chars().zip(found.chars()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| text.chars().skip(at.saturating_sub(20)).take(60).collect::<String>();
    format!("expected …{}…, found …{}…", around(expected), around(found))
}
