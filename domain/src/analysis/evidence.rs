//! Whether a quote stands where it is said to stand. The extractive analyzer cannot misquote; a model can,
//! and what it quotes is believed only after this.

use std::collections::HashSet;

use super::Evidence;
use crate::{conversations::Talk, ids::SegmentId};

/// Stands between segments that do not follow each other, and in no quote.
const GAP: char = '\u{0}';

/// Whether the quote stands, in whole words, in the named segments. Case, white space, invisible characters,
/// full-width forms and the kinds of quotes, dashes and dots do not matter; everything else does. A quote
/// may run over the end of a segment into the next only if both are named.
pub fn verify(talk: &Talk, evidence: &Evidence) -> bool {
    let named: HashSet<SegmentId> = evidence.segment_ids.iter().copied().collect();
    let mut text = String::new();
    let mut found = 0;
    let mut last = None;
    for (place, segment) in
        talk.segments.iter().enumerate().filter(|(_, segment)| named.contains(&segment.id))
    {
        if let Some(last) = last {
            text.push(if last + 1 == place { ' ' } else { GAP });
        }
        text.extend(segment.text.chars().filter(|letter| *letter != GAP));
        last = Some(place);
        found += 1;
    }
    if named.is_empty() || found != named.len() {
        return false;
    }
    let quote = normalize(&evidence.quote.replace(GAP, ""));
    quote.chars().any(char::is_alphanumeric) && stands_in(&normalize(&text), &quote)
}

fn stands_in(text: &str, quote: &str) -> bool {
    let first = quote.chars().next().unwrap_or(GAP);
    let last = quote.chars().next_back().unwrap_or(GAP);
    text.match_indices(quote).any(|(start, _)| {
        let before = text[..start].chars().next_back().unwrap_or(GAP);
        let after = text[start + quote.len()..].chars().next().unwrap_or(GAP);
        !(splits_word(before, first) || splits_word(last, after))
    })
}

/// Only in Latin, Greek, Cyrillic and Armenian, which part their words by spaces and write each letter (but
/// for the combining marks) as one character.
fn splits_word(left: char, right: char) -> bool {
    let spaced = |letter: char| {
        letter.is_alphanumeric() && letter < '\u{0590}' && !('\u{0300}'..='\u{036F}').contains(&letter)
    };
    spaced(left) && spaced(right)
}

/// Character by character, so that a part of a text normalises to a part of the normalised text.
fn normalize(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    let mut space = false;
    for letter in text.chars() {
        if letter.is_whitespace() {
            space = true;
            continue;
        }
        if is_invisible(letter) {
            continue;
        }
        if space && !normal.is_empty() {
            normal.push(' ');
        }
        space = false;
        match letter {
            '\u{2018}'..='\u{201B}'
            | '\u{2032}'
            | '\u{02BC}'
            | '\u{00B4}'
            | '`'
            | '\u{2039}'
            | '\u{203A}' => normal.push('\''),
            '\u{201C}'..='\u{201F}' | '\u{2033}' | '«' | '»' => normal.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' => normal.push('-'),
            '…' => normal.push_str("..."),
            'ς' => normal.push('σ'),
            '\u{FF01}'..='\u{FF5E}' => {
                let plain = char::from_u32(letter as u32 - 0xFEE0).unwrap_or(letter);
                normal.push(plain.to_ascii_lowercase());
            }
            letter => normal.extend(letter.to_lowercase()),
        }
    }
    normal
}

/// Controls, joiners, byte order marks and soft hyphens: there, but not to be seen.
fn is_invisible(letter: char) -> bool {
    (letter.is_control() && letter != GAP)
        || matches!(letter, '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}')
}
