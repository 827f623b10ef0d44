//! What is exported and imported is the same: every turn, by the same speaker, at the same times.

use std::borrow::Cow;

use colloquy_domain::{
    time::Millis,
    transcripts::{
        Limits, Transcript,
        export::{
            Said, TextForm,
            json::{Document, FORMAT, Segment, VERSION},
            write,
        },
        normal, parse,
        report::Format,
    },
};
use proptest::prelude::*;

const FORMATS: [(TextForm, Format); 4] = [
    (TextForm::WebVtt, Format::WebVtt),
    (TextForm::Srt, Format::Srt),
    (TextForm::Markdown, Format::NamedLines),
    (TextForm::Text, Format::NamedLines),
];

/// Text with all that means something to one of the formats, and any other.
fn text() -> impl Strategy<Value = String> {
    let sign = prop::sample::select(vec![
        "WEBVTT",
        "NOTE",
        "STYLE",
        " --> ",
        "-->",
        "00:00:01.000",
        "00:01,000",
        "1",
        "42",
        "<v Anna>",
        "</v>",
        "<i>",
        "<",
        ">",
        "&",
        "&amp;",
        "{\\an8}",
        "**",
        "*",
        "_",
        "#",
        "# ",
        "- ",
        "> ",
        "[00:03] ",
        "[",
        "]",
        "?",
        "?: ",
        ": ",
        ":",
        "Anna: ",
        "Ben:",
        "\\",
        "\\:",
        "1. ",
        "1) ",
        "```",
        "|",
        "---",
        "\"",
        "é",
        "田中：",
        "\u{200f}",
        "\n\n",
        "\n\n",
        "Colloquy transcript 1: ",
        "<!-- Colloquy transcript 1 -->",
        "$x$",
        "thank you for watching",
    ]);
    let part = prop_oneof![3 => "[a-z]{1,8}", 3 => sign.prop_map(str::to_owned), 1 => "\\PC{1,4}", 2 => Just(" ".to_owned())];
    prop::collection::vec(part, 1..12)
        .prop_map(|parts| normal(Cow::Owned(parts.concat())).into_owned())
        .prop_filter("text", |text| !text.is_empty())
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["Anna Lee", "Ben", "Dr. Zoë O’Neil (she/her)", "SPEAKER_00", "?", "1", "A: B"]).prop_map(str::to_owned),
        1 => text().prop_map(|text| normal(Cow::Owned(text.replace("\n\n", " "))).chars().take(100).collect::<String>().trim().to_owned()),
    ]
}

type Line = (Option<String>, String, Option<u64>, Option<u64>);

fn talk() -> impl Strategy<Value = Vec<Line>> {
    let one = (
        prop::option::weighted(0.8, label()),
        text(),
        prop::option::weighted(0.8, 0..9_000_000u64),
        prop::option::weighted(0.8, 0..9_000u64),
    )
        .prop_map(|(speaker, text, start, length)| {
            // Some sources know an end and no start.
            let end = length.map(|length| start.unwrap_or(77) + length);
            (speaker.filter(|label| !label.is_empty()), text, start, end)
        });
    prop::collection::vec(one, 1..20)
}

fn said(talk: &[Line]) -> Vec<Said<'_>> {
    let one = |(speaker, text, start, end): &Line| Said {
        speaker: speaker.clone().map(Cow::Owned),
        text: Cow::Owned(text.clone()),
        start_ms: start.map(Millis),
        end_ms: end.map(Millis),
    };
    talk.iter().map(one).collect()
}

fn read_back(transcript: &Transcript) -> Vec<Line> {
    let label = |at: usize| transcript.report.speakers[at].clone();
    let one = |turn: &colloquy_domain::transcripts::Turn| {
        let [start, end] = [turn.start_ms, turn.end_ms].map(|time| time.map(|time| time.0));
        (turn.speaker.map(label), turn.text.clone(), start, end)
    };
    transcript.turns.iter().map(one).collect()
}

