//! WebVTT files with the cues that a conforming parser makes of them, from the sample data: identifiers,
//! times and text of every cue, and what is said in it.

#[path = "transcripts/data.rs"]
mod data;

use std::{fs, path::Path};

use colloquy_domain::transcripts::{
    Limits, Transcript,
    formats::webvtt::cues::{Cue, Cues},
    parse,
    report::Format,
};
use serde_json::Value;

/// Identifier, start and end in milliseconds, text with its markup.
type Expected = (String, u64, u64, String);
/// Speaker and text.
type Said<'a> = (Option<&'a str>, &'a str);

#[test]
fn every_file_gives_the_cues_it_should() {
    let Some(folder) = data::folder("vtt-conformance") else {
        return;
    };
    let files = data::files(&folder, "vtt");
    assert!(files.len() >= 190, "only {} files", files.len());
    let wrong: Vec<_> = files
        .iter()
        .filter_map(|file| {
            let name = file.strip_prefix(&folder).expect("below the folder").to_str().expect("UTF-8");
            let (expected, found) = (expected(file, name), found(file));
            (expected != found).then(|| format!("{name}: expected {expected:?}, found {found:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}

#[test]
fn every_letter_that_is_said_comes_out() {
    let Some(folder) = data::folder("vtt-conformance") else {
        return;
    };
    for file in data::files(&folder, "vtt") {
        let said: String =
            found(&file).iter().map(|(.., payload)| letters(&without_markup(payload))).collect();
        let parsed = parse(&fs::read(&file).expect("a file"), Some(Format::WebVtt), &Limits::default());
        match parsed {
            Ok(Transcript { turns, .. }) => {
                let turns: String = turns.iter().map(|turn| letters(&turn.text)).collect();
                assert_eq!(turns, said, "{}", file.display());
            }
            Err(problem) => assert_eq!(said, "", "{}: {problem:?}", file.display()),
        }
    }
}

#[test]
fn voices_are_the_speakers() {
    let Some(folder) = data::folder("vtt-conformance") else {
        return;
    };
    let cases: [(&str, &[Said<'_>]); 9] = [
        ("cuetext/voice/not-closed.vtt", &[(None, "It's a blue apple tree!")]),
        ("cuetext/voice/no-end-gt.vtt", &[(None, "<v It's a blue apple tree!")]),
        ("cuetext/voice/with-annotation.vtt", &[(Some("Mary"), "No way!")]),
        ("cuetext/voice/with-closing-span.vtt", &[(Some("Joe"), "Hee!"), (None, "Hee!")]),
        ("cuetext/voice/with-subclass.vtt", &[(Some("Joe"), "That's awesome!")]),
        ("cuetext/voice/with-two-subclasses.vtt", &[(Some("Joe"), "That's awesome!")]),
        ("cuetext/bold/with-annotation.vtt", &[(None, "No way!")]),
        ("integration/cue-content-class.vtt", &[(Some("Mary"), "That's awesome!")]),
        (
            "integration/cue-content.vtt",
            &[(Some("Neil deGrasse Tyson"), "Laughs &am& other stuff > &l<&rl\u{200f}\u{200e} Oh my! >")],
        ),
    ];
    for (name, expected) in cases {
        let parsed =
            parse(&fs::read(folder.join(name)).expect("a file"), None, &Limits::default()).expect("speech");
        let found: Vec<_> = parsed
            .turns
            .iter()
            .map(|turn| (turn.speaker.map(|at| parsed.report.speakers[at].as_str()), turn.text.as_str()))
            .collect();
        assert_eq!(found, expected, "{name}");
    }
    let talk = fs::read(folder.join("integration/spec-example.vtt")).expect("a file");
    let talk = parse(&talk, None, &Limits::default()).expect("speech");
    assert_eq!(talk.report.speakers, ["Roger Bingham", "Neil deGrasse Tyson"]);
}

/// The cues of the `.json` beside the file; where there is none, of the table below.
fn expected(file: &Path, name: &str) -> Vec<Expected> {
    let Ok(json) = fs::read(file.with_extension("json")) else {
        return expected_without_json(name);
    };
    let json: Value = serde_json::from_slice(&json).expect("JSON");
    let cues = json["cues"].as_array().expect("cues").iter();
    cues.map(|cue| {
        let text = |key: &str| cue[key].as_str().expect("text").to_owned();
        let millis = |key: &str| (cue[key].as_f64().expect("seconds") * 1000.0).round() as u64;
        (text("id"), millis("startTime"), millis("endTime"), text("text"))
    })
    .collect()
}

/// These files share their expectation with a file that has one, or stand for themselves: settings that are
/// wrong are ignored, white space around the arrow is free, and only a wrong signature or timing line makes
/// that nothing is read.
fn expected_without_json(name: &str) -> Vec<Expected> {
    let cue = |start, end, text: &str| vec![(String::new(), start, end, text.to_owned())];
    match name {
        "cue-times/missing-separator.vtt"
        | "file-layout/bad-double-webvtt.vtt"
        | "file-layout/blank-file-with-bom.vtt"
        | "file-layout/blank-file.vtt"
        | "file-layout/bom-garbage-data.vtt"
        | "file-layout/bom-tab-webvtt.vtt"
        | "file-layout/garbage-signature.vtt"
        | "file-layout/newline-before-webvtt.vtt"
        | "file-layout/tab-after-bom-before-header.vtt" => Vec::new(),
        // The standard ends the header before a timing line, blank line or not.
        "file-layout/header-no-new-line.vtt" => cue(11_000, 13_000, "Test"),
        name if name.starts_with("file-layout/") => cue(0, 2_000, "text"),
        name if name.starts_with("cue-times/") => cue(25_000, 27_000, "Payload"),
        name if name.starts_with("cue-settings/") => cue(0, 2_000, "Text"),
        name => panic!("no expectation for {name}"),
    }
}

fn found(file: &Path) -> Vec<Expected> {
    let text = String::from_utf8(fs::read(file).expect("a file")).expect("UTF-8");
    let cues = Cues::new(&text).into_iter().flatten().flatten();
    cues.map(|Cue { id, start, end, payload, .. }| {
        (id.to_owned(), start.0, end.0, payload.replace("\r\n", "\n"))
    })
    .collect()
}

/// A second, plain opinion on what is markup.
fn without_markup(payload: &str) -> String {
    let mut said = String::new();
    let mut rest = payload;
    while let Some(close) = rest.find('>') {
        let open = rest[..close].rfind('<').unwrap_or(close);
        said.push_str(&rest[..open]);
        rest = &rest[close + 1..];
    }
    said.push_str(rest);
    let references = ["&amp;", "&lt;", "&gt;", "&nbsp;", "&lrm;", "&rlm;", "&nbsp", "&lt", "&gt"];
    references.iter().fold(said, |said, reference| said.replace(reference, " "))
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}
