//! What holds for any document of the JSON formats: made from a random talk, it comes out word for word; with elements
//! made bad on purpose, every word is in a turn or where a note points; damaged, it brings nothing down.

use colloquy_domain::transcripts::{Limits, Transcript, parse, report::Format};
use proptest::prelude::*;

use crate::{invariants::check, properties::check_bytes};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Whisper,
    Diarized,
    WhisperWords,
    WhisperCpp,
    WhisperX,
    Fireflies,
    FirefliesExport,
    Meet,
    AssemblyAi,
    AssemblyAiWords,
    Deepgram,
    DeepgramParagraphs,
    DeepgramWords,
    DeepgramStream,
    AmazonItems,
    AmazonSegments,
}

use Shape::*;

const SHAPES: [(Shape, Format); 16] = [
    (Whisper, Format::WhisperJson),
    (Diarized, Format::WhisperJson),
    (WhisperWords, Format::WhisperJson),
    (WhisperCpp, Format::WhisperCppJson),
    (WhisperX, Format::WhisperXJson),
    (Fireflies, Format::FirefliesJson),
    (FirefliesExport, Format::FirefliesJson),
    (Meet, Format::MeetJson),
    (AssemblyAi, Format::AssemblyAiJson),
    (AssemblyAiWords, Format::AssemblyAiJson),
    (Deepgram, Format::DeepgramJson),
    (DeepgramParagraphs, Format::DeepgramJson),
    (DeepgramWords, Format::DeepgramJson),
    (DeepgramStream, Format::DeepgramJson),
    (AmazonItems, Format::AmazonTranscribeJson),
    (AmazonSegments, Format::AmazonTranscribeJson),
];

impl Shape {
    /// Elements are words.
    fn has_words(self) -> bool {
        matches!(self, WhisperWords | AssemblyAiWords | DeepgramWords | AmazonItems)
    }

    fn label(self, speaker: usize) -> Option<String> {
        Some(match self {
            Whisper | WhisperWords => return None,
            Diarized => ["A", "agent", "Zoë O’Neil"][speaker].to_owned(),
            WhisperCpp | Deepgram | DeepgramParagraphs | DeepgramWords | DeepgramStream => {
                format!("Speaker {speaker}")
            }
            WhisperX => format!("SPEAKER_0{speaker}"),
            Fireflies | FirefliesExport => ["Anna Lee", "Ben", "Dr. Zoë \"O\""][speaker].to_owned(),
            Meet => format!("conferenceRecords/a/participants/{speaker}"),
            AssemblyAi | AssemblyAiWords => format!("Speaker {}", ["A", "B", "C"][speaker]),
            AmazonItems | AmazonSegments => format!("spk_{speaker}"),
        })
    }

    fn time(self, ms: u64) -> String {
        match self {
            WhisperCpp | AssemblyAi | AssemblyAiWords => ms.to_string(),
            Meet => format!("\"2025-01-01T00:{:02}:{:02}.{:03}Z\"", ms / 60_000, ms / 1000 % 60, ms % 1000),
            AmazonItems | AmazonSegments | FirefliesExport => format!("\"{}.{:03}\"", ms / 1000, ms % 1000),
            _ => format!("{}.{:03}", ms / 1000, ms % 1000),
        }
    }

