//! Transcripts to import.

use std::fs;

use super::workspace;

/// Three voices, one cue of them without text.
pub(crate) const VTT: &str = "WEBVTT\n\n00:00:01.000 --> 00:00:04.000\n<v Mara>How was the harbour walk?\n\n\
    00:00:05.000 --> 00:00:09.500\n<v Tobias>Windy, and the lighthouse was closed.\n\n\
    00:00:10.000 --> 00:00:12.000\n<v Mara>\n\n\
    00:00:13.000 --> 00:00:15.250\n<v Mara>Then we go again on Sunday.\n";

pub(crate) const SRT: &str = "1\n00:00:00,500 --> 00:00:02,000\nPriya: Tell me about the outage.\n\n\
    2\n00:00:02,500 --> 00:00:06,000\nJonas: A queue filled up, and nobody had an alarm on it.\n";

pub(crate) const LINES: &str = "Elif: What would you rather do?\nSam: I would like to work with numbers.\n\
    Elif: Since when?\nSam: Since the spreadsheet about the falls.\n";

/// A conversation that ships with the project.
pub(crate) fn sample(name: &str) -> String {
    fs::read_to_string(workspace().join("samples").join(name)).expect(name)
}

/// A small conversation unlike any of another number.
pub(crate) fn tiny(number: usize) -> String {
    format!(
        "Ada: This is talk number {number}.\nBen: Then I will send you the notes of talk {number} by Friday.\n"
    )
}
