//! Plain text: one paragraph a turn, its times and speaker before it, an empty line between turns. A paragraph of
//! a turn is a line.

use super::{super::lines::Lines, File, Said, bracketed, label, labelled, unbracketed};

const HEAD: &str = "Colloquy transcript 1: ";

pub(super) fn is_one(text: &str) -> bool {
    text.starts_with(HEAD)
}

pub(super) fn write(title: &str, said: &[Said<'_>]) -> String {
    let mut file = format!("{HEAD}{title}\n");
    for one in said {
        let times = bracketed(one).map(|times| times + " ").unwrap_or_default();
        let text = one.text.replace("\n\n", "\n");
        file.push_str(&format!("\n{times}{}: {text}\n", label(one.speaker.as_deref())));
    }
    file
}

pub(super) fn read(text: &str) -> Option<File<'_>> {
    let mut lines = Lines::new(text.trim_start_matches('\u{feff}'));
    let title = lines.next()?.text.strip_prefix(HEAD)?;
    let mut file = File { title: Some(title.to_owned()), said: Vec::new() };
    let mut begins = false;
    for line in lines {
        if line.text.is_empty() {
            begins = true;
        } else if begins {
            let (start_ms, end_ms, rest) = unbracketed(line.text);
            let (speaker, said) = labelled(rest).filter(|(_, said)| !said.trim().is_empty())?;
            file.said.push((line.number, Said { speaker, text: said.into(), start_ms, end_ms }));
            begins = false;
        } else {
            let text = file.said.last_mut()?.1.text.to_mut();
            text.push_str("\n\n");
            text.push_str(line.text);
        }
    }
    Some(file)
}
