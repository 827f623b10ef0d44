//! The conversations that ship with the project, and what is known to stand in them.

use crate::cli::{Kind, Mode};

pub(super) struct Sample {
    pub(super) file: &'static str,
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    pub(super) bytes: &'static [u8],
}

macro_rules! sample {
    ($file:literal, $title:literal, $kind:ident) => {
        Sample {
            file: $file,
            title: $title,
            kind: Kind::$kind,
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/", $file)),
        }
    };
}

pub(super) const SAMPLES: [Sample; 4] = [
    sample!("coaching-session.vtt", "Coaching: eight weeks into leading a team", Coaching),
    sample!("backend-interview.srt", "Interview: senior backend engineer", Interview),
    sample!("career-advice.txt", "Advice: from nursing to data", Advice),
    sample!("product-meeting.vtt", "Meeting: the product weekly", Meeting),
];

/// Of this one the analysis is shown: it holds decisions, owners and dates.
pub(super) const ANALYSED: &str = "product-meeting.vtt";

pub(super) struct Search {
    pub(super) query: &'static str,
    pub(super) mode: Mode,
    /// What is special about it.
    pub(super) about: &'static str,
    /// The sample that holds what is looked for.
    pub(super) file: &'static str,
}

pub(super) const SEARCHES: [Search; 4] = [
    Search {
        query: "\"over a delivery van\"",
        mode: Mode::Text,
        about: "a phrase, to the letter",
        file: "coaching-session.vtt",
    },
    Search {
        query: "relatives who stopped talking after a quarrel",
        mode: Mode::Semantic,
        about: "the same place in other words",
        file: "coaching-session.vtt",
    },
    Search {
        query: "\"base salary of ninety-six thousand\"",
        mode: Mode::Hybrid,
        about: "a phrase, by word and by meaning at once",
        file: "backend-interview.srt",
    },
    Search {
        query: "how much pay the candidate wants",
        mode: Mode::Hybrid,
        about: "a paraphrase, by word and by meaning at once",
        file: "backend-interview.srt",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_that_are_searched_stand_in_their_samples_and_paraphrases_do_not() {
        for search in SEARCHES {
            let sample = SAMPLES.iter().find(|sample| sample.file == search.file).unwrap();
            let text = String::from_utf8_lossy(sample.bytes).to_lowercase();
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let phrase = search.query.strip_prefix('"').and_then(|query| query.strip_suffix('"'));
            assert_eq!(text.contains(phrase.unwrap_or(search.query)), phrase.is_some(), "{}", search.query);
        }
        assert!(SAMPLES.iter().any(|sample| sample.file == ANALYSED));
    }
}
