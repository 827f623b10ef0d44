//! What nobody is likely to have said: phrases that speech recognition invents in silence, and loops in which it
//! is caught. They are kept, and told.

use super::super::{
    report::{Log, Place},
    spoken::Piece,
};

/// What recognisers have learnt from the ends of films, without case and punctuation.
const PHRASES: [&str; 24] = [
    "thank you for watching",
    "thanks for watching",
    "thanks for watching and see you next time",
    "please subscribe to my channel",
    "please like and subscribe",
    "dont forget to like and subscribe",
    "subtitles by the amaraorg community",
    "transcription by castingwords",
    "transcript emily beynon",
    "untertitel der amaraorg community",
    "untertitelung des zdf 2020",
    "untertitel im auftrag des zdf für funk 2017",
    "vielen dank fürs zuschauen",
    "sous titres réalisés para la communauté damaraorg",
    "sous titres réalisés par la communauté damaraorg",
    "sous titrage st 501",
    "merci davoir regardé cette vidéo",
    "subtítulos realizados por la comunidad de amaraorg",
    "gracias por ver el video",
    "legendas pela comunidade amaraorg",
    "sottotitoli creati dalla comunità amaraorg",
    "продолжение следует",
    "ご視聴ありがとうございました",
    "시청해주셔서 감사합니다",
];
/// The same cue this often in a row is a loop, where it makes so many words in all: people do say yes again and again.
const SAME_CUES: usize = 5;
const SAME_CUES_WORDS: usize = 15;
/// The same words this often in a row within a cue are one.
const SAME_WORDS: usize = 8;
/// Words of a loop.
const LONGEST: usize = 6;

pub(super) const PHRASE: &str = "likely hallucinated: a phrase that speech recognition invents in silence";
pub(super) const SAME: &str = "likely hallucinated: the same words in many cues, one after the other";
pub(super) const LOOP: &str = "likely hallucinated: the same words again and again";

/// Hears one piece after another, of cues that a machine may have heard: those with times.
#[derive(Default)]
pub(super) struct Doubts {
    run: Option<Run>,
    /// Of the piece that is heard.
    words: Words,
}

/// Cues in a row that say the same.
struct Run {
    text: Vec<u8>,
    words: usize,
    place: Place,
    count: usize,
}

impl Doubts {
    pub(super) fn hear(&mut self, piece: &Piece<'_>, log: &mut Log) {
        if piece.start.is_none() {
            return;
        }
        self.words.read(&piece.text);
        if self.words.is_phrase() {
            log.warning(piece.place, PHRASE);
        } else if self.words.loop_on() {
            log.warning(piece.place, LOOP);
        }
        match &mut self.run {
            Some(run) if run.text == self.words.text => {
                (run.place, run.count) = (run.place.to(piece.place), run.count + 1);
            }
            _ => {
                let room = self.end(log).unwrap_or_default();
                let text = std::mem::replace(&mut self.words.text, room);
                self.run = Some(Run { text, words: self.words.starts.len(), place: piece.place, count: 1 });
            }
        }
    }

    /// Ends a row of cues; gives its room.
    pub(super) fn end(&mut self, log: &mut Log) -> Option<Vec<u8>> {
        let Run { text, words, place, count } = self.run.take()?;
        if count >= SAME_CUES && count * words >= SAME_CUES_WORDS {
            log.warning(place, SAME);
        }
        Some(text)
    }
}

/// The words of a text in small letters, without what is no letter or digit, and with one blank between them.
#[derive(Default)]
struct Words {
    text: Vec<u8>,
    /// Where each begins.
    starts: Vec<usize>,
}

impl Words {
    /// Takes the place of what was there, in the same room.
    fn read(&mut self, text: &str) {
        self.text.clear();
        self.starts.clear();
        let mut within = false;
        for c in text.chars() {
            if !c.is_alphanumeric() {
                within &= !(c.is_whitespace() || c == '-');
                continue;
            }
            if !std::mem::replace(&mut within, true) {
                if !self.text.is_empty() {
                    self.text.push(b' ');
                }
                self.starts.push(self.text.len());
            }
            match u8::try_from(c) {
                Ok(byte) if byte.is_ascii() => self.text.push(byte.to_ascii_lowercase()),
                _ => c.to_lowercase().for_each(|c| self.text.extend(c.encode_utf8(&mut [0; 4]).bytes())),
            }
        }
    }

    fn word(&self, at: usize) -> &[u8] {
        let end = self.starts.get(at + 1).copied().unwrap_or(self.text.len());
        self.text[self.starts[at]..end].trim_ascii_end()
    }

    fn is_phrase(&self) -> bool {
        PHRASES.iter().any(|phrase| phrase.as_bytes() == self.text)
    }

    /// Whether the same words stand again and again.
    fn loop_on(&self) -> bool {
        let count = self.starts.len();
        (1..=LONGEST.min(count / SAME_WORDS)).any(|length| {
            let again = |at: &usize| self.word(*at) == self.word(at - length);
            let run = length * (SAME_WORDS - 1);
            // Words again in so long a run that one of every `run` is in it.
            (length + run - 1..count).step_by(run).filter(again).any(|at| {
                let before = (length..at).rev().take_while(again).count();
                before + 1 + (at + 1..count).take_while(again).count() >= run
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Words {
        let mut words = Words::default();
        words.read(text);
        words
    }

    #[test]
    fn loops_are_heard_and_emphasis_is_not() {
        let loops = |text: &str| words(text).loop_on();
        assert!(loops("I think ".repeat(8).trim()));
        assert!(loops("well then no no no no no no no no"));
        for before in 0..40 {
            assert!(loops(&format!("{}{}", "word and ".repeat(before % 4), "a b c ".repeat(8))), "{before}");
            let words: String = (0..before).map(|word| format!("w{word} ")).collect();
            assert!(loops(&format!("{words}{}end of it", "so it is ".repeat(8))), "{before}");
            assert!(!loops(&format!("{words}{}end of it", "so it is ".repeat(7))), "{before}");
        }
        assert!(!loops("no no no no no no no"));
        assert!(!loops("we will see how we will see what we will see"));
        assert!(!loops(""));
    }

    #[test]
    fn phrases_are_compared_without_case_and_punctuation() {
        for said in
            ["Thanks for watching!", "Untertitel der Amara.org-Community", "ご視聴ありがとうございました。"]
        {
            assert!(words(said).is_phrase(), "{said}");
        }
    }
}
