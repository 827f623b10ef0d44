//! From words to turns, where a source has no more: a turn goes on until somebody else speaks. Where nobody is named,
//! or everybody has a channel, it goes on until a sentence ends or for longer than two seconds no word is said.
//! A turn starts with the first of its words that says when, and ends with the last one.

use std::borrow::Cow;

use super::{
    assemble::{MAX_GAP_MS, is_finished},
    json::{Reading, Unit, Value},
    report::Place,
    spoken::Piece,
};
use crate::{error::Problem, time::Millis};

#[derive(Debug, Clone)]
pub(super) struct Word<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) speaker: Option<Cow<'a, str>>,
    pub(super) start: Option<Millis>,
    pub(super) end: Option<Millis>,
    pub(super) place: Place,
    /// Punctuation, which belongs to the word before it whoever says it.
    pub(super) attached: bool,
}

/// The turn that the words make.
pub(super) struct Words<'a> {
    by_sentence: bool,
    open: Option<Open<'a>>,
}

struct Open<'a> {
    speaker: Option<Cow<'a, str>>,
    text: String,
    start: Option<Millis>,
    end: Option<Millis>,
    place: Place,
}

impl<'a> Words<'a> {
    /// With `by_sentence`, turns end with sentences also where a speaker is named.
    pub(super) fn new(by_sentence: bool) -> Self {
        Self { by_sentence, open: None }
    }

    pub(super) fn add(&mut self, reading: &mut Reading<'a>, word: Word<'a>) -> Result<(), Problem> {
        if self.open.as_ref().is_some_and(|open| self.ends(open, &word, reading.max_text_bytes)) {
            self.end(reading)?;
        }
        match &mut self.open {
            Some(open) => {
                if !word.attached && needs_space(&open.text, &word.text) {
                    open.text.push(' ');
                }
                open.text.push_str(&word.text);
                open.start = open.start.or(word.start);
                open.end = word.end.or(open.end);
                open.place = open.place.to(word.place);
            }
            None => {
                let Word { text, speaker, start, end, place, .. } = word;
                self.open = Some(Open { speaker, text: text.into_owned(), start, end, place });
            }
        }
        Ok(())
    }

    /// Takes all words of a list. The first of `keys` that a word has is its text; `label` says how a speaker is
    /// called.
    pub(super) fn read(
        &mut self,
        reading: &mut Reading<'a>,
        list: Value<'a>,
        keys: [&str; 2],
        unit: Unit,
        label: impl Fn(Option<Cow<'a, str>>) -> Option<Cow<'a, str>>,
    ) -> Result<(), Problem> {
        for element in list.items() {
            let [first, second, speaker, start, end] =
                reading.pick(element, [keys[0], keys[1], "speaker", "start", "end"]);
            let place = reading.place(element);
            let Some(text) = reading.text(place, first.or(second))? else {
                continue;
            };
            let start = reading.time(place, start, unit);
            let end = reading.time(place, end, unit);
            let speaker = label(reading.label(place, speaker));
            self.add(reading, Word { text, speaker, start, end, place, attached: false })?;
        }
        self.end(reading)
    }

    /// Gives the turn that is open to the source.
    pub(super) fn end(&mut self, reading: &mut Reading<'a>) -> Result<(), Problem> {
        let Some(Open { speaker, text, start, end, place }) = self.open.take() else {
            return Ok(());
        };
        let end = reading.not_before(place, start, end);
        let text = Cow::Owned(text);
        reading.source.push(Piece { speaker, text, start, end, place, opens: true, turns: true })
    }

    /// Whether the turn is over before `word`.
    fn ends(&self, open: &Open<'_>, word: &Word<'_>, max_bytes: usize) -> bool {
        if open.text.len() + 1 + word.text.len() > max_bytes {
            return true;
        }
        if word.attached {
            return false;
        }
        let pause = open.end.zip(word.start).is_some_and(|(end, start)| start.since(end) > MAX_GAP_MS);
        let by_sentence = self.by_sentence || word.speaker.is_none();
        open.speaker != word.speaker || (by_sentence && (pause || is_finished(last_of(&open.text))))
    }
}

/// As much of a text as tells whether its sentence is over: a long one costs each word no more than a short one.
fn last_of(text: &str) -> &str {
    const ENOUGH: usize = 64;
    &text[text.ceil_char_boundary(text.len().saturating_sub(ENOUGH))..]
}

/// Chinese, Japanese and Thai have no spaces between words.
fn needs_space(before: &str, after: &str) -> bool {
    const SCRIPTS: [(char, char); 4] = [
        ('\u{0e00}', '\u{0e7f}'),
        ('\u{3000}', '\u{30ff}'),
        ('\u{3400}', '\u{9fff}'),
        ('\u{ff00}', '\u{ff60}'),
    ];
    let joined = |character: Option<char>| {
        character.is_some_and(|c| SCRIPTS.iter().any(|(first, last)| (first..=last).contains(&&c)))
    };
    !(joined(before.chars().next_back()) && joined(after.chars().next()))
}

#[cfg(test)]
mod tests {
    use super::needs_space;

    #[test]
    fn words_are_joined_as_their_script_has_it() {
        assert!(needs_space("well", "then") && needs_space("저는", "갑니다") && needs_space("はい", "yes"));
        assert!(!needs_space("そう", "です") && !needs_space("你", "好") && !needs_space("です。", "は"));
    }
}
