//! "Did you mean": words of a query that stand in none of the organization's passages, or in next to none, each with one
//! near to it that does. Plain words are corrected, and words within quotes; fields, OR, what is after a minus and all
//! that is no word of letters alone stay as they were typed. What is told finds something: it was asked before. Who
//! searches waits for none of this longer than [`DEADLINE`], and is told nothing where an engine does not serve.

use std::{cmp::Reverse, collections::HashSet, iter::once, ops::Range, time::Duration};

use futures::future::try_join_all;
use tokio::time::timeout;
use unicode_normalization::char::is_combining_mark;

use super::{
    analysis,
    facets::ValueCount,
    language::{self, Asked},
    query::{Clause, SearchFilter, SearchMode, TextQuery, is_of_frame},
    synonyms::Synonyms,
};
use crate::{
    Error, Result,
    accounts::{Actor, Role, Tenant},
    ports::{
        Ports,
        search::{TextIndex, WordsLike},
    },
};

const DEADLINE: Duration = Duration::from_millis(300);
/// Words of a query that are looked at, from its beginning on.
const WORDS: usize = 12;
/// Letters of a word that is corrected: what is shorter is near to too much, and what is longer is no word.
const SHORTEST: usize = 4;
pub const LONGEST: usize = 40;
/// From so many letters on two of them may be wrong.
const LONG: usize = 8;
/// What stands in so few passages may be a slip of its own …
const RARE: u64 = 2;
/// … where a word that differs in a single letter stands in so many times as many.
const TIMES: u64 = 20;
/// Words near to one that are tried, and queries that are asked in all.
const CHOICES: usize = 4;
const TRIES: usize = 8;

/// A search as it was typed.
#[derive(Debug, Clone, Copy)]
pub struct SpellingInput<'a> {
    pub query: &'a str,
    pub mode: SearchMode,
    pub filter: &'a SearchFilter,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Corrected {
    /// The query as it was typed but for the words below.
    pub query: String,
    pub corrections: Vec<Correction>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// As it was typed.
    pub word: String,
    pub correction: String,
    /// Where the word stands in the query that was typed, in characters.
    pub place: Range<usize>,
}

/// A word of a query that may be misspelt.
#[derive(Debug, PartialEq, Eq)]
struct Typed {
    /// In bytes of the query.
    range: Range<usize>,
    /// As the exact terms have it.
    term: String,
}

/// `None` where every word is known, nothing near to the others would be found, or an engine does not serve in time. By
/// meaning alone there is nothing to correct.
pub async fn correct(ports: &Ports, actor: &Actor, input: SpellingInput<'_>) -> Result<Option<Corrected>> {
    actor.require(Role::Viewer)?;
    let typed = match input.mode {
        SearchMode::Semantic => Vec::new(),
        SearchMode::Text | SearchMode::Hybrid => words(input.query),
    };
    let Some(engine) = ports.search.text.as_deref().filter(|_| !typed.is_empty()) else {
        return Ok(None);
    };
    let speller = Speller { engine, tenant: actor.tenant(), input, typed };
    let correct = async {
        let synonyms = ports.synonyms.find(actor.tenant()).await?;
        speller.correct(&synonyms).await
    };
    let corrected = timeout(DEADLINE, correct).await;
    let corrected = corrected.unwrap_or_else(|late| Err(Error::unavailable("correct a query in time", late)));
    corrected.or_else(|error| {
        tracing::warn!(error = error.chain(), "a search is answered without a correction");
        Ok(None)
    })
}

struct Speller<'a> {
    engine: &'a dyn TextIndex,
    tenant: Tenant,
    input: SpellingInput<'a>,
    typed: Vec<Typed>,
}

