//! What stands in a cue: the W3C's cue text tokenizer, reduced to what concerns speech. Styling goes, voices
//! and text stay. A `<` that begins no tag stays as it is, where the standard would swallow what follows.

use std::borrow::Cow;

use memchr::memchr2;

use super::{
    super::super::{lines::breaks, plain::MAX_LABEL_CHARS, times},
    entities::reference,
    squeeze,
};

/// What one voice says within a cue, its line ends still in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voice<'a> {
    pub speaker: Option<Cow<'a, str>>,
    pub text: Cow<'a, str>,
    /// Line ends of the payload before the text.
    pub lines_before: u32,
}

/// What about the markup a reader of the report should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Oddities {
    pub unknown_tag: bool,
    pub unclosed_tag: bool,
    pub long_label: bool,
}

/// The voices of a cue in their order; text that nobody is named for has no speaker. Blank text is left out.
pub fn voices<'a>(payload: &'a str, found: &mut Vec<Voice<'a>>) -> Oddities {
    if memchr2(b'<', b'&', payload.as_bytes()).is_none() {
        if !payload.trim().is_empty() {
            found.push(Voice { speaker: None, text: Cow::Borrowed(payload), lines_before: 0 });
        }
        return Oddities::default();
    }
    Tokenizer {
        found,
        open: Vec::new(),
        text: Cow::Borrowed(""),
        lines: 0,
        text_line: 0,
        odd: Oddities::default(),
    }
    .run(payload)
}

struct Tokenizer<'a, 'f> {
    found: &'f mut Vec<Voice<'a>>,
    /// The voices that are open, the innermost last.
    open: Vec<Option<Cow<'a, str>>>,
    /// Borrowed as long as no markup stands within it.
    text: Cow<'a, str>,
    lines: u32,
    text_line: u32,
    odd: Oddities,
}

impl<'a> Tokenizer<'a, '_> {
    fn run(mut self, payload: &'a str) -> Oddities {
        let mut rest = payload;
        while let Some(at) = memchr2(b'<', b'&', rest.as_bytes()) {
            self.push(&rest[..at]);
            rest = &rest[at..];
            let taken = if rest.starts_with('&') { self.reference(rest) } else { self.tag(rest) };
            rest = &rest[taken..];
        }
        self.push(rest);
        self.flush();
        self.odd
    }

    fn push(&mut self, text: &'a str) {
        if self.text.is_empty() {
            self.text_line = self.lines;
            self.text = Cow::Borrowed(text);
        } else if !text.is_empty() {
            self.text.to_mut().push_str(text);
        }
        self.lines += breaks(text);
    }

    /// A character that was written by a reference, which ends no line of the source.
    fn push_char(&mut self, c: char) {
        if self.text.is_empty() {
            self.text_line = self.lines;
        }
        self.text.to_mut().push(c);
    }

    /// Ends what the present voice says.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.trim().is_empty() {
            let blank = text.len() - text.trim_start().len();
            let lines = breaks(&text[..blank]);
            let speaker = self.open.last().cloned().flatten();
            self.found.push(Voice { speaker, text, lines_before: self.text_line + lines });
        }
    }

    fn reference(&mut self, rest: &str) -> usize {
        match reference(&rest[1..]) {
            Some((decoded, length)) => {
                self.push_char(decoded);
                length + 1
            }
            None => {
                self.push("&");
                1
            }
        }
    }

    /// Reads the tag at the head of `rest`, or keeps its `<` as text.
    fn tag(&mut self, rest: &'a str) -> usize {
        let closed = memchr2(b'<', b'>', &rest.as_bytes()[1..]).map(|at| at + 1);
        let Some(end) = closed.filter(|at| rest.as_bytes()[*at] == b'>') else {
            self.odd.unclosed_tag = true;
            self.push("<");
            return 1;
        };
        let inner = &rest[1..end];
        let (closing, body) = inner.strip_prefix('/').map_or((false, inner), |body| (true, body));
        let is_tag =
            body.is_empty() || body.starts_with(|first: char| first.is_ascii_alphabetic() || first == '.');
        if !is_tag {
            if is_timestamp(body) {
                return end + 1;
            }
            self.push("<");
            return 1;
        }
        let name_end = body.find(|c: char| c == '.' || c.is_whitespace()).unwrap_or(body.len());
        match (closing, &body[..name_end]) {
            (false, "v") => self.open_voice(body),
            (true, "v") => self.close_voice(),
            (_, "" | "b" | "c" | "i" | "u" | "lang" | "ruby" | "rt" | "font") => {}
            _ => self.odd.unknown_tag = true,
        }
        end + 1
    }

    fn open_voice(&mut self, body: &'a str) {
        self.flush();
        let label = body.find(char::is_whitespace).map_or("", |at| body[at..].trim());
        let label = if label.contains('&') {
            let mut decoded = Vec::new();
            voices(label, &mut decoded);
            Cow::Owned(decoded.iter().map(|voice| squeeze(&voice.text).into_owned()).collect())
        } else {
            squeeze(label)
        };
        let cut = label.char_indices().nth(MAX_LABEL_CHARS).map(|(at, _)| at);
        self.odd.long_label |= cut.is_some();
        let label = cut.map_or(label.clone(), |at| Cow::Owned(label[..at].to_owned()));
        self.open.push((!label.is_empty()).then_some(label));
    }

    fn close_voice(&mut self) {
        if !self.open.is_empty() {
            self.flush();
            self.open.pop();
        }
    }
}

