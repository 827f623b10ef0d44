//! What nobody is likely to have said: phrases that speech recognition invents in silence, and loops in which it
//! is caught. They are kept, and told.

use memchr::memchr_iter;

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
    /// Of the piece that is heard; kept for its room, as `starts` is.
    words: String,
    starts: Vec<usize>,
}

/// Cues in a row that say the same.
struct Run {
    words: String,
    place: Place,
    count: usize,
}

impl Doubts {
    pub(super) fn hear(&mut self, piece: &Piece<'_>, log: &mut Log) {
        if piece.start.is_none() {
            return;
        }
        plain(&piece.text, &mut self.words);
        if PHRASES.contains(&self.words.as_str()) {
            log.warning(piece.place, PHRASE);
        } else if loops(&self.words, &mut self.starts) {
            log.warning(piece.place, LOOP);
        }
        match &mut self.run {
            Some(run) if run.words == self.words => {
                (run.place, run.count) = (run.place.to(piece.place), run.count + 1);
            }
            _ => {
                let words = self.end(log).unwrap_or_default();
                let words = std::mem::replace(&mut self.words, words);
                self.run = Some(Run { words, place: piece.place, count: 1 });
            }
        }
    }

    /// Ends a row of cues; gives its room.
    pub(super) fn end(&mut self, log: &mut Log) -> Option<String> {
        let Run { words, place, count } = self.run.take()?;
        if count >= SAME_CUES && count * words.split(' ').count() >= SAME_CUES_WORDS {
            log.warning(place, SAME);
        }
        Some(words)
    }
}

/// Writes the words of `text` in small letters, without what is no letter or digit.
fn plain(text: &str, plain: &mut String) {
    plain.clear();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            plain.push(c.to_ascii_lowercase());
        } else if c.is_alphanumeric() {
            plain.extend(c.to_lowercase());
        } else if (c.is_whitespace() || c == '-') && !plain.is_empty() && !plain.ends_with(' ') {
            plain.push(' ');
        }
    }
    plain.truncate(plain.trim_end().len());
}

/// Whether the same words stand again and again; `starts` lends its room.
fn loops(text: &str, starts: &mut Vec<usize>) -> bool {
    starts.clear();
    starts.push(0);
    starts.extend(memchr_iter(b' ', text.as_bytes()).map(|blank| blank + 1));
    let count = starts.len();
    starts.push(text.len() + 1);
    let word = |at: usize| &text[starts[at]..starts[at + 1] - 1];
    (1..=LONGEST.min(count / SAME_WORDS)).any(|length| {
        let mut same = 0;
        (length..count).any(|at| {
            same = if word(at) == word(at - length) { same + 1 } else { 0 };
            same >= length * (SAME_WORDS - 1)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let mut words = String::new();
        plain(text, &mut words);
        words
    }

    #[test]
    fn loops_are_heard_and_emphasis_is_not() {
        let loops = |text: &str| loops(&words(text), &mut Vec::new());
        assert!(loops("I think ".repeat(8).trim()));
        assert!(loops("well then no no no no no no no no"));
        assert!(!loops("no no no no no no no"));
        assert!(!loops("we will see how we will see what we will see"));
        assert!(!loops(""));
    }

    #[test]
    fn phrases_are_compared_without_case_and_punctuation() {
        for said in
            ["Thanks for watching!", "Untertitel der Amara.org-Community", "ご視聴ありがとうございました。"]
        {
            assert!(PHRASES.contains(&words(said).as_str()), "{said}: {}", words(said));
        }
    }
}
