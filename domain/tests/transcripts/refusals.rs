//! What is no transcript is refused with a code, a line and a reason.

use colloquy_domain::transcripts::{Limits, parse, report::Format};

fn refusal(text: &str, format: Option<Format>) -> (&'static str, Option<u32>, String) {
    let problem = parse(text.as_bytes(), format, &Limits::default()).expect_err("refused");
    (problem.code, problem.line, problem.message)
}

#[test]
fn what_cannot_be_used_names_line_and_reason() {
    let cases = [
        ("", None, "EMPTY_TRANSCRIPT", None, "empty"),
        ("\u{feff}\r\n", Some(Format::Srt), "EMPTY_TRANSCRIPT", None, "empty"),
        ("WEBVTT", None, "EMPTY_TRANSCRIPT", None, "no cue"),
        ("WEBVTT\n\nNOTE nothing\n", None, "EMPTY_TRANSCRIPT", None, "no cue"),
        ("WEBVTT\n\n00:00 --> 00:01\nHi.\n", None, "MALFORMED", Some(3), "times cannot be read"),
        ("WEBVTT\n\nHi.\n\n00:00.000 --> 00:01.000\n<i></i>", None, "MALFORMED", Some(3), "without times"),
        ("WEBVTT\n\n00:00.000 --> 00:01.000\n\n", None, "MALFORMED", Some(3), "no text"),
        ("Anna: Hi.\nBen: Ho.", Some(Format::WebVtt), "MALFORMED", Some(1), "WEBVTT"),
        ("Anna: Hi.\nBen: Ho.", Some(Format::Srt), "MALFORMED", Some(1), "no SRT file"),
        ("1\n00:00:xx --> 00:01\nHi.", Some(Format::Srt), "MALFORMED", Some(2), "times cannot be read"),
        ("1\n00:00:00,000 --> 00:00:01,000\n", None, "MALFORMED", Some(2), "no text"),
        ("\nIt rained.\nWe left.", Some(Format::NamedLines), "MALFORMED", Some(2), "speaker's name"),
        ("It rained.\nWe left.", None, "UNKNOWN_FORMAT", Some(1), "WebVTT"),
        ("\u{1}\u{2}\0", None, "NOT_TEXT", Some(1), "byte 2"),
        ("%PDF-1.4", Some(Format::Srt), "NOT_TEXT", Some(1), "PDF"),
    ];
    for (text, format, code, line, part) in cases {
        let (found_code, found_line, message) = refusal(text, format);
        assert_eq!((found_code, found_line), (code, line), "{text:?}: {message}");
        assert!(message.contains(part), "{text:?}: {message}");
    }
}

#[test]
fn limits_are_kept() {
    let limits = Limits { max_bytes: 1000, max_line_bytes: 60, max_cues: 2 };
    let code = |text: &str| {
        parse(text.as_bytes(), None, &limits).map(|_| ()).map_err(|problem| (problem.code, problem.line))
    };
    assert_eq!(code("A: 1\nB: 2"), Ok(()));
    assert_eq!(code("A: 1\nB: 2\nA: 3"), Err(("TOO_MANY_CUES", Some(3))));
    assert_eq!(
        code("WEBVTT\n\n00:00.000 --> 00:01.000\na\n\n00:01.000 --> 00:02.000\n\n00:02.000 --> 00:03.000\nc"),
        Err(("TOO_MANY_CUES", Some(8)))
    );
    assert_eq!(code(&format!("A: 1\nB: {}", "x".repeat(60))), Err(("LINE_TOO_LONG", Some(2))));
    assert_eq!(code(&"A: 1\n".repeat(201)), Err(("TOO_LARGE", None)));
    let crowded = Limits { max_cues: 3, ..Limits::default() };
    for payload in ["<v A>a</v><v B>b</v><v C>c</v><v D>d", "- a\n- b\n- c\n- d"] {
        let text = format!("WEBVTT\n\n00:00.000 --> 00:01.000\n{payload}");
        let problem = parse(text.as_bytes(), None, &crowded).expect_err("refused");
        assert_eq!(problem.code, "TOO_MANY_CUES", "{payload}");
        assert!(matches!(problem.line, Some(3 | 4)), "{problem:?}");
    }
    let wide = format!("WEBVTT\n\n00:00.000 --> 00:01.000\n{}", "some words\n".repeat(9));
    assert_eq!(code(&wide), Err(("LINE_TOO_LONG", Some(3))));
}

#[test]
fn hostile_input_costs_no_more_than_its_size() {
    let size = 1 << 16;
    let shapes = [
        "<",
        "< ",
        "<v a>",
        "&",
        "&#1",
        "{",
        "{\\",
        "<v a b>x</v>",
        ":",
        "-->",
        "*",
        "a:",
        "\"",
        "\"\"",
        "\",",
        "\"x\n",
        ",",
        "\t",
        "1 ",
        "0:03",
        "a\n",
        "a:\n",
        "\n1,2,",
        "\nAnna  0:03\n",
        "\n00:00:01\n",
    ];
    for shape in shapes {
        let line = shape.repeat(size / shape.len());
        for head in [
            "WEBVTT\n\n00:00.000 --> 00:01.000\n",
            "00:00:00,000 --> 00:00:01,000\n",
            "Anna: a\nAnna: ",
            "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n0 9 <exists> 1 \"IntervalTier\" \"A\" 0 9 1\n",
            "speaker,start,text\nAnna,1,",
            "start\tend\ttext\n0\t1\t",
            "Anna  0:03\na\n\nAnna  0:05\n",
            "[Anna] 14:03:05\n",
            "Anna (0:03):\nAnna (0:04): ",
            "Transcript\n00:00:00\nAnna: a\nAnna: ",
        ] {
            let text = format!("{head}{line}");
            let limits = Limits { max_bytes: 4 * size, max_line_bytes: 2 * size, max_cues: 1000 };
            let begun = std::time::Instant::now();
            let _outcome = parse(text.as_bytes(), None, &limits);
            assert!(begun.elapsed().as_secs() < 10, "{shape} took {:?}", begun.elapsed());
        }
    }
}