    /// `text` is a value, with quotes; without it the key is missing.
    fn element(self, speaker: usize, text: Option<&str>, [start, end]: [&str; 2]) -> String {
        let label = quoted(&self.label(speaker).unwrap_or_default(), false);
        let field = |key: &str| text.map_or(String::new(), |text| format!("\"{key}\": {text}, "));
        let letter = ["A", "B", "C"][speaker];
        match self {
            Whisper => {
                format!("{{\"seek\": 0, \"start\": {start}, \"end\": {end}, {}\"id\": 1}}", field("text"))
            }
            Diarized => format!(
                "{{\"type\": \"transcript.text.segment\", \"start\": {start}, \"end\": {end}, {}\"speaker\": {label}}}",
                field("text")
            ),
            WhisperWords => format!("{{{}\"start\": {start}, \"end\": {end}}}", field("word")),
            WhisperCpp => format!(
                "{{\"offsets\": {{\"from\": {start}, \"to\": {end}}}, {}\"speaker\": \"{speaker}\"}}",
                field("text")
            ),
            WhisperX => format!(
                "{{\"start\": {start}, \"end\": {end}, {}\"words\": [{{\"word\": \"x\", \"score\": 1}}], \"speaker\": {label}}}",
                field("text")
            ),
            Fireflies => format!(
                "{{{}\"speaker_name\": {label}, \"start_time\": {start}, \"end_time\": {end}}}",
                field("text")
            ),
            FirefliesExport => format!(
                "{{{}\"speaker_name\": {label}, \"startTime\": {start}, \"endTime\": {end}}}",
                field("sentence")
            ),
            Meet => format!(
                "{{\"participant\": {label}, {}\"languageCode\": \"en\", \"startTime\": {start}, \"endTime\": {end}}}",
                field("text")
            ),
            AssemblyAi | AssemblyAiWords => format!(
                "{{{}\"confidence\": 1, \"start\": {start}, \"end\": {end}, \"speaker\": \"{letter}\"}}",
                field("text")
            ),
            Deepgram => format!(
                "{{\"start\": {start}, \"end\": {end}, {}\"channel\": 0, \"speaker\": {speaker}}}",
                field("transcript")
            ),
            DeepgramParagraphs => format!(
                "{{\"sentences\": [{{{}\"start\": {start}, \"end\": {end}}}], \"speaker\": {speaker}}}",
                field("text")
            ),
            DeepgramWords => {
                format!("{{{}\"start\": {start}, \"end\": {end}, \"speaker\": {speaker}}}", field("word"))
            }
            DeepgramStream => format!(
                "{{\"is_final\": true, \"channel\": {{\"alternatives\": [{{\"transcript\": \"x\", \"words\": \
                 [{{{}\"start\": {start}, \"end\": {end}, \"speaker\": {speaker}}}]}}]}}}}",
                field("punctuated_word")
            ),
            AmazonItems => format!(
                "{{\"start_time\": {start}, \"end_time\": {end}, \"alternatives\": [{{{}\"confidence\": \"1\"}}], \
                 \"speaker_label\": {label}, \"type\": \"pronunciation\"}}",
                field("content")
            ),
            AmazonSegments => format!(
                "{{{}\"start_time\": {start}, \"end_time\": {end}, \"speaker_label\": {label}}}",
                field("transcript")
            ),
        }
    }

    fn document(self, elements: &[String], newline: &str) -> String {
        let list = format!("[{newline}{}]", elements.join(&format!(",{newline}")));
        match self {
            Whisper | Diarized => format!("{{\"text\": \"\", \"segments\": {list}}}"),
            WhisperWords => format!("{{\"task\": \"transcribe\", \"text\": \"\", \"words\": {list}}}"),
            WhisperCpp => format!("{{\"transcription\": {list}}}"),
            WhisperX => format!("{{\"segments\": {list}, \"word_segments\": []}}"),
            Fireflies => format!("{{\"data\": {{\"transcript\": {{\"sentences\": {list}}}}}}}"),
            FirefliesExport | DeepgramStream => list,
            Meet => format!("{{\"transcriptEntries\": {list}}}"),
            AssemblyAi => {
                format!("{{\"audio_url\": \"x\", \"status\": \"completed\", \"utterances\": {list}}}")
            }
            AssemblyAiWords => {
                format!("{{\"audio_url\": \"x\", \"status\": \"completed\", \"words\": {list}}}")
            }
            Deepgram => format!("{{\"results\": {{\"utterances\": {list}}}}}"),
            DeepgramParagraphs => format!(
                "{{\"results\": {{\"channels\": [{{\"alternatives\": [{{\"transcript\": \"x\", \"paragraphs\": \
                 {{\"paragraphs\": {list}}}}}]}}]}}}}"
            ),
            DeepgramWords => format!(
                "{{\"results\": {{\"channels\": [{{\"alternatives\": [{{\"transcript\": \"x\", \"words\": {list}}}]}}]}}}}"
            ),
            AmazonItems => format!("{{\"results\": {{\"items\": {list}}}}}"),
            AmazonSegments => format!("{{\"results\": {{\"audio_segments\": {list}}}}}"),
        }
    }
}

