//! Until when: finds "by Friday", "before our next session" or "tomorrow morning" in a sentence's words.

use std::ops::Range;

#[derive(Debug, PartialEq)]
pub(super) struct Due {
    pub(super) words: Range<usize>,
    /// Names a time that is close and settled, so that a plan with it is a promise: "by Friday", not "next year".
    pub(super) firm: bool,
    /// Says until when, not only when.
    pub(super) deadline: bool,
}

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const PARTS_OF_DAY: [&str; 6] = ["morning", "afternoon", "evening", "night", "noon", "lunchtime"];
const OCCASIONS: [&str; 10] =
    ["session", "meeting", "call", "sprint", "standup", "stand-up", "sync", "week", "weekend", "retro"];
const UNITS: [&str; 10] =
    ["minute", "minutes", "hour", "hours", "day", "days", "week", "weeks", "month", "months"];
const NUMBERS: [&str; 14] = [
    "a",
    "an",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "ten",
    "couple",
    "few",
    "fortnight",
];

/// The first due phrase at or after `from`, else the first one before it.
pub(super) fn find(words: &[&str], from: usize) -> Option<Due> {
    let search = |range: Range<usize>| range.into_iter().find_map(|place| at(words, place));
    search(from.min(words.len())..words.len()).or_else(|| search(0..from.min(words.len())))
}

fn at(words: &[&str], place: usize) -> Option<Due> {
    let word = words[place];
    let before = place.checked_sub(1).map(|before| words[before]);
    match word {
        "by" | "before" | "until" | "till" | "on" => {
            let length = time(words, place + 1)?;
            let recurring = word == "on" && MONTHS.contains(&words[place + 1]) && length == 1;
            (!recurring).then(|| Due { deadline: word != "on", ..due(place, 1 + length, true) })
        }
        "no" if words[place..].starts_with(&["no", "later", "than"]) => {
            Some(Due { deadline: true, ..due(place, 3 + time(words, place + 3)?, true) })
        }
        "in" | "within" => {
            let mut next = place + 1;
            while words.get(next).is_some_and(|word| matches!(*word, "the" | "next")) {
                next += 1;
            }
            let number = *words.get(next)?;
            let counted = NUMBERS.contains(&number) || number.chars().all(|c| c.is_ascii_digit());
            next += 1;
            next += usize::from(words.get(next) == Some(&"of"));
            let unit = *words.get(next)?;
            // "in five years" is no date, and "worked in two weeks" hardly one: not firm.
            (counted && UNITS.contains(&unit)).then(|| due(place, next + 1 - place, false))
        }
        "asap" | "eod" | "cob" => Some(due(place, 1, true)),
        "as" if words[place..].starts_with(&["as", "soon", "as", "possible"]) => Some(due(place, 4, true)),
        "first" if words[place..].starts_with(&["first", "thing"]) => {
            Some(due(place, 2 + time(words, place + 2)?, true))
        }
        "today" => Some(due(place, 1, false)),
        "over" if words[place..].starts_with(&["over", "the", "weekend"]) => Some(due(place, 3, true)),
        _ if WEEKDAYS.contains(&word)
            && before
                .is_some_and(|before| matches!(before, "last" | "every" | "each" | "past" | "since")) =>
        {
            None
        }
        // "At the end of the day" is a way of talking.
        "end" if before == Some("the") => None,
        "tomorrow" | "tonight" | "this" | "next" | "end" => {
            let length = time(words, place)?;
            let vague = matches!(words[place + length - 1], "year" | "month" | "quarter" | "morning")
                && word != "tomorrow"
                && word != "end";
            Some(due(place, length, !vague))
        }
        _ if WEEKDAYS.contains(&word) => Some(due(place, time(words, place)?, true)),
        _ => None,
    }
}

fn due(place: usize, length: usize, firm: bool) -> Due {
    Due { words: place..place + length, firm, deadline: false }
}

