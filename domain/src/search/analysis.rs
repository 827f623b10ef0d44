//! How text becomes terms, for documents, queries and highlights alike, whichever engine keeps them. Words are runs of
//! letters and digits; scripts that put no spaces between words give a term for each character, and a query word of
//! several terms is a phrase, so that any part of such text can be found. No word is too common to be looked for.
//!
//! A text has two lists of terms. The exact ones are its words without case, accents and width. The others stand for
//! any form of a word: its stem by the rules of the text's language, marked with that language, so that a stem of one
//! never meets another's. A word that is asked for is read by the rules of every language.

mod fold;
mod parts;
mod words;

use std::collections::HashSet;

use frostem::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;

pub use self::parts::parts;
use self::words::{Word, words};
use crate::language::Language;

/// In bytes; what is longer is no word.
const LONGEST_TERM: usize = 255;
/// What French writes before an apostrophe and runs into the next word.
const ELIDED: [&str; 14] =
    ["c", "d", "j", "jusqu", "l", "lorsqu", "m", "n", "puisqu", "qu", "quoiqu", "s", "t", "quelqu"];

/// By which rules words of a text become stems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rules {
    English,
    Spanish,
    French,
    German,
    Portuguese,
    /// A word is found in its own form alone.
    Plain,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    /// In words from the beginning of the text; those that have no term count.
    pub position: usize,
    /// In bytes of the text.
    pub start: usize,
    pub end: usize,
}

/// The words of a text as they stand.
pub fn exact(text: &str) -> Vec<Token> {
    tokens(text, |word| fold::fold(&word.text))
}

/// A word without case, accents and width, whatever it is a word of.
pub fn folded(word: &str) -> String {
    fold::fold(word)
}

/// The words of a text in any form, by the rules of its language; of one that is not known, by those of English.
pub fn stemmed(text: &str, language: Option<Language>) -> Vec<Token> {
    Rules::of(language).tokens(text)
}

/// The ways in which documents may hold a word in any form: by the rules of each language, none of them twice. Where
/// each begins and ends stands for nothing.
pub fn readings(word: &str) -> Vec<Vec<Token>> {
    let mut seen = HashSet::new();
    let mut readings: Vec<Vec<Token>> = Rules::ALL.into_iter().map(|rules| rules.tokens(word)).collect();
    readings.retain(|tokens| {
        let terms: Vec<(usize, String)> =
            tokens.iter().map(|token| (token.position, token.text.clone())).collect();
        !tokens.is_empty() && seen.insert(terms)
    });
    readings
}

impl Rules {
    const ALL: [Self; 6] =
        [Self::English, Self::Spanish, Self::French, Self::German, Self::Portuguese, Self::Plain];

    fn of(language: Option<Language>) -> Self {
        match language.as_ref().map_or("en", Language::as_str) {
            "en" => Self::English,
            "es" => Self::Spanish,
            "fr" => Self::French,
            "de" => Self::German,
            "pt" => Self::Portuguese,
            _ => Self::Plain,
        }
    }

    /// No word has a colon.
    fn mark(self) -> &'static str {
        match self {
            Self::English => "en:",
            Self::Spanish => "es:",
            Self::French => "fr:",
            Self::German => "de:",
            Self::Portuguese => "pt:",
            Self::Plain => "",
        }
    }

    fn stemmer(self) -> Option<Stemmer> {
        let algorithm = match self {
            Self::English => Algorithm::English,
            Self::Spanish => Algorithm::Spanish,
            Self::French => Algorithm::French,
            Self::German => Algorithm::German,
            Self::Portuguese => Algorithm::Portuguese,
            Self::Plain => return None,
        };
        Some(Stemmer::new(algorithm))
    }

    fn tokens(self, text: &str) -> Vec<Token> {
        let Some(stemmer) = self.stemmer() else {
            return exact(text);
        };
        let mut tokens = tokens(text, |word| self.stem(&stemmer, word));
        if self == Self::French {
            tokens.retain(|token| !is_elided(text, token));
        }
        tokens
    }

    /// Letters of other scripts, and digits, are in no language's charge.
    fn stem(self, stemmer: &Stemmer, word: &Word) -> String {
        let folded = fold::fold(&word.text);
        if !folded.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return folded;
        }
        let stem = match self {
            Self::English => stemmer.stem(&folded).into_owned(),
            // Their rules look at accents.
            _ => fold::fold(&stemmer.stem(&word.text.to_lowercase().nfc().collect::<String>())),
        };
        format!("{}{stem}", self.mark())
    }
}

