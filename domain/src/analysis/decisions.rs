//! Decisions: what a group settles while it talks. "We decided" in a story about the past is not one; a
//! bare "agreed" is, together with the proposal that it answers.

use std::{collections::HashSet, sync::LazyLock};

use super::{
    Details, Insight, InsightKind, due,
    phrases::Phrases,
    reading::{Reading, Sentence},
    text,
};

const MOST: usize = 30;
/// What goes on for longer tells a story.
const LONGEST_WORDS: usize = 50;

/// Said when something is settled now.
static SETTLES: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "we've decided | we have decided | we've agreed | we have agreed | i've decided |
         i have decided | let's go with | let's stick with | let's settle on | we'll go with |
         we will go with | we're going with | we are going with | we're going to go with |
         i'll go with | the decision is | final decision | it's decided that | that's decided |
         so that's settled | we're agreed | we are agreed | we all agree | so we agree | decision made |
         then it's settled | let's make it | we'll stick with | let's keep it at | let's do it |
         that's the plan | we're not going to do | the plan of record | i'm going with |
         i am going with | let's cut | let's drop | let's postpone | let's ship | we're dropping |
         we're postponing",
    )
});
/// Said of now and of long ago alike.
static SETTLED: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new("we decided | we agreed | we settled on | we chose | it was decided | it was agreed")
});
/// What makes of a [`SETTLED`] one a decision that still holds.
static STILL_HOLDS: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "to recap | just to confirm | to confirm | to summarize | to sum up | today | recap |
         for the notes",
    )
});
static PAST: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "ago | back then | back in | at the time | when i | when we | last year | originally |
         eventually | ended up | at that point | last month | in the past | back when | used to |
         was when | that's when | years | initially",
    )
});
/// The matter is open after all.
static OPEN: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "haven't decided | not decided | if we | if you | whether | before we | until we |
         haven't agreed | never agreed | once we | unless | we could | imagine | let's say | assuming |
         hasn't been | don't know | not sure | could say | let's call it a day | let's make it clear |
         let's do it again | let's call it that | if i | how | why",
    )
});
static PROPOSES: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "let's | should we | shall we | how about | i propose | i suggest | i'd suggest |
         i would suggest | i'd propose | what if we | i'd say we | why don't we | i say we |
         i think we should | i vote | my proposal | we could | i recommend | i'd recommend | then we |
         so we | i'd try | i'd go with | i would try | i'd like us to",
    )
});
static AGREES: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "agreed | that's agreed | i'm in favor | i'm in favour | it's a deal | deal | decided | sold |
         let's go with that | let's do that | let's do it",
    )
});
const LONGEST_AGREEMENT_WORDS: usize = 4;

pub(super) fn find(reading: &Reading<'_>) -> Vec<Insight> {
    if !reading.english {
        return Vec::new();
    }
    let mut found: Vec<(f32, usize, Insight)> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    for (place, sentence) in reading.quotable() {
        let words = reading.words(sentence);
        let (score, settled, also) = if let Some(score) = settles(reading, sentence, &words) {
            (score, place, None)
        } else if let Some(proposal) = agrees_to(reading, place, &words) {
            (0.8, proposal, Some(place))
        } else {
            continue;
        };
        let proposal = &reading.sentences[settled];
        if seen.insert(reading.words(proposal).join(" ")) {
            found.push((
                score,
                settled,
                insight(reading, proposal, also.map(|also| &reading.sentences[also]), score),
            ));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found.truncate(MOST);
    found.sort_by_key(|(_, place, _)| *place);
    found.into_iter().map(|(_, _, insight)| insight).collect()
}

fn insight(reading: &Reading<'_>, settled: &Sentence, agreement: Option<&Sentence>, score: f32) -> Insight {
    let mut evidence = vec![reading.evidence(settled)];
    evidence.extend(agreement.map(|agreement| reading.evidence(agreement)));
    Insight {
        kind: InsightKind::Decision,
        text: reading.readable(settled),
        participant_id: reading.participant_id(settled.speaker),
        score: Some(score),
        details: Details::None,
        evidence,
    }
}

fn settles(reading: &Reading<'_>, sentence: &Sentence, words: &[&str]) -> Option<f32> {
    let quote = reading.quote(sentence);
    if !(4..=LONGEST_WORDS).contains(&words.len())
        || text::ends_with_question_mark(quote)
        || text::holds_quotation(quote)
    {
        return None;
    }
    let (settles, settled) = (SETTLES.find(words), SETTLED.find(words));
    if settles.is_none() && settled.is_none() {
        return None;
    }
    if OPEN.stand_in(words) || PAST.stand_in(words) || words.iter().any(|word| is_past_year(word)) {
        return None;
    }
    if let Some(range) = settles {
        let short = matches!(words[range.clone()], ["let's", "do", "it"] | ["that's", "the", "plan"]);
        return (!short && words.len() >= range.len() + 2).then_some(0.9);
    }
    let range = settled?;
    let ahead = words.iter().any(|word| matches!(*word, "will" | "we'll" | "i'll" | "we'd"));
    let sums_up = range.start > 0 && matches!(words[0], "so" | "okay" | "ok" | "right" | "great");
    let ruled = words.get(range.end) == Some(&"that")
        && !words[range.end..]
            .iter()
            .any(|word| matches!(*word, "was" | "were" | "would" | "had" | "wasn't" | "weren't"));
    (ruled
        || STILL_HOLDS.stand_in(words)
        || ahead
        || due::find(words, range.end).is_some_and(|due| due.firm)
        || (sums_up && range.start <= 2 && reading.talk.participants.len() > 2))
        .then_some(0.6)
}

/// The proposal that a short "Agreed." answers: the nearest one in the turn before.
fn agrees_to(reading: &Reading<'_>, place: usize, words: &[&str]) -> Option<usize> {
    let sentence = &reading.sentences[place];
    let turn = &reading.turns[sentence.turn];
    let opens = place < turn.sentences.start + 2;
    let first = AGREES.find(words)?;
    if words.len() > LONGEST_AGREEMENT_WORDS
        || !opens
        || first.start > 1
        || text::ends_with_question_mark(reading.quote(sentence))
    {
        return None;
    }
    // Others may have agreed in between with a word or two.
    let earlier =
        (0..sentence.turn).rev().take(3).filter(|turn| reading.turns[*turn].speaker != sentence.speaker);
    earlier.flat_map(|turn| reading.turns[turn].sentences.clone().rev().take(3)).find(|candidate| {
        let candidate = &reading.sentences[*candidate];
        let words = reading.words(candidate);
        words.len() >= 4 && PROPOSES.stand_in(&words)
    })
}

fn is_past_year(word: &str) -> bool {
    word.len() == 4
        && word.chars().all(|c| c.is_ascii_digit())
        && (word.starts_with("19") || word.starts_with("20"))
}
