//! What holds for any input: nothing panics, nothing said is lost, the report adds up.

use colloquy_domain::transcripts::{Limits, Transcript, detect, formats, parse, report::Format};
use proptest::prelude::*;

use crate::invariants::{self, check};

const SAMPLES: [&str; 29] = [
    "WEBVTT\n\nNOTE x\n\n1\n00:00.000 --> 00:02.000 align:start\n<v Anna Lee>Hi &amp; <i>you</i>.</v>\n<v Ben>Ho.\n\n00:02.000 --> 00:03.000\nand\n",
    "1\r\n00:00:01,000 --> 00:00:02,000\r\n- Anna: {\\an8}Hi.\r\n- Ben: Ho.\r\n\r\n2\r\n00:00:02,000 --> 00:00:03,000\r\n42\r\n",
    "Title\n\n**Anna Lee:** \\[00:03\\] Hi.\n\nMore.\n\n\\[04:14\\] And.\n\n**Ben:** Ho.\n",
    "[00:00:03] Anna: Hi.\nBen (1:02): Ho.\nAnna：はい\n",
    include_str!("fixtures/srt/wild.srt"),
    include_str!("fixtures/text_grid/long.TextGrid"),
    include_str!("fixtures/text_grid/short.TextGrid"),
    include_str!("fixtures/teams_vtt/shuffled.vtt"),
    include_str!("fixtures/teams_vtt/graph.vtt"),
    include_str!("fixtures/teams_vtt/metadata.vtt"),
    include_str!("fixtures/zoom_vtt/once.vtt"),
    include_str!("fixtures/teams_docx/old.txt"),
    include_str!("fixtures/teams_docx/new.txt"),
    include_str!("fixtures/zoom_text/midnight.txt"),
    include_str!("fixtures/zoom_text/chat.txt"),
    include_str!("fixtures/meet_text/document.txt"),
    include_str!("fixtures/otter_text/head.txt"),
    include_str!("fixtures/rev_text/wild.txt"),
    include_str!("fixtures/table/wild.csv"),
    include_str!("fixtures/whisper_tsv/talk.tsv"),
    include_str!("fixtures/whisper-wild.json"),
    include_str!("fixtures/whisper-cpp-wild.json"),
    include_str!("fixtures/whisperx-wild.json"),
    include_str!("fixtures/fireflies-wild.json"),
    include_str!("fixtures/meet-wild.json"),
    include_str!("fixtures/assemblyai-wild.json"),
    include_str!("fixtures/deepgram-wild.json"),
    include_str!("fixtures/deepgram-stream.json"),
    include_str!("fixtures/amazon-wild.json"),
];

pub(crate) fn check_bytes(bytes: &[u8]) {
    for format in formats::all().map(Some).chain([None]) {
        invariants::check_bytes(bytes, format);
    }
}

/// Words of letters that no format gives a meaning.
pub(crate) fn words() -> impl Strategy<Value = String> {
    proptest::collection::vec("[a-zäß]{2,9}", 1..12).prop_map(|words| words.join(" "))
}

pub(crate) fn talk() -> impl Strategy<Value = Vec<(usize, String, u64, bool)>> {
    proptest::collection::vec((0..3usize, words(), 1..9_000u64, any::<bool>()), 3..30)
}

pub(crate) const NAMES: [&str; 3] = ["Anna Lee", "Ben", "Dr. Zoë O’Neil"];

fn vtt_of(talk: &[(usize, String, u64, bool)], newline: &str) -> String {
    let mut at = 0;
    let cues = talk.iter().map(|(name, said, length, closed)| {
        let start = at;
        at += length;
        let time = |ms: u64| format!("{:02}:{:02}.{:03}", ms / 60_000, ms / 1000 % 60, ms % 1000);
        let close = if *closed { ".</v>" } else { "" };
        format!("{} --> {}\n<v {}>{said}{close}\n\n", time(start), time(at), NAMES[*name])
    });
    format!("WEBVTT\n\n{}", cues.collect::<String>()).replace('\n', newline)
}

fn srt_of(talk: &[(usize, String, u64, bool)], numbered: bool) -> String {
    let mut at = 0;
    let cues = talk.iter().enumerate().map(|(index, (name, said, length, _))| {
        let start = at;
        at += length;
        let time = |ms: u64| format!("00:{:02}:{:02},{:03}", ms / 60_000, ms / 1000 % 60, ms % 1000);
        let number = if numbered { format!("{}\n", index + 1) } else { String::new() };
        format!("{number}{} --> {}\n{}: {said}\n\n", time(start), time(at), NAMES[*name])
    });
    cues.collect()
}

