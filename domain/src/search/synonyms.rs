//! Words and phrases that stand for each other in an organization. They widen a query before any engine is given it, one
//! step far: what stands for a word that was typed is looked for too, and what stands for that is not. So groups may
//! overlap or run in circles. What is in quotes or after a minus means itself.

use std::collections::{HashMap, HashSet};

use super::{
    analysis::exact,
    query::{Clause, TextQuery},
};
use crate::{
    Error, Problem, Result,
    accounts::{Actor, Role},
    audit::{self, NewAuditEntry, Origin},
    ports::Ports,
};

pub const MAX_GROUPS: usize = 500;
pub const MAX_TERMS: usize = 20;
pub const MAX_TERM_CHARS: usize = 80;
/// Words of one term.
const MAX_WORDS: usize = 6;
/// Alternatives that a query is widened by.
const MAX_ALTERNATIVES: usize = 60;

/// Groups of two or more terms each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synonyms(pub Vec<Vec<String>>);

/// For whoever may search.
pub async fn list(ports: &Ports, actor: &Actor) -> Result<Synonyms> {
    actor.require(Role::Viewer)?;
    ports.synonyms.find(actor.tenant()).await
}

/// Replaces all groups of the organization by these.
pub async fn set(
    ports: &Ports,
    actor: &Actor,
    origin: &Origin,
    groups: Vec<Vec<String>>,
) -> Result<Synonyms> {
    let entry = NewAuditEntry::new(ports, actor, origin, "synonyms.set");
    let entry = entry.with("groups", Some(groups.len()));
    let set = async {
        actor.require(Role::Admin)?;
        let synonyms = Synonyms::check(groups).map_err(Error::Invalid)?;
        ports.synonyms.replace(actor.tenant(), &synonyms, entry.again(ports)).await?;
        Ok(synonyms)
    };
    audit::settle(ports, entry.again(ports), set.await).await
}

impl Synonyms {
    /// Trimmed; what differs in case, accents or punctuation alone is said once, and so is a group that is there twice.
    pub fn check(groups: Vec<Vec<String>>) -> Result<Self, Problem> {
        if groups.len() > MAX_GROUPS {
            let message = format!("{} groups were given, at most {MAX_GROUPS} are allowed", groups.len());
            return Err(Problem::new("TOO_MANY_SYNONYMS", message).at("groups"));
        }
        let mut checked: Vec<Vec<String>> = Vec::with_capacity(groups.len());
        let mut known: HashSet<Vec<Vec<String>>> = HashSet::new();
        for (n, group) in (1..).zip(groups) {
            let (group, mut terms) = check_group(n, group)?;
            terms.sort();
            if known.insert(terms) {
                checked.push(group);
            }
        }
        Ok(Self(checked))
    }

    /// The query with what stands for its words. A word of it stays one thing to look for, under several names; a phrase
    /// that was typed without quotes is one more.
    pub fn widen(&self, query: &TextQuery) -> TextQuery {
        if self.0.is_empty() { query.clone() } else { self.prepared().widen(query) }
    }

    /// For many queries.
    pub(super) fn prepared(&self) -> Prepared {
        let mut others: HashMap<Vec<String>, Vec<Clause>> = HashMap::new();
        for group in &self.0 {
            let terms: Vec<Term<'_>> = group.iter().map(|term| Term::of(term)).collect();
            for term in &terms {
                let known = others.entry(term.words.clone()).or_default();
                for clause in terms.iter().filter(|other| other.words != term.words).map(Term::clause) {
                    if known.len() < MAX_ALTERNATIVES && !known.contains(&clause) {
                        known.push(clause);
                    }
                }
            }
        }
        Prepared(others)
    }
}

/// Other names by the words of each.
pub(super) struct Prepared(HashMap<Vec<String>, Vec<Clause>>);

impl Prepared {
    /// As [`Synonyms::widen`].
    pub(super) fn widen(&self, query: &TextQuery) -> TextQuery {
        let mut left = MAX_ALTERNATIVES;
        let mut alike = |words: &[String]| -> Vec<Clause> {
            let found = self.0.get(words).map_or(&[][..], Vec::as_slice);
            let found = &found[..found.len().min(left)];
            left -= found.len();
            found.to_vec()
        };
        let mut widened = TextQuery { not: query.not.clone(), ..TextQuery::default() };
        for clause in &query.clauses {
            widened.clauses.push(match clause {
                Clause::Word(text) => named(clause, alike(&words(text))),
                other => other.clone(),
            });
        }
        for (typed, run) in runs(&query.clauses) {
            let others = alike(&run);
            if !others.is_empty() {
                widened.clauses.push(named(&Clause::Phrase(typed), others));
            }
        }
        for group in &query.either {
            let one = |clause: &Clause| match clause {
                Clause::Word(text) => named(clause, alike(&words(text))),
                other => other.clone(),
            };
            widened.either.push(group.iter().map(one).collect());
        }
        widened
    }
}

struct Term<'a> {
    text: &'a str,
    words: Vec<String>,
}

impl<'a> Term<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, words: words(text) }
    }

    fn clause(&self) -> Clause {
        match self.words.len() {
            1 => Clause::Word(self.text.to_owned()),
            _ => Clause::Phrase(self.text.to_owned()),
        }
    }
}

fn words(text: &str) -> Vec<String> {
    exact(text).into_iter().map(|token| token.text).collect()
}

fn named(clause: &Clause, others: Vec<Clause>) -> Clause {
    match others.is_empty() {
        true => clause.clone(),
        false => Clause::Alike(std::iter::once(clause.clone()).chain(others).collect()),
    }
}

