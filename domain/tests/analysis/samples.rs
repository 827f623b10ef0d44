//! The conversations that ship with the project, analysed as a user would see them.

use std::{fs, path::Path};

use colloquy_domain::{
    analysis::{Details, Findings, InsightKind, analyze, verify},
    conversations::Talk,
    transcripts::{Limits, parse},
};

use crate::talks::{Line, label, of_kind, talk};

fn sample(name: &str) -> (Talk, Findings) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples").join(name);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let transcript = parse(&bytes, None, &Limits::default()).expect("samples are well-formed");
    let speakers = &transcript.report.speakers;
    let talk = talk(transcript.turns.iter().map(|turn| Line {
        speaker: turn.speaker.map(|speaker| speakers[speaker].as_str()),
        text: &turn.text,
        times: (turn.start_ms.map(|ms| ms.0), turn.end_ms.map(|ms| ms.0)),
    }));
    let findings = analyze(&talk);
    for insight in &findings.insights {
        assert!(insight.evidence.iter().all(|evidence| verify(&talk, evidence)), "{insight:?}");
    }
    (talk, findings)
}

fn texts(findings: &Findings, kind: InsightKind) -> Vec<&str> {
    of_kind(findings, kind).into_iter().map(|insight| insight.text.as_str()).collect()
}

/// Owner, due, and the words it is known by.
fn has_item(findings: &Findings, owner: &str, due: Option<&str>, words: &str) {
    let found = of_kind(findings, InsightKind::ActionItem).into_iter().any(|insight| {
        let Details::ActionItem { owner: actual, due: until } = &insight.details else {
            return false;
        };
        insight.text.contains(words) && actual.as_deref() == Some(owner) && until.as_deref() == due
    });
    assert!(found, "{owner}, {due:?}: {words}, in {:#?}", texts(findings, InsightKind::ActionItem));
}

#[test]
fn the_meeting_has_its_decisions_owners_and_dates() {
    let (_, findings) = sample("product-meeting.vtt");
    has_item(&findings, "Chloe Martin", Some("by Monday"), "send Luis the texts");
    has_item(&findings, "Dmitri Volkov", Some("by noon"), "I'll send them");
    has_item(&findings, "Chloe Martin", Some("tomorrow"), "ring both of them");
    has_item(&findings, "Luis Ortega", Some("by Thursday the twentieth of November"), "three offers");
    has_item(&findings, "Chloe Martin", Some("by Monday evening"), "Chloe does the page");
    let decisions = texts(&findings, InsightKind::Decision);
    for words in ["read access at sign-up", "pricing test runs until", "invoice links come before everything"]
    {
        assert!(decisions.iter().any(|text| text.contains(words)), "{words}: {decisions:#?}");
    }
    assert!(texts(&findings, InsightKind::Risk).iter().any(|text| text.contains("touch the same code")));
    assert!(texts(&findings, InsightKind::KeyPhrase).contains(&"group bookings"));
    assert!((3..=7).contains(&of_kind(&findings, InsightKind::Summary)[0].evidence.len()));
    let promised = of_kind(&findings, InsightKind::ActionItem)
        .into_iter()
        .find(|insight| insight.text.contains("have a draft"));
    assert_eq!(
        promised.map(|insight| insight.evidence.len()),
        Some(2),
        "the request and the promise are one item"
    );
}

#[test]
fn the_coaching_session_ends_in_the_clients_own_plan() {
    let (talk, findings) = sample("coaching-session.vtt");
    has_item(&findings, "Tobias Okafor", Some("by Thursday"), "edit rights");
    has_item(&findings, "Tobias Okafor", Some("by Wednesday the twenty-second"), "draw the calendar");
    let items = of_kind(&findings, InsightKind::ActionItem);
    assert!(
        items.iter().all(|item| label(&talk, item.participant_id) == Some("Tobias Okafor")),
        "{items:#?}"
    );
    assert!(items.iter().all(|item| item.evidence.iter().all(|evidence| evidence.start_ms.is_some())));
    let measures = &findings.measures;
    let coach = &measures.participants[0];
    let client = &measures.participants[1];
    assert!(coach.share_of_time < client.share_of_time, "a coach listens");
    assert!(coach.questions > client.questions);
    assert!(
        measures
            .silences
            .longest
            .as_ref()
            .is_some_and(|longest| longest.end_ms.since(longest.start_ms) > 30_000)
    );
}

#[test]
fn the_interview_is_mostly_questions_and_answers() {
    let (talk, findings) = sample("backend-interview.srt");
    let questions = of_kind(&findings, InsightKind::Question);
    let asked = questions
        .iter()
        .filter(|question| label(&talk, question.participant_id) == Some("Priya Raman"))
        .count();
    let answered = questions
        .iter()
        .filter(|question| matches!(question.details, Details::Question { answered: Some(true), .. }))
        .count();
    assert!(questions.len() >= 20 && asked * 10 >= questions.len() * 7, "{asked} of {}", questions.len());
    assert!(answered * 10 >= questions.len() * 9, "{answered} of {}", questions.len());
    has_item(&findings, "Jonas Weber", Some("by Sunday evening"), "send it");
    assert_eq!(
        texts(&findings, InsightKind::Decision),
        Vec::<&str>::new(),
        "stories of past decisions are not decisions"
    );
    assert!(texts(&findings, InsightKind::KeyPhrase).contains(&"refund"));
}

#[test]
fn the_advice_talk_has_no_times_and_says_so() {
    let (_, findings) = sample("career-advice.txt");
    assert_eq!(findings.measures.notes, ["The source has no times."]);
    assert!(
        findings
            .measures
            .participants
            .iter()
            .all(|of| of.speaking_ms.is_none() && of.share_of_words.is_some())
    );
    has_item(&findings, "Sam Whitaker", Some("By Friday"), "ask Bev");
    has_item(&findings, "Sam Whitaker", None, "bring the envelope");
    assert_eq!(
        texts(&findings, InsightKind::Risk),
        ["I'm afraid of being signed off.", "I'm afraid of the maths."]
    );
}
