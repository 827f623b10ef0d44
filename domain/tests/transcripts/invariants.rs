//! What holds of every transcript, whatever bytes it was read from. Fuzzing asks the same.

use std::borrow::Cow;

use colloquy_domain::transcripts::{
    Limits, Transcript,
    export::{Said, TextForm, write},
    normal, parse,
    report::Format,
};

/// Bounds that are reached by inputs of some kilobytes.
fn limits() -> Limits {
    Limits { max_bytes: 1 << 20, max_line_bytes: 1 << 14, max_cues: 2_000 }
}

/// Reads `bytes` twice: what comes out is a transcript that holds together, or a reason to refuse them.
pub(crate) fn check_bytes(bytes: &[u8], format: Option<Format>) {
    let limits = limits();
    let first = parse(bytes, format, &limits);
    match &first {
        Ok(transcript) => {
            check(transcript);
            check_export(transcript);
        }
        Err(problem) => assert!(!problem.message.is_empty() && !problem.code.is_empty()),
    }
    assert_eq!(first, parse(bytes, format, &limits));
}

/// The report adds up, and turns are as they are said to be.
pub(crate) fn check(transcript: &Transcript) {
    let report = &transcript.report;
    assert_eq!(report.segments as usize, transcript.turns.len());
    assert_eq!(
        report.segments + report.cues_merged + report.cues_dropped,
        report.cues_read + report.cues_split,
        "{report:?}"
    );
    assert!(report.notes.is_sorted_by_key(|note| note.line));
    for note in &report.notes {
        assert!(note.end_line.is_none_or(|end| end > note.line), "{note:?}");
        assert!(note.bytes.is_none_or(|bytes| bytes.start <= bytes.end), "{note:?}");
    }
    let mut heard = vec![false; report.speakers.len()];
    for turn in &transcript.turns {
        assert!(!turn.text.is_empty(), "{turn:?}");
        assert_eq!(normal(Cow::Borrowed(&turn.text)), turn.text, "the one form of text");
        assert!(turn.end_ms.is_none() || turn.start_ms <= turn.end_ms, "{turn:?}");
        assert!(turn.line > 0);
        if let Some(speaker) = turn.speaker {
            assert!(heard[..speaker].iter().all(|heard| *heard), "speakers in the order of first speaking");
            heard[speaker] = true;
        }
    }
    assert!(heard.iter().all(|heard| *heard), "a speaker who never speaks");
    for label in &report.speakers {
        assert!(!label.is_empty() && normal(Cow::Borrowed(label)) == *label, "{label:?}");
        assert!(!label.contains("\n\n"), "{label:?}");
    }
    assert_eq!(report.duration_ms, transcript.turns.iter().filter_map(|turn| turn.end_ms).max());
}

/// What was read can be exported, and comes back the same.
fn check_export(transcript: &Transcript) {
    let said: Vec<_> = transcript
        .turns
        .iter()
        .map(|turn| Said {
            speaker: turn.speaker.map(|at| Cow::Borrowed(transcript.report.speakers[at].as_str())),
            text: Cow::Borrowed(turn.text.as_str()),
            start_ms: turn.start_ms,
            end_ms: turn.end_ms,
        })
        .collect();
    for form in TextForm::ALL {
        let Ok(file) = write(form, "x", &said) else { continue };
        let limits = Limits { max_bytes: 1 << 24, max_line_bytes: 1 << 20, max_cues: 10_000 };
        let back = parse(file.as_bytes(), None, &limits).expect("an export is read");
        assert_eq!(back.report.speakers, transcript.report.speakers, "{file}");
        assert_eq!(back.turns.len(), transcript.turns.len(), "{file}");
        for (back, turn) in back.turns.iter().zip(&transcript.turns) {
            assert_eq!(
                (back.speaker, &back.text, back.start_ms, back.end_ms),
                (turn.speaker, &turn.text, turn.start_ms, turn.end_ms),
                "{file}"
            );
        }
    }
}
