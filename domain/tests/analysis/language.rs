//! Talk that is not English gets what needs no language, and says so.

use colloquy_domain::analysis::{Details, InsightKind, analyze};

use crate::talks::{of_kind, spoken};

const GERMAN: [(&str, &str); 8] = [
    ("Jana", "Wir müssen über die Datenbank reden, die Datenbank ist seit gestern langsam."),
    ("Uwe", "Ja, das habe ich gesehen. Seit wann ist die Datenbank so langsam?"),
    ("Jana", "Seit dem Umzug auf den neuen Server. Er ist sehr gut, aber die Verbindung fehlt."),
    ("Uwe", "Wer kümmert sich um den Umzug?"),
    ("Jana", "Das mache ich bis Freitag, um den Umzug kümmere ich mich."),
    ("Uwe", "Gut, dann beenden wir den Umzug und sehen uns die Datenbank noch einmal an."),
    ("Jana", "Um zehn Uhr? Er kommt auch."),
    ("Uwe", "Um zehn. Bis dann."),
];

#[test]
fn of_another_language_only_what_needs_no_grammar_is_given() {
    let findings = analyze(&spoken(&GERMAN));
    assert!(
        findings.measures.notes.iter().any(|note| note.contains("English")),
        "{:?}",
        findings.measures.notes
    );
    for kind in [
        InsightKind::Summary,
        InsightKind::Decision,
        InsightKind::ActionItem,
        InsightKind::Risk,
        InsightKind::Sentiment,
    ] {
        assert_eq!(of_kind(&findings, kind), Vec::<&_>::new(), "{kind:?}");
    }
    assert_eq!(of_kind(&findings, InsightKind::Question).len(), 3);
    let phrases: Vec<&str> =
        of_kind(&findings, InsightKind::KeyPhrase).iter().map(|insight| insight.text.as_str()).collect();
    assert!(phrases.contains(&"Datenbank") && phrases.contains(&"Umzug"), "{phrases:?}");
    assert!(
        findings.measures.participants.iter().all(|of| of.filler_words.is_none()),
        "\"um\" and \"er\" are words here"
    );
}

#[test]
fn questions_of_scripts_without_spaces_are_found() {
    let findings = analyze(&spoken(&[("田中", "今日は何を決めますか？"), ("佐藤", "日程を決めました。")]));
    let questions = of_kind(&findings, InsightKind::Question);
    assert_eq!(questions.len(), 1);
    assert!(matches!(questions[0].details, Details::Question { answered: Some(true), .. }));
    assert_eq!(questions[0].evidence[0].quote, "今日は何を決めますか？");
}
