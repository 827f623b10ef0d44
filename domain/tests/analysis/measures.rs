//! Hand-made talks with exactly the numbers that they must have.

use colloquy_domain::{
    analysis::{
        analyze,
        measures::{Measures, ParticipantMeasures},
        timeline::Silences,
    },
    time::Millis,
};

use crate::talks::{Line, segment_id, spoken, talk, timed};

/// Anna and Ben, with an interruption, an aside, a long silence and a cue that overlaps its own speaker's.
fn conversation() -> colloquy_domain::conversations::Talk {
    timed(&[
        ("Anna", 0, 4_000, "Hello Ben, um, how was the week with the team?"),
        ("Ben", 5_000, 9_000, "It was, like, long, and I think that it went well."),
        ("Ben", 8_000, 12_000, "We shipped the thing, you know."),
        // Begins 2 s before Ben stops, and goes on.
        ("Anna", 10_000, 16_000, "What did you learn from it?"),
        // An aside within Anna's turn.
        ("Ben", 13_000, 14_000, "Hm."),
        ("Anna", 19_000, 20_000, "Take your time, right?"),
        ("Ben", 30_000, 36_000, "That I ask for help too late, uh, always."),
    ])
}

fn of(measures: &Measures, index: usize) -> &ParticipantMeasures {
    &measures.participants[index]
}

#[test]
fn words_turns_questions_and_fillers_are_counted() {
    let measures = analyze(&conversation()).measures;
    let (anna, ben) = (of(&measures, 0), of(&measures, 1));
    assert_eq!((measures.segments, measures.turns, measures.words, measures.questions), (7, 6, 47, 2));
    assert_eq!((anna.turns, anna.words, anna.questions, anna.filler_words), (3, 20, 2, Some(1)));
    assert_eq!((ben.turns, ben.words, ben.questions, ben.filler_words), (3, 27, 0, Some(4)));
    assert_eq!(anna.share_of_words, Some(20.0 / 47.0));
    assert_eq!(anna.filler_words_per_100_words, Some(5.0));
    assert_eq!(measures.notes, Vec::<String>::new());
}

#[test]
fn time_counts_once_where_a_speakers_cues_overlap() {
    let measures = analyze(&conversation()).measures;
    let (anna, ben) = (of(&measures, 0), of(&measures, 1));
    assert_eq!(anna.speaking_ms, Some(4_000 + 6_000 + 1_000));
    assert_eq!(ben.speaking_ms, Some(7_000 + 1_000 + 6_000), "5 to 12 s is 7 s, though the cues add up to 8");
    assert_eq!(anna.share_of_time, Some(11.0 / 25.0));
    assert_eq!(anna.words_per_minute, Some(20.0 * 60.0 / 11.0));
    assert_eq!(measures.duration_ms, Some(36_000));
    assert_eq!(measures.speaking_ms, Some(4_000 + 11_000 + 1_000 + 6_000));
}

#[test]
fn the_longest_turn_is_the_one_with_most_words() {
    let measures = analyze(&conversation()).measures;
    let longest = of(&measures, 1).longest_turn.as_ref().expect("Ben has turns");
    assert_eq!((longest.segment_id, longest.words), (segment_id(1), 17));
    assert_eq!((longest.duration_ms, longest.start_ms), (Some(7_000), Some(Millis(5_000))));
}

#[test]
fn overlaps_say_who_began_over_whom_and_who_went_on() {
    let talk = conversation();
    let measures = analyze(&talk).measures;
    let (anna, ben) = (talk.participants[0].id, talk.participants[1].id);
    assert_eq!(measures.overlap_ms, 2_000 + 1_000);
    let mut overlaps: Vec<_> =
        measures.overlaps.iter().map(|it| (it.by, it.of, it.count, it.overlap_ms, it.took_floor)).collect();
    overlaps.sort();
    assert_eq!(overlaps, [(anna, ben, 1, 2_000, 1), (ben, anna, 1, 1_000, 0)]);
}

