//! Action items: what somebody promised, was asked, or the group set itself to do. A promise needs a verb of
//! work ("I'll send"), or any verb and a firm date ("I'll rest on Sunday"); ways of talking ("I'll be
//! honest") are neither.

mod phrasing;

use std::{collections::HashSet, ops::Range};

use self::phrasing::{
    ACCEPTS, ASIDES, GROUP_WORK, I_SHOULD, I_WILL, MARKER, NAMED_WILL, NO_WORK, NOT_A_PLAN, TALK_OBJECTS,
    WE_WILL, WILL_YOU, WORK, YOU_SHOULD,
};
use super::{
    Details, Insight, InsightKind,
    due::{self, Due},
    names::Names,
    phrases::Phrases,
    reading::{Reading, Sentence},
    text,
    vocabulary::HESITATIONS,
};

const MOST: usize = 40;
/// What goes on for longer tells a story.
const LONGEST_WORDS: usize = 50;

pub(super) fn find(reading: &Reading<'_>) -> Vec<Insight> {
    if !reading.english {
        return Vec::new();
    }
    let names = Names::new(reading.talk);
    let mut found: Vec<Found> = Vec::new();
    let mut seen = HashSet::new();
    for (place, sentence) in reading.quotable() {
        let words = reading.words(sentence);
        let Some(item) = Rule { reading, sentence, words: &words, names: &names }.apply() else {
            continue;
        };
        if !seen.insert((item.owner, words.join(" "))) {
            continue;
        }
        let (owner, asked) = (item.owner, item.asked);
        let mut insight = item.into_insight(reading, sentence);
        // "Would you send it?" – "I'll send it today" is one item; the promise says it best.
        let request = found.last().is_some_and(|last| {
            last.asked && !asked && last.owner == owner && owner.is_some() && last.turn + 1 == sentence.turn
        });
        if request && let Some(request) = found.pop() {
            insight.evidence.extend(request.insight.evidence);
            insight.evidence.rotate_right(1);
        }
        found.push(Found { place, turn: sentence.turn, owner, asked, insight });
    }
    found.sort_by(|a, b| {
        b.insight.score.unwrap_or(0.0).total_cmp(&a.insight.score.unwrap_or(0.0)).then(a.place.cmp(&b.place))
    });
    found.truncate(MOST);
    found.sort_by_key(|found| found.place);
    found.into_iter().map(|found| found.insight).collect()
}

struct Found {
    place: usize,
    turn: usize,
    owner: Option<usize>,
    asked: bool,
    insight: Insight,
}

struct Item {
    owner: Option<usize>,
    due: Option<Due>,
    score: f32,
    /// Asked of the owner, not promised.
    asked: bool,
}

impl Item {
    fn of(owner: Option<usize>, due: Option<Due>, score: f32) -> Self {
        Self { owner, due, score, asked: false }
    }

    fn into_insight(self, reading: &Reading<'_>, sentence: &Sentence) -> Insight {
        let owner = reading.participant(self.owner);
        Insight {
            kind: InsightKind::ActionItem,
            text: reading.readable(sentence),
            participant_id: owner.map(|owner| owner.id),
            score: Some(self.score),
            details: Details::ActionItem {
                owner: owner.map(|owner| owner.label.clone()),
                due: self.due.map(|due| reading.phrase(sentence, due.words).to_owned()),
            },
            evidence: vec![reading.evidence(sentence)],
        }
    }
}

struct Rule<'r, 'a> {
    reading: &'r Reading<'a>,
    sentence: &'r Sentence,
    words: &'r [&'r str],
    names: &'r Names,
}

impl Rule<'_, '_> {
    fn apply(&self) -> Option<Item> {
        let quote = self.reading.quote(self.sentence);
        if !(3..=LONGEST_WORDS).contains(&self.words.len()) || text::holds_quotation(quote) {
            return None;
        }
        let item = if text::ends_with_question_mark(quote) {
            self.request()
        } else {
            self.statement().or_else(|| self.request())
        };
        item.filter(|_| !NOT_A_PLAN.stand_in(self.words))
    }

    fn statement(&self) -> Option<Item> {
        self.marked()
            .or_else(|| self.named())
            .or_else(|| self.assigned())
            .or_else(|| self.promise())
            .or_else(|| self.group())
    }

    /// "I'll send the notes", "I need to finish it by Friday".
    fn promise(&self) -> Option<Item> {
        self.subjects(&I_WILL)
            .find_map(|subject| self.promise_after(subject, true))
            .or_else(|| self.subjects(&I_SHOULD).find_map(|subject| self.promise_after(subject, false)))
    }

    fn promise_after(&self, subject: Range<usize>, strong: bool) -> Option<Item> {
        let offer = self.words[subject.clone()].ends_with(&["can"]);
        let (work, due) = self.work(subject.end, &WORK)?;
        let firm = due.as_ref().is_some_and(|due| due.firm);
        let score = match (strong, work, firm) {
            (true, true, true) => 0.95,
            (true, true, false) if !offer => 0.8,
            (true, false, true) if !offer => 0.7,
            (false, true, true) => 0.75,
            (false, false, true) => 0.6,
            _ => return None,
        };
        Some(Item::of(self.sentence.speaker, due, score))
    }