/// How many words a name of a point in time takes at `place`.
fn time(words: &[&str], place: usize) -> Option<usize> {
    let word = *words.get(place)?;
    let next = words.get(place + 1).copied().unwrap_or_default();
    match word {
        "end" => {
            let mut at = place + 1;
            at += usize::from(words.get(at) == Some(&"of"));
            at += usize::from(
                words.get(at).is_some_and(|word| matches!(*word, "the" | "this" | "next" | "my" | "our")),
            );
            let last = *words.get(at)?;
            let known = matches!(last, "day" | "week" | "month" | "quarter" | "sprint" | "year")
                || MONTHS.contains(&last)
                || WEEKDAYS.contains(&last);
            (known && at > place + 1).then_some(at + 1 - place)
        }
        "the" | "our" | "my" | "your" | "that" if next == "next" || next == "end" || next == "following" => {
            Some(1 + time(words, place + 1)?)
        }
        "the" if next == "weekend" => Some(2),
        "the" if ordinal(words, place + 1).is_some() => {
            let after = place + 1 + ordinal(words, place + 1)?;
            let month = words.get(after) == Some(&"of")
                && words.get(after + 1).is_some_and(|word| MONTHS.contains(word));
            // "On the second slide" is no date.
            let bare = !matches!(next, "first" | "second" | "third");
            if month { Some(after + 2 - place) } else { bare.then_some(after - place) }
        }
        "next" | "this" | "following" | "coming" | "late" | "early" => {
            let under_way = word == "this" && !matches!(next, "week" | "weekend" | "sprint");
            let known = (OCCASIONS.contains(&next) && !under_way)
                || WEEKDAYS.contains(&next)
                || matches!(next, "month" | "quarter" | "year")
                || (word == "this" && PARTS_OF_DAY.contains(&next));
            let follow = words.get(place + 2).is_some_and(|word| PARTS_OF_DAY.contains(word));
            known.then_some(2 + usize::from(WEEKDAYS.contains(&next) && follow))
        }
        "tomorrow" | "today" => Some(1 + usize::from(PARTS_OF_DAY.contains(&next))),
        "tonight" | "noon" | "midnight" | "lunch" | "lunchtime" | "eod" | "then" | "christmas" | "easter" => {
            Some(1)
        }
        _ if WEEKDAYS.contains(&word) => {
            let date = if next == "the" { time(words, place + 1).unwrap_or(0) } else { 0 };
            Some(1 + date.max(usize::from(PARTS_OF_DAY.contains(&next))))
        }
        _ if MONTHS.contains(&word) => {
            let number = usize::from(next.starts_with(|c: char| c.is_ascii_digit()));
            Some(1 + ordinal(words, place + 1).unwrap_or(number))
        }
        _ if matches!(next, "pm" | "am" | "o'clock") && !word.is_empty() => Some(2),
        _ if word.ends_with("pm") && word.starts_with(|c: char| c.is_ascii_digit()) => Some(1),
        _ => None,
    }
}

/// How many words a day of the month takes: "3rd", "twelfth", "twenty-second" (which is two).
fn ordinal(words: &[&str], place: usize) -> Option<usize> {
    let word = *words.get(place)?;
    if matches!(word, "twenty" | "thirty") && words.get(place + 1).is_some_and(|unit| is_ordinal(unit)) {
        return Some(2);
    }
    is_ordinal(word).then_some(1)
}

fn is_ordinal(word: &str) -> bool {
    const SPELLED: [&str; 21] = [
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
        "eleventh",
        "twelfth",
        "thirteenth",
        "fourteenth",
        "fifteenth",
        "sixteenth",
        "seventeenth",
        "eighteenth",
        "nineteenth",
        "twentieth",
        "thirtieth",
    ];
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffixed = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    SPELLED.contains(&word) || (suffixed && matches!(&word[digits.len()..], "st" | "nd" | "rd" | "th"))
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn due_phrases_are_found_in_their_own_words() {
        for (sentence, expected) in [
            ("i'll send it by friday", Some("by friday")),
            ("by end of day i'll send it", Some("by end of day")),
            ("send it before our next session please", Some("before our next session")),
            ("i'll do it tomorrow morning", Some("tomorrow morning")),
            ("i'll call her on the twelfth", Some("on the twelfth")),
            ("done by march 3rd", Some("by march 3rd")),
            ("by the end of the week", Some("by the end of the week")),
            ("within the next two weeks", Some("within the next two weeks")),
            ("no later than noon", Some("no later than noon")),
            ("first thing monday", Some("first thing monday")),
            ("next week works", Some("next week")),
            ("we met last friday", None),
            ("i was there by myself", None),
            ("it depends on the team", None),
            ("in the end it worked", None),
            ("at the end of it", None),
            ("at the end of the day it's fine", None),
            ("i'll draw it by wednesday the twenty second large", Some("by wednesday the twenty second")),
            ("before the first of december", Some("before the first of december")),
            ("it's on the second slide", None),
            ("at this time in this meeting", None),
            ("this is it", None),
        ] {
            let words: Vec<&str> = sentence.split(' ').collect();
            let found = find(&words, 0).map(|due| words[due.words].join(" "));
            assert_eq!(found.as_deref(), expected, "{sentence}");
        }
    }
}
