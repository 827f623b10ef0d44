//! Whatever is said, evidence holds, shares add up and nothing panics.

use colloquy_domain::{
    analysis::{InsightKind, analyze, verify},
    conversations::Talk,
};
use proptest::prelude::*;

use crate::talks::{Line, talk};

const SENTENCES: [&str; 24] = [
    "I'll send the report by Friday.",
    "Can you book the room, Ben?",
    "Let's go with the blue one.",
    "Agreed.",
    "I'm worried about the deadline, honestly.",
    "What do you think about the new database?",
    "right?",
    "I think the new database is excellent and the old database was terrible",
    "and the migration of the database takes three weeks",
    "Um, you know, like, [laughs] it's fine...",
    "We decided that the launch moves to the twelfth of March.",
    "Dr. Novak will review the draft — tomorrow",
    "“Yes”, she said: \"no\"",
    "Anna owns it, Ben sends the numbers by noon.",
    "Action item: Ben to update the page by end of week",
    "Let's do it.",
    "How about we postpone it to next week?",
    "What",
    "is",
    "?",
    "\u{200B} … \u{00AD}",
    "ΟΔΟΣ İstanbul ﬁne ǅ",
    "ไม่รู้ว่าทำไมถึงเป็นอย่างนั้น",
    "该怎么办？我们决定了。",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(SENTENCES.as_slice()).prop_map(str::to_owned),
        2 => "\\PC{0,40}",
        1 => any::<String>(),
        1 => "[a-z]{1,900}",
    ];
    (prop::collection::vec(piece, 0..6), prop::sample::select([" ", "\n", "\n\n", "", "\u{00A0}"].as_slice()))
        .prop_map(|(pieces, between)| pieces.join(between))
}

fn talks() -> impl Strategy<Value = Talk> {
    let speaker =
        prop::sample::select([None, Some("Anna Berg"), Some("Ben"), Some("Speaker 1"), Some("")].as_slice());
    let time =
        prop_oneof![3 => (0_u64..100_000).prop_map(Some), 1 => Just(None), 1 => any::<u64>().prop_map(Some)];
    let line = (speaker, text(), time.clone(), time);
    prop::collection::vec(line, 0..40).prop_map(|lines| {
        talk(lines.iter().map(|(speaker, text, start, end)| Line {
            speaker: *speaker,
            text,
            times: (*start, *end),
        }))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_insight_has_evidence_that_stands_in_the_talk(talk in talks()) {
        let findings = analyze(&talk);
        for insight in &findings.insights {
            prop_assert!(!insight.evidence.is_empty(), "{insight:?}");
            prop_assert!(!insight.text.trim().is_empty(), "{insight:?}");
            for evidence in &insight.evidence {
                prop_assert!(verify(&talk, evidence), "{evidence:?}");
                let named: Vec<_> = talk.segments.iter().filter(|segment| evidence.segment_ids.contains(&segment.id)).collect();
                let joined: Vec<&str> = named.iter().map(|segment| segment.text.as_str()).collect();
                prop_assert!(joined.join(" ").contains(&evidence.quote), "to the letter: {evidence:?}");
                prop_assert_eq!(evidence.start_ms, named[0].start_ms);
                prop_assert_eq!(evidence.end_ms, named[named.len() - 1].end_ms);
            }
            if insight.kind != InsightKind::Sentiment {
                prop_assert!(insight.score.is_none_or(|score| (0.0..=1.0).contains(&score)), "{insight:?}");
            }
        }
        prop_assert_eq!(analyze(&talk), findings, "the same talk gives the same findings");
    }

    #[test]
    fn measures_add_up(talk in talks()) {
        let measures = analyze(&talk).measures;
        prop_assert_eq!(measures.words, measures.participants.iter().map(|of| of.words).sum::<u32>());
        prop_assert_eq!(measures.turns, measures.participants.iter().map(|of| of.turns).sum::<u32>());
        let share: f64 = measures.participants.iter().filter_map(|of| of.share_of_words).sum();
        prop_assert!(measures.words == 0 || (share - 1.0).abs() < 1e-9);
        if let (Some(speaking), Some(duration)) = (measures.speaking_ms, measures.duration_ms) {
            prop_assert!(speaking <= duration);
            prop_assert!(measures.overlap_ms <= speaking);
            prop_assert!(speaking.saturating_add(measures.silences.total_ms) <= duration);
        }
    }
}
