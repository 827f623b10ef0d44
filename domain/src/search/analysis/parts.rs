//! A word that runs on without spaces is a sentence to whoever reads Chinese or Japanese: what is looked for by it are its
//! parts, any of which will do.

use std::collections::HashSet;

use super::{Token, exact};

/// So many characters may stand as one word, and are looked for as they stand.
const LONGEST_WORD: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    /// Two of them make a word, mostly.
    Ideographs,
    /// Words from abroad, as long as they are.
    Katakana,
    /// What Japanese puts between words: endings, particles.
    Hiragana,
    /// Puts spaces between words, or has none to tell them by.
    Other,
}

/// By what a word is looked for: by itself, unless it runs on in ideographs and kana for long. Then pairs of ideographs
/// that stand next to each other, one that stands alone, and what is written in katakana or other letters; hiragana, in
/// pairs, where there is nothing else. Each is a piece of the word.
pub fn parts(word: &str) -> Vec<&str> {
    let tokens = exact(word);
    let scripts: Vec<Script> = scripts(word, &tokens);
    if scripts.iter().filter(|script| **script != Script::Other).count() <= LONGEST_WORD {
        return vec![word];
    }
    let runs = runs(&tokens, &scripts);
    let bears = |(script, _): &&(Script, &[Token])| *script != Script::Hiragana;
    let bearing: Vec<_> = runs.iter().filter(bears).collect();
    let looked_for = if bearing.is_empty() { runs.iter().collect() } else { bearing };
    let mut parts: Vec<&str> = Vec::new();
    for (script, run) in looked_for {
        let at_once = match script {
            Script::Ideographs | Script::Hiragana => run.len().min(2),
            Script::Katakana | Script::Other => run.len(),
        };
        parts.extend(run.windows(at_once).map(|part| &word[part[0].start..part[at_once - 1].end]));
    }
    let mut seen = HashSet::new();
    parts.retain(|part| seen.insert(*part));
    parts
}

/// Of each token.
fn scripts(word: &str, tokens: &[Token]) -> Vec<Script> {
    let mut scripts: Vec<Script> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let first = word[token.start..].chars().next().unwrap_or_default();
        // It makes a vowel long in either kana.
        let goes_on = matches!(first, 'ー' | 'ｰ').then(|| scripts.last().copied()).flatten();
        scripts.push(goes_on.unwrap_or_else(|| Script::of(first)));
    }
    scripts
}

impl Script {
    fn of(c: char) -> Self {
        match c {
            '\u{3041}'..='\u{309f}' => Self::Hiragana,
            '\u{30a0}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}' => Self::Katakana,
            '\u{2e80}'..='\u{2fdf}'
            | '\u{3005}'..='\u{3007}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{323af}' => Self::Ideographs,
            _ => Self::Other,
        }
    }
}

/// Tokens of one script that stand next to each other; letters of others also with a hyphen or the like between them.
fn runs<'a>(tokens: &'a [Token], scripts: &[Script]) -> Vec<(Script, &'a [Token])> {
    let mut runs = Vec::new();
    let mut begin = 0;
    for at in 1..=tokens.len() {
        let goes_on = at < tokens.len()
            && scripts[at] == scripts[begin]
            && (scripts[at] == Script::Other || tokens[at].start == tokens[at - 1].end);
        if !goes_on {
            runs.push((scripts[begin], &tokens[begin..at]));
            begin = at;
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_short_or_has_spaces_of_its_own_is_looked_for_as_it_stands() {
        for word in [
            "",
            "会议",
            "工资谈判",
            "会議室で",
            "データ",
            "회의에서는요",
            "ไปเที่ยวกัน",
            "e-mail",
            "Straßenbahn",
            "2026年3月",
        ] {
            assert_eq!(parts(word), [word]);
        }
    }

    #[test]
    fn what_runs_on_is_looked_for_by_its_parts() {
        assert_eq!(parts("下周的会议"), ["下周", "周的", "的会", "会议"]);
        assert_eq!(parts("来週の会議について話しましょう"), ["来週", "会議", "話"]);
        assert_eq!(parts("会議でデータベースの話"), ["会議", "データベース", "話"]);
        assert_eq!(parts("ﾃﾞｰﾀﾍﾞｰｽの設計"), ["ﾃﾞｰﾀﾍﾞｰｽ", "設計"]);
        assert_eq!(parts("2026年3月のroom-12会議,会議"), ["2026", "年", "3", "月", "room-12", "会議"]);
        assert_eq!(parts("らーめんとそば"), ["らー", "ーめ", "めん", "んと", "とそ", "そば"]);
        assert_eq!(parts("人々の意見を聞く"), ["人々", "意見", "聞"]);
    }

    proptest! {
        #[test]
        fn the_parts_of_a_word_stand_in_it_and_have_terms(
            word in "([会议話人のでしーﾞァデ회ไ々a1-][\u{3099}\u{301}]?|, ?){0,30}"
        ) {
            let parts = parts(&word);
            prop_assert!(!parts.is_empty());
            let terms = exact(&word);
            for part in parts.iter().filter(|_| !terms.is_empty()) {
                let of_part = exact(part);
                prop_assert!(word.contains(part) && !of_part.is_empty());
                let stands = |run: &[Token]| run.iter().zip(&of_part).all(|(a, b)| a.text == b.text);
                prop_assert!(terms.windows(of_part.len()).any(stands), "{part:?} in {word:?}");
            }
        }
    }
}
