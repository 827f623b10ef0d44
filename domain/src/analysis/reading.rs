//! A talk read once for all analyses: its text in one piece, cut into turns, sentences and folded words,
//! each of which knows the segments it came from. Whatever an insight quotes is a slice of this text.

use std::{collections::HashMap, ops::Range};

use super::{
    Evidence,
    text::{self, MAX_SENTENCE_BYTES},
    vocabulary::ENGLISH_MARKERS,
};
use crate::{
    conversations::{Participant, Segment, Talk},
    ids::ParticipantId,
};

/// A pause after which a speaker's next cue is a new sentence even without a full stop before it.
const SENTENCE_GAP_MS: u64 = 2_000;
/// Words that are looked at to tell the language.
const LANGUAGE_SAMPLE: usize = 20_000;
/// English talk has about a quarter of its words among [`ENGLISH_MARKERS`], other languages next to none.
const ENGLISH_SHARE: f64 = 0.10;

pub(super) struct Reading<'a> {
    pub(super) talk: &'a Talk,
    text: String,
    folded: String,
    words: Vec<Word>,
    pub(super) sentences: Vec<Sentence>,
    pub(super) turns: Vec<Turn>,
    /// Where each segment begins in `text`.
    starts: Vec<usize>,
    /// By segment: its participant's index in the talk.
    pub(super) speakers: Vec<Option<usize>>,
    pub(super) english: bool,
}

struct Word {
    text: Range<usize>,
    folded: Range<usize>,
}

/// It may span segments of one turn; then they are joined by a space.
pub(super) struct Sentence {
    text: Range<usize>,
    words: Range<usize>,
    pub(super) speaker: Option<usize>,
    pub(super) turn: usize,
}

impl Sentence {
    pub(super) fn word_count(&self) -> usize {
        self.words.len()
    }
}

/// Segments of one speaker in a row. Segments without a speaker in a row are one turn, too.
pub(super) struct Turn {
    pub(super) speaker: Option<usize>,
    pub(super) segments: Range<usize>,
    pub(super) sentences: Range<usize>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(talk: &'a Talk) -> Self {
        let known: HashMap<ParticipantId, usize> = talk
            .participants
            .iter()
            .enumerate()
            .map(|(index, participant)| (participant.id, index))
            .collect();
        let speakers: Vec<Option<usize>> =
            talk.segments.iter().map(|segment| known.get(&segment.participant_id?).copied()).collect();
        let mut reading = Self {
            talk,
            text: String::with_capacity(talk.segments.iter().map(|segment| segment.text.len() + 1).sum()),
            folded: String::new(),
            words: Vec::new(),
            sentences: Vec::new(),
            turns: Vec::new(),
            starts: Vec::with_capacity(talk.segments.len()),
            speakers,
            english: false,
        };
        reading.cut_turns();
        reading.cut_sentences();
        reading.cut_words();
        reading.english = reading.reads_as_english();
        reading
    }

    fn cut_turns(&mut self) {
        for (index, speaker) in self.speakers.iter().enumerate() {
            match self.turns.last_mut() {
                Some(turn) if turn.speaker == *speaker => turn.segments.end = index + 1,
                _ => self.turns.push(Turn { speaker: *speaker, segments: index..index + 1, sentences: 0..0 }),
            }
        }
    }

    fn cut_sentences(&mut self) {
        for place in 0..self.turns.len() {
            let first = self.sentences.len();
            let Turn { speaker, segments, .. } = &self.turns[place];
            let (speaker, segments) = (*speaker, segments.clone());
            for index in segments.clone() {
                let segment = &self.talk.segments[index];
                if !self.text.is_empty() {
                    self.text.push(' ');
                }
                let base = self.text.len();
                self.starts.push(base);
                self.text.push_str(&segment.text);
                for range in text::sentences(&segment.text) {
                    let range = base + range.start..base + range.end;
                    let goes_on = index > segments.start && self.sentences.len() > first && {
                        let last = &self.sentences[self.sentences.len() - 1].text;
                        last.start < base && last.end <= base && self.goes_on(last, &range, index)
                    };
                    match self.sentences.last_mut() {
                        Some(last) if goes_on => last.text.end = range.end,
                        _ => self.sentences.push(Sentence { text: range, words: 0..0, speaker, turn: place }),
                    }
                }
            }
            self.turns[place].sentences = first..self.sentences.len();
        }
    }

    /// Whether the sentence `last` of an earlier cue runs on into `next`, in segment `index`.
    fn goes_on(&self, last: &Range<usize>, next: &Range<usize>, index: usize) -> bool {
        if next.end - last.start > MAX_SENTENCE_BYTES || text::is_whole(&self.text[last.clone()]) {
            return false;
        }
        let (before, after) = (&self.talk.segments[index - 1], &self.talk.segments[index]);
        match (before.end_ms, after.start_ms) {
            (Some(end), Some(start)) => start.since(end) < SENTENCE_GAP_MS,
            _ => self.text[next.clone()].starts_with(char::is_lowercase),
        }
    }