    /// Where any of `phrases` stands in the speaker's own voice.
    fn subjects<'s>(&'s self, phrases: &'static Phrases) -> impl Iterator<Item = Range<usize>> + 's {
        let mut from = 0;
        std::iter::from_fn(move || {
            let found = phrases.find_from(self.words, from)?;
            from = found.end;
            Some(found)
        })
        .filter(|subject| !self.is_reported(subject.start))
    }

    /// "Can you send it by Friday?", "please check with legal".
    fn request(&self) -> Option<Item> {
        self.subjects(&WILL_YOU)
            .find_map(|subject| self.request_after(subject, true))
            .or_else(|| self.subjects(&YOU_SHOULD).find_map(|subject| self.request_after(subject, false)))
    }

    fn request_after(&self, subject: Range<usize>, polite: bool) -> Option<Item> {
        let (work, due) = self.work(subject.end, &WORK)?;
        let firm = due.as_ref().is_some_and(|due| due.firm);
        let owner = self.addressed();
        let accepted = self.accepted(owner);
        let score = match (polite, work, firm) {
            (true, true, true) => 0.9,
            (true, true, false) if accepted || self.named_in_sentence().is_some() => 0.8,
            (true, true, false) if !text::ends_with_question_mark(self.reading.quote(self.sentence)) => 0.65,
            (_, _, true) if polite || work => 0.65,
            _ => return None,
        };
        Some(Item { asked: true, ..Item::of(owner, due, score) })
    }

    /// "Let's meet on Thursday", "we need to update the contract".
    fn group(&self) -> Option<Item> {
        self.subjects(&WE_WILL).find_map(|subject| {
            let lets = self.words[subject.clone()] == ["let's"];
            let (work, due) = self.work(subject.end, &GROUP_WORK)?;
            let firm = due.as_ref().is_some_and(|due| due.firm && due.words.start >= subject.end);
            let score = match (work, firm) {
                (true, true) => 0.75,
                (true, false) if !lets => 0.55,
                (false, true) => 0.55,
                _ => return None,
            };
            Some(Item::of(None, due, score))
        })
    }

    /// "Anna will send the deck", "Tom, please book a room".
    fn named(&self) -> Option<Item> {
        (0..self.words.len()).find_map(|place| {
            let owner = self.names.who(self.words[place])?;
            let verb = place + 1 + NAMED_WILL.at(self.words, place + 1)?;
            let parted = self.reading.before_word(self.sentence, place + 1).contains(',');
            let to = self.words[place + 1] == "to";
            if to && (parted || place > 3 || WORK.at(self.words, verb).is_none()) {
                return None;
            }
            let (work, due) = self.work(verb, &WORK)?;
            let firm = due.as_ref().is_some_and(|due| due.firm);
            (work || firm).then_some(Item::of(Some(owner), due, if firm { 0.9 } else { 0.75 }))
        })
    }

    /// As one reads back what was agreed: "Anna sends the logs by noon".
    fn assigned(&self) -> Option<Item> {
        let subjects: Vec<(usize, usize)> =
            (0..self.words.len()).filter_map(|place| Some((place, self.assigned_at(place)?))).collect();
        subjects.iter().enumerate().find_map(|(index, (place, owner))| {
            let next = subjects.get(index + 1).map_or(self.words.len(), |(next, _)| *next);
            let due = due::find(&self.words[..next], place + 2)
                .filter(|due| due.deadline && due.words.start > *place)?;
            Some(Item::of(Some(*owner), Some(due), 0.85))
        })
    }

    /// A name at the start of a clause, with a verb in the third person behind it.
    fn assigned_at(&self, place: usize) -> Option<usize> {
        let owner = self.names.who(self.words[place])?;
        let verb = self.words.get(place + 1)?;
        let opens = place == super::vocabulary::lead_length(self.words)
            || self.reading.before_word(self.sentence, place).contains([',', ';', ':'])
            || self.words[place - 1] == "and";
        let apart = !self.reading.before_word(self.sentence, place + 1).trim().is_empty();
        let present =
            verb.len() > 2 && verb.ends_with('s') && !matches!(*verb, "was" | "says" | "thinks" | "knows");
        (opens && present && !apart).then_some(owner)
    }

