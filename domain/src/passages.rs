//! Cutting a talk into passages: runs of whole segments of about 100 to 250 tokens, the unit that is embedded
//! and searched. A passage's id is made of its text: so what a search engine found is what stands under that id, or
//! stands no more.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use crate::{
    conversations::{Segment, Talk},
    ids::{ConversationId, PassageId, SegmentId},
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
    let mut cutter = Cutter::new(talk);
    talk.segments.iter().for_each(|segment| cutter.add(segment));
    cutter.flush();
    cutter.passages
}

/// Cuts a talk that was changed; before, these were its segments, by sequence. The passages of before whose segments stand
/// together as they did stay, and what is between them is cut. Where that is short, short neighbours are cut with it:
/// otherwise ever smaller pieces would be left.
pub fn recut(before: &[Segment], passages: &[Passage], after: &Talk) -> Vec<Passage> {
    let places: HashMap<SegmentId, usize> =
        after.segments.iter().enumerate().map(|(at, segment)| (segment.id, at)).collect();
    let stays = |passage: &Passage| {
        let from = before.partition_point(|one| one.sequence < passage.first_sequence);
        let to = before.partition_point(|one| one.sequence <= passage.last_sequence);
        let was = before.get(from..to)?;
        let at = *places.get(&was.first()?.id)?;
        let is = after.segments.get(at..at + was.len())?;
        let together = was.iter().zip(is).all(|(was, is)| was.id == is.id);
        // A piece of a long segment does not: that one is cut again as a whole.
        (together && joined(is.iter().map(|one| one.text.as_str())) == passage.text).then_some((at, is.len()))
    };
    let whole: BTreeMap<usize, usize> = passages.iter().filter_map(stays).collect();
    let mut runs = runs(after, &whole);
    fill_up(&mut runs);
    let mut cutter = Cutter::new(after);
    for run in runs {
        let segments = &after.segments[run.segments];
        if run.stays {
            segments.iter().for_each(|segment| cutter.push(segment, &segment.text));
        } else {
            segments.iter().for_each(|segment| cutter.add(segment));
        }
        cutter.flush();
    }
    cutter.passages
}

/// Segments that are one passage as before, or what is between such.
struct Run {
    segments: Range<usize>,
    words: usize,
    stays: bool,
}

/// All segments; `whole` are those that stay: where they begin, and how many they are.
fn runs(talk: &Talk, whole: &BTreeMap<usize, usize>) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut add = |segments: Range<usize>, stays| {
        let words = talk.segments[segments.clone()].iter().map(|one| count_words(&one.text)).sum();
        if words > 0 {
            runs.push(Run { segments, words, stays });
        }
    };
    let mut end = 0;
    for (&at, length) in whole {
        add(end..at, false);
        end = at + length;
        add(at..end, true);
    }
    add(end..talk.segments.len(), false);
    runs
}

fn fill_up(runs: &mut Vec<Run>) {
    let is_short = |run: Option<&Run>| run.is_some_and(|run| run.words < TARGET_WORDS);
    let mut at = 0;
    while at < runs.len() {
        let grows = !runs[at].stays && is_short(runs.get(at));
        let first = if grows && at > 0 && is_short(runs.get(at - 1)) { at - 1 } else { at };
        if grows && (first < at || is_short(runs.get(at + 1))) {
            let next = runs.remove(first + 1);
            let run = &mut runs[first];
            (run.segments.end, run.stays) = (next.segments.end, false);
            run.words += next.words;
            at = first;
        } else {
            at += 1;
        }
    }
}

struct Cutter<'a> {
    talk: &'a Talk,
    passages: Vec<Passage>,
    run: Vec<(&'a Segment, &'a str)>,
    words: usize,
    /// How many passages there are of a text.
    same: HashMap<[u8; 32], u32>,
}

impl<'a> Cutter<'a> {
    fn new(talk: &'a Talk) -> Self {
        Self { talk, passages: Vec::new(), run: Vec::new(), words: 0, same: HashMap::new() }
    }

    fn add(&mut self, segment: &'a Segment) {
        let words = count_words(&segment.text);
        if words > MAX_WORDS {
            self.flush();
            for piece in pieces(&segment.text) {
                self.push(segment, piece);
                self.flush();
            }
            return;
        }
        if self.words + words > MAX_WORDS {
            self.flush();
        }
        self.push(segment, &segment.text);
        self.words += words;
        if self.words >= TARGET_WORDS {
            self.flush();
        }
    }

    fn push(&mut self, segment: &'a Segment, text: &'a str) {
        if count_words(text) > 0 {
            self.run.push((segment, text));
        }
    }

    fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        self.words = 0;
        let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else {
            return;
        };
        let mut speakers: Vec<String> = Vec::new();
        for (segment, _) in &run {
            let label = segment.participant_id.and_then(|id| self.talk.participant(id));
            if let Some(label) = label.map(|participant| &participant.label)
                && !speakers.contains(label)
            {
                speakers.push(label.clone());
            }
        }
        let text = joined(run.iter().map(|(_, text)| *text));
        let id = self.id(&text);
        self.passages.push(Passage {
            id,
            conversation_id: self.talk.conversation_id,
            ordinal: self.passages.len() as u32,
            first_sequence: first.sequence,
            last_sequence: last.sequence,
            text,
            start_ms: run.iter().filter_map(|(segment, _)| segment.start_ms).min(),
            end_ms: run.iter().filter_map(|(segment, _)| segment.end_ms).max(),
            speakers,
            people: Vec::new(),
        });
    }

    fn id(&mut self, text: &str) -> PassageId {
        let hash = text_hash(text);
        let before = self.same.entry(hash).or_default();
        let id = PassageId::of(self.talk.conversation_id, &hash, *before);
        *before += 1;
        id
    }
}

/// A line each; what has no word is in no passage.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.filter(|text| count_words(text) > 0).collect::<Vec<_>>().join("\n")
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

#[cfg(test)]
mod tests;
