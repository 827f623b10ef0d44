//! Risks and concerns that are voiced as the speaker's own and as standing now: not asked about, not denied,
//! not told of the past or of others.

use std::sync::LazyLock;

use super::{Details, Insight, InsightKind, phrases::Phrases, reading::Reading, text};

const MOST: usize = 30;
/// What goes on for longer tells a story.
const LONGEST_WORDS: usize = 50;

static VOICES: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "i'm worried | i am worried | we're worried | i'm a bit worried | i'm a little worried |
         i'm really worried | i'm very worried | my worry is | my biggest worry | my only worry |
         my main worry | worries me | i worry | i'm concerned | i am concerned | we're concerned |
         i'm a bit concerned | i'm a little concerned | my concern | my main concern |
         my biggest concern | my only concern | concerns me | the concern is | one concern |
         the risk is | the risk here | risk is that | there's a risk | there is a risk | the risk that |
         the risk of | biggest risk | main risk | big risk | real risk | is at risk | are at risk |
         we're at risk | at risk of | risks slipping | single point of failure | is a blocker |
         main blocker | biggest blocker | blocked by | blocked on | we're blocked | i'm blocked |
         is blocking | might slip | could slip | will slip | going to slip | might miss | could miss |
         we'll miss | won't make it | won't be ready | not going to make it | red flag | red flags |
         deal-breaker | showstopper | show stopper | my fear is | my biggest fear | i'm afraid that |
         i'm afraid of | i'm scared | i'm nervous | i'm anxious | makes me nervous | keeps me up |
         i'm struggling | scares me | i'm terrified | terrifies me | running out of time |
         running out of money | running out of runway | running out of budget | i'm burned out |
         i'm burnt out | burning out",
    )
});
static DENIES: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "no risk | not a risk | no blocker | no blockers | not worried | not concerned | not a blocker |
         no longer | no red flags | don't worry | nothing to worry | isn't a risk | not at risk |
         isn't a blocker | not afraid | i don't worry | used to | i was worried | not nervous |
         no real risk | not a big risk | wasn't | risk averse | never worry | at the risk of |
         as far as i'm concerned | not running | not scared | low risk | no concerns",
    )
});
/// Somebody else's worry, or an answer to give.
static ELSEWHERE: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "if you | if someone | when people | people who | sometimes | for example | imagine |
         back then | years ago",
    )
});

pub(super) fn find(reading: &Reading<'_>) -> Vec<Insight> {
    if !reading.english {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (_, sentence) in reading.quotable() {
        let words = reading.words(sentence);
        let quote = reading.quote(sentence);
        if !(5..=LONGEST_WORDS).contains(&words.len())
            || text::holds_quotation(quote)
            || text::ends_with_question_mark(quote)
        {
            continue;
        }
        if !VOICES.stand_in(&words) || DENIES.stand_in(&words) || ELSEWHERE.stand_in(&words) {
            continue;
        }
        let own = words.iter().any(|word| matches!(*word, "i'm" | "my" | "we're" | "me" | "i" | "we"));
        found.push(Insight {
            kind: InsightKind::Risk,
            text: reading.readable(sentence),
            participant_id: reading.participant_id(sentence.speaker),
            score: Some(if own { 0.8 } else { 0.7 }),
            details: Details::None,
            evidence: vec![reading.evidence(sentence)],
        });
        if found.len() == MOST {
            break;
        }
    }
    found
}
