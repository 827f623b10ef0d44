//! Words without case, accents, width and ornament; letters of other scripts stay.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark, is_nfkc};

pub(super) fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(word.len());
    // Letter by letter: the final sigma is no letter of its own.
    for c in word.chars().flat_map(char::to_lowercase).filter(|c| !matches!(c, '\u{300}'..='\u{36f}')) {
        match plain(c) {
            Some(text) => folded.push_str(text),
            None => push_base(&mut folded, c),
        }
    }
    // Kana and Hangul of half width, and what is written in parts.
    let whole = |text: &str| text.nfkc().all(char::is_alphanumeric);
    if !is_nfkc(&folded) && whole(&folded) { folded.nfkc().collect() } else { folded }
}

/// Letters that are not made of another and a mark.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' | 'ǽ' | 'ǣ' => "ae",
        'œ' => "oe",
        'ø' | 'ǿ' => "o",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ł' => "l",
        'ħ' => "h",
        'ı' => "i",
        'ŋ' => "n",
        'ŧ' => "t",
        'ĸ' => "q",
        _ => return None,
    })
}

/// The letter under the marks, where that is ASCII; the character itself where not.
fn push_base(folded: &mut String, c: char) {
    if c.is_ascii() {
        folded.push(c);
        return;
    }
    let before = folded.len();
    for part in std::iter::once(c).nfkd().filter(|part| !is_combining_mark(*part)) {
        if !part.is_ascii_alphanumeric() {
            folded.truncate(before);
            folded.push(c);
            return;
        }
        folded.push(part.to_ascii_lowercase());
    }
    if folded.len() == before {
        folded.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn marks_and_case_go_and_other_scripts_stay() {
        for (word, folded) in [
            ("Straße", "strasse"),
            ("ÅNGSTRÖM", "angstrom"),
            ("Łódź", "lodz"),
            ("Ｆｕｌｌ", "full"),
            ("x²", "x2"),
            ("Τάξη", "τάξη"),
            ("йод", "йод"),
            ("İstanbul", "istanbul"),
            ("cafe\u{301}s", "cafes"),
        ] {
            assert_eq!(fold(word), folded);
        }
    }
}