/// Words that were typed one after the other, two or more, as text and as terms.
fn runs(clauses: &[Clause]) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for length in 2..=MAX_WORDS {
        for run in clauses.windows(length) {
            let texts: Option<Vec<&str>> = run
                .iter()
                .map(|clause| match clause {
                    Clause::Word(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            if let Some(texts) = texts {
                let typed = texts.join(" ");
                let words = words(&typed);
                found.push((typed, words));
            }
        }
    }
    found
}

type Checked = (Vec<String>, Vec<Vec<String>>);

fn check_group(n: usize, group: Vec<String>) -> Result<Checked, Problem> {
    let refuse =
        |message: String| Err(Problem::new("INVALID_SYNONYMS", format!("group {n}: {message}")).at("groups"));
    if group.len() > MAX_TERMS {
        return refuse(format!("{} terms were given, at most {MAX_TERMS} are allowed", group.len()));
    }
    let (mut texts, mut terms): Checked = (Vec::new(), Vec::new());
    for term in &group {
        let text = term.trim();
        if text.chars().count() > MAX_TERM_CHARS || text.chars().any(char::is_control) {
            return refuse(format!("a term has at most {MAX_TERM_CHARS} characters and no line breaks"));
        }
        let words = words(text);
        if words.is_empty() || text.split_whitespace().count() > MAX_WORDS {
            return refuse(format!("a term has one to {MAX_WORDS} words: {text:?}"));
        }
        if !terms.contains(&words) {
            texts.push(text.to_owned());
            terms.push(words);
        }
    }
    if texts.len() < 2 {
        return refuse("it needs two terms that are not the same word".to_owned());
    }
    Ok((texts, terms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synonyms(groups: &[&[&str]]) -> Synonyms {
        let owned = |group: &&[&str]| group.iter().map(|term| (*term).to_owned()).collect();
        Synonyms::check(groups.iter().map(owned).collect()).unwrap()
    }

    fn word(text: &str) -> Clause {
        Clause::Word(text.to_owned())
    }

    fn phrase(text: &str) -> Clause {
        Clause::Phrase(text.to_owned())
    }

    fn widened(groups: &[&[&str]], query: &str) -> TextQuery {
        synonyms(groups).widen(&TextQuery::parse(query).unwrap())
    }

    #[test]
    fn a_word_is_looked_for_under_its_other_names() {
        let pay: &[&[&str]] = &[&["pay", "salary", "base pay"]];
        let query = widened(pay, "Salary notice -pay \"pay\"");
        let all = Clause::Alike(vec![word("Salary"), word("pay"), phrase("base pay")]);
        assert_eq!(query.clauses, [all, word("notice"), phrase("pay")]);
        assert_eq!(query.not, [word("pay")]);
        let query = widened(pay, "pay OR bonus");
        let either = Clause::Alike(vec![word("pay"), word("salary"), phrase("base pay")]);
        assert_eq!(query.either, [[either, word("bonus")]]);
    }

    #[test]
    fn a_phrase_that_was_typed_without_quotes_is_one_more_thing_to_look_for() {
        let query = widened(&[&["notice period", "cancellation period", "Frist"]], "the Notice  period ends");
        let one = Clause::Alike(vec![phrase("Notice period"), phrase("cancellation period"), word("Frist")]);
        assert_eq!(query.clauses, [word("the"), word("Notice"), word("period"), word("ends"), one]);
        let quoted = widened(&[&["notice period", "Frist"]], "\"notice period\"");
        assert_eq!(quoted.clauses, [phrase("notice period")]);
    }

    #[test]
    fn circles_and_overlaps_go_one_step_far() {
        let circle: &[&[&str]] = &[&["a", "b"], &["b", "c"], &["c", "a"]];
        assert_eq!(widened(circle, "a").clauses, [Clause::Alike(vec![word("a"), word("b"), word("c")])]);
        let chain: &[&[&str]] = &[&["a", "b"], &["b", "c"]];
        assert_eq!(widened(chain, "a").clauses, [Clause::Alike(vec![word("a"), word("b")])]);
        let many: Vec<Vec<String>> = (0..MAX_GROUPS).map(|n| vec!["x".to_owned(), format!("x{n}")]).collect();
        let query = Synonyms::check(many).unwrap().widen(&TextQuery::parse(&"x ".repeat(400)).unwrap());
        assert!(query.wanted().count() <= 400 + MAX_ALTERNATIVES);
    }

    #[test]
    fn what_is_the_same_is_said_once_and_what_makes_no_group_is_refused() {
        assert_eq!(synonyms(&[&[" Café ", "cafe", "bistro"], &["bistro", "CAFE"]]).0, [["Café", "bistro"]]);
        let refused = |group: &[&str]| {
            let group = group.iter().map(|term| (*term).to_owned()).collect();
            Synonyms::check(vec![group]).unwrap_err().code
        };
        let long = "x".repeat(MAX_TERM_CHARS + 1);
        for group in [
            &[][..],
            &["a"],
            &["a", "A"],
            &["a", "?!"],
            &["a", &long],
            &["a", "b\nc"],
            &["a", "1 2 3 4 5 6 7"],
        ] {
            assert_eq!(refused(group), "INVALID_SYNONYMS", "{group:?}");
        }
        assert_eq!(refused(&["a"; MAX_TERMS + 1]), "INVALID_SYNONYMS");
        let many = Synonyms::check(vec![vec!["a".to_owned(), "b".to_owned()]; MAX_GROUPS + 1]);
        assert_eq!(many.unwrap_err().code, "TOO_MANY_SYNONYMS");
    }
}
