//! Shapes in which transcripts are found, and what becomes of each.

use colloquy_domain::transcripts::{
    Limits, Transcript, parse,
    report::{Format, NoteAction},
};

fn read(text: &str) -> Transcript {
    parse(text.as_bytes(), None, &Limits::default()).unwrap_or_else(|problem| panic!("{text:?}: {problem:?}"))
}

/// `speaker|start-end|text` a turn; what is unknown is empty.
fn turns(transcript: &Transcript) -> Vec<String> {
    let turns = transcript.turns.iter().map(|turn| {
        let speaker = turn.speaker.map_or("", |at| transcript.report.speakers[at].as_str());
        let time = |time: Option<colloquy_domain::time::Millis>| {
            time.map_or(String::new(), |time| time.0.to_string())
        };
        format!("{speaker}|{}-{}|{}", time(turn.start_ms), time(turn.end_ms), turn.text)
    });
    turns.collect()
}

fn notes(transcript: &Transcript) -> Vec<(u32, NoteAction)> {
    transcript.report.notes.iter().map(|note| (note.line, note.action)).collect()
}

fn vtt(cues: &[(&str, &str)]) -> String {
    let cues = cues.iter().map(|(times, text)| format!("{times}\n{text}\n\n"));
    "WEBVTT\n\n".to_owned() + &cues.collect::<String>()
}

#[test]
fn voices_of_one_cue_become_turns_with_its_times() {
    let transcript = read(&vtt(&[
        ("00:01.000 --> 00:03.000", "<v Anna>Ready?</v>\n<v Ben>Yes.</v>\n<i>They laugh.</i>"),
        ("00:03.000 --> 00:04.000", "<v Anna>Good."),
    ]));
    assert_eq!(
        turns(&transcript),
        ["Anna|1000-3000|Ready?", "Ben|1000-3000|Yes.", "|1000-3000|They laugh.", "Anna|3000-4000|Good."]
    );
    let lines: Vec<_> = transcript.turns.iter().map(|turn| turn.line).collect();
    assert_eq!(lines, [4, 5, 6, 9]);
    let report = &transcript.report;
    assert_eq!((report.cues_read, report.segments, report.cues_split), (2, 4, 2));
    assert_eq!(report.duration_ms.map(|end| end.0), Some(4000));
}

#[test]
fn cues_that_continue_a_sentence_are_merged_and_told() {
    let transcript = read(&vtt(&[
        ("00:00.000 --> 00:02.000", "<v Anna>I think that"),
        ("00:02.500 --> 00:04.000", "<v Anna>we should"),
        ("00:04.000 --> 00:05.000", "<v Anna>go."),
        ("00:05.000 --> 00:06.000", "<v Anna>And stay,"),
        ("00:08.001 --> 00:09.000", "<v Anna>too late to merge"),
        ("00:09.000 --> 00:10.000", "<v Ben>another speaker"),
        ("00:10.000 --> 00:11.000", "<v Ben>[laughs]"),
    ]));
    assert_eq!(
        turns(&transcript),
        [
            "Anna|0-5000|I think that we should go.",
            "Anna|5000-6000|And stay,",
            "Anna|8001-9000|too late to merge",
            "Ben|9000-10000|another speaker",
            "Ben|10000-11000|[laughs]",
        ]
    );
    assert_eq!((transcript.report.cues_merged, transcript.report.segments), (2, 5));
    assert_eq!(notes(&transcript), [(7, NoteAction::Merged)]);
}

#[test]
fn repeats_and_empty_cues_are_dropped_and_told() {
    let transcript = read(&vtt(&[
        ("00:00.000 --> 00:02.000", "<v Anna>Yes."),
        ("00:00.000 --> 00:02.000", "<v Anna>Yes."),
        ("00:02.000 --> 00:03.000", "<v Anna>Yes."),
        ("00:03.000 --> 00:04.000", "<i> </i>"),
    ]));
    assert_eq!(turns(&transcript), ["Anna|0-2000|Yes.", "Anna|2000-3000|Yes."]);
    assert_eq!(notes(&transcript), [(7, NoteAction::Dropped), (12, NoteAction::Dropped)]);
    assert_eq!(transcript.report.cues_dropped, 2);
}

#[test]
fn odd_times_are_kept_as_far_as_they_are_known() {
    let transcript = read(&vtt(&[
        ("00:05.000 --> 00:04.000", "Ends before it starts."),
        ("00:06,000 --> 00:07,000", "With commas."),
        ("00:08 --> 00:09.000", "Not to be read."),
    ]));
    assert_eq!(turns(&transcript), ["|5000-|Ends before it starts.", "|6000-7000|With commas."]);
    assert_eq!(
        notes(&transcript),
        [(3, NoteAction::Warning), (6, NoteAction::Warning), (9, NoteAction::Dropped)]
    );
}

