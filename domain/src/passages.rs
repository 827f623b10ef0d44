//! Cutting a talk into passages: runs of whole segments of about 100 to 250 tokens, the unit that is embedded
//! and searched.

use crate::{
    conversations::{Segment, Talk},
    ids::{ConversationId, PassageId},
    people::Known,
    time::Millis,
};

/// A passage grows until it has this many words (about 1.3 tokens each) …
const TARGET_WORDS: usize = 110;
/// … and never beyond this many, unless one segment alone is longer: that is cut by words.
const MAX_WORDS: usize = 190;

/// A run of segments of one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    pub id: PassageId,
    pub conversation_id: ConversationId,
    /// Place among the conversation's passages, from 0.
    pub ordinal: u32,
    /// First and last segment's sequence number.
    pub first_sequence: i32,
    pub last_sequence: i32,
    /// The segments' texts, a line each.
    pub text: String,
    pub start_ms: Option<Millis>,
    pub end_ms: Option<Millis>,
    /// Labels of those who speak in it, in order of first speaking.
    pub speakers: Vec<String>,
    /// Who of the organization's people speaks in it as they are tied now, in the order of ids; where it is cut nobody is
    /// known.
    pub people: Vec<Known>,
}

/// BLAKE3 of a passage's text: what vectors are kept by.
pub fn text_hash(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

/// Cuts the talk. Every word of it is in exactly one passage, in order.
pub fn cut(talk: &Talk) -> Vec<Passage> {
    let mut cutter = Cutter { talk, passages: Vec::new(), run: Vec::new(), words: 0 };
    for segment in &talk.segments {
        let words = count_words(&segment.text);
        if words == 0 {
            continue;
        }
        if words > MAX_WORDS {
            cutter.flush();
            for piece in pieces(&segment.text) {
                cutter.push(segment, piece);
                cutter.flush();
            }
            continue;
        }
        if cutter.words + words > MAX_WORDS {
            cutter.flush();
        }
        cutter.push(segment, &segment.text);
        cutter.words += words;
        if cutter.words >= TARGET_WORDS {
            cutter.flush();
        }
    }
    cutter.flush();
    cutter.passages
}

struct Cutter<'a> {
    talk: &'a Talk,
    passages: Vec<Passage>,
    run: Vec<(&'a Segment, &'a str)>,
    words: usize,
}

impl<'a> Cutter<'a> {
    fn push(&mut self, segment: &'a Segment, text: &'a str) {
        self.run.push((segment, text));
    }

    fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        self.words = 0;
        let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else {
            return;
        };
        let ordinal = self.passages.len() as u32;
        let mut speakers: Vec<String> = Vec::new();
        for (segment, _) in &run {
            let label = segment.participant_id.and_then(|id| self.talk.participant(id));
            if let Some(label) = label.map(|participant| &participant.label)
                && !speakers.contains(label)
            {
                speakers.push(label.clone());
            }
        }
        let texts: Vec<&str> = run.iter().map(|(_, text)| *text).collect();
        self.passages.push(Passage {
            id: PassageId::of(self.talk.conversation_id, ordinal),
            conversation_id: self.talk.conversation_id,
            ordinal,
            first_sequence: first.sequence,
            last_sequence: last.sequence,
            text: texts.join("\n"),
            start_ms: run.iter().filter_map(|(segment, _)| segment.start_ms).min(),
            end_ms: run.iter().filter_map(|(segment, _)| segment.end_ms).max(),
            speakers,
            people: Vec::new(),
        });
    }
}

fn count_words(text: &str) -> usize {
    // Scripts without spaces: about three characters stand for a word.
    text.split_whitespace().count() + text.chars().filter(|c| is_dense(*c)).count() / 3
}

/// Thai, kana, Chinese characters, hangul: written without spaces, or with words of many syllables.
fn is_dense(c: char) -> bool {
    matches!(c as u32, 0x0E00..=0x0E7F | 0x3040..=0x9FFF | 0xAC00..=0xD7AF)
}

/// A long text in pieces of about the target, cut after a sentence's end where there is one.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while count_words(rest) > MAX_WORDS {
        let at = break_point(rest);
        let (piece, after) = rest.split_at(at);
        pieces.push(piece.trim());
        rest = after;
    }
    pieces.push(rest.trim());
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Byte offset after the last sentence that ends between half the target and the longest, else after the
/// last word that fits.
fn break_point(text: &str) -> usize {
    let mut words = 0;
    let mut sentence_end = None;
    let mut word_end = 0;
    let mut dense = 0;
    let mut in_word = false;
    for (at, c) in text.char_indices() {
        if is_dense(c) {
            dense += 1;
            if dense % 3 == 0 {
                words += 1;
                word_end = at + c.len_utf8();
            }
        }
        if c.is_whitespace() {
            if in_word {
                words += 1;
                word_end = at;
                let ended = text[..at].ends_with(['.', '?', '!', '…', '。', '？', '！']);
                if ended && words >= TARGET_WORDS / 2 {
                    sentence_end = Some(at);
                }
            }
            in_word = false;
        } else {
            in_word = true;
        }
        let enough = if sentence_end.is_some() { TARGET_WORDS } else { MAX_WORDS };
        if words >= enough {
            break;
        }
    }
    match sentence_end.unwrap_or(word_end) {
        0 => text.len(),
        at => at,
    }
}
