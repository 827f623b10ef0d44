//! SubRip, whose files cannot say anything about themselves. So the blanks after a cue's times do, which players
//! pass over: two of them, one more where nobody is named, two more where the end and four more where the
//! start is not the cue's own. A paragraph is a line.

use std::borrow::Cow;

use super::{
    super::{
        lines::{Line, Lines},
        times,
    },
    File, Own, Said, label, labelled, shown, stamp,
};

const BLANKS: usize = 2;
const UNNAMED: usize = 1;
const NO_END: usize = 2;
const NO_START: usize = 4;

pub(super) fn write(said: &[Said<'_>]) -> String {
    let mut file = String::new();
    for ((at, one), (start, end, own)) in said.iter().enumerate().zip(shown(said)) {
        let more = [(one.speaker.is_none(), UNNAMED), (!own.end, NO_END), (!own.start, NO_START)];
        let blanks =
            BLANKS + more.iter().filter(|(holds, _)| *holds).map(|(_, blanks)| blanks).sum::<usize>();
        let times = format!("{} --> {}{}", stamp(start, ','), stamp(end, ','), " ".repeat(blanks));
        let text = one.text.replace("\n\n", "\n");
        let text = match &one.speaker {
            Some(speaker) => format!("{}: {text}", label(Some(speaker))),
            None => text,
        };
        file.push_str(&format!("{}\n{times}\n{text}\n\n", at + 1));
    }
    file
}

/// Whether the first cue is as those of an export are.
pub(super) fn is_one(text: &str) -> bool {
    let mut lines = Lines::new(text).skip_while(|line| line.text.is_empty());
    lines.next().is_some_and(|line| line.text == "1") && lines.next().and_then(timing).is_some()
}

pub(super) fn read(text: &str) -> Option<File<'_>> {
    let mut lines = Lines::new(text.trim_start_matches('\u{feff}')).peekable();
    let mut file = File::default();
    while lines.next_if(|line| line.text.is_empty()).is_some() {}
    while let Some(number) = lines.next() {
        if number.text != (file.said.len() + 1).to_string() {
            return None;
        }
        let (start, end, blanks) = timing(lines.next()?)?;
        let own = Own { start: blanks & NO_START == 0, end: blanks & NO_END == 0 };
        let first = lines.next().filter(|line| !line.text.is_empty())?;
        let (speaker, said) = match blanks & UNNAMED != 0 {
            true => (None, first.text),
            false => labelled(first.text).filter(|(speaker, _)| speaker.is_some())?,
        };
        let mut text = Cow::Borrowed(said);
        while let Some(more) = lines.next_if(|line| !line.text.is_empty()) {
            let text = text.to_mut();
            text.push_str("\n\n");
            text.push_str(more.text);
        }
        while lines.next_if(|line| line.text.is_empty()).is_some() {}
        let (start_ms, end_ms) = own.only(start, end);
        file.said.push((first.number, Said { speaker, text, start_ms, end_ms }));
    }
    (!file.said.is_empty()).then_some(file)
}

/// The times of a cue and how many more than the least of blanks follow them.
fn timing(line: Line<'_>) -> Option<(crate::time::Millis, crate::time::Millis, usize)> {
    let times = line.text.trim_end_matches(' ');
    let span = times::lenient_span(times).filter(|span| span.rest.is_empty() && span.odd.is_none())?;
    let blanks = (line.text.len() - times.len()).checked_sub(BLANKS)?;
    (blanks < 8).then_some((span.start, span.end, blanks))
}
