//! Finding somebody's names in what others wrote, and taking them out. Names are compared as people write them: without
//! case, accents and width, whatever stands between their words, and as whole words.

use serde_json::Value;

use super::MARK;
use crate::search::analysis;

/// Keys of JSON columns whose strings are people's words; all others are words of ours.
const SPOKEN: [&str; 8] =
    ["speakers", "reason", "message", "title_contains", "titleContains", "tags", "query", "name"];

#[derive(Debug, Clone)]
struct Phrase {
    letters: Vec<char>,
    /// It may be a word like any other, and means somebody only where it is not written small.
    is_part: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Names(Vec<Phrase>);

/// A letter as it is compared, and what of the text it stands for. What is between words is one space.
struct Letter {
    c: char,
    from: usize,
    to: usize,
    is_small: bool,
}

impl Names {
    /// A name is looked for as a whole, and each word of it where it is not written small; a label only as a whole, and one
    /// of a single word, such as `Coach` or `A`, where it is not written small.
    pub fn new<'a>(
        names: impl IntoIterator<Item = &'a str>,
        labels: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut phrases = Vec::new();
        for name in names {
            let whole = phrase(name);
            let words: Vec<_> = whole.split(|c| *c == ' ').map(<[char]>::to_vec).collect();
            if words.len() > 1 {
                let parts = words.into_iter().filter(|word| word.len() > 1);
                phrases.extend(parts.map(|letters| Phrase { letters, is_part: true }));
            }
            phrases.push(Phrase { letters: whole, is_part: false });
        }
        let labels = labels.into_iter().filter(|label| !label.starts_with(&MARK[..MARK.len() - 1]));
        phrases
            .extend(labels.map(phrase).map(|letters| Phrase { is_part: !letters.contains(&' '), letters }));
        phrases.retain(|phrase| phrase.letters.iter().any(|c| c.is_alphabetic()));
        // The longest first: a whole name goes before its parts.
        phrases.sort_by_key(|phrase| (usize::MAX - phrase.letters.len(), phrase.is_part));
        Self(phrases)
    }

    pub fn stand_in(&self, text: &str) -> bool {
        self.redact(text).is_some()
    }

    /// The text without them; `None` where none is in it.
    pub fn redact(&self, text: &str) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let letters = letters(text);
        let mut redacted = String::new();
        let (mut at, mut copied) = (0, 0);
        while at < letters.len() {
            let Some(length) = self.at(&letters, at) else {
                at += 1;
                continue;
            };
            redacted.push_str(&text[copied..letters[at].from]);
            redacted.push_str(MARK);
            copied = letters[at + length - 1].to;
            at += length;
        }
        (copied > 0).then(|| redacted + &text[copied..])
    }

    /// How many letters of a name begin here.
    fn at(&self, letters: &[Letter], at: usize) -> Option<usize> {
        let begins = at == 0 || !in_one_word(letters[at - 1].c, letters[at].c);
        if !begins {
            return None;
        }
        let stands = |phrase: &&Phrase| {
            let end = at + phrase.letters.len();
            let Some(here) = letters.get(at..end) else { return false };
            here.iter().map(|letter| letter.c).eq(phrase.letters.iter().copied())
                && !(phrase.is_part && here[0].is_small)
                && letters.get(end).is_none_or(|next| !in_one_word(here[here.len() - 1].c, next.c))
        };
        self.0.iter().find(stands).map(|phrase| phrase.letters.len())
    }

    /// Redacts what is people's words in a JSON value of ours; whether there was any.
    pub fn redact_json(&self, value: &mut Value) -> bool {
        self.walk(value, false)
    }

    fn walk(&self, value: &mut Value, spoken: bool) -> bool {
        match value {
            Value::String(text) if spoken => match self.redact(text) {
                Some(redacted) => {
                    *text = redacted;
                    true
                }
                None => false,
            },
            Value::Array(items) => items.iter_mut().fold(false, |any, item| self.walk(item, spoken) | any),
            Value::Object(fields) => fields.iter_mut().fold(false, |any, (key, item)| {
                self.walk(item, spoken || SPOKEN.contains(&key.as_str())) | any
            }),
            _ => false,
        }
    }
}