#[test]
fn names_in_cues_are_speakers_where_they_recur() {
    let zoom = read(&vtt(&[
        ("00:00:01.000 --> 00:00:02.000", "Anna Lee: Good morning."),
        ("00:00:02.000 --> 00:00:03.000", "Ben: Good morning, everybody: hello."),
        ("00:00:03.000 --> 00:00:04.000", "Anna Lee: Let us\nbegin."),
    ]));
    assert_eq!(
        turns(&zoom),
        [
            "Anna Lee|1000-2000|Good morning.",
            "Ben|2000-3000|Good morning, everybody: hello.",
            "Anna Lee|3000-4000|Let us begin.",
        ]
    );
    let prose = read(&vtt(&[
        ("00:01.000 --> 00:02.000", "The rule is this."),
        ("00:02.000 --> 00:03.000", "Remember: never run."),
        ("00:03.000 --> 00:04.000", "That was it."),
    ]));
    assert!(prose.report.speakers.is_empty());
    let voiced = read(&vtt(&[
        ("00:01.000 --> 00:02.000", "<v Anna>Note: one."),
        ("00:02.000 --> 00:03.000", "<v Anna>Note: two."),
    ]));
    assert_eq!(voiced.report.speakers, ["Anna"]);
}

#[test]
fn srt_is_read_in_the_shapes_it_is_found_in() {
    let cases: [(&str, &[&str]); 9] = [
        (
            "1\n00:00:01,000 --> 00:00:02,000\nOne.\n\n2\n00:00:02,000 --> 00:00:03,000\nTwo\nlines.\n",
            &["|1000-2000|One.", "|2000-3000|Two lines."],
        ),
        (
            "\u{feff}1\r\n00:00:01.5 --> 00:02\r\nOne.\r\n\r\n\r\n\r\n2\r\n0:0:02 --> 00:03,000 X1:1\r\nTwo.",
            &["|1500-2000|One.", "|2000-3000|Two."],
        ),
        (
            "00:00:01,000 --> 00:00:02,000\nNo numbers.\n\n00:00:02,000 --> 00:00:03,000\n42\n",
            &["|1000-2000|No numbers.", "|2000-3000|42"],
        ),
        (
            "1\n00:00:01,000 --> 00:00:02,000\nNo blank line.\n2\n00:00:02,000 --> 00:00:03,000\nTwo.",
            &["|1000-2000|No blank line.", "|2000-3000|Two."],
        ),
        (
            "1\n00:00:01,000 --> 00:00:02,000\n7\n\n2\n00:00:09,000 --> 00:00:10,000\n2\n\n3\n00:00:19,000 --> 00:00:20,000\n3",
            &["|1000-2000|7", "|9000-10000|2", "|19000-20000|3"],
        ),
        (
            "1\n00:00:01,000 --> 00:00:02,000\nFirst.\n\nAfter a gap.\n\n2\n00:00:02,000 --> 00:00:03,000\nTwo.",
            &["|1000-2000|First. After a gap.", "|2000-3000|Two."],
        ),
        (
            "1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<i>Mar</i>ked <font color=\"#fff\">up</font> {not this}.",
            &["|1000-2000|Marked up {not this}."],
        ),
        ("1\n00:00:05,000 --> 00:00:04,000\nBackwards.", &["|5000-|Backwards."]),
        ("1\n00:00:01,000 --> 00:00:02,000\n- Ready?\n- Yes.\n", &["|1000-2000|Ready?", "|1000-2000|Yes."]),
    ];
    for (text, expected) in cases {
        let transcript = read(text);
        assert_eq!(transcript.report.format, Format::Srt);
        assert_eq!(turns(&transcript), expected, "{text}");
    }
}

#[test]
fn a_time_beside_a_label_within_a_cue_is_told() {
    let srt = "1\n00:00:01,000 --> 00:00:02,000\nAnna: Hi.\n\n2\n00:00:03,000 --> 00:00:04,000\n[00:07] Anna: Ho.\n";
    let read = parse(srt.as_bytes(), None, &Limits::default()).unwrap();
    assert_eq!(read.turns[1].text, "Ho.");
    let told: Vec<_> = read.report.notes.iter().map(|note| (note.line, note.reason.as_str())).collect();
    assert_eq!(told, [(7, "a time beside a label was left out: the cue has times of its own")]);
}

