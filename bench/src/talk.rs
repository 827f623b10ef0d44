//! Talk made up of common words, the same at every run: as long as people's, and as hard to cut into tokens.
//! It means nothing, so nothing that depends on meaning is measured with it.

use std::fmt::Write;

/// The more frequent first.
const WORDS: &str = "\
    the and you that of to in it is we so was for on they but have with be this what are not about \
    there one would if can do think from when just like know who then more all up out other which some \
    time people work because how them really want first could something team much into way even after \
    thing day week back also now make good see need project question maybe different right year still \
    going point problem talk customer plan help change start idea part number change meeting manager \
    reason already long next month decision product feel design company report quarter answer learn \
    money engineer test interview experience support training career salary feedback budget deadline \
    contract notice review release strategy market hiring coach client goal habit weekend morning \
    office travel family school course degree research experiment result measure risk cost price \
    invoice payment vendor delivery warehouse factory machine repair garden kitchen window bridge \
    river mountain island harbour railway station ticket passenger luggage weather thunder winter \
    summer harvest orchard bakery restaurant recipe library museum painting orchestra violin theatre \
    novel journal newspaper editor lawyer doctor nurse hospital medicine vaccine laboratory chemistry \
    physics algorithm database network server backup outage incident migration deployment keyboard \
    monitor battery bicycle helmet athlete marathon stadium referee election parliament minister \
    ambassador treaty";

/// The hour, and how much is said in it.
const WORDS_PER_HOUR: usize = 9_000;
const HOUR_MS: usize = 3_600_000;

/// A small generator of numbers (xorshift) that gives the same at every run.
pub(crate) struct Talk {
    state: u64,
    words: Vec<&'static str>,
}

impl Talk {
    pub(crate) fn new(seed: u64) -> Self {
        let mut talk = Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, words: Vec::new() };
        talk.words = WORDS.split_whitespace().collect();
        for _ in 0..8 {
            talk.below(2);
        }
        talk
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as usize % limit
    }

    /// Frequent ones more often, as in a language.
    pub(crate) fn word(&mut self) -> &'static str {
        let within = 1 + self.below(self.words.len());
        let at = self.below(within);
        self.words[at]
    }

    /// Words that tell something: of the rarer ones.
    pub(crate) fn query(&mut self, words: usize) -> String {
        let rare = self.words.len() / 3;
        let rest = self.words.len() - rare;
        let places: Vec<_> = (0..words).map(|_| rare + self.below(rest)).collect();
        let chosen: Vec<_> = places.into_iter().map(|at| self.words[at]).collect();
        chosen.join(" ")
    }

    /// An hour of two people as WebVTT: cues of 6 to 14 words, turns of 1 to 6 cues.
    pub(crate) fn hour(&mut self) -> String {
        let mut text = "WEBVTT\n\n".to_owned();
        let (mut said, mut left, mut speaker) = (0, 0, 0);
        while said < WORDS_PER_HOUR {
            if left == 0 {
                left = 1 + self.below(6);
                speaker = 1 - speaker;
            }
            left -= 1;
            let words = 6 + self.below(9);
            let (from, to) = (time(said), time(said + words));
            said += words;
            let line: Vec<_> = (0..words).map(|_| self.word()).collect();
            let end = ['.', '.', '.', '?', ','][self.below(5)];
            let name = ["Anna Lee", "Ben Okafor"][speaker];
            // Writing to a string cannot fail.
            let _written = write!(text, "{from} --> {to}\n<v {name}>{}{end}\n\n", line.join(" "));
        }
        text
    }
}

/// When so many words have been said.
fn time(words: usize) -> String {
    let at = words * HOUR_MS / WORDS_PER_HOUR;
    let (seconds, milliseconds) = (at / 1000, at % 1000);
    format!("{:02}:{:02}:{:02}.{milliseconds:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_an_hour_and_the_next_one_is_another() {
        let mut talk = Talk::new(1);
        let (first, second) = (talk.hour(), talk.hour());
        assert_ne!(first, second);
        assert_eq!(first, Talk::new(1).hour());
        let last = first.lines().rfind(|line| line.contains("-->")).unwrap();
        assert!(last.contains("00:59:5") || last.contains("01:00:0"), "{last}");
        let cues = first.lines().filter(|line| line.starts_with("<v ")).count();
        assert!((800..1_000).contains(&cues), "{cues}");
    }

    #[test]
    fn frequent_words_are_more_frequent() {
        let mut talk = Talk::new(7);
        let words: Vec<_> = (0..20_000).map(|_| talk.word()).collect();
        let count = |word| words.iter().filter(|said| **said == word).count();
        assert!(count("the") > 4 * count("treaty").max(1));
    }
}
