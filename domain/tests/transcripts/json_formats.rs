//! JSON as recognisers of speech write it: the ordinary document of each format, the wild one, the one that is cut
//! off, and what no document may do.

use std::{fs, path::Path};

use colloquy_domain::transcripts::{
    Limits, Transcript, detect, parse,
    report::{Clock, Format, NoteAction, SpeakerSource},
};

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/fixtures").join(name);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn read(text: &str) -> Transcript {
    parse(text.as_bytes(), None, &Limits::default()).unwrap_or_else(|problem| panic!("{text}: {problem:?}"))
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

/// `line action reason` a note.
fn notes(transcript: &Transcript) -> Vec<String> {
    let notes = transcript.report.notes.iter().map(|note| {
        let action = match note.action {
            NoteAction::Aside => "aside",
            NoteAction::Merged => "merged",
            NoteAction::Warning => "warned",
            NoteAction::Dropped => "dropped",
        };
        format!("{} {action} {}", note.line, note.reason)
    });
    notes.collect()
}

type Case = (&'static str, Format, &'static [&'static str]);

const ORDINARY: [Case; 11] = [
    (
        "whisper.json",
        Format::WhisperJson,
        &[
            "|0-1440|Good morning.",
            "|1900-4000|Shall we begin with the harbour?",
            "|4500-6125|Yes, and then the bridge.",
        ],
    ),
    ("whisper-diarized.json", Format::WhisperJson, &["A|200-1000|Shall we?", "agent|1250-2000|We shall."]),
    (
        "whisper-words.json",
        Format::WhisperJson,
        &["|0-1000|Well yes.", "|1100-1500|And then", "|4000-4600|we left.", "|5000-5500|The end"],
    ),
    ("whisper-cpp.json", Format::WhisperCppJson, &["|0-2500|Guten Tag.", "|2500-4000|Wie geht es Ihnen?"]),
    (
        "whisperx.json",
        Format::WhisperXJson,
        &["SPEAKER_00|31-2400|Is the ferry late?", "SPEAKER_01|2600-4000|No, it is not."],
    ),
    (
        "fireflies.json",
        Format::FirefliesJson,
        &["Mara Voss|560-2100|Have you seen the plan?", "Ilse|2400-3000|Not yet."],
    ),
    (
        "meet.json",
        Format::MeetJson,
        &[
            "conferenceRecords/a1/participants/11|0-1500|Can everybody hear me?",
            "conferenceRecords/a1/participants/12|1750-2500|Loud and clear.",
        ],
    ),
    (
        "assemblyai.json",
        Format::AssemblyAiJson,
        &["Speaker A|120-900|Where were you?", "Speaker B|1200-1800|At sea."],
    ),
    (
        "deepgram.json",
        Format::DeepgramJson,
        &[
            "Speaker 0|100-900|Did it rain?",
            "Speaker 1|1200-1750|All night.",
            "Speaker 1|2000-3000|And the day after.",
        ],
    ),
    (
        "deepgram-utterances.json",
        Format::DeepgramJson,
        &["Speaker 0|400-2500|Four boats came in.", "Speaker 1|2600-3500|Five."],
    ),
    (
        "amazon.json",
        Format::AmazonTranscribeJson,
        &["spk_0|500-1400|Is it far?", "spk_1|2000-2900|Not very."],
    ),
];

#[test]
fn ordinary_documents_come_out_under_their_speakers_with_their_times() {
    for (name, format, expected) in ORDINARY {
        let transcript = read(&fixture(name));
        let report = &transcript.report;
        assert_eq!(report.format, format, "{name}");
        assert_eq!(turns(&transcript), expected, "{name}");
        assert!(
            report.notes.iter().all(|note| note.action == NoteAction::Merged),
            "{name}: {:?}",
            report.notes
        );
        let named = !report.speakers.is_empty();
        assert_eq!(report.speaker_source, named.then_some(SpeakerSource::Fields), "{name}");
        assert!(
            report.confidence.as_ref().is_some_and(|found| found.score >= 80),
            "{name}: {:?}",
            report.confidence
        );
    }
}

#[test]
fn named_formats_read_what_is_detected_as_theirs() {
    for (name, format, expected) in ORDINARY {
        let transcript =
            parse(fixture(name).as_bytes(), Some(format), &Limits::default()).expect("a transcript");
        assert_eq!(turns(&transcript), expected, "{name}");
    }
}

#[test]
fn wild_whisper_is_kept_dropped_and_doubted_element_by_element() {
    let transcript = read(&fixture("whisper-wild.json"));
    assert_eq!(
        turns(&transcript),
        [
            "|0-2000|Kept.",
            "|2000-4000|Thanks for watching.",
            "|4000-6000|Row row row row row.",
            "|6000-|Backwards.",
            "|-8000|Negative.",
            "|-|Beyond.",
            "|10000-11000|Half \u{fffd} of a sign.",
            "Anna Lee|11000-12000|The last, with a name.",
        ]
    );
    assert_eq!(
        notes(&transcript),
        [
            "3 warned likely hallucinated: the model heard hardly any speech here",
            "3 warned likely hallucinated: a phrase that speech recognition invents in silence",
            "4 warned likely hallucinated: the text repeats itself",
            "5 warned it ends before it starts: its end was left out",
            "6 warned a time is negative: it was left out",
            "7 warned a time is beyond ten thousand hours: it was left out",
            "7 warned a time cannot be read: it was left out",
            "8 dropped its text is no text",
            "9 dropped it has no text",
            "10 dropped it has no text",
            "11 warned a key stands twice: the last one counts",
            "11 warned an escape in the text stands for no character",
            "13 dropped the cue repeats the one before it",
        ]
    );
    let text = fixture("whisper-wild.json");
    let stray = transcript
        .report
        .notes
        .iter()
        .find(|note| note.line == 10)
        .and_then(|note| note.bytes)
        .expect("bytes");
    assert_eq!(&text[stray.start as usize..stray.end as usize], "\"stray\"");
}

#[test]
fn wild_whisper_cpp_turns_where_it_says_so() {
    let transcript = read(&fixture("whisper-cpp-wild.json"));
    assert_eq!(
        turns(&transcript),
        [
            "|0-1000|Who is there",
            "|1000-3250|Me again.",
            "Speaker 0|4000-5000|Left.",
            "Speaker 1|5000-6000|Right.",
            "|6000-7000|Both.",
            "|-8000|Early.",
            "|-|Timeless.",
        ]
    );
    assert_eq!(
        notes(&transcript),
        [
            "4 merged continues the sentence that begins on line 3",
            "8 warned a time is negative: it was left out",
            "10 dropped it has no text",
        ]
    );
}

#[test]
fn wild_whisperx_is_split_at_a_change_of_speaker_and_invents_no_time() {
    let transcript = read(&fixture("whisperx-wild.json"));
    assert_eq!(
        turns(&transcript),
        [
            "SPEAKER_00|0-2600|So in 1999 we met.",
            "SPEAKER_01|-|Really?",
            "SPEAKER_00|5000-6000|Yes.",
            "|-|No times at all.",
            "SPEAKER_01|7000-8000|Not what was heard.",
            "SPEAKER_02|9000-10000|Only the words say who.",
        ]
    );
    let report = &transcript.report;
    assert_eq!((report.cues_read, report.cues_split, report.segments), (4, 2, 6));
    assert_eq!(notes(&transcript), ["11 warned the words are not those of the text: it was not split"]);
}

#[test]
fn wild_fireflies_has_names_numbers_and_nobody() {
    let transcript = read(&fixture("fireflies-wild.json"));
    assert_eq!(
        turns(&transcript),
        [
            "Mara Voss|12000-15000|The first of it.",
            "|15000-3723000|Nobody said this.",
            "Speaker 1|3725500-3726000|A number did.",
            "Mara Voss|3780000-|only raw",
            "|3787000-3788000|Who is it?",
        ]
    );
    assert_eq!(
        notes(&transcript),
        [
            "5 warned a time cannot be read: it was left out",
            "6 dropped it has no text",
            "7 warned the speaker cannot be read and was left out",
        ]
    );
}

#[test]
fn fireflies_names_stand_beside_the_sentences_too() {
    let text = "{\"speakers\": [{\"id\": 3, \"name\": \"Mara Voss\"}], \"sentences\": [{\"text\": \"Hm.\", \
                \"speaker_name\": null, \"speaker_id\": \"3\", \"start_time\": \"1\", \"end_time\": \"2\"}]}";
    assert_eq!(turns(&read(text)), ["Mara Voss|1000-2000|Hm."]);
    let one = "{\"sentences\": [{\"text\": \"Hm.\", \"speaker_name\": \"A\", \"start_time\": 1}]}";
    let several = format!("{{\"data\": {{\"transcripts\": [{one}, {one}]}}}}");
    let problem = parse(several.as_bytes(), None, &Limits::default()).expect_err("refused");
    assert!(problem.code == "MALFORMED" && problem.message.contains("second transcript"), "{problem:?}");
}

#[test]
fn wild_meet_is_put_in_order_and_counted_from_its_earliest_start() {
    let transcript = read(&fixture("meet-wild.json"));
    assert_eq!(
        turns(&transcript),
        [
            "A guest|0-877|First.",
            "|3877-|Second.",
            "Mara Voss|-|Long ago.",
            "Mara Voss|7877-8877|Third.",
            "conferenceRecords/a1/participants/13|-10877|Fourth.",
        ]
    );
    assert_eq!(
        transcript.report.clock,
        Some(Clock::Wall { origin: "2025-03-04T09:00:01.123456789Z".to_owned() })
    );
    assert_eq!(
        notes(&transcript),
        [
            "3 warned a time cannot be read: it was left out",
            "6 warned it stands out of order: all were put in the order of their starts",
            "7 warned it ends before it starts: its end was left out",
            "8 dropped it has no text",
            "9 warned a time is far from all others: it was left out",
        ]
    );
}

#[test]
fn meet_entries_come_in_lists_and_one_by_one_too() {
    let entry = |second: u8, text: &str| {
        format!(
            "{{\"participant\": \"p\", \"text\": \"{text}\", \"languageCode\": \"en\", \
             \"startTime\": \"2025-03-04T09:00:0{second}Z\", \"endTime\": \"2025-03-04T09:00:0{second}Z\"}}"
        )
    };
    let (one, two) = (entry(1, "One."), entry(2, "Two."));
    let page = |entry: &str| format!("{{\"transcriptEntries\": [{entry}]}}");
    for text in [
        format!("[{one}, {two}]"),
        format!("{one}\n{two}\n"),
        format!("[{}, {}]", page(&one), page(&two)),
        format!("{}{}", page(&two), page(&one)),
        format!("{{}}{{\"nextPageToken\": \"x\"}}{}", page(&format!("{one}, {two}"))),
    ] {
        assert_eq!(turns(&read(&text)), ["p|0-0|One.", "p|1000-1000|Two."], "{text}");
    }
}

#[test]
fn wild_assemblyai_words_become_turns() {
    let transcript = read(&fixture("assemblyai-wild.json"));
    assert_eq!(
        turns(&transcript),
        [
            "Speaker A|0-500|How long?",
            "Speaker B|600-980|Two weeks or three.",
            "Speaker 1A|2500-3000|Too long.",
            "|-|Gone",
        ]
    );
    assert_eq!(
        notes(&transcript),
        ["4 dropped it has no text", "6 warned a time is beyond ten thousand hours: it was left out"]
    );
}

#[test]
fn a_failed_recognition_is_refused_with_its_reason() {
    let problem =
        parse(fixture("assemblyai-failed.json").as_bytes(), None, &Limits::default()).expect_err("refused");
    assert_eq!((problem.code, problem.line), ("MALFORMED", Some(1)));
    assert!(problem.message.contains("The file has no audio track."), "{problem:?}");
}

#[test]
fn assemblyai_sentences_and_plain_texts_are_taken() {
    let text = "{\"sentences\": [{\"text\": \"One.\", \"start\": 5, \"end\": 10, \"speaker\": null, \"words\": \
                [{\"text\": \"One.\", \"start\": 5, \"end\": 10}]}], \"audio_duration\": 1}";
    assert_eq!(turns(&read(text)), ["|5-10|One."]);
    let text = "{\"audio_url\": \"x\", \"status\": \"completed\", \"text\": \"All of it.\", \"words\": []}";
    assert_eq!(turns(&read(text)), ["|-|All of it."]);
}

#[test]
fn wild_deepgram_channels_are_speakers_merged_by_time() {
    let transcript = read(&fixture("deepgram-wild.json"));
    assert_eq!(
        turns(&transcript),
        [
            "Channel 1|500-900|Hello.",
            "Channel 2|1500-1900|hello",
            "Channel 1|3000-3500|Who is it?",
            "Channel 2|4000-4800|the baker",
        ]
    );
    assert_eq!(transcript.report.speaker_source, Some(SpeakerSource::Channels));
    assert_eq!(notes(&transcript), ["9 dropped its text is no text"]);
}

#[test]
fn a_stream_of_deepgram_says_what_is_final_in_it() {
    let text = fixture("deepgram-stream.json");
    let listed = format!("[{}]", text.trim().replace('\n', ","));
    for text in [&text, &listed] {
        let transcript = read(text);
        assert_eq!(transcript.report.format, Format::DeepgramJson);
        assert_eq!(
            turns(&transcript),
            ["Speaker 0|300-1400|Is the mill open?", "Speaker 1|4200-5000|On Mondays."]
        );
    }
    assert_eq!(
        notes(&read(&text)),
        [
            "2 aside results that were not final, which later ones replace",
            "8 dropped the stream ends before this was final",
        ]
    );
    let two: String = text.lines().filter(|line| line.contains("true")).collect();
    let two = two.replacen("[0, 1]", "[1, 2]", 1).replace("[0, 1]", "[0, 2]");
    assert_eq!(
        turns(&read(&two)),
        ["Channel 2 Speaker 0|300-1400|Is the mill open?", "Channel 1 Speaker 1|4200-5000|On Mondays."]
    );
    assert_eq!(read(&two).report.speaker_source, Some(SpeakerSource::Channels));
    let interim = "{\"is_final\": false, \"channel\": {\"alternatives\": [{\"transcript\": \"Hm\"}]}}";
    let problem = parse(interim.as_bytes(), None, &Limits::default()).expect_err("refused");
    assert!(problem.message.contains("before this was final"), "{problem:?}");
}

#[test]
fn another_reading_of_the_same_speech_is_passed_over_and_told() {
    let text = "{\"results\": {\"channels\": [{\"alternatives\": [\n{\"transcript\": \"One.\", \"words\": []},\n\
                {\"transcript\": \"Won.\", \"words\": []}]}]}}";
    let transcript = read(text);
    assert_eq!(turns(&transcript), ["|-|One."]);
    assert_eq!(notes(&transcript), ["3 aside it is another reading of the same speech"]);
    let third = text.replace("]}]}}", ",\n{\"transcript\": \"Wan.\"}]}]}}");
    assert_eq!(read(&third).report.notes[0].end_line, Some(4), "{third}");
    let text = "{\"results\": {\"items\": [\n{\"type\": \"pronunciation\", \"alternatives\": [{\"content\": \"One\"}, \
                {\"content\": \"Won\"}]}],\n\"segments\": [{\"alternatives\": [{\"transcript\": \"Wan\"}]}]}}";
    let transcript = read(text);
    assert_eq!(turns(&transcript), ["|-|One"]);
    assert_eq!(
        notes(&transcript),
        ["2 warned other readings of the word were left out", "3 aside other readings of the same speech"]
    );
}

#[test]
fn numbers_of_speakers_are_no_names_in_words_either() {
    let text = "{\"task\": \"transcribe\", \"text\": \"\", \"words\": [{\"word\": \"Yes.\", \"start\": 0, \"end\": 1, \
                \"speaker\": 0}, {\"word\": \"No.\", \"start\": 1, \"end\": 2, \"speaker\": \"A\\ud800\"}]}";
    let transcript = read(text);
    assert_eq!(turns(&transcript), ["Speaker 0|0-1000|Yes.", "A\u{fffd}|1000-2000|No."]);
    assert_eq!(notes(&transcript), ["1 warned an escape in the speaker's label stands for no character"]);
}

#[test]
fn a_wall_clock_of_a_thousand_digits_is_no_origin() {
    let entry =
        |start: &str| format!("{{\"participant\": \"p\", \"text\": \"One.\", \"startTime\": \"{start}\"}}");
    let text = format!("[{}]", entry(&format!("2025-03-04T09:00:01.{}Z", "1".repeat(1_000))));
    let transcript = read(&text);
    assert_eq!(
        (turns(&transcript), transcript.report.clock),
        (vec!["p|-|One.".to_owned()], Some(Clock::None))
    );
    let transcript = read(&format!("[{}]", entry("  2025-03-04T09:00:01Z ")));
    assert_eq!(transcript.report.clock, Some(Clock::Wall { origin: "2025-03-04T09:00:01Z".to_owned() }));
}

#[test]
fn wild_amazon_finds_speakers_by_time_and_by_channel() {
    let transcript = read(&fixture("amazon-wild.json"));
    assert_eq!(
        turns(&transcript),
        ["spk_0|0-1000|Old shape.", "spk_1|3000-3500|Yes, lost", "|9000-9500|unclaimed"]
    );
    assert_eq!(
        notes(&transcript),
        ["11 warned a time cannot be read: it was left out", "12 dropped it has no text"]
    );
    let transcript = read(&fixture("amazon-segments.json"));
    assert_eq!(turns(&transcript), ["spk_0|0-1250|Ships pass.", "spk_1|1500-2500|In the night."]);
    let transcript = read(&fixture("amazon-channels.json"));
    assert_eq!(turns(&transcript), ["ch_0|0-500|Ready?", "ch_1|1000-1500|Ready", "ch_0|2000-2500|Go"]);
    assert_eq!(transcript.report.speaker_source, Some(SpeakerSource::Channels));
}

#[test]
fn a_cut_document_is_recognised_and_refused_where_it_ends() {
    let cut = [
        ("whisper-cut.json", Format::WhisperJson),
        ("whisper-cpp-cut.json", Format::WhisperCppJson),
        ("whisperx-cut.json", Format::WhisperXJson),
        ("fireflies-cut.json", Format::FirefliesJson),
        ("meet-cut.json", Format::MeetJson),
        ("assemblyai-cut.json", Format::AssemblyAiJson),
        ("deepgram-cut.json", Format::DeepgramJson),
        ("amazon-cut.json", Format::AmazonTranscribeJson),
    ];
    for (name, format) in cut {
        let text = fixture(name);
        let detected = detect::detect(&text).unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
        assert_eq!(detected.reader.format(), format, "{name}");
        let problem = parse(text.as_bytes(), None, &Limits::default()).expect_err("refused");
        assert_eq!((problem.code, problem.line), ("MALFORMED", Some(text.lines().count() as u32)), "{name}");
        assert!(problem.message.contains("cut off") && problem.message.contains("byte"), "{problem:?}");
    }
}

#[test]
fn any_other_json_is_no_transcript() {
    for text in [
        "{}",
        "[]",
        "[1, 2, 3]",
        "{\"name\": \"a\", \"version\": \"1.0\", \"dependencies\": {\"b\": \"1\"}}",
        "{\"results\": [{\"id\": 1, \"text\": \"a\"}, {\"id\": 2, \"text\": \"b\"}]}",
        "{\"text\": \"Only a text.\"}",
        "{\"segments\": [{\"id\": 1, \"name\": \"a\"}]}",
        "{\"words\": [\"a\", \"b\"], \"language\": \"en\"}",
        "{\"utterances\": [{\"text\": \"a\", \"start\": 0.5, \"end\": 1.5, \"speaker\": 0, \"words\": [{\"word\": \"a\"}]}]}",
        "[{\"type\": \"message\", \"user\": \"U1\", \"text\": \"hi\", \"ts\": \"1.0\"}]",
        "{\"type\": \"FeatureCollection\", \"features\": [{\"properties\": {\"start\": 1, \"end\": 2}}]}",
        "{\n  \"speaker\": \"Anna\",\n  \"text\": \"hi\"\n},\n{\n  \"speaker\": \"Ben\",\n  \"text\": \"ho\"\n}",
    ] {
        let found = detect::detect(text).ok().map(|found| (found.reader.format(), found.confidence));
        assert_eq!(found, None, "{text}");
    }
}

#[test]
fn a_bad_first_element_does_not_hide_the_format() {
    let text =
        "{\"segments\": [{\"seek\": 0, \"text\": 7}, 8, {\"start\": 0, \"end\": 1, \"text\": \"Here.\"}]}";
    let transcript = read(text);
    assert_eq!(
        (transcript.report.format, turns(&transcript)),
        (Format::WhisperJson, vec!["|0-1000|Here.".to_owned()])
    );
    assert_eq!(transcript.report.cues_dropped, 2);
}

#[test]
fn what_is_no_json_is_refused_by_a_named_format_with_its_place() {
    let deep = "[".repeat(1 << 20);
    let cases: [(&str, u32, &str); 7] = [
        ("Anna: Hi.", 1, "byte 0: JSON begins"),
        ("{\"segments\": [\n{\"text\": \"a\"}\n{\"text\": \"b\"}]}", 3, "byte 29: a comma"),
        ("{\"segments\":\n {text: 1}}", 2, "a key in quotes"),
        ("{\"segments\" []}", 1, "a colon"),
        ("{\"a\": 1}\n", 1, "no `segments`"),
        ("{\"segments\": []}\n{\"segments\": []}", 2, "second document"),
        (&deep, 1, "deeper than 64"),
    ];
    for (text, line, part) in cases {
        let problem =
            parse(text.as_bytes(), Some(Format::WhisperJson), &Limits::default()).expect_err("refused");
        assert_eq!((problem.code, problem.line), ("MALFORMED", Some(line)), "{problem:?}");
        assert!(problem.message.contains(part), "{problem:?}");
    }
    let problem = parse(b"{\"segments\": [], \"text\": \"\"}", Some(Format::WhisperJson), &Limits::default());
    assert_eq!(problem.expect_err("refused").code, "EMPTY_TRANSCRIPT");
}

#[test]
fn the_limits_hold_for_elements_and_not_for_lines() {
    let limits = Limits { max_bytes: 10_000, max_line_bytes: 50, max_cues: 2 };
    let document = |texts: &[String]| {
        let segments = texts
            .iter()
            .map(|text| format!("{{\"start\": 0, \"end\": 1, \"seek\": 0, \"text\": \"{text}\"}}"));
        format!("{{\"segments\": [\n{}]}}", segments.collect::<Vec<_>>().join(",\n"))
    };
    let outcome = |texts: &[String]| {
        parse(document(texts).as_bytes(), None, &limits)
            .map(drop)
            .map_err(|problem| (problem.code, problem.line))
    };
    let (short, long) = ("Word.".to_owned(), "word ".repeat(11));
    assert_eq!(outcome(&[short.clone(), short.replace('W', "C")]), Ok(()));
    assert_eq!(outcome(&vec![short.clone(); 3]), Err(("TOO_MANY_CUES", Some(4))));
    assert_eq!(outcome(&[short, long]), Err(("LINE_TOO_LONG", Some(3))));
    let one_line = document(&["Word.".to_owned()]).replace('\n', &" ".repeat(200));
    assert!(parse(one_line.as_bytes(), None, &limits).is_ok());
}

#[test]
fn hostile_documents_cost_no_more_than_their_size() {
    let size = 1 << 19;
    let heads = [
        "",
        "{\"segments\": ",
        "{\"segments\": [{\"start\": 0, \"end\": 1, \"seek\": 0, \"text\": \"",
        "[1, ",
    ];
    for head in heads {
        for shape in
            ["[", "{\"a\":", "\\\"", "\\u", "\"", "{},", "[],", "null,", "\"a\":1,", "{\"words\":[", "a"]
        {
            let text = format!("{head}{}", shape.repeat(size / shape.len()));
            let begun = std::time::Instant::now();
            for format in [None, Some(Format::WhisperJson), Some(Format::MeetJson)] {
                let _outcome = parse(text.as_bytes(), format, &Limits::default());
            }
            assert!(begun.elapsed().as_secs() < 20, "{head}{shape} took {:?}", begun.elapsed());
        }
    }
}