impl Speller<'_> {
    async fn correct(&self, synonyms: &Synonyms) -> Result<Option<Corrected>> {
        let terms = self.terms(synonyms);
        let near = try_join_all(terms.iter().map(|term| self.near(term))).await?;
        let wrong: Vec<(&str, Vec<String>)> =
            terms.into_iter().zip(near).filter(|(_, near)| !near.is_empty()).collect();
        for chosen in choices(&wrong) {
            let corrected = rewrite(self.input.query, &self.typed, &chosen);
            if self.finds(&corrected.query, synonyms).await? {
                return Ok(Some(corrected));
            }
        }
        Ok(None)
    }

    /// Each once. What the organization has a synonym for, it knows how to spell.
    fn terms(&self, synonyms: &Synonyms) -> Vec<&str> {
        let known = synonyms.0.iter().flatten().flat_map(|term| analysis::exact(term));
        let mut seen: HashSet<String> = known.map(|token| token.text).collect();
        let new = self.typed.iter().filter(|word| seen.insert(word.term.clone()));
        new.map(|word| word.term.as_str()).take(WORDS).collect()
    }

    /// What may have been meant by a word, the likeliest first; nothing where the word is known in any form.
    async fn near(&self, term: &str) -> Result<Vec<String>> {
        let word = TextQuery { clauses: vec![Clause::Word(term.to_owned())], ..TextQuery::default() };
        let held = self.matching(&word, &SearchFilter::default()).await?;
        if held > RARE {
            return Ok(Vec::new());
        }
        let distance = if held == 0 && term.chars().count() >= LONG { 2 } else { 1 };
        let like = WordsLike::Near { word: term.to_owned(), distance };
        let near = self.engine.words(self.tenant, &like, 2 * CHOICES).await?;
        let is_meant =
            |near: &ValueCount| near.count >= TIMES * held && near.value.chars().all(char::is_alphabetic);
        Ok(near.into_iter().filter(is_meant).map(|near| near.value).take(CHOICES).collect())
    }

    /// Whether it does as a search of its own.
    async fn finds(&self, query: &str, synonyms: &Synonyms) -> Result<bool> {
        // With longer words it may be too long.
        let Ok(Asked { text, filter }) = language::read(query) else { return Ok(false) };
        let Some(filter) = self.input.filter.clone().and(filter) else { return Ok(false) };
        Ok(self.matching(&synonyms.widen(&text).without_frame(), &filter).await? > 0)
    }

    async fn matching(&self, query: &TextQuery, filter: &SearchFilter) -> Result<u64> {
        Ok(self.engine.count(self.tenant, query, filter, &[], 1).await?.matching)
    }
}

fn words(query: &str) -> Vec<Typed> {
    let mut found = Vec::new();
    for clause in language::sought(query) {
        for token in analysis::exact(&query[clause.clone()]) {
            let range = clause.start + token.start..clause.start + token.end;
            let is_of_size = (SHORTEST..=LONGEST).contains(&token.text.chars().count());
            if is_of_size && is_among_letters(query, &range) && !is_of_frame(&token.text) {
                found.push(Typed { range, term: token.text });
            }
        }
    }
    found
}

/// Whether what it stands in, from space to space, is a word as people speak it: no number, address or path.
fn is_among_letters(query: &str, range: &Range<usize>) -> bool {
    let ends = |c: char| c.is_whitespace() || c == '"';
    let from = query[..range.start].rfind(ends).unwrap_or(0);
    let to = query[range.end..].find(ends).map_or(query.len(), |after| range.end + after);
    let whole = query[from..to].trim_matches(|c: char| !c.is_alphanumeric());
    whole.chars().all(|c| c.is_alphabetic() || is_combining_mark(c) || matches!(c, '-' | '\'' | '’'))
}

