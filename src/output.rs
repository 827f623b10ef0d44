//! What people and programs read of us: results on standard output, all else on standard error. Every line
//! goes through here, so that colours, closed pipes and foreign control characters are seen to in one place.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::cli::Color;

/// Whoever read our output has gone, as `head` does: a reason to end, and no failure.
#[derive(Debug, thiserror::Error)]
#[error("the output was closed")]
pub(crate) struct Closed;

const GOOD: Style = AnsiColor::Green.on_default();
const ODD: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
/// Bold and of a colour: one of the two shows on any terminal.
const MARK: Style = AnsiColor::Yellow.on_default().bold();

pub(crate) fn set_color(color: Color) {
    let choice = match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// A line, or several, of the result.
pub(crate) fn line(text: impl Display) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    check(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// A result for programs, on a line of its own.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string(value)?;
    let mut out = io::stdout().lock();
    check(writeln!(out, "{text}").and_then(|()| out.flush()))
}

fn check(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        Err(error) => Err(anyhow::Error::new(error).context("could not write to standard output")),
        Ok(()) => Ok(()),
    }
}

/// What is going on. Where nobody can be told, nothing is lost.
pub(crate) fn note(text: impl Display) {
    let _unread = writeln!(anstream::stderr().lock(), "{text}");
}

pub(crate) fn warn(text: impl Display) {
    note(format_args!("{} {text}", paint(ODD, "warning:")));
}

pub(crate) fn error(text: impl Display) {
    note(format_args!("{} {text}", paint(BAD, "error:")));
}

pub(crate) fn good(text: impl Display) -> String {
    paint(GOOD, text)
}

pub(crate) fn odd(text: impl Display) -> String {
    paint(ODD, text)
}

pub(crate) fn bad(text: impl Display) -> String {
    paint(BAD, text)
}

pub(crate) fn bold(text: impl Display) -> String {
    paint(BOLD, text)
}

pub(crate) fn faint(text: impl Display) -> String {
    paint(FAINT, text)
}

pub(crate) fn mark(text: impl Display) -> String {
    paint(MARK, text)
}

fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Text from outside as it can be shown: a transcript's control characters are not the terminal's.
pub(crate) fn plain(text: &str) -> String {
    let reorders = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = text.chars().map(|c| match c {
        '\n' | '\t' | '\r' => ' ',
        c if c.is_control() || reorders(c) => '\u{fffd}',
        c => c,
    });
    shown.collect()
}

/// Columns to write in: the terminal's, within what is comfortable to read.
pub(crate) fn width() -> usize {
    let terminal = io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
    terminal.map_or(100, |(columns, _)| usize::from(columns.0).clamp(40, 110))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\u{9b}c\nd\u{202e}e\u{7}"), "a\u{fffd}[2Jb\u{fffd}c d\u{fffd}e\u{fffd}");
        assert_eq!(plain("Zoë – 会議 👍🏽"), "Zoë – 会議 👍🏽");
    }
}