fn lines_of(talk: &[(usize, String, u64, bool)], bold: bool) -> String {
    let turns = talk.iter().map(|(name, said, _, paragraph)| {
        let label = if bold { format!("**{}:**", NAMES[*name]) } else { format!("{}:", NAMES[*name]) };
        let more = if *paragraph { format!("\n\n{said}") } else { String::new() };
        format!("{label} {said}{more}\n\n")
    });
    turns.collect()
}

/// Every word in its order, whoever says it.
pub(crate) fn said(transcript: &Transcript) -> Vec<String> {
    let words = transcript.turns.iter().flat_map(|turn| turn.text.split_whitespace());
    words.map(|word| word.trim_end_matches('.').to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_bring_the_parser_down(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_bytes(&bytes);
    }

    #[test]
    fn no_text_of_the_formats_own_signs_brings_the_parser_down(
        text in "(WEBVTT|WEBVTT\n\n|)([0-9]{1,3}|:|00:01|\\.000|,000| --> |-->|\n|\r\n|\r|<|>|</?v|<i>|&|&amp;|\\{|\\}|\\\\|\\*\\*|Anna|Ben:|é|田|\"|\t|,|;|xmin = |\"IntervalTier\"|text = |intervals \\[1\\]:|start\tend\ttext\n|speaker,start,text\n|Anna  0:03\n|\\[Anna\\] 14:03:05\n|14:03:05 From Ben : |Ben \\(00:03\\):|0:0:0.0 --> 0:0:2.6\n|Transcript\n|00:05:00\n|1f0c6a52-88de-4b3e-9a07-5d2f10c4b7aa/1-0\n|\\[|\\]|-| |\\(|\\)){0,60}"
    ) {
        check_bytes(text.as_bytes());
    }

    #[test]
    fn no_damage_to_a_good_file_brings_the_parser_down(
        sample in 0..SAMPLES.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..12),
    ) {
        let mut bytes = SAMPLES[sample].as_bytes().to_vec();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => {}
            }
        }
        check_bytes(&bytes);
    }

    #[test]
    fn every_word_of_a_webvtt_file_comes_out(talk in talk(), newline in prop::sample::select(vec!["\n", "\r\n", "\r"])) {
        let transcript = parse(vtt_of(&talk, newline).as_bytes(), None, &Limits::default()).expect("a transcript");
        check(&transcript);
        prop_assert_eq!(transcript.report.format, Format::WebVtt);
        let expected: Vec<_> = talk.iter().flat_map(|(_, said, ..)| said.split(' ').map(str::to_owned)).collect();
        prop_assert_eq!(said(&transcript), expected);
        prop_assert_eq!(transcript.report.cues_read as usize, talk.len());
        prop_assert_eq!(transcript.report.duration_ms.map(|end| end.0), Some(talk.iter().map(|(_, _, length, _)| length).sum()));
    }

    #[test]
    fn every_word_of_an_srt_file_comes_out_under_its_speaker(talk in talk(), numbered in any::<bool>()) {
        let transcript = parse(srt_of(&talk, numbered).as_bytes(), None, &Limits::default()).expect("a transcript");
        check(&transcript);
        prop_assert_eq!(transcript.report.format, Format::Srt);
        let expected: Vec<_> = talk.iter().flat_map(|(_, said, ..)| said.split(' ').map(str::to_owned)).collect();
        prop_assert_eq!(said(&transcript), expected);
        prop_assert_eq!(transcript.turns.len(), talk.len());
        for (turn, (name, ..)) in transcript.turns.iter().zip(&talk) {
            prop_assert_eq!(turn.speaker.map(|at| transcript.report.speakers[at].as_str()), Some(NAMES[*name]));
        }
    }

    #[test]
    fn every_word_of_named_lines_comes_out_under_its_speaker(talk in talk(), bold in any::<bool>()) {
        let transcript = parse(lines_of(&talk, bold).as_bytes(), None, &Limits::default()).expect("a transcript");
        check(&transcript);
        prop_assert_eq!(transcript.report.format, Format::NamedLines);
        prop_assert_eq!(transcript.turns.len(), talk.len());
        for (turn, (name, said, _, paragraph)) in transcript.turns.iter().zip(&talk) {
            prop_assert_eq!(turn.speaker.map(|at| transcript.report.speakers[at].as_str()), Some(NAMES[*name]));
            let expected = if *paragraph { format!("{said}\n\n{said}") } else { said.clone() };
            prop_assert_eq!(&turn.text, &expected);
            prop_assert_eq!((turn.start_ms, turn.end_ms), (None, None));
        }
    }

    #[test]
    fn prose_is_no_transcript(sentences in proptest::collection::vec(words(), 1..20)) {
        let prose = sentences.iter().map(|words| format!("It was {words}.\n\n")).collect::<String>();
        prop_assert!(detect::detect(&prose).is_err());
    }
}
