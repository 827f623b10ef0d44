//! Terms as the server is given them. The domain makes them, and the server only has to cut at spaces: so every server
//! finds the same, whichever analyzers it has, and marks need no request.

use colloquy_domain::search::analysis::Token;

/// Stands in a document where a word has no term, so that its neighbours are not taken for each other's. No term has
/// such a character.
const GAP: &str = "…";

/// Which of the two fields a term is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Any form of the word, by the rules of a language.
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

/// The terms as a field's text.
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

#[cfg(test)]
mod tests {
    use colloquy_domain::search::analysis::exact;

    use super::joined;

    #[test]
    fn a_word_that_is_too_long_leaves_a_gap() {
        let text = format!("one {} two", "x".repeat(300));
        assert_eq!(joined(&exact(&text)), "one … two");
        assert_eq!(joined(&exact(&"x".repeat(300))), "");
    }
}
