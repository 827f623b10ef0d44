//! What people type into a search box: `salary "notice period" OR bonus -stock speaker:"Ann Lee" after:2026-01-31`.
//! Words, phrases and what must not stand there go to the engines; fields narrow the search as typed arguments do.
//! A quote that is not closed runs to the end; what is malformed is refused with the character where it stands.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::query::{Clause, SearchFilter, TextQuery};
use crate::{Problem, conversations::ConversationKind, people, time::Timestamp};

/// Longest query text, in bytes.
pub(super) const MAX_QUERY_BYTES: usize = 1_000;

const FIELDS: [&str; 7] = ["speaker", "person", "tag", "kind", "lang", "before", "after"];

/// What was asked for, and in what it is to be looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    pub text: TextQuery,
    pub filter: SearchFilter,
}

/// One thing of a query, and the byte at which it begins.
struct Item<'a> {
    at: usize,
    is_negated: bool,
    what: What<'a>,
}

enum What<'a> {
    Clause(Clause),
    Or,
    Field { name: &'static str, value: &'a str, value_at: usize },
}

pub fn read(text: &str) -> Result<Asked, Problem> {
    if text.len() > MAX_QUERY_BYTES {
        let message = format!("the query has {} bytes, at most {MAX_QUERY_BYTES} are allowed", text.len());
        return Err(Problem::new("QUERY_TOO_LONG", message).at("query"));
    }
    let mut asked = Asked::default();
    // What an OR joins; `true` where one has been read and what it joins is to come.
    let mut group: Vec<Clause> = Vec::new();
    let mut open: Option<usize> = None;
    for item in items(text) {
        match item.what {
            What::Or if group.is_empty() || open.is_some() => return Err(misplaced_or(text, item.at)),
            What::Or => open = Some(item.at),
            What::Clause(clause) if !item.is_negated => {
                if open.take().is_none() {
                    close(&mut asked.text, &mut group);
                }
                group.push(clause);
            }
            _ if open.is_some() => return Err(misplaced_or(text, open.unwrap_or(item.at))),
            What::Clause(clause) => {
                close(&mut asked.text, &mut group);
                asked.text.not.push(clause);
            }
            What::Field { name, value, value_at } => {
                close(&mut asked.text, &mut group);
                if item.is_negated {
                    let message = format!("`{name}:` cannot be excluded; only words and phrases can");
                    return Err(wrong("FIELD_NOT_NEGATABLE", message, text, item.at));
                }
                narrow(&mut asked.filter, name, value)
                    .map_err(|message| wrong("INVALID_FIELD", message, text, value_at))?;
            }
        }
    }
    if let Some(at) = open {
        return Err(misplaced_or(text, at));
    }
    close(&mut asked.text, &mut group);
    if asked.text.is_empty() {
        let message = "the query has no word to look for; give at least one word or \"phrase\"";
        return Err(Problem::new("EMPTY_QUERY", message).at("query"));
    }
    Ok(asked)
}

/// One alone is a clause; several were joined.
fn close(query: &mut TextQuery, group: &mut Vec<Clause>) {
    match group.len() {
        0 | 1 => query.clauses.append(group),
        _ => query.either.push(std::mem::take(group)),
    }
}

/// Without what holds neither letter nor digit.
fn items(text: &str) -> impl Iterator<Item = Item<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at += text[at..].len() - text[at..].trim_start().len();
            if at == text.len() {
                return None;
            }
            let (item, end) = item(text, at);
            at = end;
            let bears = match &item.what {
                What::Clause(clause) => clause.text().chars().any(char::is_alphanumeric),
                What::Or | What::Field { .. } => true,
            };
            if bears {
                return Some(item);
            }
        }
    })
}

/// The field that a text ends in: where it begins, its name and its value.
pub(super) fn open_field(text: &str) -> Option<(usize, &'static str, &str)> {
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if at == text.len() {
            return None;
        }
        let (item, end) = item(text, at);
        match item.what {
            What::Field { name, value, .. } if end == text.len() => return Some((item.at, name, value)),
            _ => at = end,
        }
    }
}

/// Where the words and phrases stand that are looked for, quotes and all.
pub(super) fn sought(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if at == text.len() {
            return found;
        }
        let (item, end) = item(text, at);
        if matches!(item.what, What::Clause(_)) && !item.is_negated {
            found.push(at..end);
        }
        at = end;
    }
}