#[test]
fn silences_are_gaps_of_two_seconds_and_more() {
    let silences = analyze(&conversation()).measures.silences;
    assert_eq!((silences.count, silences.total_ms), (2, 3_000 + 10_000));
    let longest = silences.longest.expect("there are silences");
    assert_eq!((longest.start_ms, longest.end_ms), (Millis(20_000), Millis(30_000)));
    assert_eq!((longest.after_segment_id, longest.before_segment_id), (segment_id(5), segment_id(6)));

    let just_short =
        timed(&[("Anna", 0, 1_000, "One."), ("Ben", 2_999, 4_000, "Two."), ("Anna", 6_000, 7_000, "Three.")]);
    let silences = analyze(&just_short).measures.silences;
    assert_eq!((silences.count, silences.total_ms), (1, 2_000));
}

#[test]
fn the_response_delay_is_the_median_and_never_below_nothing() {
    let measures = analyze(&conversation()).measures;
    // Anna: -2 s becomes 0, then 5 s after Ben's aside. Ben: 1 s, -3 s becomes 0, 10 s.
    assert_eq!((of(&measures, 0).responses, of(&measures, 0).response_delay_median_ms), (2, Some(2_500)));
    assert_eq!((of(&measures, 1).responses, of(&measures, 1).response_delay_median_ms), (3, Some(1_000)));
}

#[test]
fn segments_without_usable_times_are_left_out_and_counted() {
    let line = |speaker, text, times| Line { speaker: Some(speaker), text, times };
    let talk = talk([
        line("Anna", "One two three four.", (Some(0), Some(2_000))),
        line("Ben", "Five six.", (None, None)),
        line("Anna", "Seven eight.", (Some(9_000), Some(8_000))),
        line("Ben", "Nine ten.", (Some(5_000), None)),
        line("Anna", "Eleven twelve.", (Some(10_000), Some(11_000))),
    ]);
    let measures = analyze(&talk).measures;
    assert_eq!((measures.segments, measures.segments_without_times), (5, 3));
    let (anna, ben) = (of(&measures, 0), of(&measures, 1));
    assert_eq!((anna.words, anna.speaking_ms), (8, Some(3_000)));
    assert_eq!(anna.words_per_minute, Some(6.0 * 60.0 / 3.0), "the words of timed segments alone");
    assert_eq!(
        (ben.words, ben.speaking_ms, ben.words_per_minute, ben.response_delay_median_ms),
        (4, None, None, None)
    );
    assert!(measures.notes.iter().any(|note| note.contains("3 of 5 segments")), "{:?}", measures.notes);
}

#[test]
fn speech_without_a_speaker_is_measured_apart() {
    let talk = talk([
        Line { speaker: None, text: "Who is this?", times: (Some(0), Some(1_000)) },
        Line { speaker: Some("Anna"), text: "It is me.", times: (Some(500), Some(2_000)) },
    ]);
    let measures = analyze(&talk).measures;
    assert_eq!(measures.participants.len(), 2);
    assert_eq!((of(&measures, 1).participant_id, of(&measures, 1).words), (None, 3));
    assert!(measures.overlaps.is_empty(), "nobody can be said to interrupt an unknown speaker");
    assert_eq!(of(&measures, 0).response_delay_median_ms, None);
}

#[test]
fn an_empty_talk_measures_nothing() {
    let findings = analyze(&spoken(&[]));
    assert!(findings.insights.is_empty());
    assert_eq!(findings.measures, Measures::default());
    assert_eq!(findings.measures.silences, Silences::default());
}

#[test]
fn a_transcribers_marks_are_not_words() {
    let measures =
        analyze(&spoken(&[("Anna", "Well [laughs] that is it (inaudible) (really) {gap}.")])).measures;
    assert_eq!(measures.words, 5);
}

#[test]
fn measures_survive_json() {
    let measures = analyze(&conversation()).measures;
    let json = serde_json::to_value(&measures).expect("measures are plain data");
    assert_eq!(serde_json::from_value::<Measures>(json).expect("and come back"), measures);
    let empty: Measures =
        serde_json::from_str("{}").expect("what an older version did not measure is missing");
    assert_eq!(empty, Measures::default());
}
