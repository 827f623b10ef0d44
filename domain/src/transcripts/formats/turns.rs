//! Turns that a reader of lines gathers: a heading begins one, the lines below it are said in it, a blank
//! line makes a paragraph. Knows no format; what belongs to no turn is told.

use std::borrow::Cow;

use super::super::{
    Limits, Transcript, assemble,
    formats::webvtt::squeeze,
    lines::Line,
    markers::Mark,
    report::{Format, Place, SpeakerSource},
    spoken::{Piece, Source},
    times,
};
use crate::error::Problem;

pub(super) struct Turns<'a> {
    pub(super) source: Source<'a>,
    open: Option<Open<'a>>,
    /// Lines on end that belong to no turn.
    stray: Option<Place>,
    last_speaker: Option<&'a str>,
    begun: bool,
    blank: bool,
}

struct Open<'a> {
    speaker: Option<&'a str>,
    mark: Option<Mark>,
    place: Place,
    text: Cow<'a, str>,
}

impl<'a> Turns<'a> {
    pub(super) fn new(format: Format, limits: &Limits, found: SpeakerSource) -> Self {
        let source = Source::in_order(format, limits, found);
        Self { source, open: None, stray: None, last_speaker: None, begun: false, blank: true }
    }

    /// Whether a turn was begun.
    pub(super) fn begun(&self) -> bool {
        self.begun
    }

    /// Whether a blank line or nothing stands before the line that comes.
    pub(super) fn is_fresh(&self) -> bool {
        self.blank
    }

    pub(super) fn blank(&mut self) {
        self.blank = true;
    }

    /// Ends the open turn and begins one.
    pub(super) fn begin(
        &mut self,
        line: Line<'a>,
        speaker: Option<&'a str>,
        mark: Option<Mark>,
    ) -> Result<(), Problem> {
        self.close()?;
        (self.begun, self.blank, self.last_speaker) = (true, false, speaker);
        self.open = Some(Open { speaker, mark, place: line.number.into(), text: Cow::Borrowed("") });
        Ok(())
    }

    /// Goes on with the last speaker at another time.
    pub(super) fn go_on(&mut self, line: Line<'a>, mark: Mark) -> Result<(), Problem> {
        match &mut self.open {
            Some(open) if open.text.is_empty() && open.mark.is_none() => {
                open.mark = Some(mark);
                Ok(())
            }
            _ => self.begin(line, self.last_speaker, Some(mark)),
        }
    }

    /// What is said on a line, or on the rest of one.
    pub(super) fn say(&mut self, line: Line<'a>, said: &'a str) -> Result<(), Problem> {
        let (fresh, said) = (std::mem::take(&mut self.blank), squeeze(said));
        if said.is_empty() {
            return Ok(());
        }
        let Some(open) = &mut self.open else {
            return self.stray(line.number, fresh);
        };
        open.place.end_line = line.number;
        if open.text.is_empty() {
            open.text = said;
        } else {
            let text = open.text.to_mut();
            text.push_str(if fresh { "\n\n" } else { " " });
            text.push_str(&said);
        }
        Ok(())
    }

    /// A line that is no speech; the open turn goes on after it.
    pub(super) fn aside(&mut self, line: Line<'_>, reason: &'static str) -> Result<(), Problem> {
        self.tell_stray()?;
        self.blank = true;
        self.source.log.aside(line.number, reason);
        Ok(())
    }

    /// Ends the open turn; what follows belongs to none until the next begins.
    pub(super) fn close(&mut self) -> Result<(), Problem> {
        self.tell_stray()?;
        let Some(Open { speaker, mark, place, text }) = self.open.take() else {
            return Ok(());
        };
        if text.is_empty() {
            return self.source.skip(place, "nothing is said below the heading");
        }
        let start = mark.map(|mark| mark.start);
        let end = mark.and_then(|mark| mark.end);
        if end.is_some() && end < start {
            self.source.log.warning(place, "the turn ends before it starts: its end was left out");
        }
        self.source.push(Piece {
            speaker: speaker.map(Cow::Borrowed),
            text,
            start,
            end: end.filter(|end| Some(*end) >= start),
            place,
            opens: true,
            turns: true,
        })
    }

    pub(super) fn finish(mut self) -> Result<Transcript, Problem> {
        self.close()?;
        assemble::transcript(self.source)
    }

    fn stray(&mut self, line: u32, fresh: bool) -> Result<(), Problem> {
        if fresh {
            self.tell_stray()?;
        }
        let first = self.stray.map_or(line, |stray| stray.line);
        self.stray = Some(Place::lines(first, line));
        Ok(())
    }

