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

/// Looks through cues that a machine may have heard: those with times.
pub(super) fn tell(pieces: &[Piece<'_>], log: &mut Log) {
    let mut run: Option<(String, Place, usize)> = None;
    let end = |run: Option<(String, Place, usize)>, log: &mut Log| {
        if let Some((words, place, count)) = run
            && count >= SAME_CUES
            && count * words.split(' ').count() >= SAME_CUES_WORDS
        {
            log.warning(place, SAME);
        }
    };
    for piece in pieces.iter().filter(|piece| piece.start.is_some()) {
        let words = plain(&piece.text);
        if PHRASES.contains(&words.as_str()) {
            log.warning(piece.place, PHRASE);
        } else if loops(&words) {
            log.warning(piece.place, LOOP);
        }
        match &mut run {
            Some((same, place, count)) if *same == words => {
                (*place, *count) = (place.to(piece.place), *count + 1)
            }
            _ => end(run.replace((words, piece.place, 1)), log),
        }
    }
    end(run, log);
}

/// Words in small letters, without what is no letter or digit.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() {
            plain.extend(c.to_lowercase());
        } else if (c.is_whitespace() || c == '-') && !plain.is_empty() && !plain.ends_with(' ') {
            plain.push(' ');
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

fn loops(words: &str) -> bool {
    let words: Vec<_> = words.split(' ').collect();
    (1..=LONGEST.min(words.len() / SAME_WORDS)).any(|length| {
        let mut same = 0;
        (length..words.len()).any(|at| {
            same = if words[at] == words[at - length] { same + 1 } else { 0 };
            same >= length * (SAME_WORDS - 1)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_heard_and_emphasis_is_not() {
        assert!(loops(&plain("I think ".repeat(8).trim())));
        assert!(loops(&plain("well then no no no no no no no no")));
        assert!(!loops(&plain("no no no no no no no")));
        assert!(!loops(&plain("we will see how we will see what we will see")));
        assert!(!loops(""));
    }

    #[test]
    fn phrases_are_compared_without_case_and_punctuation() {
        for said in
            ["Thanks for watching!", "Untertitel der Amara.org-Community", "ご視聴ありがとうございました。"]
        {
            assert!(PHRASES.contains(&plain(said).as_str()), "{said}: {}", plain(said));
        }
    }
}