fn phrase(name: &str) -> Vec<char> {
    let letters: Vec<char> = letters(name).into_iter().map(|letter| letter.c).collect();
    let from = letters.iter().take_while(|c| **c == ' ').count();
    let to = letters.iter().rposition(|c| *c != ' ').map_or(from, |last| last + 1);
    letters[from..to].to_vec()
}

fn letters(text: &str) -> Vec<Letter> {
    let mut letters: Vec<Letter> = Vec::with_capacity(text.len());
    let mut one = [0; 4];
    for (from, c) in text.char_indices() {
        let to = from + c.len_utf8();
        let letter = |c: char, is_small: bool| Letter { c, from, to, is_small };
        if c.is_ascii_alphanumeric() {
            letters.push(letter(c.to_ascii_lowercase(), c.is_ascii_lowercase()));
            continue;
        }
        let folded = if c.is_ascii() { String::new() } else { analysis::folded(c.encode_utf8(&mut one)) };
        if c.is_alphanumeric() {
            letters.extend(folded.chars().map(|part| letter(part, c.is_lowercase())));
        } else if !c.is_ascii() && (folded.is_empty() || is_unseen(c)) {
            // A mark over the letter before it, or what nobody sees within a word.
            letters.last_mut().filter(|last| last.c != ' ').into_iter().for_each(|last| last.to = to);
        } else {
            match letters.last_mut() {
                Some(last) if last.c == ' ' => last.to = to,
                _ => letters.push(letter(' ', false)),
            }
        }
    }
    letters
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

fn in_one_word(a: char, b: char) -> bool {
    let both = |is: fn(char) -> bool| is(a) && is(b);
    both(char::is_numeric) || both(char::is_alphabetic) && !(is_dense(a) || is_dense(b))
}

/// Of scripts that put no spaces between words.
fn is_dense(c: char) -> bool {
    matches!(c as u32, 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x9FFF | 0xAC00..=0xD7AF | 0x20000..=0x3FFFF)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redacted(names: &[&str], text: &str) -> String {
        let names = Names::new(names.iter().copied(), []);
        names.redact(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn a_name_goes_however_it_is_written_and_nothing_else_does() {
        for (text, expected) in [
            ("I told Ana López so.", "I told [erased] so."),
            ("ana   lopez's desk, ANA-LO\u{301}PEZ!", "[erased]'s desk, [erased]!"),
            ("ana_lopez_2.vtt", "[erased]_2.vtt"),
            ("Ask Ana. Or López?", "Ask [erased]. Or [erased]?"),
            ("Anabel went to Montana", "Anabel went to Montana"),
            ("an ana of sorts", "an ana of sorts"),
            ("A\u{ad}na López", "[erased]"),
            ("", ""),
        ] {
            assert_eq!(redacted(&["Ana López"], text), expected, "{text:?}");
        }
        assert_eq!(redacted(&["李小龙"], "昨天李小龙来了"), "昨天[erased]来了");
        assert_eq!(redacted(&["Agent 1"], "agent 1 and Agent 12"), "[erased] and [erased] 12");
        assert_eq!(redacted(&["Straßer"], "strasser STRASSER Straßer"), "[erased] [erased] [erased]");
        assert_eq!(redacted(&["--", " "], "a -- b"), "a -- b");
    }

    #[test]
    fn a_label_is_looked_for_as_a_whole() {
        let names = Names::new([], ["Speaker 1", "[erased 2]"]);
        assert_eq!(names.redact("SPEAKER 1 spoke").as_deref(), Some("[erased] spoke"));
        assert_eq!(names.redact("Speaker 2, Speaker 12, a Speaker, erased 2"), None);
        let names = Names::new([], ["A", "Coach"]);
        assert_eq!(
            names.redact("a plan of my coach, for COACH and A").as_deref(),
            Some("a plan of my coach, for [erased] and [erased]")
        );
    }

    #[test]
    fn of_json_only_peoples_words_are_redacted() {
        let mut value = json!({ "format": "Merged", "speakers": ["Merged", "Ben"],
            "notes": [{ "action": "Merged", "reason": "of Merged" }] });
        assert!(Names::new(["Merged"], []).redact_json(&mut value));
        let expected = json!({ "format": "Merged", "speakers": ["[erased]", "Ben"],
            "notes": [{ "action": "Merged", "reason": "of [erased]" }] });
        assert_eq!(value, expected);
        assert!(!Names::new(["Nobody"], []).redact_json(&mut value));
    }
}
