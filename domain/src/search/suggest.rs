//! What a search box suggests while somebody types: the last word completed by words of the organization's passages, and
//! titles, speakers, tags and people that begin with what was typed. Names come from PostgreSQL, and come also where the engine
//! of words is away.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    analysis,
    facets::ValueCount,
    language::{MAX_QUERY_BYTES, open_field},
};
use crate::{
    Error, Problem, Result,
    accounts::{Actor, Role, Tenant},
    ports::{Ports, search::WordsLike, store::suggestions::Names},
};

pub const MOST: usize = 20;
/// Who types does not wait.
const DEADLINE: Duration = Duration::from_millis(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuggestionKind {
    Word,
    Title,
    Speaker,
    Tag,
    Person,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// What the box is to hold.
    pub text: String,
    pub kind: SuggestionKind,
    /// Passages that hold the word.
    pub count: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suggestions {
    pub suggestions: Vec<Suggestion>,
    /// What is missing because an engine did not serve, for the user.
    pub degraded: Option<String>,
}

/// What the text that was typed ends in.
#[derive(Debug, PartialEq, Eq)]
enum Ending<'a> {
    /// A value of `speaker:`, `tag:` or `person:`, and what stands before the field.
    Field {
        before: &'a str,
        kind: SuggestionKind,
        value: &'a str,
    },
    /// A word, as the exact terms have it, and what stands before it.
    Word {
        before: &'a str,
        word: String,
    },
    /// What only names may begin with.
    Other,
    Nothing,
}

impl<'a> Ending<'a> {
    fn of(typed: &'a str) -> Self {
        if let Some((at, name, value)) = open_field(typed) {
            let before = &typed[..at];
            return match name {
                "speaker" if !value.is_empty() => {
                    Self::Field { before, kind: SuggestionKind::Speaker, value }
                }
                "tag" if !value.is_empty() => Self::Field { before, kind: SuggestionKind::Tag, value },
                "person" if !value.is_empty() => Self::Field { before, kind: SuggestionKind::Person, value },
                _ => Self::Nothing,
            };
        }
        match analysis::exact(typed).pop() {
            None => Self::Nothing,
            Some(last) if last.end == typed.len() => {
                Self::Word { before: &typed[..last.start], word: last.text }
            }
            Some(_) => Self::Other,
        }
    }
}

pub async fn suggest(ports: &Ports, actor: &Actor, typed: &str, first: usize) -> Result<Suggestions> {
    actor.require(Role::Viewer)?;
    if typed.len() > MAX_QUERY_BYTES {
        let message = format!("the prefix has {} bytes, at most {MAX_QUERY_BYTES} are allowed", typed.len());
        return Err(Error::Invalid(Problem::new("QUERY_TOO_LONG", message).at("prefix")));
    }
    if first == 0 || first > MOST {
        let message = format!("`first` is 1 to {MOST}; this is {first}");
        return Err(Error::Invalid(Problem::new("PAGE_OUT_OF_RANGE", message).at("first")));
    }
    let tenant = actor.tenant();
    let (lists, degraded) = match Ending::of(typed) {
        Ending::Nothing => return Ok(Suggestions::default()),
        Ending::Field { before, kind, value } => {
            let names = names(ports, tenant, value, first).await?;
            let mut named = named(names, before);
            named.retain(|list| list.first().is_some_and(|one| one.kind == kind));
            (named, None)
        }
        Ending::Other => (named(names(ports, tenant, typed, first).await?, ""), None),
        Ending::Word { before, word } => {
            let words = complete(ports, tenant, word.clone(), first);
            let (words, names) = tokio::join!(words, names(ports, tenant, typed, first));
            let (words, degraded) = match words {
                Ok(words) => (completed(words, before, &word), None),
                Err(error) => {
                    tracing::warn!(error = error.chain(), "a search box is answered without words");
                    (Vec::new(), Some("the text engine did not answer; words are missing".to_owned()))
                }
            };
            let mut lists = vec![words];
            lists.extend(named(names?, ""));
            (lists, degraded)
        }
    };
    let mut suggestions = fair(lists, first);
    suggestions.retain(|one| one.text != typed);
    Ok(Suggestions { suggestions, degraded })
}

async fn complete(ports: &Ports, tenant: Tenant, prefix: String, first: usize) -> Result<Vec<ValueCount>> {
    const DOING: &str = "complete a word";
    let engine = ports.search.text.as_ref();
    let engine = engine.ok_or_else(|| Error::unavailable(DOING, "there is no full-text engine"))?;
    // What was typed may be one of them.
    let words = timeout(DEADLINE, engine.words(tenant, &WordsLike::Beginning(prefix), first + 1)).await;
    words.map_err(|late| Error::unavailable(DOING, late))?
}

async fn names(ports: &Ports, tenant: Tenant, prefix: &str, first: usize) -> Result<Names> {
    // PostgreSQL's texts have no NUL.
    let prefix = prefix.trim().replace('\0', "");
    ports.suggestions.names(tenant, &prefix, first).await
}

fn completed(words: Vec<ValueCount>, before: &str, typed: &str) -> Vec<Suggestion> {
    let others = words.into_iter().filter(|word| word.value != typed);
    let one = |word: ValueCount| Suggestion {
        text: format!("{before}{}", word.value),
        kind: SuggestionKind::Word,
        count: Some(word.count),
    };
    others.map(one).collect()
}

fn named(names: Names, before: &str) -> Vec<Vec<Suggestion>> {
    let list = |kind, texts: Vec<String>| -> Vec<Suggestion> {
        texts.into_iter().map(|text| Suggestion { text, kind, count: None }).collect()
    };
    let fields = |field: &str, names: Vec<String>| -> Vec<String> {
        names.iter().filter_map(|name| Some(format!("{before}{field}:{}", quoted(name)?))).collect()
    };
    let mut lists = vec![
        list(SuggestionKind::Title, names.titles),
        list(SuggestionKind::Speaker, fields("speaker", names.speakers)),
        list(SuggestionKind::Tag, fields("tag", names.tags)),
        list(SuggestionKind::Person, fields("person", names.people)),
    ];
    for list in &mut lists {
        list.retain(|one| one.text.len() <= MAX_QUERY_BYTES);
    }
    lists
}

/// As a field takes it; `None` where it cannot be written.
fn quoted(name: &str) -> Option<String> {
    match name {
        _ if name.contains('"') => None,
        _ if name.chars().any(char::is_whitespace) => Some(format!("\"{name}\"")),
        _ => Some(name.to_owned()),
    }
}

/// So many of all, one of each list in turn; each list stays together.
fn fair(mut lists: Vec<Vec<Suggestion>>, first: usize) -> Vec<Suggestion> {
    let mut taken = vec![0; lists.len()];
    let mut left = first;
    while left > 0 {
        let before = left;
        for (list, taken) in lists.iter().zip(&mut taken) {
            if left > 0 && *taken < list.len() {
                *taken += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    lists.iter_mut().zip(taken).for_each(|(list, taken)| list.truncate(taken));
    lists.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(before: &'static str, word: &str) -> Ending<'static> {
        Ending::Word { before, word: word.to_owned() }
    }

    #[test]
    fn the_last_word_is_completed_and_what_stands_before_it_stays() {
        assert_eq!(Ending::of("bud"), word("", "bud"));
        assert_eq!(Ending::of("annual -Bud"), word("annual -", "bud"));
        assert_eq!(Ending::of("one OR \"the Càf"), word("one OR \"the ", "caf"));
        assert_eq!(Ending::of("speaker:ann bud"), word("speaker:ann ", "bud"));
        assert_eq!(Ending::of("budget "), Ending::Other);
        for nothing in ["", "  ", "-", "lang:e", "speaker:", "after:2026"] {
            assert_eq!(Ending::of(nothing), Ending::Nothing, "{nothing}");
        }
    }

    #[test]
    fn a_field_that_is_being_typed_is_completed_by_its_values() {
        let field = |before, kind, value| Ending::Field { before, kind, value };
        assert_eq!(Ending::of("pay speaker:\"Ann L"), field("pay ", SuggestionKind::Speaker, "Ann L"));
        assert_eq!(Ending::of("tag:q"), field("", SuggestionKind::Tag, "q"));
        assert_eq!(Ending::of("person:ana"), field("", SuggestionKind::Person, "ana"));
        let names = Names { tags: vec!["q3 review".into(), "q4".into(), "q\"5".into()], ..Names::default() };
        let texts: Vec<String> = named(names, "pay ").concat().into_iter().map(|one| one.text).collect();
        assert_eq!(texts, ["pay tag:\"q3 review\"", "pay tag:q4"]);
    }

    #[test]
    fn every_kind_has_its_share_and_leaves_what_it_does_not_need() {
        let list = |kind, n: usize| vec![Suggestion { text: String::new(), kind, count: None }; n];
        let (word, title, tag) = (SuggestionKind::Word, SuggestionKind::Title, SuggestionKind::Tag);
        let fair = fair(vec![list(word, 9), list(title, 1), list(tag, 9)], 6);
        let kinds: Vec<SuggestionKind> = fair.into_iter().map(|one| one.kind).collect();
        assert_eq!(kinds, [word, word, word, title, tag, tag]);
    }
}