/// And where it ends.
fn item(text: &str, at: usize) -> (Item<'_>, usize) {
    let rest = &text[at..];
    let is_negated = rest.starts_with('-') && rest[1..].starts_with(|c: char| !c.is_whitespace());
    let begin = at + usize::from(is_negated);
    let item = |what| Item { at, is_negated, what };
    if let Some((name, value_at)) = field(text, begin) {
        let (value, _, end) = value(text, value_at);
        return (item(What::Field { name, value, value_at }), end);
    }
    let (value, is_quoted, end) = value(text, begin);
    let what = match value {
        "OR" if !is_quoted && !is_negated => What::Or,
        _ if is_quoted => What::Clause(Clause::Phrase(value.to_owned())),
        _ => What::Clause(Clause::Word(value.to_owned())),
    };
    (item(what), end)
}

/// The field that begins there, and where its value does. Any other word with a colon is a word.
fn field(text: &str, at: usize) -> Option<(&'static str, usize)> {
    let (name, _) = text[at..].split_once(':')?;
    let known = FIELDS.into_iter().find(|field| field.eq_ignore_ascii_case(name))?;
    Some((known, at + name.len() + 1))
}

/// Up to the next white space or quote, or within quotes; whether it was quoted, and where it ends.
fn value(text: &str, at: usize) -> (&str, bool, usize) {
    let rest = &text[at..];
    if let Some(quoted) = rest.strip_prefix('"') {
        let inner = quoted.split('"').next().unwrap_or(quoted);
        return (inner.trim(), true, text.len().min(at + inner.len() + 2));
    }
    let length = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
    (&rest[..length], false, at + length)
}

fn narrow(filter: &mut SearchFilter, name: &str, value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err(format!("`{name}:` needs a value right after the colon"));
    }
    match name {
        "speaker" => filter.speakers.push(value.to_owned()),
        "person" => filter.people.push(people::key(value)),
        "tag" => filter.tags.push(value.to_owned()),
        "kind" => filter.kinds.push(kind(value)?),
        "lang" => filter.languages.push(value.parse().map_err(|_no| {
            format!("`{value}` is no language; write its code, such as en, or a tag such as pt-BR")
        })?),
        "before" => {
            let at = moment(value)?;
            filter.occurred_before = Some(filter.occurred_before.map_or(at, |other| other.min(at)));
        }
        _ => {
            let at = moment(value)?;
            filter.occurred_from = Some(filter.occurred_from.map_or(at, |other| other.max(at)));
        }
    }
    match (filter.occurred_from, filter.occurred_before) {
        (Some(from), Some(before)) if before <= from => {
            Err("nothing is both after and before these; write the earlier one after `after:`".to_owned())
        }
        _ => Ok(()),
    }
}

fn kind(value: &str) -> Result<ConversationKind, String> {
    let known = ConversationKind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(value));
    known.ok_or_else(|| {
        let all = ConversationKind::ALL.map(|kind| kind.as_str().to_lowercase());
        format!("`{value}` is no kind of conversation; there are {}", all.join(", "))
    })
}

/// A day begins at midnight UTC.
fn moment(value: &str) -> Result<Timestamp, String> {
    let day = value.parse::<NaiveDate>().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    day.or_else(|_| DateTime::parse_from_rfc3339(value).map(|at| at.with_timezone(&Utc))).map_err(
        |_neither| {
            format!("`{value}` is no date; write it as 2026-01-31, or with a time as 2026-01-31T09:00:00Z")
        },
    )
}

fn misplaced_or(text: &str, at: usize) -> Problem {
    let message = "OR stands between two words or phrases; in quotes, \"OR\" is looked for".to_owned();
    wrong("MISPLACED_OR", message, text, at)
}