    /// "Action item: …", "the next step is to …".
    fn marked(&self) -> Option<Item> {
        let marker = MARKER.find(self.words)?;
        let rest = &self.words[marker.end..];
        let negated = self.words[..marker.start]
            .iter()
            .any(|word| matches!(*word, "no" | "any" | "without" | "what" | "what's"));
        let colon = self.reading.before_word(self.sentence, marker.end).contains(':');
        let named =
            rest.iter().take(2).any(|word| matches!(*word, "is" | "are" | "for" | "will" | "would" | "on"));
        if negated || rest.len() < 4 || !(colon || named) {
            return None;
        }
        let due = due::find(self.words, marker.end);
        let first_person =
            I_WILL.stand_in(rest) || rest.contains(&"me") || self.words[..marker.start].contains(&"my");
        let yours = self.words[..marker.start].contains(&"your") || rest.contains(&"you");
        let owner = match rest.iter().find_map(|word| self.names.who(word)) {
            Some(named) => Some(named),
            None if first_person => self.sentence.speaker,
            None if yours => self.addressed(),
            None => None,
        };
        Some(Item::of(owner, due, 0.9))
    }

    /// The verb after a subject that ends at `place`: whether it is one of work, and until when it is to be
    /// done; `None` if it is a way of talking.
    fn work(&self, mut place: usize, verbs: &Phrases) -> Option<(bool, Option<Due>)> {
        while self.words.get(place).is_some_and(|word| ASIDES.contains(word) || HESITATIONS.contains(word)) {
            place += 1;
        }
        let verb = *self.words.get(place)?;
        let due = due::find(self.words, place);
        let Some(length) = verbs.at(self.words, place) else {
            let next = self.words.get(place + 1).copied().unwrap_or_default();
            let firm = due.as_ref().is_some_and(|due| due.firm);
            let deadline = due.as_ref().is_some_and(|due| due.deadline);
            // "I'll have a draft by Tuesday", "I'll tell him tomorrow"
            let promised = match verb {
                "have" | "get" | "give" | "do" | "find" | "start" => deadline && next != "to",
                "tell" => firm && next != "you",
                verb => !NO_WORK.contains(verb) && due.is_some(),
            };
            return promised.then_some((false, due));
        };
        let objects =
            &self.words[(place + length).min(self.words.len())..(place + length + 4).min(self.words.len())];
        let vague = verb == "share" && matches!(objects, ["one" | "some" | "more" | "a", ..]);
        if vague || objects.iter().any(|word| TALK_OBJECTS.contains(word)) || objects.is_empty() {
            return None;
        }
        // "I'll call it a win", "I'd ask myself": these verbs promise work only with a date.
        let light = matches!(
            verb,
            "call"
                | "ask"
                | "log"
                | "block"
                | "track"
                | "measure"
                | "apply"
                | "talk"
                | "speak"
                | "post"
                | "fix"
                | "practise"
                | "practice"
                | "handle"
                | "put"
        );
        let to_you = matches!(verb, "call" | "ask" | "talk" | "speak")
            && objects.contains(&"you")
            && !matches!(verb, "call");
        if to_you {
            return None;
        }
        let dated = due.as_ref().is_some_and(|due| due.firm);
        let somebody = matches!(verb, "ask" | "call" | "talk" | "speak")
            && objects.iter().any(|word| self.names.who(word).is_some());
        Some((!light || dated || somebody || matches!(verb, "practise" | "practice"), due))
    }

    /// Inside somebody's reported speech, or under an "if" or "when" of the same clause.
    fn is_reported(&self, place: usize) -> bool {
        let before = &self.words[place.saturating_sub(2)..place];
        before.iter().any(|word| {
            matches!(
                *word,
                "if" | "when"
                    | "said"
                    | "says"
                    | "say"
                    | "saying"
                    | "like"
                    | "where"
                    | "what"
                    | "that's"
                    | "how"
                    | "how's"
                    | "who"
                    | "which"
                    | "unless"
                    | "because"
                    | "did"
                    | "as"
                    | "wish"
                    | "than"
                    | "why"
                    | "before"
                    | "thought"
                    | "thing"
            )
        })
    }

    fn named_in_sentence(&self) -> Option<usize> {
        self.words
            .iter()
            .find_map(|word| self.names.who(word))
            .filter(|named| Some(*named) != self.sentence.speaker)
    }

    /// Who is meant by "you": the one named, else the only other one there is, else who answers with a yes.
    fn addressed(&self) -> Option<usize> {
        if let Some(named) = self.named_in_sentence() {
            return Some(named);
        }
        let speaker = self.sentence.speaker?;
        if self.reading.talk.participants.len() == 2 {
            return Some(1 - speaker);
        }
        let reply = self.reading.reply_to(self.sentence.turn)?;
        self.replies_yes(reply.sentences.clone()).then_some(reply.speaker).flatten()
    }

    fn accepted(&self, owner: Option<usize>) -> bool {
        self.reading.reply_to(self.sentence.turn).is_some_and(|reply| {
            owner.is_some() && reply.speaker == owner && self.replies_yes(reply.sentences.clone())
        })
    }

    fn replies_yes(&self, sentences: Range<usize>) -> bool {
        self.reading.sentences[sentences]
            .first()
            .is_some_and(|first| ACCEPTS.at(&self.reading.words(first), 0).is_some())
    }
}