fn is_timestamp(body: &str) -> bool {
    times::lenient(body.trim()).is_some_and(|(_, rest)| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &str) -> Vec<(Option<String>, String)> {
        let mut found = Vec::new();
        voices(payload, &mut found);
        found
            .into_iter()
            .map(|voice| (voice.speaker.map(Cow::into_owned), squeeze(&voice.text).into_owned()))
            .collect()
    }

    #[test]
    fn markup_goes_and_text_stays() {
        let cases = [
            ("Never drink liquid nitrogen.", "Never drink liquid nitrogen."),
            ("<b.first.loud>That's</b> <i>it</i>!", "That's it!"),
            ("one\ntwo\r\nthree", "one two three"),
            ("<ruby>It's a <rt>blue</rt></ruby> <lang en>tree</lang>", "It's a blue tree"),
            ("<00:01.000>Hee!<00:01.500> Hee!", "Hee! Hee!"),
            ("< 00:01.000>That's", "That's"),
            ("A &lt;b&gt; &amp;&nbsp;C &#65; &bogus; &am&lt;", "A <b> & C A &bogus; &am<"),
            ("I <3 you and 4 > 3", "I <3 you and 4 > 3"),
            ("a < b > c", "a < b > c"),
            ("This is </c awesome!", "This is </c awesome!"),
            ("<c>not closed", "not closed"),
            ("<>x</>", "x"),
            ("No </v> way", "No way"),
            ("x <y and <i>z</i>", "x <y and z"),
        ];
        for (payload, text) in cases {
            assert_eq!(read(payload), [(None, text.to_owned())], "{payload}");
        }
        assert_eq!(read("<i> </i>\n"), []);
    }

    #[test]
    fn voices_are_told_apart() {
        let anna = || Some("Anna Lee".to_owned());
        let ben = || Some("Ben & Co".to_owned());
        let cases = [
            ("<v Anna Lee>Hi.", vec![(anna(), "Hi.")]),
            ("<v.loud.first  Anna  Lee >Hi.</v> Yes.", vec![(anna(), "Hi."), (None, "Yes.")]),
            ("<v Anna Lee>Hi.\n<v Ben &amp; Co>Ho.", vec![(anna(), "Hi."), (ben(), "Ho.")]),
            (
                "<v Anna Lee>Hi <v Ben &amp; Co>ho</v> hi.",
                vec![(anna(), "Hi"), (ben(), "ho"), (anna(), "hi.")],
            ),
            ("<v>who?", vec![(None, "who?")]),
            ("<v Anna Lee></v>", vec![]),
        ];
        for (payload, expected) in cases {
            let expected: Vec<_> =
                expected.into_iter().map(|(speaker, text)| (speaker, text.to_owned())).collect();
            assert_eq!(read(payload), expected, "{payload}");
        }
    }

    #[test]
    fn odd_markup_is_told() {
        let mut found = Vec::new();
        assert!(voices("<bad>x</bad>", &mut found).unknown_tag);
        assert!(voices("<v Anna x", &mut found).unclosed_tag);
        assert_eq!(voices("<i>x</i>", &mut found), Oddities::default());
    }

    #[test]
    fn a_voice_knows_its_line() {
        let mut found = Vec::new();
        voices("<v A>one</v>\n<v B>two\ntwo</v>\n\n<v C>\nthree", &mut found);
        assert_eq!(found.iter().map(|voice| voice.lines_before).collect::<Vec<_>>(), [0, 1, 5]);
    }
}
