//! How text becomes terms, for documents, queries and highlights alike. Words are runs of letters and digits;
//! scripts that put no spaces between words give a term for each character, and a query word of several
//! terms is a phrase, so that any part of such text can be found. No word is too common to be looked for.

use std::{iter::Peekable, str::CharIndices};

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, RemoveLongFilter, Stemmer, TextAnalyzer, Token, TokenStream,
    Tokenizer,
};

pub(crate) const STEMMED: &str = "colloquy_stemmed";
pub(crate) const EXACT: &str = "colloquy_exact";
/// In bytes; what is longer is no word.
const LONGEST_TERM: usize = 255;

/// The two analyzers. They cut at the same places and differ only in the terms.
#[derive(Clone)]
pub(crate) struct Analysis {
    pub(crate) stemmed: TextAnalyzer,
    pub(crate) exact: TextAnalyzer,
}

impl Default for Analysis {
    fn default() -> Self {
        let words = || {
            TextAnalyzer::builder(Words)
                .filter(RemoveLongFilter::limit(LONGEST_TERM))
                .filter(LowerCaser)
                .filter(AsciiFoldingFilter)
        };
        Self { stemmed: words().filter(Stemmer::new(Language::English)).build(), exact: words().build() }
    }
}

/// The terms of a text in order, with where they stand.
pub(crate) fn tokens(analyzer: &mut TextAnalyzer, text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    analyzer.token_stream(text).process(&mut |token| tokens.push(token.clone()));
    tokens
}

#[derive(Clone)]
struct Words;

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        WordStream { chars: text.char_indices().peekable(), token: Token::default() }
    }
}

struct WordStream<'a> {
    chars: Peekable<CharIndices<'a>>,
    token: Token,
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((start, first)) = self.chars.find(|(_, c)| c.is_alphanumeric()) else {
            return false;
        };
        self.token.text.clear();
        self.token.text.push(first);
        self.token.offset_from = start;
        self.token.offset_to = start + first.len_utf8();
        self.token.position = self.token.position.wrapping_add(1);
        let whole = is_unspaced(first);
        while let Some((at, c)) = self.chars.next_if(|&(_, c)| is_accent(c) || !whole && continues(c)) {
            // An accent that stands apart belongs to its letter, with which it would be folded away.
            if !is_accent(c) {
                self.token.text.push(c);
            }
            self.token.offset_to = at + c.len_utf8();
        }
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
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

    fn terms(analyzer: &mut TextAnalyzer, text: &str) -> Vec<String> {
        tokens(analyzer, text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_are_lowered_folded_and_stemmed() {
        let Analysis { mut stemmed, mut exact } = Analysis::default();
        assert_eq!(
            terms(&mut exact, "Negotiating the RÉSUMÉS, e-mail 3.5"),
            ["negotiating", "the", "resumes", "e", "mail", "3", "5"]
        );
        assert_eq!(terms(&mut stemmed, "Negotiating negotiated salaries"), ["negoti", "negoti", "salari"]);
    }

    #[test]
    fn an_accent_that_stands_apart_is_as_one_that_does_not() {
        let mut exact = Analysis::default().exact;
        let apart = "cafe\u{301}s!";
        assert_eq!(terms(&mut exact, apart), terms(&mut exact, "cafés"));
        assert_eq!(&apart[..tokens(&mut exact, apart)[0].offset_to], "cafe\u{301}s");
    }

    #[test]
    fn unspaced_scripts_give_a_term_for_each_character() {
        let mut exact = Analysis::default().exact;
        assert_eq!(terms(&mut exact, "来週の会議room3"), ["来", "週", "の", "会", "議", "room3"]);
        assert_eq!(terms(&mut exact, "회의"), ["회", "의"]);
    }

    #[test]
    fn both_analyzers_cut_at_the_same_places() {
        let Analysis { mut stemmed, mut exact } = Analysis::default();
        let text = format!("The coaches' feelings weren't {} hurt — 很好", "x".repeat(300));
        let places = |tokens: Vec<Token>| -> Vec<_> {
            tokens.into_iter().map(|t| (t.offset_from, t.offset_to, t.position)).collect()
        };
        assert_eq!(places(tokens(&mut stemmed, &text)), places(tokens(&mut exact, &text)));
    }
}
