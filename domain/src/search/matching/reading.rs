//! A query as what must stand in a text and what must not.

use std::collections::BTreeSet;

use crate::search::{
    analysis::{self, Token},
    query::{Clause, TextQuery},
};

/// Of one of a text's two lists of terms.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Term {
    /// A word as it stands.
    Exact(String),
    /// Any form of it.
    Stem(String),
}

/// Terms, and how far each is from the first.
type Sequence<T> = Vec<(T, u32)>;

/// Of these sequences one or more stand.
type Any<T> = Vec<Sequence<T>>;

#[derive(Debug, Clone)]
pub(super) struct Reading<T> {
    must: Vec<Any<T>>,
    /// None of them stands.
    not: Any<T>,
}

impl Reading<Term> {
    /// Every phrase, one or more of each group and of the words, and nothing unwanted.
    pub(super) fn of(query: &TextQuery) -> Self {
        let mut reading = Self::strict(query);
        let words: Vec<&Clause> =
            query.clauses.iter().filter(|clause| !matches!(clause, Clause::Phrase(_))).collect();
        if !words.is_empty() {
            reading.must.push(words.into_iter().flat_map(ways).collect());
        }
        reading
    }

    /// What holds for hits by meaning, too: words alone need not stand there.
    pub(super) fn strict(query: &TextQuery) -> Self {
        let phrases = query.clauses.iter().filter(|clause| matches!(clause, Clause::Phrase(_)));
        let groups = query.either.iter().map(|group| group.iter().flat_map(ways).collect());
        let must = phrases.map(ways).chain(groups).collect();
        Self { must, not: query.not.iter().flat_map(ways).collect() }
    }

    pub(super) fn map(&self, intern: &mut impl FnMut(&Term) -> u32) -> Reading<u32> {
        let mut any = |any: &Any<Term>| -> Any<u32> {
            let mut mapped: Any<u32> = Vec::with_capacity(any.len());
            for sequence in any {
                mapped.push(sequence.iter().map(|(term, after)| (intern(term), *after)).collect());
            }
            mapped
        };
        Reading { must: self.must.iter().map(&mut any).collect(), not: any(&self.not) }
    }
}

impl<T: Copy + Ord> Reading<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.must.is_empty() && self.not.is_empty()
    }

    /// Terms of which a text that matches has one or more: as few as can be, and long ones, which are rare.
    pub(super) fn needed(&self, length: impl Fn(&T) -> usize) -> BTreeSet<T> {
        let longest = |sequence: &Sequence<T>| {
            sequence.iter().map(|(term, _)| *term).max_by_key(|term| (length(term), *term))
        };
        let terms = self.must.iter().map(|any| any.iter().filter_map(longest).collect::<BTreeSet<T>>());
        let cost = |terms: &BTreeSet<T>| {
            let shortest = terms.iter().map(&length).min().unwrap_or(0);
            (terms.len(), std::cmp::Reverse(shortest))
        };
        terms.min_by_key(cost).unwrap_or_default()
    }

    pub(super) fn holds(&self, stands: impl Fn(&[(T, u32)]) -> bool) -> bool {
        let any_stands = |any: &Any<T>| any.iter().any(|sequence| stands(sequence));
        self.must.iter().all(any_stands) && !any_stands(&self.not)
    }
}

/// In which a clause can stand in a text; none for what has no term.
fn ways(clause: &Clause) -> Any<Term> {
    if let Clause::Alike(names) = clause {
        return names.iter().flat_map(ways).collect();
    }
    let mut ways: Any<Term> = sequence(&analysis::exact(clause.text()), Term::Exact).into_iter().collect();
    if let Clause::Word(text) = clause {
        ways.extend(analysis::readings(text).iter().filter_map(|tokens| sequence(tokens, Term::Stem)));
    }
    ways
}

fn sequence(tokens: &[Token], term: impl Fn(String) -> Term) -> Option<Sequence<Term>> {
    let first = tokens.first()?.position;
    Some(tokens.iter().map(|token| (term(token.text.clone()), (token.position - first) as u32)).collect())
}
