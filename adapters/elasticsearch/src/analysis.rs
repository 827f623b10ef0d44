//! How text becomes terms, for documents, queries and highlights alike. It is done here, and the server is given
//! terms with spaces between them, which it only has to cut at those: so every server finds the same, whichever
//! analyzers it has, marks need no request, and the rules are the embedded engine's. Words are runs of letters and
//! digits; scripts that put no spaces between words give a term for each character.

mod fold;

use std::{iter::Peekable, str::CharIndices};

use frostem::{Algorithm, Stemmer};

/// In bytes; what is longer is no word.
const LONGEST_TERM: usize = 255;
/// Stands in a document where a word was too long, so that its neighbours are not taken for each other's. No term has
/// such a character.
const GAP: &str = "…";

/// Which of the two fields a term is of. Both are cut at the same places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Any form of the word: its English stem.
    Stemmed,
    /// The word as it stands, without case and accents.
    Exact,
}

impl Form {
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Stemmed => "stemmed",
            Self::Exact => "exact",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// In words from the beginning of the text; those that are too long count.
    pub(crate) position: usize,
    /// In bytes of the text.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The terms of a text in order, with where they stand.
pub(crate) fn tokens(form: Form, text: &str) -> Vec<Token> {
    let stemmer = Stemmer::new(Algorithm::English);
    let words = Words { chars: text.char_indices().peekable() }.enumerate();
    words
        .filter(|(_, word)| word.text.len() < LONGEST_TERM)
        .map(|(position, word)| {
            let folded = fold::fold(&word.text);
            let text = match form {
                Form::Exact => folded,
                Form::Stemmed => stemmer.stem(&folded).into_owned(),
            };
            Token { text, position, start: word.start, end: word.end }
        })
        .collect()
}

/// The terms as a field's text, which the server cuts at the spaces.
pub(crate) fn joined(tokens: &[Token]) -> String {
    let mut text = String::new();
    let mut next = tokens.first().map_or(0, |first| first.position);
    for token in tokens {
        while next < token.position {
            text.push_str(GAP);
            text.push(' ');
            next += 1;
        }
        text.push_str(&token.text);
        text.push(' ');
        next += 1;
    }
    text.truncate(text.trim_end().len());
    text
}

struct Word {
    text: String,
    start: usize,
    end: usize,
}

struct Words<'a> {
    chars: Peekable<CharIndices<'a>>,
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let (start, first) = self.chars.find(|(_, c)| c.is_alphanumeric())?;
        let mut word = Word { text: first.to_string(), start, end: start + first.len_utf8() };
        let whole = is_unspaced(first);
        while let Some((at, c)) = self.chars.next_if(|&(_, c)| is_accent(c) || !whole && continues(c)) {
            // An accent that stands apart belongs to its letter, with which it would be folded away.
            if !is_accent(c) {
                word.text.push(c);
            }
            word.end = at + c.len_utf8();
        }
        Some(word)
    }
}

fn continues(c: char) -> bool {
    c.is_alphanumeric() && !is_unspaced(c)
}

/// Combining diacritical marks.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Scripts written without spaces between words, and Hangul, whose particles cling to the word.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}'     // Thai, Lao
        | '\u{1000}'..='\u{109f}'   // Myanmar
        | '\u{1100}'..='\u{11ff}'   // Hangul letters
        | '\u{1780}'..='\u{17ff}'   // Khmer
        | '\u{2e80}'..='\u{2fdf}'   // radicals
        | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{318f}'   // kana, Bopomofo, Hangul letters
        | '\u{31a0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'   // ideographs
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}'   // Hangul syllables
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(form: Form, text: &str) -> Vec<String> {
        tokens(form, text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_are_lowered_folded_and_stemmed() {
        assert_eq!(
            terms(Form::Exact, "Negotiating the RÉSUMÉS, e-mail 3.5"),
            ["negotiating", "the", "resumes", "e", "mail", "3", "5"]
        );
        assert_eq!(terms(Form::Stemmed, "Negotiating negotiated salaries"), ["negoti", "negoti", "salari"]);
    }

    #[test]
    fn an_accent_that_stands_apart_is_as_one_that_does_not() {
        let apart = "cafe\u{301}s!";
        assert_eq!(terms(Form::Exact, apart), terms(Form::Exact, "cafés"));
        assert_eq!(&apart[..tokens(Form::Exact, apart)[0].end], "cafe\u{301}s");
    }

    #[test]
    fn unspaced_scripts_give_a_term_for_each_character() {
        assert_eq!(terms(Form::Exact, "来週の会議room3"), ["来", "週", "の", "会", "議", "room3"]);
        assert_eq!(terms(Form::Exact, "회의"), ["회", "의"]);
    }

    #[test]
    fn a_word_that_is_too_long_leaves_a_gap() {
        let text = format!("one {} two", "x".repeat(300));
        assert_eq!(joined(&tokens(Form::Exact, &text)), "one … two");
        assert_eq!(joined(&tokens(Form::Exact, &"x".repeat(300))), "");
    }

    #[test]
    fn no_term_has_a_space_or_the_sign_of_a_gap() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|c| c.is_alphanumeric()) {
            for token in tokens(Form::Exact, &format!("a{c}b")) {
                let odd = token.text.chars().find(|c| c.is_whitespace() || *c == '…');
                assert_eq!(odd, None, "{c:?} gives {:?}", token.text);
            }
        }
    }
}
