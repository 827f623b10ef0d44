//! Every quote stands in the segments that it names, and what does not is told apart.

use colloquy_domain::{
    analysis::{Analyzer, EXTRACTIVE, Evidence, analysis_key, verify},
    conversations::Talk,
    ids::ConversationId,
};
use serde_json::json;
use uuid::Uuid;

use crate::talks::{segment_id, spoken};

fn talk() -> Talk {
    spoken(&[
        ("Anna", "I’ll send the “final” draft — by Friday…"),
        ("Anna", "and the numbers on Monday."),
        ("Ben", "The soft\u{00AD}ware is fine.  Ναι, ΟΔΟΣ!"),
        ("Anna", "Budget is 40 000 euros, not 400."),
        ("Ben", "我们决定了。好吗？"),
    ])
}

fn stands(places: &[usize], quote: &str) -> bool {
    let segment_ids = places.iter().map(|place| segment_id(*place)).collect();
    verify(&talk(), &Evidence { segment_ids, quote: quote.to_owned(), start_ms: None, end_ms: None })
}

#[test]
fn a_quote_stands_whatever_its_case_spaces_quotes_and_dashes() {
    assert!(stands(&[0], "I’ll send the “final” draft — by Friday…"));
    assert!(stands(&[0], "i'll  SEND the \"final\" draft - by friday..."));
    assert!(stands(&[0], " the\n“Final”\tdraft "));
    assert!(stands(&[2], "the software is fine. ναι, οδος!"));
    assert!(stands(&[3], "ｂｕｄｇｅｔ is 40 000"));
    assert!(stands(&[4], "决定了"));
}

#[test]
fn a_quote_may_run_into_the_next_segment_if_both_are_named() {
    assert!(stands(&[0, 1], "by Friday… and the numbers"));
    assert!(stands(&[1, 0], "by Friday… and the numbers"), "the order of the ids does not matter");
    assert!(!stands(&[0], "by Friday… and the numbers"));
    assert!(!stands(&[0, 2], "by Friday… The software"), "what lies between is missing");
}

#[test]
fn a_quote_that_is_not_there_does_not_stand() {
    assert!(!stands(&[0], "I'll send the final draft by Monday"));
    assert!(!stands(&[1], "I'll send"), "it stands in another segment");
    assert!(!stands(&[3], "not 40"), "half a number");
    assert!(!stands(&[3], "Budget is 40 000 euros, not 40"));
    assert!(!stands(&[3], "udget is"), "half a word");
    assert!(!stands(&[3], ""));
    assert!(!stands(&[3], " … "), "nothing is said");
    assert!(!stands(&[], "Budget"));
    assert!(!stands(&[3, 99], "Budget"), "a segment that is not in the talk");
}

#[test]
fn the_key_depends_on_everything_but_the_order_of_parameters() {
    let conversation = ConversationId(Uuid::from_u128(7));
    let key = |revision, analyzer: &Analyzer, parameters| {
        analysis_key(conversation, revision, analyzer, &parameters)
    };
    let first = key(1, &EXTRACTIVE, json!({"a": 1, "b": [1, {"c": null}]}));
    assert_eq!(first, key(1, &EXTRACTIVE, json!({"b": [1, {"c": null}], "a": 1})));
    let others = [
        key(2, &EXTRACTIVE, json!({"a": 1, "b": [1, {"c": null}]})),
        key(1, &Analyzer { version: 2, ..EXTRACTIVE }, json!({"a": 1, "b": [1, {"c": null}]})),
        key(1, &Analyzer { name: "model", ..EXTRACTIVE }, json!({"a": 1, "b": [1, {"c": null}]})),
        key(1, &EXTRACTIVE, json!({"a": "1", "b": [1, {"c": null}]})),
        key(1, &EXTRACTIVE, json!({"a": 1, "b": [1], "c": null})),
        key(1, &EXTRACTIVE, json!(null)),
        analysis_key(
            ConversationId(Uuid::from_u128(8)),
            1,
            &EXTRACTIVE,
            &json!({"a": 1, "b": [1, {"c": null}]}),
        ),
    ];
    for (place, other) in others.iter().enumerate() {
        assert_ne!(&first, other, "{place}");
        assert!(!others[..place].contains(other), "{place}");
    }
}
