//! Words and sentences of spoken text: Unicode's boundaries (UAX 29), mended where speech and transcripts
//! differ from prose.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// A sentence is cut (at white space) when it gets longer; speech without punctuation would have no end.
pub(super) const MAX_SENTENCE_BYTES: usize = 480;

/// What follows is still the same sentence: "Dr. Novak".
const ABBREVIATIONS: [&str; 10] = ["mr", "mrs", "ms", "dr", "prof", "vs", "st", "jr", "sr", "approx"];

/// Marks that a transcriber put in, not words that were said: `[laughs]`, `{disfmarker}`, `(inaudible)`.
const SOUNDS: [&str; 16] = [
    "laughs",
    "laughter",
    "laughing",
    "laugh",
    "inaudible",
    "crosstalk",
    "pause",
    "sighs",
    "applause",
    "music",
    "coughs",
    "chuckles",
    "silence",
    "unclear",
    "indistinct",
    "noise",
];
const MAX_MARK_BYTES: usize = 60;

/// Appends `word` in lower case, with straight apostrophes and without the space in a parted contraction.
pub(super) fn fold_into(folded: &mut String, word: &str) {
    for letter in word.chars() {
        match letter {
            '\u{2018}' | '\u{2019}' | '\u{02BC}' | '\u{FF07}' => folded.push('\''),
            ' ' => {}
            letter if letter.is_ascii() => folded.push(letter.to_ascii_lowercase()),
            letter => folded.extend(letter.to_lowercase()),
        }
    }
}

pub(super) fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    fold_into(&mut folded, word);
    folded
}

/// The sentences of one segment, trimmed, none empty.
pub(super) fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (start, raw) in text.split_sentence_bound_indices() {
        let piece = raw.trim();
        if piece.is_empty() {
            continue;
        }
        let start = start + (raw.len() - raw.trim_start().len());
        let range = start..start + piece.len();
        match found.last_mut() {
            Some(last)
                if !is_whole(&text[last.clone()])
                    && range.end - last.start <= MAX_SENTENCE_BYTES
                    && !text[last.end..start].contains("\n\n") =>
            {
                last.end = range.end;
            }
            _ => cut(text, range, &mut found),
        }
    }
    found
}

/// Pushes `range`, in pieces where it is too long.
fn cut(text: &str, mut range: Range<usize>, found: &mut Vec<Range<usize>>) {
    while range.len() > MAX_SENTENCE_BYTES {
        let limit = floor_char_boundary(text, range.start + MAX_SENTENCE_BYTES);
        let Some(space) = text[range.start..limit].rfind(char::is_whitespace).filter(|space| *space > 0)
        else {
            break;
        };
        let piece = text[range.start..range.start + space].trim_end();
        found.push(range.start..range.start + piece.len());
        let rest = &text[range.start + space..range.end];
        range.start = range.end - rest.trim_start().len();
    }
    if !range.is_empty() {
        found.push(range);
    }
}

/// The greatest boundary at or below `place`.
pub(super) fn floor_char_boundary(text: &str, place: usize) -> usize {
    let mut place = place.min(text.len());
    while !text.is_char_boundary(place) {
        place -= 1;
    }
    place
}

/// Whether a sentence is finished with `text`: it ends in a closing mark, and not in an abbreviation.
pub(super) fn is_whole(text: &str) -> bool {
    let bare = text.trim_end_matches(['"', '\'', '”', '’', '»', ')', ']', '}', '*', '_']);
    let Some(last) = bare.chars().next_back() else {
        return true;
    };
    if last == '.' {
        let word =
            bare.trim_end_matches('.').rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let initial = word != "I" && word.chars().count() == 1 && word.chars().all(char::is_uppercase);
        return !initial && !ABBREVIATIONS.contains(&fold(word).as_str());
    }
    matches!(last, '?' | '!' | '…' | '。' | '？' | '！' | '؟' | '।' | '．' | '‽')
}

pub(super) fn ends_with_question_mark(text: &str) -> bool {
    let bare = text.trim_end_matches(|c: char| {
        matches!(c, '"' | '\'' | '”' | '’' | '»' | ')' | ']' | '*' | '_' | '!') || c.is_whitespace()
    });
    bare.ends_with(['?', '？', '؟', '⁇', '‽', '\u{037E}'])
}