    fn cut_words(&mut self) {
        self.folded.reserve(self.text.len());
        for sentence in &mut self.sentences {
            let first = self.words.len();
            let base = sentence.text.start;
            for word in text::words(&self.text[sentence.text.clone()]) {
                let range = base + word.start..base + word.end;
                let start = self.folded.len();
                text::fold_into(&mut self.folded, &self.text[range.clone()]);
                self.words.push(Word { text: range, folded: start..self.folded.len() });
            }
            sentence.words = first..self.words.len();
        }
    }

    fn reads_as_english(&self) -> bool {
        let sample = &self.words[..self.words.len().min(LANGUAGE_SAMPLE)];
        let marked =
            sample.iter().filter(|word| ENGLISH_MARKERS.contains(&self.folded[word.folded.clone()])).count();
        !sample.is_empty() && marked as f64 >= sample.len() as f64 * ENGLISH_SHARE
    }

    pub(super) fn word_count(&self) -> usize {
        self.words.len()
    }

    /// The sentences that can be quoted: not the rare ones that could not be cut to a bearable length.
    pub(super) fn quotable(&self) -> impl Iterator<Item = (usize, &Sentence)> {
        self.sentences.iter().enumerate().filter(|(_, sentence)| sentence.text.len() <= MAX_SENTENCE_BYTES)
    }

    pub(super) fn quote(&self, sentence: &Sentence) -> &str {
        &self.text[sentence.text.clone()]
    }

    /// The words in lower case.
    pub(super) fn words(&self, sentence: &Sentence) -> Vec<&str> {
        self.words[sentence.words.clone()].iter().map(|word| &self.folded[word.folded.clone()]).collect()
    }

    /// The text as it stands from the first to the last of `words` (places within the sentence).
    pub(super) fn phrase(&self, sentence: &Sentence, words: Range<usize>) -> &str {
        let words = &self.words[sentence.words.clone()][words];
        match (words.first(), words.last()) {
            (Some(first), Some(last)) => &self.text[first.text.start..last.text.end],
            _ => "",
        }
    }

    /// The text between a word (by its place) and the word before it, or the sentence's start.
    pub(super) fn before_word(&self, sentence: &Sentence, place: usize) -> &str {
        let words = &self.words[sentence.words.clone()];
        let from = if place == 0 { sentence.text.start } else { words[place - 1].text.end };
        let to = words.get(place).map_or(sentence.text.end, |word| word.text.start);
        &self.text[from..to]
    }

    /// For each word of a sentence, the segment it stands in.
    pub(super) fn words_by_segment(&self, sentence: &Sentence) -> impl Iterator<Item = usize> {
        self.words[sentence.words.clone()].iter().map(|word| self.segment_at(word.text.start))
    }

    pub(super) fn first_segment(&self, sentence: &Sentence) -> usize {
        self.segment_at(sentence.text.start)
    }

    fn segment_at(&self, place: usize) -> usize {
        self.starts.partition_point(|start| *start <= place).saturating_sub(1)
    }

    /// A sentence for display: without a transcriber's marks and the words people start with.
    pub(super) fn readable(&self, sentence: &Sentence) -> String {
        let words = self.words(sentence);
        let lead = super::vocabulary::lead_length(&words);
        let mut from = sentence.text.start;
        if lead > 0 && lead < words.len() {
            from = self.words[sentence.words.start + lead].text.start;
        }
        let bare = text::without_marks(&self.text[from..sentence.text.end]);
        let mut letters = bare.chars();
        match letters.next() {
            Some(first) => first.to_uppercase().chain(letters).collect(),
            None => bare,
        }
    }

    pub(super) fn evidence(&self, sentence: &Sentence) -> Evidence {
        let segments = self.segments_of(&sentence.text);
        Evidence {
            segment_ids: segments.iter().map(|segment| segment.id).collect(),
            quote: self.quote(sentence).to_owned(),
            start_ms: segments.first().and_then(|segment| segment.start_ms),
            end_ms: segments.last().and_then(|segment| segment.end_ms),
        }
    }

    fn segments_of(&self, range: &Range<usize>) -> &'a [Segment] {
        let first = self.segment_at(range.start);
        let end = self.starts.partition_point(|start| *start < range.end);
        &self.talk.segments[first..end]
    }

    pub(super) fn participant(&self, speaker: Option<usize>) -> Option<&'a Participant> {
        self.talk.participants.get(speaker?)
    }

    pub(super) fn participant_id(&self, speaker: Option<usize>) -> Option<ParticipantId> {
        self.participant(speaker).map(|participant| participant.id)
    }

    /// The first turn of somebody else after `turn`.
    pub(super) fn reply_to(&self, turn: usize) -> Option<&Turn> {
        self.turns.get(turn + 1)
    }
}
