//! Markdown: the speaker in bold, what means something to Markdown escaped, a comment that says whose it is.

use std::borrow::Cow;

use super::{super::lines::Lines, File, NOBODY, Said, bracketed, unbracketed, unescaped};

const HEAD: &str = "<!-- Colloquy transcript 1 -->";

/// What means something to Markdown wherever it stands, or at the head of a paragraph.
const SIGNS: [char; 16] = ['*', '_', '`', '[', ']', '<', '>', '#', '|', '~', '+', '-', '=', '&', '!', '$'];

pub(super) fn is_one(text: &str) -> bool {
    text.starts_with(HEAD)
}

pub(super) fn write(title: &str, said: &[Said<'_>]) -> String {
    let mut file = format!("{HEAD}\n\n# {}\n", escaped(title));
    for one in said {
        let speaker = match &one.speaker {
            // A question mark alone is nobody.
            Some(speaker) if speaker == NOBODY => "\\?".to_owned(),
            Some(speaker) => escaped(speaker),
            None => NOBODY.to_owned(),
        };
        let times = bracketed(one).map(|times| times + " ").unwrap_or_default();
        file.push_str(&format!("\n**{speaker}:** {times}{}\n", escaped(&one.text)));
    }
    file
}

/// Paragraphs keep the empty line between them. A number at the head would begin a list.
fn escaped(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let text = super::escaped(paragraph, &SIGNS);
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        match text[digits..].starts_with(['.', ')']) && digits > 0 {
            true => format!("{}\\{}", &text[..digits], &text[digits..]),
            false => text,
        }
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

pub(super) fn read(text: &str) -> Option<File<'_>> {
    let mut lines = Lines::new(text.trim_start_matches('\u{feff}'));
    lines.next().filter(|line| line.text == HEAD)?;
    let mut file = File::default();
    for line in lines.filter(|line| !line.text.is_empty()) {
        if file.title.is_none() && file.said.is_empty() && line.text.starts_with("# ") {
            file.title = Some(unescaped(&line.text[2..]).into_owned());
        } else if let Some(rest) = line.text.strip_prefix("**") {
            let (name, rest) = rest.split_once(":** ")?;
            let speaker = (name != NOBODY).then(|| unescaped(name));
            let (start_ms, end_ms, said) = unbracketed(rest);
            if said.trim().is_empty() || speaker.as_ref().is_some_and(|name| name.trim().is_empty()) {
                return None;
            }
            file.said.push((line.number, Said { speaker, text: unescaped(said), start_ms, end_ms }));
        } else {
            let text: &mut Cow<'_, str> = &mut file.said.last_mut()?.1.text;
            let text = text.to_mut();
            text.push_str("\n\n");
            text.push_str(&unescaped(line.text));
        }
    }
    Some(file)
}
