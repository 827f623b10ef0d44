//! What counts in a text file of Praat: numbers and quoted labels that stand free. The words of the long form
//! are there for people; words that are not Praat's are told.

use std::borrow::Cow;

use memchr::{memchr2, memchr3};

use super::super::super::{lines::breaks, report::Place};

pub(super) enum Token<'a> {
    Number(f64),
    Label {
        text: Cow<'a, str>,
        place: Place,
        closed: bool,
    },
    /// None of the format's.
    Word {
        line: u32,
    },
}

/// The numbers, labels and unknown words of a file in their order.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    fn skip_blanks(&mut self) {
        let bytes = self.text.as_bytes();
        let blanks =
            bytes[self.at..].iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b).count();
        if blanks > 0 {
            self.line += breaks(&self.text[self.at..self.at + blanks]);
            self.at += blanks;
        }
    }

    /// The label whose opening quote is at hand. Where the next line is one of the long form's heads,
    /// the closing quote is missing.
    fn label(&mut self) -> Token<'a> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let (mut from, mut doubled) = (start, false);
        let (end, next, closed) = loop {
            let Some(at) = memchr3(b'"', b'\n', b'\r', &bytes[from..]).map(|at| from + at) else {
                break (bytes.len(), bytes.len(), false);
            };
            from = at + 1;
            match bytes[at] {
                b'"' if bytes.get(at + 1) == Some(&b'"') => (from, doubled) = (at + 2, true),
                b'"' => break (at, at + 1, true),
                _ if is_head(&self.text[at + 1..]) => break (at, at, false),
                _ => {}
            }
        };
        let raw = &self.text[start..end];
        let first = self.line;
        self.line += breaks(raw);
        self.at = next;
        let text = if doubled { Cow::Owned(raw.replace("\"\"", "\"")) } else { Cow::Borrowed(raw) };
        Token::Label { text, place: Place::lines(first, self.line), closed }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.skip_blanks();
            let rest = &self.text[self.at..];
            match rest.as_bytes().first()? {
                b'"' => return Some(self.label()),
                b'!' => self.at += memchr2(b'\n', b'\r', rest.as_bytes()).unwrap_or(rest.len()),
                _ => {
                    let length =
                        rest.bytes().position(|byte| byte.is_ascii_whitespace()).unwrap_or(rest.len());
                    let word = &rest[..length];
                    self.at += length;
                    if let Some(number) = number(word) {
                        return Some(Token::Number(number));
                    }
                    if !is_own(word) {
                        return Some(Token::Word { line: self.line });
                    }
                }
            }
        }
    }
}

/// A number that stands free; words like `inf` are none.
fn number(word: &str) -> Option<f64> {
    let numeric = word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    numeric.then(|| word.parse().ok()).flatten()
}

/// `intervals [3]:`, `points [3]:`, `item [2]:` at the head of a line.
fn is_head(text: &str) -> bool {
    // The other half of a line's end, and no more: labels of empty lines are not run through again at each of them.
    let text = text.strip_prefix('\n').unwrap_or(text).trim_start_matches([' ', '\t']);
    let rest = ["intervals [", "points [", "item ["].iter().find_map(|word| text.strip_prefix(word));
    rest.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        .is_some_and(|rest| rest.starts_with("]:"))
}

fn is_own(word: &str) -> bool {
    let known = [
        "=",
        "xmin",
        "xmax",
        "text",
        "intervals",
        "intervals:",
        "size",
        "class",
        "name",
        "item",
        "[]:",
        "points",
        "points:",
        "number",
        "mark",
        "time",
        "value",
        "tiers?",
        "<exists>",
        "<absent>",
        "File",
        "type",
        "Object",
    ];
    known.contains(&word)
        || word
            .strip_prefix('[')
            .and_then(|word| word.strip_suffix("]:"))
            .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        let tokens = Tokens::new(text).map(|token| match token {
            Token::Number(number) => number.to_string(),
            Token::Label { text, place, closed } => {
                format!("{text:?} {}-{}{}", place.line, place.end_line, if closed { "" } else { " open" })
            }
            Token::Word { line } => format!("word {line}"),
        });
        tokens.collect()
    }

    #[test]
    fn numbers_and_labels_count_and_known_words_do_not() {
        assert_eq!(
            tokens("xmin = 0.5 ! a 7 \"comment\"\nintervals [12]:\r\n  text = \"a \"\"b\"\"\nc\" oops 1e3"),
            ["0.5", "\"a \\\"b\\\"\\nc\" 3-4", "word 4", "1000"]
        );
    }

    #[test]
    fn a_missing_quote_ends_a_label_at_the_next_head() {
        assert_eq!(
            tokens("text = \"one\n    intervals [2]:\n text = \"two\" \n text = \"cut"),
            ["\"one\" 1-1 open", "\"two\" 3-3", "\"cut\" 4-4 open"]
        );
    }
}
