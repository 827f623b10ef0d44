//! Who spoke how much, when, and over whom: exact numbers that need neither a model nor a language, except
//! where said. Times come only from segments that have both; nothing is guessed for the others, they are
//! counted in [`Measures::segments_without_times`].

use serde::{Deserialize, Serialize};

use super::{
    questions,
    reading::{Reading, Turn},
    timeline::{self, Overlap, Silences, Timeline},
    vocabulary::HESITATIONS,
};
use crate::{
    ids::{ParticipantId, SegmentId},
    time::Millis,
};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measures {
    pub segments: u32,
    /// Runs of segments of one speaker; segments without a speaker in a row are one run.
    pub turns: u32,
    pub words: u32,
    /// Sentences with a question mark, without tags such as "right?".
    pub questions: u32,
    /// From the first start to the last end.
    pub duration_ms: Option<u64>,
    /// Time in which anybody speaks; the union of all intervals.
    pub speaking_ms: Option<u64>,
    /// Left out of everything that is measured in time. Counts also those that end before they start.
    pub segments_without_times: u32,
    /// Time in which two participants or more speak.
    pub overlap_ms: u64,
    /// Who began while whom was speaking.
    pub overlaps: Vec<Overlap>,
    pub silences: Silences,
    /// In the order of the talk's participants; last the speech whose speaker is not known, if there is any.
    pub participants: Vec<ParticipantMeasures>,
    /// What could not be measured or analysed, and why.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ParticipantMeasures {
    /// `None` is the speech whose speaker is not known.
    pub participant_id: Option<ParticipantId>,
    pub words: u32,
    pub turns: u32,
    /// As in [`Measures::questions`].
    pub questions: u32,
    /// Own words / all words.
    pub share_of_words: Option<f64>,
    /// The union of the own intervals: cues that overlap each other count once.
    pub speaking_ms: Option<u64>,
    /// Own speaking time / the sum of everybody's.
    pub share_of_time: Option<f64>,
    /// Words of segments with times / speaking time.
    pub words_per_minute: Option<f64>,
    /// By words; the earlier of two.
    pub longest_turn: Option<LongestTurn>,
    /// "um", "uh", "er" and the like, and "like" and "you know" where commas set them apart; `None` if the
    /// talk is not English.
    pub filler_words: Option<u32>,
    pub filler_words_per_100_words: Option<f64>,
    /// Turns that follow another participant's, where both have times.
    pub responses: u32,
    /// Median over the responses of own start − end of the turn before; a start before that end is 0.
    pub response_delay_median_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LongestTurn {
    /// The first of the turn.
    pub segment_id: SegmentId,
    pub words: u32,
    /// From its start to its end, where all of it has times.
    pub duration_ms: Option<u64>,
    pub start_ms: Option<Millis>,
}

pub(super) fn measure(reading: &Reading<'_>) -> Measures {
    let timeline = Timeline::new(reading);
    let mut participants: Vec<ParticipantMeasures> = reading
        .talk
        .participants
        .iter()
        .map(|participant| ParticipantMeasures { participant_id: Some(participant.id), ..Default::default() })
        .collect();
    let unknown = participants.len();
    if reading.speakers.contains(&None) {
        participants.push(ParticipantMeasures::default());
    }
    let place = |speaker: Option<usize>| speaker.unwrap_or(unknown);

    let mut timed_words = vec![0_u32; participants.len()];
    for turn in &reading.turns {
        let of = &mut participants[place(turn.speaker)];
        let said = Said::in_turn(reading, turn, &timeline);
        of.turns += 1;
        of.words += said.words;
        of.questions += said.questions;
        timed_words[place(turn.speaker)] += said.timed_words;
        if reading.english {
            *of.filler_words.get_or_insert(0) += said.fillers;
        }
        if said.words > of.longest_turn.as_ref().map_or(0, |longest| longest.words) {
            let interval = timeline.interval_of(turn);
            of.longest_turn = Some(LongestTurn {
                segment_id: reading.talk.segments[turn.segments.start].id,
                words: said.words,
                duration_ms: interval.map(|interval| interval.length()),
                start_ms: interval.map(|interval| Millis(interval.start)),
            });
        }
    }

    let words: u32 = participants.iter().map(|of| of.words).sum();
    let spoken = timeline.speaking_ms(participants.len(), place);
    let delays = timeline.response_delays(reading, participants.len());
    let spoken_sum: f64 = spoken.iter().flatten().map(|ms| *ms as f64).sum();
    for (index, of) in participants.iter_mut().enumerate() {
        of.share_of_words = ratio(f64::from(of.words), f64::from(words));
        of.speaking_ms = spoken[index];
        of.share_of_time = spoken[index].and_then(|ms| ratio(ms as f64, spoken_sum));
        of.words_per_minute =
            spoken[index].and_then(|ms| ratio(f64::from(timed_words[index]) * 60_000.0, ms as f64));
        of.filler_words_per_100_words =
            of.filler_words.and_then(|fillers| ratio(f64::from(fillers) * 100.0, f64::from(of.words)));
        of.responses = delays[index].len() as u32;
        of.response_delay_median_ms = timeline::median(&delays[index]);
    }

    let mut measures = Measures {
        segments: reading.talk.segments.len() as u32,
        turns: reading.turns.len() as u32,
        words,
        questions: participants.iter().map(|of| of.questions).sum(),
        duration_ms: timeline.duration_ms(),
        speaking_ms: timeline.anybody_speaking_ms(),
        segments_without_times: timeline.untimed,
        overlap_ms: timeline.overlap_ms(),
        overlaps: timeline.overlaps(reading),
        silences: timeline.silences(reading),
        participants,
        notes: Vec::new(),
    };
    measures.notes = notes(reading, &measures);
    measures
}

fn notes(reading: &Reading<'_>, measures: &Measures) -> Vec<String> {
    let mut notes = Vec::new();
    if measures.words > 0 && !reading.english {
        notes.push(
            "The talk does not read as English: there are no summary, decisions, action items, risks, sentiment or \
             filler words, and key phrases go by frequency alone."
                .to_owned(),
        );
    }
    match (measures.segments_without_times, measures.segments) {
        (0, _) => {}
        (without, all) if without == all => notes.push("The source has no times.".to_owned()),
        (without, all) => {
            notes.push(format!(
                "{without} of {all} segments have no usable times and are left out of what is timed."
            ));
        }
    }
    notes
}

/// `None` instead of a division by nothing.
fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[derive(Default)]
struct Said {
    words: u32,
    timed_words: u32,
    questions: u32,
    fillers: u32,
}

impl Said {
    fn in_turn(reading: &Reading<'_>, turn: &Turn, timeline: &Timeline) -> Self {
        let mut said = Self::default();
        for sentence in &reading.sentences[turn.sentences.clone()] {
            let words = reading.words(sentence);
            said.words += words.len() as u32;
            said.timed_words +=
                reading.words_by_segment(sentence).filter(|segment| timeline.is_timed(*segment)).count()
                    as u32;
            said.questions += u32::from(questions::is_question(reading, sentence, &words));
            said.fillers += fillers(&words, |place| reading.before_word(sentence, place));
        }
        said
    }
}

/// Counts hesitations everywhere, and "like" and "you know" only between marks (comma, dash, dots, either
/// end of the sentence), where they add nothing: "it was, like, late", but not "people like you know that".
fn fillers<'t>(words: &[&str], before: impl Fn(usize) -> &'t str) -> u32 {
    let set_apart = |from: usize, to: usize| {
        let opens = from == 0 || is_break(before(from)) || HESITATIONS.contains(words[from - 1]);
        let comma_after = is_break(before(to));
        opens && (comma_after || (to == words.len() && from > 0))
    };
    let mut count = 0;
    for (place, word) in words.iter().enumerate() {
        count += u32::from(match *word {
            "like" => set_apart(place, place + 1),
            "you" => words.get(place + 1) == Some(&"know") && set_apart(place, place + 2),
            word => HESITATIONS.contains(word),
        });
    }
    count
}