/// A word for each that is wrong: of all the likeliest, then another one for one of them.
fn choices<'a>(wrong: &'a [(&'a str, Vec<String>)]) -> impl Iterator<Item = Vec<(&'a str, &'a str)>> {
    let likeliest: Vec<(&str, &str)> =
        wrong.iter().filter_map(|(term, near)| Some((*term, near.first()?.as_str()))).collect();
    let first = likeliest.clone();
    let others = (1..CHOICES).flat_map(move |rank| {
        let likeliest = likeliest.clone();
        wrong.iter().enumerate().filter_map(move |(at, (term, near))| {
            let mut chosen = likeliest.clone();
            *chosen.get_mut(at)? = (*term, near.get(rank)?.as_str());
            Some(chosen)
        })
    });
    once(first).filter(|first| !first.is_empty()).chain(others).take(TRIES)
}

fn rewrite(query: &str, typed: &[Typed], chosen: &[(&str, &str)]) -> Corrected {
    let mut corrected = Corrected::default();
    let mut at = 0;
    for Typed { range, term } in typed {
        let Some((_, correction)) = chosen.iter().find(|(wrong, _)| wrong == term) else { continue };
        corrected.query.push_str(&query[at..range.start]);
        corrected.query.push_str(correction);
        at = range.end;
        let (word, from) = (query[range.clone()].to_owned(), query[..range.start].chars().count());
        let place = from..from + word.chars().count();
        corrected.corrections.push(Correction { word, correction: (*correction).to_owned(), place });
    }
    corrected.query.push_str(&query[at..]);
    corrected
}

/// Those of `words` that differ from one in so many letters at most, without itself, as [`WordsLike::Near`] has them.
pub fn nearest(
    word: &str,
    distance: u8,
    words: impl IntoIterator<Item = ValueCount>,
    limit: usize,
) -> Vec<ValueCount> {
    let apart = |other: ValueCount| (strsim::osa_distance(word, &other.value), other);
    let is_near = |(apart, _): &(usize, ValueCount)| (1..=usize::from(distance)).contains(apart);
    let mut near: Vec<(usize, ValueCount)> = words.into_iter().map(apart).filter(is_near).collect();
    near.sort_by(|(a, one), (b, other)| {
        (a, Reverse(one.count), &one.value).cmp(&(b, Reverse(other.count), &other.value))
    });
    near.into_iter().map(|(_, one)| one).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(query: &str) -> Vec<String> {
        words(query).into_iter().map(|word| word.term).collect()
    }

    #[test]
    fn words_of_letters_are_looked_at_wherever_they_are_looked_for() {
        let query = r#"Büdgets, "notise perod" OR l'avoin -wthout -"nor tihs" speaker:Annn co-wrokers?"#;
        assert_eq!(terms(query), ["budgets", "notise", "perod", "avoin", "wrokers"]);
        for query in [
            "3rd 2026 q3plan a.bcde https://exmaple.com/x mail@exmaple 12:30pm",
            "会議データベース 급여협상",
            "the pay how which would there",
            "tag:worng kind:meeting",
        ] {
            assert_eq!(terms(query), [""; 0], "{query}");
        }
        assert_eq!(terms(&"x".repeat(LONGEST + 1)), [""; 0]);
        assert_eq!(terms("re\u{301}sume\u{301}es (budgte)"), ["resumees", "budgte"]);
    }

    #[test]
    fn only_what_is_wrong_is_put_right_and_each_place_is_told() {
        let query = r#"é Budgte "the budgte" OR salary -budgte"#;
        let corrected = rewrite(query, &words(query), &[("budgte", "budget")]);
        assert_eq!(corrected.query, r#"é budget "the budget" OR salary -budgte"#);
        let places: Vec<_> =
            corrected.corrections.iter().map(|one| (&*one.word, one.place.clone())).collect();
        assert_eq!(places, [("Budgte", 2..8), ("budgte", 14..20)]);
    }

    #[test]
    fn the_likeliest_of_all_come_first_and_then_another_for_one_of_them() {
        let near = |words: &[&str]| -> Vec<String> { words.iter().map(|word| (*word).to_owned()).collect() };
        let wrong = [("a", near(&["a1", "a2"])), ("b", near(&["b1", "b2", "b3"]))];
        let all: Vec<String> = choices(&wrong)
            .map(|chosen| chosen.iter().map(|(_, to)| *to).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(all, ["a1 b1", "a2 b1", "a1 b2", "a1 b3"]);
        assert_eq!(choices(&[]).count(), 0);
        let many: Vec<(&str, Vec<String>)> = (0..WORDS).map(|_| ("x", near(&["y", "z"]))).collect();
        assert_eq!(choices(&many).count(), TRIES);
    }

    #[test]
    fn the_nearest_come_first_and_of_them_the_most_frequent() {
        let words =
            [("budget", 3), ("buget", 9), ("budgets", 5), ("gadget", 90), ("bugdet", 7), ("bidget", 3)];
        let words = words.map(|(value, count)| ValueCount { value: value.to_owned(), count });
        let near = |distance, limit| -> Vec<String> {
            nearest("bugdet", distance, words.clone(), limit).into_iter().map(|one| one.value).collect()
        };
        assert_eq!(near(1, 9), ["buget", "budget"]);
        assert_eq!(near(2, 9), ["buget", "budget", "budgets", "bidget"]);
        assert_eq!(near(2, 1), ["buget"]);
    }
}
