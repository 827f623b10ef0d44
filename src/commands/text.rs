//! Small pieces of prose: counts, times, lines of a width.

use unicode_width::UnicodeWidthStr;

/// `1 file`, `1,204 files`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// `1,204`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A place in a talk: `4:27`, `1:02:03`.
pub(crate) fn time_code(ms: u64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// `COACHING` as it stands in a sentence.
pub(crate) fn word(constant: &str) -> String {
    constant.to_lowercase().replace('_', " ")
}

/// A piece of text, and whether it is to be shown as a match.
pub(crate) type Piece<'a> = (&'a str, bool);

/// Pieces as lines of at most `width` columns, broken between words; a word that is wider has a line of its
/// own. `paint` is given each word, or part of one, that matches.
pub(crate) fn wrap(pieces: &[Piece<'_>], width: usize, paint: impl Fn(&str) -> String) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in words(pieces) {
        let wide: usize = word.iter().map(|(text, _)| text.width()).sum();
        if used > 0 && used + 1 + wide > width {
            lines.push(String::new());
            used = 0;
        }
        let Some(line) = lines.last_mut() else { continue };
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for (text, is_match) in word {
            match is_match {
                true => line.push_str(&paint(text)),
                false => line.push_str(text),
            }
        }
        used += wide;
    }
    lines
}

/// A word may begin in one piece and end in the next.
fn words<'a>(pieces: &[Piece<'a>]) -> Vec<Vec<Piece<'a>>> {
    let mut words = Vec::new();
    let mut word: Vec<Piece<'a>> = Vec::new();
    for (text, is_match) in pieces {
        for part in text.split_inclusive(char::is_whitespace) {
            let bare = part.trim_end();
            if !bare.is_empty() {
                word.push((bare, *is_match));
            }
            if bare.len() < part.len() && !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(
            [count(1, "file"), count(0, "hit"), count(1_234_567, "cue")],
            ["1 file", "0 hits", "1,234,567 cues"]
        );
        assert_eq!([time_code(0), time_code(267_999), time_code(3_723_000)], ["0:00", "4:27", "1:02:03"]);
    }

    #[test]
    fn lines_break_between_words_and_what_matches_is_painted() {
        let pieces = [
            ("the not", false),
            ("ice", true),
            (" period of  three", false),
            (" months", true),
            (".", false),
        ];
        let lines = wrap(&pieces, 12, |text| format!("[{text}]"));
        assert_eq!(lines, ["the not[ice]", "period of", "three", "[months]."]);
    }

    #[test]
    fn wide_letters_count_for_what_they_take_and_a_long_word_is_not_cut() {
        assert_eq!(wrap(&[("会議 会議 会議", false)], 9, str::to_owned), ["会議 会議", "会議"]);
        assert_eq!(
            wrap(&[("a incomprehensibilities b", false)], 8, str::to_owned),
            ["a", "incomprehensibilities", "b"]
        );
        assert_eq!(wrap(&[], 8, str::to_owned), [""]);
    }
}