fn quoted(text: &str, ascii: bool) -> String {
    let mut quoted = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if ascii && !character.is_ascii() => {
                let mut units = [0; 2];
                quoted.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// What one speaker says in one go.
#[derive(Debug, Clone)]
struct Cue {
    speaker: usize,
    words: Vec<String>,
    start: u64,
    length: u64,
    fault: u8,
}

impl Cue {
    fn text(&self) -> String {
        self.words.join(" ")
    }
}

/// No word occurs twice, and every cue ends a sentence, so that none is merged.
fn talk(faults: u8) -> impl Strategy<Value = Vec<Cue>> {
    let cue =
        (0..3_usize, proptest::collection::vec("[a-zäß\"\\\\🎤]{1,6}", 1..6), 1..6_000_u64, 0..=3 * faults);
    proptest::collection::vec(cue, 3..20).prop_map(move |cues| {
        let mut at = 0;
        let numbered = |cue: usize, words: Vec<String>| {
            let last = words.len() - 1;
            let end = |word: usize| if word == last { "." } else { "" };
            words
                .iter()
                .enumerate()
                .map(|(word, text)| format!("q{cue}x{word}{text}z{}", end(word)))
                .collect()
        };
        let cues = cues.into_iter().enumerate().map(|(index, (speaker, words, length, fault))| {
            let start = at;
            at += length;
            let fault = if fault > faults { 0 } else { fault };
            Cue { speaker, words: numbered(index, words), start, length, fault }
        });
        cues.collect()
    })
}

/// The elements that say a cue: one, or one a word, which have its time in equal shares.
fn elements(shape: Shape, cue: &Cue, ascii: bool) -> Vec<String> {
    let element = |text: &str, start: u64, end: u64| {
        let (mut start, mut end) = (shape.time(start), shape.time(end));
        let mut said = Some(quoted(text, ascii));
        match cue.fault {
            1 => said = said.map(|said| format!("[{said}]")),
            2 => start = "NaN".to_owned(),
            3 => end = "-1".to_owned(),
            4 => start = "1e308".to_owned(),
            5 => std::mem::swap(&mut start, &mut end),
            6 => return quoted(text, ascii),
            7 => start = format!("\"soon\", \"x\": {}", quoted(text, ascii)),
            8 => said = None,
            _ => {}
        }
        shape.element(cue.speaker, said.as_deref(), [&start, &end])
    };
    if !shape.has_words() {
        return vec![element(&cue.text(), cue.start, cue.start + cue.length)];
    }
    let share = |word: usize| cue.start + cue.length * word as u64 / cue.words.len() as u64;
    cue.words.iter().enumerate().map(|(at, word)| element(word, share(at), share(at + 1))).collect()
}

fn document(shape: Shape, talk: &[Cue], ascii: bool, newline: &str) -> String {
    let elements: Vec<_> = talk.iter().flat_map(|cue| elements(shape, cue, ascii)).collect();
    shape.document(&elements, newline)
}

type Said = (Option<String>, String, Option<u64>, Option<u64>);

fn said(transcript: &Transcript) -> Vec<Said> {
    let turns = transcript.turns.iter().map(|turn| {
        let speaker = turn.speaker.map(|at| transcript.report.speakers[at].clone());
        (speaker, turn.text.clone(), turn.start_ms.map(|ms| ms.0), turn.end_ms.map(|ms| ms.0))
    });
    turns.collect()
}

/// Words of one speaker after another are one turn; without speakers a sentence is.
fn expected(shape: Shape, talk: &[Cue]) -> Vec<Said> {
    let mut turns: Vec<Said> = Vec::new();
    for cue in talk {
        let (label, end) = (shape.label(cue.speaker), cue.start + cue.length);
        match turns.last_mut() {
            Some(turn) if shape.has_words() && label.is_some() && turn.0 == label => {
                turn.1 = format!("{} {}", turn.1, cue.text());
                turn.3 = Some(end);
            }
            _ => turns.push((label, cue.text(), Some(cue.start), Some(end))),
        }
    }
    turns
}

/// Words of one speaker are not cut by the pauses between them.
fn without_pauses(shape: Shape, talk: Vec<Cue>) -> Vec<Cue> {
    let limit = if shape == WhisperWords { 2_000 } else { u64::MAX };
    talk.into_iter().map(|cue| Cue { length: cue.length.min(limit), ..cue }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_word_comes_out_under_its_speaker_with_its_time(
        talk in talk(0),
        ascii in any::<bool>(),
        newline in prop::sample::select(vec!["", "\n", "\r\n  ", "\r"]),
    ) {
        for (shape, format) in SHAPES {
            let talk = without_pauses(shape, talk.clone());
            let text = document(shape, &talk, ascii, newline);
            let transcript = parse(text.as_bytes(), None, &Limits::default())
                .unwrap_or_else(|problem| panic!("{shape:?} {text}: {problem:?}"));
            check(&transcript);
            prop_assert_eq!(transcript.report.format, format, "{:?}", shape);
            prop_assert_eq!(said(&transcript), expected(shape, &talk), "{:?} {}", shape, text);
            prop_assert!(transcript.report.notes.is_empty(), "{:?} {:?}", shape, transcript.report.notes);
            let lines = text.replace("\r\n", "\n").replace('\r', "\n").lines().count() as u32;
            prop_assert!(transcript.turns.iter().all(|turn| turn.line <= lines));
        }
    }

    #[test]
    fn every_word_of_a_bad_element_is_in_a_turn_or_where_a_note_points(talk in talk(8), ascii in any::<bool>()) {
        for (shape, format) in SHAPES {
            let text = document(shape, &talk, ascii, "\n");
            let Ok(transcript) = parse(text.as_bytes(), Some(format), &Limits::default()) else {
                // Nothing can be used only where nobody says anything that can be read.
                prop_assert!(talk.iter().all(|cue| [1, 6, 8].contains(&cue.fault)), "{:?} {}", shape, text);
                continue;
            };
            check(&transcript);
            let report = &transcript.report;
            if report.notes_omitted > 0 {
                continue;
            }
            let noted: Vec<&str> = report.notes.iter().filter_map(|note| note.bytes)
                .map(|bytes| &text[bytes.start as usize..bytes.end as usize]).collect();
            prop_assert!(noted.len() == report.notes.len(), "every note has its bytes: {:?}", report.notes);
            for word in talk.iter().filter(|cue| cue.fault != 8).flat_map(|cue| &cue.words) {
                let written = quoted(word, ascii);
                let written = written.trim_matches('"');
                prop_assert!(
                    transcript.turns.iter().any(|turn| turn.text.contains(word.as_str()))
                        || noted.iter().any(|noted| noted.contains(written)),
                    "{} is lost: {:?} {} {:?}", word, shape, text, report.notes
                );
            }
        }
    }

    #[test]
    fn speakers_that_change_within_a_segment_split_it(talk in talk(0)) {
        let words = talk.iter().flat_map(|cue| {
            let share = |word: usize| WhisperX.time(cue.start + cue.length * word as u64 / cue.words.len() as u64);
            cue.words.iter().enumerate().map(move |(at, word)| format!(
                "{{\"word\": {}, \"start\": {}, \"end\": {}, \"score\": 1, \"speaker\": \"SPEAKER_0{}\"}}",
                quoted(word, false), share(at), share(at + 1), cue.speaker
            ))
        });
        let text: Vec<_> = talk.iter().map(Cue::text).collect();
        let document = format!(
            "{{\"segments\": [{{\"start\": 0, \"end\": 9999, \"text\": {}, \"words\": [{}]}}], \"word_segments\": []}}",
            quoted(&text.join(" "), false), words.collect::<Vec<_>>().join(", ")
        );
        let transcript = parse(document.as_bytes(), None, &Limits::default()).expect("a transcript");
        check(&transcript);
        let mut expected = expected(AssemblyAiWords, &talk);
        for turn in &mut expected {
            turn.0 = turn.0.as_deref().map(|label| label.replace("Speaker A", "SPEAKER_00")
                .replace("Speaker B", "SPEAKER_01").replace("Speaker C", "SPEAKER_02"));
        }
        if let [only] = &mut expected[..] {
            (only.2, only.3) = (Some(0), Some(9_999_000));
        }
        prop_assert_eq!(said(&transcript), expected);
    }

    #[test]
    fn no_damage_to_a_document_brings_the_parser_down(
        talk in talk(8),
        shape in prop::sample::select(SHAPES.map(|(shape, _)| shape).to_vec()),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut bytes = document(shape, &talk, false, "\n").into_bytes();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"{}[]\",:\\"[usize::from(byte % 8)]),
                2 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
        check_bytes(&bytes);
    }
}