fn is_break(between: &str) -> bool {
    between.contains([',', '—', '–', '…'])
        || between.contains("--")
        || between.contains("...")
        || between.contains(" - ")
}

#[cfg(test)]
mod tests {
    use super::fillers;
    use crate::analysis::text;

    fn count(sentence: &str) -> u32 {
        let places = text::words(sentence);
        let words: Vec<String> =
            places.iter().map(|word| text::fold(&sentence[word.start..word.end])).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        fillers(&words, |place| {
            let from = if place == 0 { 0 } else { places[place - 1].end };
            &sentence[from..places.get(place).map_or(sentence.len(), |word| word.start)]
        })
    }

    #[test]
    fn fillers_are_counted_where_they_add_nothing() {
        for (sentence, expected) in [
            ("Um, it was, uh, late.", 2),
            ("It was, like, huge.", 1),
            ("Like, I don't know.", 1),
            ("It's hard, you know, to say no.", 1),
            ("That was the plan, you know.", 1),
            ("And um like, you know, it broke.", 3),
            ("I like it.", 0),
            ("It looks like rain, like last week.", 0),
            ("You know what I mean.", 0),
            ("Do you know Anna?", 0),
            ("People like you know that.", 0),
            ("", 0),
        ] {
            assert_eq!(count(sentence), expected, "{sentence}");
        }
    }
}