    fn tell_stray(&mut self) -> Result<(), Problem> {
        match self.stray.take() {
            Some(place) => self.source.skip(place, "the text belongs to no turn"),
            None => Ok(()),
        }
    }
}

/// A speaker and a time on a line of their own, two blanks or more between them: `Anna Lee  0:03`.
pub(super) struct NameAndTime<'a> {
    pub(super) name: &'a str,
    pub(super) mark: Mark,
    /// What stands between the two.
    pub(super) gap: &'a str,
}

const MAX_NAME_CHARS: usize = 100;

pub(super) fn name_and_time(line: &str) -> Option<NameAndTime<'_>> {
    let line = line.trim();
    if !line.ends_with(|last: char| last.is_ascii_digit()) {
        return None;
    }
    let at = line.rfind(char::is_whitespace)?;
    let time_at = at + line[at..].chars().next().map_or(0, char::len_utf8);
    let (start, "") = times::lenient(&line[time_at..])? else {
        return None;
    };
    let name = line[..time_at].trim_end();
    let gap = &line[name.len()..time_at];
    let wide = gap.contains('\t') || gap.chars().nth(1).is_some();
    (wide && is_name(name)).then_some(NameAndTime { name, mark: Mark { start, end: None }, gap })
}

/// What may be a name on a line of its own.
pub(super) fn is_name(name: &str) -> bool {
    name.chars().count() <= MAX_NAME_CHARS
        && name.contains(char::is_alphabetic)
        && name.starts_with(|first: char| first.is_alphanumeric() || matches!(first, '@' | '+' | '(' | '['))
        && !name.ends_with(['?', '!', ':', ',', ';'])
        && (!name.ends_with('.') || ends_in_abbreviation(name))
        && times::lenient(name).is_none()
}

/// `Anna L.`, `Sam Ode Jr.`: names end in a full stop, too.
fn ends_in_abbreviation(name: &str) -> bool {
    let Some((before, last)) = name.trim_end_matches('.').rsplit_once(' ') else { return false };
    let short =
        matches!(last, "Jr" | "Sr" | "Esq") || (last.len() == 1 && last.starts_with(char::is_uppercase));
    short && !before.ends_with(['.', '?', '!', ',']) || matches!(last, "Jr" | "Sr") && before.ends_with(',')
}

/// What documents put above a talk: its date, its length.
pub(super) fn head_matter(line: &str) -> Option<&'static str> {
    let line = line.trim();
    if is_length(line) {
        return Some("the length of the recording");
    }
    if is_date(line) {
        return Some("the date of the recording");
    }
    None
}

/// `32m 10s`, `1h 2m`
fn is_length(line: &str) -> bool {
    let mut parts = line.split_whitespace().peekable();
    parts.peek().is_some()
        && parts.all(|part| {
            let number = part.trim_end_matches(['h', 'm', 's']);
            !number.is_empty()
                && number.len() + 1 == part.len()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// A short line with a year and a day in it.
fn is_date(line: &str) -> bool {
    let mut numbers = line.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
    let year = |number: &str| number.len() == 4 && (number.starts_with("19") || number.starts_with("20"));
    line.len() <= 80 && numbers.clone().any(year) && numbers.any(|number| number.len() <= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_time_have_a_gap_between_them() {
        for (line, name, start) in [
            ("Anna Lee  0:03", "Anna Lee", 3_000),
            ("Lee, Anna (Guest)   1:02:03 ", "Lee, Anna (Guest)", 3_723_000),
            ("Anna\t12:03", "Anna", 723_000),
            ("Anna L.  12:03", "Anna L.", 723_000),
            ("Ode, Sam Jr.  12:03", "Ode, Sam Jr.", 723_000),
            ("Anna\u{a0}\u{a0}12:03", "Anna", 723_000),
        ] {
            let found = name_and_time(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((found.name, found.mark.start.0), (name, start), "{line}");
        }
        for line in
            ["We met at 10:30", "Anna", "0:03", "Yes.  0:03", "Anna  0:03 x", "Anna  3", "0:01  0:03", ""]
        {
            assert!(name_and_time(line).is_none(), "{line}");
        }
    }

    #[test]
    fn dates_and_lengths_are_known() {
        for line in ["32m 10s", "1h 2m 3s", "May 12, 2024, 2:00PM", "Mon, 12.05.2024", "2024-05-12"] {
            assert!(head_matter(line).is_some(), "{line}");
        }
        for line in ["m", "h m s", "Weekly talk", "In 2024 we sold much", "2024", ""] {
            assert!(head_matter(line).is_none(), "{line}");
        }
    }
}