/// Whether quotation marks stand in it: then it tells what somebody said or might say.
pub(super) fn holds_quotation(text: &str) -> bool {
    text.contains(['"', '“', '”', '„', '«', '»'])
}

/// The words that were said, by place: without a transcriber's marks, and with a contraction in one piece
/// even where it is written apart (`I 'll`, `do n't`).
pub(super) fn words(text: &str) -> Vec<Word> {
    let marks = marks(text);
    let mut next_mark = 0;
    let mut found: Vec<Word> = Vec::new();
    for (start, word) in text.unicode_word_indices() {
        while marks.get(next_mark).is_some_and(|mark: &Range<usize>| mark.end <= start) {
            next_mark += 1;
        }
        if marks.get(next_mark).is_some_and(|mark| mark.contains(&start)) {
            continue;
        }
        let end = start + word.len();
        match found.last_mut() {
            Some(last) if continues(text, last.end, start, word) => last.end = end,
            _ => found.push(Word { start, end }),
        }
    }
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
}

fn continues(text: &str, last_end: usize, start: usize, word: &str) -> bool {
    if word.len() > 3 {
        return false;
    }
    let between = &text[last_end..start];
    match between.strip_prefix(' ') {
        Some("") => matches!(word, "n't" | "n’t"),
        Some("'" | "’") => matches!(word, "s" | "ll" | "re" | "ve" | "d" | "m" | "t"),
        _ => false,
    }
}

/// The transcriber's marks, in order.
fn marks(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find(['[', '{', '(']).map(|at| at + from) {
        let close = match text.as_bytes()[open] {
            b'[' => ']',
            b'{' => '}',
            _ => ')',
        };
        let limit = floor_char_boundary(text, open + MAX_MARK_BYTES);
        let end = text[open..limit].find(close).map(|at| open + at + 1);
        from = open + 1;
        if let Some(end) = end {
            let inside = &text[open + 1..end - 1];
            if close != ')'
                || inside.unicode_words().next().is_some_and(|word| SOUNDS.contains(&fold(word).as_str()))
            {
                found.push(open..end);
                from = end;
            }
        }
    }
    found
}

/// `text` for display: without the transcriber's marks, white space in single spaces.
pub(super) fn without_marks(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut from = 0;
    for mark in marks(text) {
        bare.push_str(text[from..mark.start].trim_end_matches('\\'));
        from = mark.end;
    }
    bare.push_str(&text[from..]);
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|range| &text[range]).collect()
    }

    fn said(text: &str) -> Vec<&str> {
        words(text).into_iter().map(|word| &text[word.start..word.end]).collect()
    }

    #[test]
    fn sentences_end_at_marks_and_not_at_abbreviations_or_line_ends() {
        assert_eq!(
            split("Ask Dr. Novak first. Then me!  Yes?"),
            ["Ask Dr. Novak first.", "Then me!", "Yes?"]
        );
        assert_eq!(
            split("It runs\nevery night. Node.js 3.5 too"),
            ["It runs\nevery night.", "Node.js 3.5 too"]
        );
        assert_eq!(split("One paragraph\n\nand another"), ["One paragraph", "and another"]);
        assert_eq!(split("我们决定了。好吗？"), ["我们决定了。", "好吗？"]);
        assert_eq!(split(" \n "), Vec::<&str>::new());
    }

    #[test]
    fn a_sentence_without_end_is_cut_at_a_space() {
        let text = "word ".repeat(500);
        let pieces = split(&text);
        assert!(pieces.len() > 4);
        assert!(pieces.iter().all(|piece| piece.len() <= MAX_SENTENCE_BYTES && piece.ends_with("word")));
    }

    #[test]
    fn words_leave_out_marks_and_keep_contractions_whole() {
        assert_eq!(
            said("I 'll do n't [laughs] it’s {disfmarker} fine (inaudible) (really)"),
            ["I 'll", "do n't", "it’s", "fine", "really"]
        );
        assert_eq!(without_marks(r"Well \[laughs\] fine [unclosed"), "Well fine [unclosed");
    }

    #[test]
    fn question_marks_are_seen_behind_closing_marks() {
        assert!(ends_with_question_mark("Is it?\""));
        assert!(ends_with_question_mark("真的吗？"));
        assert!(!ends_with_question_mark("It is;"));
        assert!(!ends_with_question_mark("What? No."));
    }
}
