//! Where the words of a text begin and end.

use std::{iter::Peekable, str::CharIndices};

pub(super) struct Word {
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

pub(super) fn words(text: &str) -> impl Iterator<Item = Word> {
    Words { chars: text.char_indices().peekable() }
}

struct Words<'a> {
    chars: Peekable<CharIndices<'a>>,
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let (start, first) = self.chars.find(|(_, c)| c.is_alphanumeric() && !is_sound_mark(*c))?;
        let mut word = Word { text: first.to_string(), start, end: start + first.len_utf8() };
        let whole = is_unspaced(first);
        let belongs = |c: char| match whole {
            // A letter apart from its mark, a syllable in its letters: one character, however it is written.
            true => is_sound_mark(c) || is_leading(first) && is_following(c),
            false => c.is_alphanumeric() && !is_unspaced(c),
        };
        while let Some((at, c)) = self.chars.next_if(|&(_, c)| is_accent(c) || belongs(c)) {
            // An accent stays with its letter: rules of a language may look at it, and it is folded away at the end.
            word.text.push(c);
            word.end = at + c.len_utf8();
        }
        Some(word)
    }
}

/// Combining diacritical marks.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Marks of kana that stand apart.
fn is_sound_mark(c: char) -> bool {
    matches!(c, '\u{3099}' | '\u{309a}' | '\u{ff9e}' | '\u{ff9f}')
}

/// Hangul letters that begin a syllable, and those that go on with it.
fn is_leading(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115f}')
}

fn is_following(c: char) -> bool {
    matches!(c, '\u{1160}'..='\u{11ff}')
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
        | '\u{ff66}'..='\u{ffdc}'   // kana and Hangul letters of half width
        | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::super::exact;

    fn terms(text: &str) -> Vec<String> {
        exact(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn an_accent_that_stands_apart_is_as_one_that_does_not() {
        let apart = "cafe\u{301}s!";
        assert_eq!(terms(apart), terms("cafés"));
        assert_eq!(&apart[..exact(apart)[0].end], "cafe\u{301}s");
        let stem = |text| super::super::stemmed(text, "es".parse().ok())[0].text.clone();
        assert_eq!(stem("negociacio\u{301}n"), stem("negociación"));
    }

    #[test]
    fn unspaced_scripts_give_a_term_for_each_character() {
        assert_eq!(terms("来週の会議room3"), ["来", "週", "の", "会", "議", "room3"]);
        assert_eq!(terms("회의"), ["회", "의"]);
    }

    #[test]
    fn width_and_parts_of_a_character_make_no_difference() {
        assert_eq!(terms("ﾃﾞｰﾀﾍﾞｰｽ"), terms("データベース"));
        assert_eq!(terms("か\u{3099}"), ["が"]);
        assert_eq!(terms("\u{1112}\u{116c}\u{110b}\u{1174}"), ["회", "의"]);
        assert_eq!(terms("Ｒｏｏｍ３"), ["room3"]);
    }
}