fn json(title: &str, talk: &[Line]) -> String {
    let segments = talk.iter().map(|(speaker, text, start, end)| Segment {
        id: None,
        speaker: speaker.as_deref().map(Cow::Borrowed),
        text: Cow::Borrowed(text),
        start_ms: start.map(Millis),
        end_ms: end.map(Millis),
    });
    let document = Document {
        format: FORMAT.to_owned(),
        version: VERSION,
        id: None,
        title: Some(title.to_owned()),
        kind: None,
        occurred_at: None,
        external_id: None,
        file_name: None,
        language: None,
        created_at: None,
        revision: None,
        tags: Vec::new(),
        segments: segments.collect(),
    };
    document.write().expect("JSON")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_export_comes_back_as_it_was(talk in talk(), title in "[A-Za-zé*#_: ]{0,20}[A-Za-z]") {
        let timed = talk.iter().any(|(_, _, start, end)| start.or(*end).is_some());
        for (form, format) in FORMATS {
            let file = match write(form, &title, &said(&talk)) {
                Ok(file) => file,
                Err(problem) => {
                    prop_assert!(!timed && problem.code == "NO_TIMES", "{:?}", problem);
                    continue;
                }
            };
            // As it is, and as another system ends its lines.
            for file in [file.clone(), file.replace('\n', "\r\n"), format!("\u{feff}{file}")] {
                let found = parse(file.as_bytes(), None, &Limits::default());
                let found = found.unwrap_or_else(|problem| panic!("{problem:?} in\n{file}"));
                prop_assert_eq!(found.report.format, format);
                prop_assert_eq!(&read_back(&found), &talk, "{}", file);
                if form != TextForm::Srt {
                    prop_assert_eq!(found.title.as_deref().map(str::trim), Some(title.trim()));
                }
            }
        }
        let file = json(&title, &talk);
        let found = parse(file.as_bytes(), None, &Limits::default()).expect("a transcript");
        prop_assert_eq!(found.report.format, Format::ColloquyJson);
        prop_assert_eq!(read_back(&found), talk);
        prop_assert_eq!(found.title, Some(title));
    }

    #[test]
    fn a_damaged_export_brings_nothing_down(
        talk in talk(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6),
    ) {
        let files = TextForm::ALL.iter().filter_map(|form| write(*form, "x", &said(&talk)).ok()).chain([json("x", &talk)]);
        for file in files {
            let mut bytes = file.into_bytes();
            for (at, byte, kind) in &edits {
                let at = at.index(bytes.len());
                match kind {
                    0 => bytes[at] = *byte,
                    1 => bytes.insert(at, *byte),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            let _either = parse(&bytes, None, &Limits::default());
        }
    }
}

#[test]
fn exports_look_like_what_they_are() {
    let talk: Vec<Line> = vec![
        (
            Some("Anna Lee".to_owned()),
            "What *would* help?\n\nTake your time.".to_owned(),
            Some(1_000),
            Some(4_500),
        ),
        (Some("Ben".to_owned()), "1. A <clear> plan & time.".to_owned(), Some(5_000), None),
        (None, "[laughs]".to_owned(), None, None),
    ];
    let shown =
        FORMATS.map(|(form, _)| write(form, "First talk", &said(&talk)).expect("a file")).join("\n=====\n");
    insta::assert_snapshot!(shown.replace("  \n", "··\n").replace("·· \n", "···\n"));
    insta::assert_snapshot!(json("First talk", &talk));
}

#[test]
fn an_export_that_was_changed_by_hand_is_told_about() {
    let cases = [
        "WEBVTT - x\n\nNOTE Colloquy transcript 1\n\n1\n00:00:05.000 --> 00:00:04.000\n<v Anna>Hi.</v>\n",
        "1\n00:00:05,000 --> 00:00:04,000  \nAnna: Hi.\n",
        "<!-- Colloquy transcript 1 -->\n\n# x\n\n**Anna:** [00:00:05.000 - 00:00:04.000] Hi.\n",
        "Colloquy transcript 1: x\n\n[00:00:05.000 - 00:00:04.000] Anna: Hi.\n",
    ];
    for text in cases {
        let transcript = parse(text.as_bytes(), None, &Limits::default()).expect("a transcript");
        assert_eq!(
            (transcript.turns[0].start_ms, transcript.turns[0].end_ms),
            (Some(Millis(5_000)), None),
            "{text}"
        );
        assert!(transcript.report.notes[0].reason.contains("ends before it starts"), "{text}");
    }
    let json = "{\"format\": \"colloquy-transcript\", \"version\": 1, \"segments\": [{\"text\": \"Hi\\u0007 you.\"}]}";
    let transcript = parse(json.as_bytes(), None, &Limits::default()).expect("a transcript");
    assert_eq!(transcript.turns[0].text, "Hi you.");
    assert_eq!(transcript.report.notes[0].reason, "control characters were left out");
    let crowded = format!(
        "{{\"format\": \"colloquy-transcript\", \"version\": 1, \"segments\": [{}]}}",
        ["{\"text\": \"Hi.\"}"; 4].join(",")
    );
    let limits = Limits { max_cues: 3, ..Limits::default() };
    assert_eq!(parse(crowded.as_bytes(), None, &limits).expect_err("refused").code, "TOO_MANY_CUES");
}

#[test]
fn times_that_nobody_knows_make_no_cues() {
    let talk: Vec<Line> = vec![(None, "Hello.".to_owned(), None, None)];
    for form in [TextForm::WebVtt, TextForm::Srt] {
        assert_eq!(write(form, "x", &said(&talk)).expect_err("refused").code, "NO_TIMES");
    }
}

#[test]
fn json_that_is_not_ours_is_refused_with_its_place() {
    let whole = json("x", &[(None, "Hello.".to_owned(), Some(5), Some(9))]);
    let cases = [
        (whole.replace("\"version\": 1", "\"version\": 2"), "version 2"),
        (whole.replace("\"Hello.\"", "\" \""), "segments[0] has no text"),
        (whole.replace("\"end_ms\": 9", "\"end_ms\": 4"), "segments[0] has an end before its start"),
        (whole.replace("\"start_ms\": 5", "\"start_ms\": -5"), "column"),
        (whole[..whole.len() / 2].to_owned(), "cut off"),
    ];
    for (text, part) in cases {
        let problem = parse(text.as_bytes(), None, &Limits::default()).expect_err("refused");
        assert_eq!(problem.code, "MALFORMED", "{text}");
        assert!(problem.message.contains(part), "{problem:?}");
    }
}

#[test]
fn the_json_is_as_its_schema_says() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../../schema/transcript-1.schema.json")).expect("a schema");
    let document = Document {
        format: FORMAT.to_owned(),
        version: VERSION,
        id: Some("x".to_owned()),
        title: None,
        kind: Some("MEETING".to_owned()),
        occurred_at: None,
        external_id: None,
        file_name: None,
        language: None,
        created_at: Some(chrono::DateTime::UNIX_EPOCH),
        revision: Some(1),
        tags: Vec::new(),
        segments: vec![Segment {
            id: Some("x".to_owned()),
            speaker: None,
            text: "x".into(),
            start_ms: None,
            end_ms: None,
        }],
    };
    let written = serde_json::to_value(&document).expect("JSON");
    let names = |value: &serde_json::Value| {
        let mut names: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(names(&written), names(&schema["properties"]));
    assert_eq!(
        names(&written["segments"][0]),
        names(&schema["properties"]["segments"]["items"]["properties"])
    );
    assert_eq!(schema["properties"]["format"]["const"], FORMAT);
    assert_eq!(schema["properties"]["version"]["const"], VERSION);
}
