//! What counts as an action item, a decision, a question or a risk, and what does not.

use colloquy_domain::analysis::{Details, Findings, InsightKind, analyze};

use crate::talks::{label, of_kind, spoken};

/// What is found in Anna's words, said to Ben and Chloe in a talk in English.
fn said(text: &str) -> (colloquy_domain::conversations::Talk, Findings) {
    let talk = spoken(&[
        ("Ben", "The weather in the mountains was very kind to all of them."),
        ("Chloe", "And there was more snow than they had in the valley."),
        ("Anna", text),
        ("Ben", "There is some more of it in the kitchen."),
    ]);
    let findings = analyze(&talk);
    (talk, findings)
}

fn found(text: &str, kind: InsightKind) -> Vec<String> {
    of_kind(&said(text).1, kind).into_iter().map(|insight| insight.evidence[0].quote.clone()).collect()
}

fn none_of(kind: InsightKind, texts: &[&str]) {
    for text in texts {
        assert_eq!(found(text, kind), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn action_items_have_owners_and_dates() {
    for (text, owner, due) in [
        ("I'll send the slides by Friday.", Some("Anna"), Some("by Friday")),
        ("Okay, so I’ll email them the contract.", Some("Anna"), None),
        ("I will draft the announcement tomorrow morning.", Some("Anna"), Some("tomorrow morning")),
        ("I'm going to schedule the interviews for next week.", Some("Anna"), Some("next week")),
        (
            "Um, I'll uh also set up the account before our next session.",
            Some("Anna"),
            Some("before our next session"),
        ),
        (
            "I need to finish the budget by the end of the month.",
            Some("Anna"),
            Some("by the end of the month"),
        ),
        ("I'll have a first version by Tuesday the eleventh.", Some("Anna"), Some("by Tuesday the eleventh")),
        ("I'll rest on Sunday.", Some("Anna"), Some("on Sunday")),
        ("Ben, can you book the room?", Some("Ben"), None),
        ("Can you review the patch by tomorrow, Chloe?", Some("Chloe"), Some("by tomorrow")),
        ("Chloe will update the pricing page.", Some("Chloe"), None),
        ("Ben to circulate the notes by noon.", Some("Ben"), Some("by noon")),
        (
            "And Ben sends the logs by Monday the tenth, Chloe helps.",
            Some("Ben"),
            Some("by Monday the tenth"),
        ),
        ("Please follow up with the customer.", None, None),
        ("I'd like you to write down three of them by Thursday.", None, Some("by Thursday")),
        ("We need to schedule a follow-up with legal.", None, None),
        ("Let's meet again on Wednesday.", None, Some("on Wednesday")),
        ("Action item: Ben to check the invoices.", Some("Ben"), None),
        ("The next step is for Chloe to talk with the vendor.", Some("Chloe"), None),
        ("My homework is to call two former colleagues this week.", Some("Anna"), Some("this week")),
    ] {
        let (talk, findings) = said(text);
        let items = of_kind(&findings, InsightKind::ActionItem);
        assert_eq!(items.len(), 1, "{text}");
        let Details::ActionItem { owner: actual, due: until } = &items[0].details else { panic!("{text}") };
        assert_eq!((actual.as_deref(), until.as_deref()), (owner, due), "{text}");
        assert_eq!(label(&talk, items[0].participant_id), owner, "{text}");
    }
}

#[test]
fn ways_of_talking_are_no_action_items() {
    none_of(
        InsightKind::ActionItem,
        &[
            "I'll be honest with you, it was hard.",
            "I'll never forget that evening.",
            "I'll say that again on Friday.",
            "I'll share a story about that.",
            "I'll ask you a few questions about your work.",
            "I'll see you on Thursday.",
            "I'll talk to you tomorrow.",
            "If I'll send it, they will read it.",
            "He said I'll send it by Friday.",
            "Sometimes I'll send them a card.",
            "And I was like \"I'll send it by Friday\".",
            "Can you hear me?",
            "Can you tell me about a time when it failed?",
            "Could you share an example of that?",
            "Would you walk us through it?",
            "Let's talk about the budget.",
            "Let's start with the first one.",
            "We need to think about what people want.",
            "At the end of the day we have to live with it.",
            "It is one of the things we wanted to do for them this year.",
            "Are there any action items for me?",
            "There are no action items for this week.",
            "I was going to send it last Friday.",
            "The letter from Ben to Chloe was lost.",
            "Imagine I'll send you a hundred of them.",
            "I can send messages with it.",
        ],
    );
}

#[test]
fn a_request_in_a_talk_of_two_is_for_the_other() {
    let talk = spoken(&[
        ("Anna", "That is all there is about it. Could you send me the numbers by Monday?"),
        ("Ben", "Yes, of course. There is not much of it."),
    ]);
    let findings = analyze(&talk);
    let items = of_kind(&findings, InsightKind::ActionItem);
    assert_eq!(items.len(), 1);
    assert_eq!(
        items[0].details,
        Details::ActionItem { owner: Some("Ben".to_owned()), due: Some("by Monday".to_owned()) }
    );
}

#[test]
fn a_promise_that_answers_a_request_is_one_item_with_both_sentences() {
    let talk = spoken(&[
        ("Anna", "That is all there is about it. Chloe, would you draft the letter?"),
        ("Chloe", "Yes. I'll send the draft by Tuesday."),
        ("Ben", "Then there is nothing else that we have."),
    ]);
    let findings = analyze(&talk);
    let items = of_kind(&findings, InsightKind::ActionItem);
    assert_eq!(items.len(), 1);
    let quotes: Vec<&str> = items[0].evidence.iter().map(|evidence| evidence.quote.as_str()).collect();
    assert_eq!(quotes, ["Chloe, would you draft the letter?", "I'll send the draft by Tuesday."]);
    assert_eq!(items[0].text, "I'll send the draft by Tuesday.");
}

#[test]
fn decisions_are_what_is_settled_now() {
    for text in [
        "Let's go with the blue design.",
        "Okay, so we've decided to drop the old plan.",
        "We have agreed on two days in the office.",
        "Then we'll go with the second supplier.",
        "We're going with Postgres for the ledger.",
        "I've decided to apply for the master's programme.",
        "The decision is that we ship without it.",
        "So we agreed that Ben leads the migration.",
        "We decided that the test runs until Thursday.",
        "To recap, we decided to move the launch.",
        "Let's stick with the current vendor.",
        "Let's postpone the workshop to March.",
        "Today we agreed to hire two more engineers.",
        "We all agree that the price stays as it is.",
        "Just to confirm, we settled on the smaller room.",
        "It's decided that nobody works on weekends.",
    ] {
        assert_eq!(found(text, InsightKind::Decision), [text], "{text}");
    }
}

#[test]
fn stories_and_open_matters_are_no_decisions() {
    none_of(
        InsightKind::Decision,
        &[
            "We decided to move to Berlin ten years ago.",
            "Back then we decided to rewrite everything.",
            "In 2015 we decided to start a company.",
            "When I joined, we chose the cheaper one.",
            "We haven't decided on the colour.",
            "We still have to see whether we've decided on it.",
            "Have we decided on the date?",
            "Should we go with the blue one?",
            "If we go with it, let's go with both of them.",
            "They decided to leave the country.",
            "She decided that it was enough for her.",
            "We eventually agreed to sell the company.",
            "He said \"let's go with the red one\".",
            "It's decided by whoever approves it.",
            "I don't know why we've agreed to that.",
            "We agreed.",
            "That is a difficult decision.",
        ],
    );
}

#[test]
fn an_agreement_makes_a_decision_of_the_proposal_before_it() {
    let talk = spoken(&[
        ("Anna", "There are two of them and they are not the same."),
        ("Ben", "I suggest we keep the second one for the summer."),
        ("Chloe", "Agreed. It is what they want."),
    ]);
    let findings = analyze(&talk);
    let decisions = of_kind(&findings, InsightKind::Decision);
    assert_eq!(decisions.len(), 1);
    assert_eq!(label(&talk, decisions[0].participant_id), Some("Ben"));
    let quotes: Vec<&str> = decisions[0].evidence.iter().map(|evidence| evidence.quote.as_str()).collect();
    assert_eq!(quotes, ["I suggest we keep the second one for the summer.", "Agreed."]);
}

#[test]
fn risks_are_the_speakers_own_and_of_now() {
    for text in [
        "I'm worried about the deadline.",
        "The risk is that the vendor goes away.",
        "There's a risk that both touch the same code.",
        "My biggest concern is the handover in May.",
        "The missing contract is a blocker for us.",
        "We're blocked on the security review.",
        "The date might slip by two weeks.",
        "What worries me is the second half of the year.",
    ] {
        assert_eq!(found(text, InsightKind::Risk), [text], "{text}");
    }
    none_of(
        InsightKind::Risk,
        &[
            "I'm not worried about the deadline.",
            "Don't worry, it is all there.",
            "Is there a risk that we lose them?",
            "There are no blockers from my side.",
            "I was worried about it when I began.",
            "As far as I'm concerned it is finished.",
            "At the risk of sounding rude, it is late.",
            "That isn't a risk for any of us.",
        ],
    );
}

#[test]
fn questions_are_asked_of_somebody() {
    for text in [
        "What would you do differently?",
        "How long did the migration take?",
        "So, why did you leave the company?",
        "Ben, who owns the ledger now?",
        "Do you have a date in mind?",
        "Is there anything that you'd change?",
        "And when can you start with us?",
        "Could we measure it by weekday?",
        "Which of the two would you keep?",
        "Have you talked with her about it?",
        "Did you send it to them, or not?",
        "Where would you like to work from?",
        "Would the bonus matter to you?",
        "What's your notice period there?",
        "You mean that nobody has read it since March?",
    ] {
        assert_eq!(found(text, InsightKind::Question), [text], "{text}");
    }
    none_of(
        InsightKind::Question,
        &[
            "Right?",
            "You know?",
            "It was late, you know?",
            "You sent it to them, right?",
            "That is how they work, isn't it?",
            "Okay?",
            "Really?",
            "How are you?",
            "Can you hear me?",
            "So how are you doing?",
            "Does that make sense?",
            "And she asked me \"What do you want from life?\"",
            "I like how you said \"Why are you saying yes?\"",
            "What do you want.",
            "Why did they leave? Because there was nothing for them to do there, and nobody had told them what to do with all of \
         the time that they had on their hands in the winter.",
            "You know what?",
        ],
    );
}

#[test]
fn a_question_is_answered_by_whoever_speaks_next() {
    let talk = spoken(&[
        ("Anna", "How long did the whole migration take?"),
        ("Ben", "All of it? Yes. It took us about three weeks."),
        ("Anna", "And what about the one that you had before?"),
        ("Ben", "Why do you want to know that?"),
        ("Anna", "There is a reason for it that I have."),
    ]);
    let findings = analyze(&talk);
    let questions: Vec<_> = of_kind(&findings, InsightKind::Question)
        .into_iter()
        .map(|insight| {
            let Details::Question { answered, answered_by } = insight.details else { panic!("{insight:?}") };
            let answer = insight.evidence.get(1).map(|evidence| evidence.quote.as_str());
            (insight.text.as_str(), answered, label(&talk, answered_by), answer)
        })
        .collect();
    assert_eq!(
        questions,
        [
            (
                "How long did the whole migration take?",
                Some(true),
                Some("Ben"),
                Some("It took us about three weeks.")
            ),
            ("What about the one that you had before?", Some(false), None, None),
            (
                "Why do you want to know that?",
                Some(true),
                Some("Anna"),
                Some("There is a reason for it that I have.")
            ),
        ]
    );
}

#[test]
fn a_sentence_over_two_cues_is_quoted_with_both() {
    let talk = spoken(&[
        ("Ben", "The weather in the mountains was very kind to all of them."),
        ("Anna", "There is more of it, and I'll send the"),
        ("Anna", "report by Friday. That is all that I have."),
    ]);
    let findings = analyze(&talk);
    let items = of_kind(&findings, InsightKind::ActionItem);
    assert_eq!(items[0].evidence[0].quote, "There is more of it, and I'll send the report by Friday.");
    assert_eq!(items[0].evidence[0].segment_ids, [talk.segments[1].id, talk.segments[2].id]);
}

#[test]
fn sentiment_follows_the_talk_down_and_up() {
    let mut lines = vec![("Anna", "It was terrible, and I am very frustrated with the delays."); 10];
    lines.extend([("Anna", "Now it is excellent, and I am happy and proud of the team."); 10]);
    let talk = spoken(&lines);
    let findings = analyze(&talk);
    let sentiments = of_kind(&findings, InsightKind::Sentiment);
    assert_eq!(sentiments.len(), 2, "of the talk and of Anna");
    let Details::Sentiment { sentences, course } = &sentiments[0].details else { panic!("{sentiments:?}") };
    assert_eq!((*sentences, course.len()), (20, 10));
    assert!(course[..5].iter().all(|value| value.is_some_and(|value| value < -0.5)), "{course:?}");
    assert!(course[5..].iter().all(|value| value.is_some_and(|value| value > 0.5)), "{course:?}");
}

#[test]
fn names_two_people_share_own_nothing() {
    let talk = spoken(&[
        ("Tom Reed", "There is nothing more of that, and Tom will send the numbers."),
        ("Tom Hale", "That is what they said to me about it."),
    ]);
    let findings = analyze(&talk);
    assert!(of_kind(&findings, InsightKind::ActionItem).iter().all(|item| item.participant_id.is_none()));
}