#[test]
fn srt_labels_hold_until_the_next() {
    let transcript = read(
        "1\n00:00:01,000 --> 00:00:02,000\n- Anna: Hello.\n- Ben: Hi.\n\n2\n00:00:02,000 --> 00:00:03,000\nHow are you?\n\n\
         3\n00:00:03,000 --> 00:00:04,000\n[music]\n\n4\n00:00:04,000 --> 00:00:05,000\nAnna:\n\n\
         5\n00:00:05,000 --> 00:00:06,000\nAnna: Fine.\n\n6\n00:00:06,000 --> 00:00:07,000\nBen: Good.\n",
    );
    assert_eq!(
        turns(&transcript),
        [
            "Anna|1000-2000|Hello.",
            "Ben|1000-2000|Hi.",
            "Ben|2000-3000|How are you?",
            "|3000-4000|[music]",
            "Anna|5000-6000|Fine.",
            "Ben|6000-7000|Good.",
        ]
    );
    assert_eq!(notes(&transcript), [(8, NoteAction::Warning), (16, NoteAction::Dropped)]);
}

#[test]
fn named_lines_are_read_in_the_shapes_they_are_found_in() {
    let cases: [(&str, &[&str]); 9] = [
        (
            "Anna: That is one of the\nReasons: there are many.\nSo.\nAnna: Yes.\nNote: and this.\nBen: No.",
            &[
                "Anna|-|That is one of the Reasons: there are many. So.",
                "Anna|-|Yes. Note: and this.",
                "Ben|-|No.",
            ],
        ),
        (
            "Anna: Hi.\nBen: Hello\nthere.\n\nAnna: Well.\n\nA paragraph: more.",
            &["Anna|-|Hi.", "Ben|-|Hello there.", "Anna|-|Well.\n\nA paragraph: more."],
        ),
        (
            "**Anna Lee:** Hi \\[laughs\\].\n\n**Ben**: Hello.\n\nRemember: this.\n\n---\n\n**Anna Lee:** Bye.",
            &["Anna Lee|-|Hi [laughs].", "Ben|-|Hello.\n\nRemember: this.", "Anna Lee|-|Bye."],
        ),
        ("[00:00:03] Anna: Hi.\n[00:00:05.50] Ben: Ho.", &["Anna|3000-|Hi.", "Ben|5500-|Ho."]),
        (
            "**Anna:** \\[00:01:02.50\\] Hi.\n\n\\[04:14\\] And on.\n\n**Ben:** Ho.",
            &["Anna|62500-|Hi.", "Anna|254000-|And on.", "Ben|-|Ho."],
        ),
        ("Anna 00:03:\nHi.\n\nBen 00:09:\nHo.", &["Anna|3000-|Hi.", "Ben|9000-|Ho."]),
        ("[00:03 - 00:05] Anna: Hi.\n[00:07 - 00:06] Ben: Ho.", &["Anna|3000-5000|Hi.", "Ben|7000-|Ho."]),
        ("ANNA: yes\nBEN: yes\nANNA: yes", &["ANNA|-|yes", "BEN|-|yes", "ANNA|-|yes"]),
        (
            "田中：はい。\n鈴木：そうです。\n田中：では。",
            &["田中|-|はい。", "鈴木|-|そうです。", "田中|-|では。"],
        ),
    ];
    for (text, expected) in cases {
        let transcript = read(text);
        assert_eq!(transcript.report.format, Format::NamedLines);
        assert_eq!(turns(&transcript), expected, "{text}");
    }
}

#[test]
fn what_stands_before_the_first_name_is_dropped_and_told() {
    let transcript = read("Weekly talk\n12 May\n\nAnna: Hi.\nBen: Hello.\nAnna:\nBen: So.\n");
    assert_eq!(turns(&transcript), ["Anna|-|Hi.", "Ben|-|Hello.", "Ben|-|So."]);
    assert_eq!(notes(&transcript), [(1, NoteAction::Dropped), (6, NoteAction::Dropped)]);
    assert_eq!((transcript.report.cues_read, transcript.report.cues_dropped), (5, 2));
}

#[test]
fn a_long_report_is_cut_and_says_so() {
    let cues: String =
        (0..300).map(|at| format!("00:00:{:02}.000 --> 00:00:{:02}.000\n\n", at % 60, at % 60)).collect();
    let transcript = read(&format!("WEBVTT\n\n{cues}00:01.000 --> 00:02.000\nHi."));
    assert_eq!((transcript.report.notes.len(), transcript.report.notes_omitted), (200, 100));
    assert_eq!(transcript.report.cues_dropped, 300);
}