fn is_elided(text: &str, token: &Token) -> bool {
    let rest = &text[token.end..];
    let runs_on = rest.strip_prefix(['\'', '\u{2019}', '\u{2bc}']);
    let runs_on = runs_on.is_some_and(|rest| rest.starts_with(char::is_alphabetic));
    runs_on && ELIDED.contains(&fold::fold(&text[token.start..token.end]).as_str())
}

fn tokens(text: &str, term: impl Fn(&Word) -> String) -> Vec<Token> {
    words(text)
        .enumerate()
        .filter(|(_, word)| word.text.len() < LONGEST_TERM)
        .map(|(position, word)| Token { text: term(&word), position, start: word.start, end: word.end })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(code: &str) -> Option<Language> {
        Some(code.parse().unwrap())
    }

    fn terms(tokens: Vec<Token>) -> Vec<String> {
        tokens.into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_are_lowered_folded_and_stemmed() {
        assert_eq!(
            terms(exact("Negotiating the RÉSUMÉS, e-mail 3.5")),
            ["negotiating", "the", "resumes", "e", "mail", "3", "5"]
        );
        assert_eq!(
            terms(stemmed("Negotiating negotiated salaries, 3 résumés", None)),
            ["en:negoti", "en:negoti", "en:salari", "3", "en:resum"]
        );
    }

    #[test]
    fn each_language_has_its_own_stems() {
        for (code, forms) in [
            ("es", ["negociación", "negociaciones", "Negociado"]),
            ("fr", ["négocier", "négociée", "Négociation"]),
            ("de", ["Verhandlung", "Verhandlungen", "verhandlung"]),
            ("pt", ["negociação", "negociações", "Negociando"]),
        ] {
            let stems: HashSet<String> =
                forms.iter().flat_map(|form| terms(stemmed(form, language(code)))).collect();
            assert_eq!(stems.len(), 1, "{code}: {stems:?}");
            assert!(stems.iter().all(|stem| stem.starts_with(code) && stem.is_ascii()), "{stems:?}");
        }
        assert_eq!(terms(stemmed("Huizen", language("nl"))), ["huizen"]);
    }

    #[test]
    fn an_article_that_runs_into_the_next_word_is_no_part_of_it() {
        let french = stemmed("L’avion d'aujourd'hui, l' a", language("fr"));
        assert_eq!(french.iter().map(|token| token.position).collect::<Vec<_>>(), [1, 3, 4, 5, 6]);
        assert_eq!(french[0].text, terms(stemmed("avions", language("fr")))[0]);
        assert_eq!(terms(exact("l'avion")), ["l", "avion"]);
    }

    #[test]
    fn a_word_is_read_by_the_rules_of_every_language_and_once_where_they_agree() {
        let all: Vec<Vec<String>> = readings("Plans").into_iter().map(terms).collect();
        assert_eq!(all, [["en:plan"], ["es:plans"], ["fr:plan"], ["de:plan"], ["pt:plans"], ["plans"]]);
        assert_eq!(readings("3.5").len(), 1);
        assert_eq!(readings("会議").len(), 1);
        assert_eq!(readings("?!").len(), 0);
    }

    #[test]
    fn all_lists_are_cut_at_the_same_places() {
        let text = format!("The coaches' feelings weren't {} hurt — 很好", "x".repeat(300));
        let places = |tokens: Vec<Token>| -> Vec<_> {
            tokens.into_iter().map(|t| (t.start, t.end, t.position)).collect()
        };
        for code in ["en", "es", "de", "pt", "ja"] {
            assert_eq!(places(stemmed(&text, language(code))), places(exact(&text)));
        }
    }

    #[test]
    fn no_term_has_a_space_a_colon_or_an_ellipsis_of_its_own() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|c| c.is_alphanumeric()) {
            for token in exact(&format!("a{c}b")) {
                let odd = token.text.chars().find(|c| c.is_whitespace() || matches!(c, '…' | ':'));
                assert_eq!(odd, None, "{c:?} gives {:?}", token.text);
            }
        }
    }
}
