//! Questions, and whether they were answered. A tag ("right?", "you know?") asks nothing, and a question
//! that its asker talks on over was not put to anybody.

use std::sync::LazyLock;

use super::{
    Details, Insight, InsightKind,
    phrases::Phrases,
    reading::{Reading, Sentence},
    text,
    vocabulary::Words,
};

/// An answer must begin within so many turns.
const ANSWER_TURNS: usize = 3;
/// Whoever says more words than this after a question in the same turn answers it himself or has moved on.
const TALKS_ON_WORDS: usize = 25;
const TALKS_ON_SENTENCES: usize = 12;
const MOST: usize = 30;
/// Below it a question is hardly more than an echo.
const LEAST_SCORE: f32 = 0.5;

static TAGS: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "right | you know | okay | ok | yeah | no | huh | eh | really | isn't it | aren't they |
         don't you | isn't that | you know what i mean | does that make sense | makes sense |
         make sense | see | you see | correct | doesn't it | didn't it | wasn't it | weren't you |
         aren't you | don't they | you know that | know what i mean | does it make sense |
         or something | if that makes sense | or not | or what",
    )
});
/// Greetings, checks of the line, and questions that nobody expects an answer to.
static IDLE: LazyLock<Phrases> = LazyLock::new(|| {
    Phrases::new(
        "how are you | how's it going | how are you doing | can you hear me | can you see my screen |
         what's up | why not | who knows | are you there | shall we start | shall we begin |
         what can i say | how do you do | what do you call it | you know what | guess what |
         what's the word | is that right | is that so | say that again | can you see it |
         does that make sense | what do you mean",
    )
});
static ASKS: Words = LazyLock::new(|| {
    "what why how when where who which whose what's how's who's where's is are do does did can could would will should have has
     was were shall am may"
        .split_whitespace()
        .collect()
});
const SHORTEST_WORDS: usize = 3;

/// Whether a sentence asks something: it ends with a question mark and is more than a tag. A statement with
/// a tag behind it ("You sent it, right?") asks nothing either.
pub(super) fn is_question(reading: &Reading<'_>, sentence: &Sentence, words: &[&str]) -> bool {
    if words.is_empty() || !text::ends_with_question_mark(reading.quote(sentence)) {
        return false;
    }
    if TAGS.at(words, 0) == Some(words.len()) {
        return false;
    }
    let tag = (1..words.len()).find(|place| {
        TAGS.at(words, *place) == Some(words.len() - place)
            && reading.before_word(sentence, *place).contains(',')
    });
    // "Did you send it, or not?" does ask.
    tag.is_none() || words.get(super::vocabulary::lead_length(words)).is_some_and(|word| ASKS.contains(word))
}

/// Whether it begins as questions do, after "so", "and" or a name.
fn asks(words: &[&str]) -> bool {
    let lead = super::vocabulary::lead_length(words);
    words[lead..].iter().take(2).any(|word| ASKS.contains(word))
}

pub(super) fn find(reading: &Reading<'_>) -> Vec<Insight> {
    let mut found: Vec<(f32, usize, Insight)> = Vec::new();
    for (place, sentence) in reading.quotable() {
        let words = reading.words(sentence);
        if !is_question(reading, sentence, &words)
            || is_quoted(reading.quote(sentence))
            || talks_on(reading, place)
        {
            continue;
        }
        if reading.english && is_idle(&words) {
            continue;
        }
        let (answered, answer) = answer(reading, sentence);
        let answer = answer.map(|answer| &reading.sentences[answer]);
        let mut evidence = vec![reading.evidence(sentence)];
        evidence.extend(answer.map(|answer| reading.evidence(answer)));
        let shape = if asks(&words) { 0.3 } else { 0.0 };
        let substance = (words.len().min(12) as f32) / 12.0 * 0.3;
        let reply = answer.map_or(0.1, |answer| answer.word_count().min(12) as f32 / 12.0 * 0.3);
        let score = 0.1 + shape + substance + reply;
        if score < LEAST_SCORE && reading.english {
            continue;
        }
        found.push((
            score,
            place,
            Insight {
                kind: InsightKind::Question,
                text: reading.readable(sentence),
                participant_id: reading.participant_id(sentence.speaker),
                score: Some(score),
                details: Details::Question {
                    answered,
                    answered_by: answer.and_then(|answer| reading.participant_id(answer.speaker)),
                },
                evidence,
            },
        ));
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found.truncate(MOST);
    found.sort_by_key(|(_, place, _)| *place);
    found.into_iter().map(|(_, _, insight)| insight).collect()
}

/// Told rather than asked: the question stands, or ends, within quotation marks.
fn is_quoted(quote: &str) -> bool {
    let straight = quote.matches('"').count();
    straight % 2 == 1
        || quote.ends_with(['"', '”'])
        || quote.matches('“').count() != quote.matches('”').count()
}

fn is_idle(words: &[&str]) -> bool {
    let said = &words[super::vocabulary::lead_length(words)..];
    said.len() < SHORTEST_WORDS || IDLE.at(said, 0).is_some_and(|length| said.len() <= length + 2)
}

/// Whether the asker says a good deal more in the same turn that is not asked.
fn talks_on(reading: &Reading<'_>, place: usize) -> bool {
    let sentence = &reading.sentences[place];
    if sentence.speaker.is_none() {
        return false;
    }
    let rest = &reading.sentences[place + 1..reading.turns[sentence.turn].sentences.end];
    let words: usize = rest
        .iter()
        .take(TALKS_ON_SENTENCES)
        .filter(|later| !text::ends_with_question_mark(reading.quote(later)))
        .map(Sentence::word_count)
        .sum();
    words > TALKS_ON_WORDS
}

/// Whether somebody else says something that is not itself a question within the next turns, and the first
/// sentence of it that says anything.
fn answer(reading: &Reading<'_>, question: &Sentence) -> (Option<bool>, Option<usize>) {
    if question.speaker.is_none() {
        return (None, None);
    }
    let following = reading.turns.iter().skip(question.turn + 1).take(ANSWER_TURNS);
    for turn in following.filter(|turn| turn.speaker.is_some() && turn.speaker != question.speaker) {
        let statements = turn.sentences.clone().filter(|place| {
            let sentence = &reading.sentences[*place];
            sentence.word_count() > 0 && !text::ends_with_question_mark(reading.quote(sentence))
        });
        let mut statements = statements.peekable();
        if let Some(first) = statements.peek().copied() {
            let telling =
                statements.take(3).find(|place| reading.sentences[*place].word_count() >= 4).unwrap_or(first);
            return (Some(true), Some(telling));
        }
    }
    (Some(false), None)
}