fn wrong(code: &'static str, message: String, text: &str, at: usize) -> Problem {
    let character = text[..at].chars().count() as u32 + 1;
    Problem::new(code, format!("{message} (character {character})")).at("query").at_character(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word(text: &str) -> Clause {
        Clause::Word(text.to_owned())
    }

    fn phrase(text: &str) -> Clause {
        Clause::Phrase(text.to_owned())
    }

    fn refused(text: &str) -> (&'static str, Option<u32>) {
        let problem = read(text).unwrap_err();
        (problem.code, problem.character)
    }

    #[test]
    fn words_phrases_and_negations_are_told_apart() {
        let query = read(r#"salary "notice period" -bonus -"stock options" e-mail"#).unwrap().text;
        assert_eq!(query.clauses, [word("salary"), phrase("notice period"), word("e-mail")]);
        assert_eq!(query.not, [word("bonus"), phrase("stock options")]);
        assert_eq!(query.plain(), "salary notice period e-mail");
    }

    #[test]
    fn or_joins_its_neighbours_and_nothing_else() {
        let query = read(r#"raise salary OR "base pay" OR wage -bonus or"#).unwrap().text;
        assert_eq!(query.clauses, [word("raise"), word("or")]);
        assert_eq!(query.either, [[word("salary"), phrase("base pay"), word("wage")]]);
        assert_eq!(query.not, [word("bonus")]);
        assert_eq!(read(r#"a OR b c OR d"#).unwrap().text.either.len(), 2);
        assert_eq!(read(r#"this "OR" that"#).unwrap().text.clauses[1], phrase("OR"));
    }

    #[test]
    fn fields_narrow_the_search() {
        let asked = read(
            r#"pay speaker:"Ann Lee" Tag:q3 kind:interview kind:ADVICE after:2026-01-31 before:2026-02-01T10:00:00+01:00 \
               person:"Ana LÓPEZ" lang:de LANG:pt-BR 12:30 https://a.b"#,
        )
        .unwrap();
        let filter = SearchFilter {
            speakers: vec!["Ann Lee".to_owned()],
            tags: vec!["q3".to_owned()],
            kinds: vec![ConversationKind::Interview, ConversationKind::Advice],
            languages: vec!["de".parse().unwrap(), "pt".parse().unwrap()],
            people: vec!["ana lopez".to_owned()],
            occurred_from: "2026-01-31T00:00:00Z".parse().ok(),
            occurred_before: "2026-02-01T09:00:00Z".parse().ok(),
            ..SearchFilter::default()
        };
        assert_eq!(asked.filter, filter);
        // Other words with a colon are words.
        assert_eq!(asked.text.clauses, [word("pay"), word("12:30"), word("https://a.b")]);
        let narrower =
            read("x after:2026-01-01 after:2026-03-01 before:2026-09-01 before:2026-08-01").unwrap().filter;
        assert_eq!(narrower.occurred_from, "2026-03-01T00:00:00Z".parse().ok());
        assert_eq!(narrower.occurred_before, "2026-08-01T00:00:00Z".parse().ok());
    }

    #[test]
    fn what_is_malformed_is_refused_where_it_stands() {
        assert_eq!(refused("é pay after:soon"), ("INVALID_FIELD", Some(13)));
        assert_eq!(refused("pay after:2026-02-01 before:2026-01-01"), ("INVALID_FIELD", Some(29)));
        assert_eq!(refused("pay kind:party"), ("INVALID_FIELD", Some(10)));
        assert_eq!(refused("pay lang:german"), ("INVALID_FIELD", Some(10)));
        assert_eq!(refused("pay tag: x"), ("INVALID_FIELD", Some(9)));
        assert_eq!(refused(r#"pay tag:"" x"#), ("INVALID_FIELD", Some(9)));
        assert_eq!(refused(r#"pay person:"" x"#), ("INVALID_FIELD", Some(12)));
        assert_eq!(refused("pay -tag:x"), ("FIELD_NOT_NEGATABLE", Some(5)));
        assert_eq!(refused("pay -person:ana"), ("FIELD_NOT_NEGATABLE", Some(5)));
        for (text, at) in
            [("OR pay", 1), ("pay OR", 5), ("pay OR OR x", 8), ("pay OR -x", 5), ("pay OR tag:x", 5)]
        {
            assert_eq!(refused(text), ("MISPLACED_OR", Some(at)), "{text}");
        }
        let message = read("pay kind:party").unwrap_err().message;
        assert_eq!(
            message,
            "`party` is no kind of conversation; there are coaching, interview, advice, meeting (character 10)"
        );
    }

    #[test]
    fn an_open_quote_runs_to_the_end() {
        assert_eq!(read(r#"say "open end"#).unwrap().text.clauses[1], phrase("open end"));
        assert_eq!(read(r#"say speaker:"Ann L"#).unwrap().filter.speakers, ["Ann L"]);
    }

    #[test]
    fn a_query_without_a_word_is_refused() {
        for text in ["", "  ", "\"\"", "-", "--", "-only", "?!", "tag:x", "-a tag:x"] {
            assert_eq!(refused(text), ("EMPTY_QUERY", None), "{text:?}");
        }
        assert_eq!(refused(&"x".repeat(1_001)).0, "QUERY_TOO_LONG");
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read_or_refused_within_the_text(
            text in r#"([ \t"':é会-]|OR|-|tag:|after:|lang:|kind:|before:2026-01-31|speaker:|person:|[a-z0-9]{1,4}| ){0,60}"#,
        ) {
            if let Err(problem) = read(&text) {
                let characters = text.chars().count() as u32 + 1;
                prop_assert!(problem.character.is_none_or(|at| (1..=characters).contains(&at)));
            }
        }
    }
}
