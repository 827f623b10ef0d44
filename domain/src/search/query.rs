//! The query that every engine is given: words and phrases, what must not stand there, and filters.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{analysis::parts, find::HitFacets, language};
use crate::{
    Problem,
    conversations::ConversationKind,
    ids::{ConversationId, PersonId},
    language::Language,
    people::Known,
    time::Timestamp,
};

/// English words that a question is made of and an answer is not found by. They are passed over where other
/// words remain; in a phrase and after a minus they count.
const FRAME: &str = "a about am an and any are as at be been but by can could did do does doing for from had has have \
    he her him his how i if in into is it its many me much my of on or our she should so some than that the their them \
    then there these they this those to us was we were what when where which who whom whose why will with would you your";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SearchMode {
    Text,
    Semantic,
    Hybrid,
}

impl SearchMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Semantic => "semantic",
            Self::Hybrid => "hybrid",
        }
    }
}

/// One thing to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// Any form of the word; the engine analyses it.
    Word(String),
    /// The words next to each other in this order.
    Phrase(String),
    /// One thing under several names, what was typed first: any of them will do, and several count as the best of them.
    Alike(Vec<Clause>),
}

impl Clause {
    pub fn text(&self) -> &str {
        match self {
            Self::Word(text) | Self::Phrase(text) => text,
            Self::Alike(names) => names.first().map_or("", Self::text),
        }
    }

    /// What has several names has none of them in parts.
    fn parts(&self) -> Vec<Self> {
        match self {
            Self::Word(text) => parts(text).into_iter().map(|part| Self::Word(part.to_owned())).collect(),
            Self::Phrase(_) | Self::Alike(_) => vec![self.clone()],
        }
    }

    /// The words and phrases by which it is looked for.
    pub fn names(&self) -> &[Self] {
        match self {
            Self::Alike(names) => names,
            one => std::slice::from_ref(one),
        }
    }
}

/// A passage matches when it holds every phrase, one or more of each of `either`, none of `not`, and (where there is a
/// word) at least one of the words; more and rarer words rank higher.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextQuery {
    pub clauses: Vec<Clause>,
    /// What OR joins: two or more each.
    pub either: Vec<Vec<Clause>>,
    pub not: Vec<Clause>,
}

impl TextQuery {
    /// The words and phrases of what [`language::read`] takes.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        language::read(text).map(|asked| asked.text)
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty() && self.either.is_empty()
    }

    /// All words and phrases that are looked for, each by itself.
    pub fn wanted(&self) -> impl Iterator<Item = &Clause> {
        self.clauses.iter().chain(self.either.iter().flatten()).flat_map(Clause::names)
    }

    /// What engines of words look for: without the question's frame, where something remains, and a word that runs on
    /// without spaces by its parts.
    pub fn without_frame(&self) -> Self {
        let bears = |clause: &&Clause| match clause {
            Clause::Word(word) => {
                let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
                !is_of_frame(&word)
            }
            Clause::Phrase(_) | Clause::Alike(_) => true,
        };
        let clauses: Vec<Clause> = self.clauses.iter().filter(bears).cloned().collect();
        let remains = !clauses.is_empty() || !self.either.is_empty();
        let clauses = if remains { &clauses } else { &self.clauses };
        let in_parts =
            |clauses: &Vec<Clause>| -> Vec<Clause> { clauses.iter().flat_map(Clause::parts).collect() };
        Self {
            clauses: in_parts(clauses),
            either: self.either.iter().map(in_parts).collect(),
            not: self.not.clone(),
        }
    }

    /// Whether it asks for something to the letter, of hits by meaning, too.
    pub fn is_strict(&self) -> bool {
        let has_phrase = self.clauses.iter().any(|clause| matches!(clause, Clause::Phrase(_)));
        has_phrase || !self.either.is_empty() || !self.not.is_empty()
    }

    /// What is asked for in plain words, for engines of meaning.
    pub fn plain(&self) -> String {
        let words: Vec<&str> = self.wanted().map(Clause::text).collect();
        words.join(" ")
    }
}

/// Whether a word, in small letters, only makes a question of what is asked for.
pub(super) fn is_of_frame(word: &str) -> bool {
    FRAME.split_ascii_whitespace().any(|frame| frame == word)
}

/// Narrows a search. An empty list does not narrow; within a list any value will do, between lists all must
/// hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SearchFilter {
    pub kinds: Vec<ConversationKind>,
    /// Names, compared without case.
    pub tags: Vec<String>,
    /// Labels, compared without case.
    pub speakers: Vec<String>,
    /// Inclusive. A conversation without a time is outside every span.
    pub occurred_from: Option<Timestamp>,
    /// Exclusive.
    pub occurred_before: Option<Timestamp>,
    pub conversation_ids: Vec<ConversationId>,
    /// A conversation whose language is not known has none of them.
    pub languages: Vec<Language>,
    pub person_ids: Vec<PersonId>,
    /// Names as [`people::key`](crate::people::key) has them. Engines are given ids in their place.
    pub people: Vec<String>,
}

impl SearchFilter {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Both at once; `None` where nothing can fit both.
    pub fn and(self, other: Self) -> Option<Self> {
        let same = |a: &String, b: &String| fold(a) == fold(b);
        let latest = [self.occurred_from, other.occurred_from].into_iter().flatten().max();
        let earliest = [self.occurred_before, other.occurred_before].into_iter().flatten().min();
        Some(Self {
            kinds: both(self.kinds, other.kinds, PartialEq::eq)?,
            tags: both(self.tags, other.tags, same)?,
            speakers: both(self.speakers, other.speakers, same)?,
            occurred_from: latest,
            occurred_before: earliest,
            conversation_ids: both(self.conversation_ids, other.conversation_ids, PartialEq::eq)?,
            languages: both(self.languages, other.languages, PartialEq::eq)?,
            person_ids: both(self.person_ids, other.person_ids, PartialEq::eq)?,
            people: both(self.people, other.people, PartialEq::eq)?,
        })
    }

    /// With the people who have the names in it, in the place of the names. Nobody has the nil id: where nobody is left,
    /// nothing fits.
    pub fn with_named(mut self, named: Vec<PersonId>) -> Self {
        if !std::mem::take(&mut self.people).is_empty() {
            let mut ids = named;
            if !self.person_ids.is_empty() {
                ids.retain(|id| self.person_ids.contains(id));
            }
            self.person_ids = if ids.is_empty() { vec![PersonId(Uuid::nil())] } else { ids };
        }
        self
    }

    /// The same rule that engines apply, for PostgreSQL's last word.
    pub fn matches(&self, facets: &HitFacets<'_>) -> bool {
        let any_of = |wanted: &[String], have: &[&str]| {
            wanted.is_empty() || wanted.iter().any(|w| have.iter().any(|h| fold(w) == fold(h)))
        };
        let at = facets.occurred_at;
        (self.kinds.is_empty() || self.kinds.contains(&facets.kind))
            && any_of(&self.tags, &facets.tags)
            && any_of(&self.speakers, &facets.speakers)
            && self.occurred_from.is_none_or(|from| at.is_some_and(|at| at >= from))
            && self.occurred_before.is_none_or(|before| at.is_some_and(|at| at < before))
            && (self.conversation_ids.is_empty() || self.conversation_ids.contains(&facets.conversation_id))
            && (self.languages.is_empty() || facets.language.is_some_and(|one| self.languages.contains(&one)))
            && self.matches_people(facets.people)
    }

    /// One of them must be meant by ids and names alike.
    fn matches_people(&self, people: &[Known]) -> bool {
        let any = self.person_ids.is_empty() && self.people.is_empty();
        let is_meant = |one: &Known| {
            (self.person_ids.is_empty() || self.person_ids.contains(&one.id))
                && (self.people.is_empty() || self.people.contains(&one.key))
        };
        any || people.iter().any(is_meant)
    }
}

/// What stands in both lists, of which an empty one does not narrow; `None` where nothing does.
fn both<T>(a: Vec<T>, b: Vec<T>, same: impl Fn(&T, &T) -> bool) -> Option<Vec<T>> {
    if a.is_empty() || b.is_empty() {
        return Some(if a.is_empty() { b } else { a });
    }
    let both: Vec<T> = a.into_iter().filter(|one| b.iter().any(|other| same(one, other))).collect();
    (!both.is_empty()).then_some(both)
}

/// How labels and tags are compared: without case and outer white space.
pub fn fold(label: &str) -> String {
    label.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> TextQuery {
        TextQuery::parse(text).unwrap()
    }

    #[test]
    fn the_frame_of_a_question_is_passed_over_unless_it_is_all_there_is() {
        let words = |text: &str| -> Vec<String> {
            parse(text).without_frame().clauses.iter().map(|clause| clause.text().to_owned()).collect()
        };
        assert_eq!(words("how much pay does the candidate want?"), ["pay", "candidate", "want?"]);
        assert_eq!(words("to be or to be"), ["to", "be", "or", "to", "be"]);
        assert_eq!(words(r#"who said "to be""#), ["said", "to be"]);
        assert!(words("who is ann OR ben").is_empty());
    }

    #[test]
    fn what_runs_on_is_looked_for_in_parts_but_as_a_whole_in_quotes_and_after_a_minus() {
        let query = parse("工资谈判的结果 \"下周的会议\" 会議の議事録 OR pay -下周的会议").without_frame();
        let texts = |clauses: &[Clause]| -> Vec<String> {
            clauses.iter().map(|clause| clause.text().to_owned()).collect()
        };
        assert_eq!(texts(&query.clauses), ["工资", "资谈", "谈判", "判的", "的结", "结果", "下周的会议"]);
        assert_eq!(texts(&query.either[0]), ["会議", "議事", "事録", "pay"]);
        assert_eq!(texts(&query.not), ["下周的会议"]);
        let named =
            Clause::Alike(vec![Clause::Word("工资谈判的结果".to_owned()), Clause::Word("pay".to_owned())]);
        let query = TextQuery { clauses: vec![named], ..TextQuery::default() };
        assert_eq!(query.without_frame(), query);
    }

    #[test]
    fn what_narrows_twice_narrows_to_what_both_allow() {
        let tags = |tags: &[&str]| SearchFilter {
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..SearchFilter::default()
        };
        assert_eq!(tags(&["a", "B"]).and(tags(&["b", "c"])), Some(tags(&["B"])));
        assert_eq!(tags(&[]).and(tags(&["c"])), Some(tags(&["c"])));
        assert_eq!(tags(&["a"]).and(tags(&["c"])), None);
    }

    #[test]
    fn names_stand_for_who_has_them_and_are_narrowed_by_ids() {
        let id = |n| PersonId(Uuid::from_u128(n));
        let filter = |ids: &[u128], names: &[&str]| SearchFilter {
            person_ids: ids.iter().map(|n| id(*n)).collect(),
            people: names.iter().map(|name| (*name).to_owned()).collect(),
            ..SearchFilter::default()
        };
        let resolved =
            |of: SearchFilter, named: &[u128]| of.with_named(named.iter().map(|n| id(*n)).collect());
        assert_eq!(resolved(filter(&[], &["ana"]), &[1, 2]), filter(&[1, 2], &[]));
        assert_eq!(resolved(filter(&[2, 3], &["ana"]), &[1, 2]), filter(&[2], &[]));
        assert_eq!(resolved(filter(&[3], &["ana"]), &[1, 2]), filter(&[0], &[]));
        assert_eq!(resolved(filter(&[], &["nobody"]), &[]), filter(&[0], &[]));
        assert_eq!(resolved(filter(&[3], &[]), &[1]), filter(&[3], &[]));

        let known = |n, key: &str| Known { id: id(n), key: key.to_owned() };
        let (ana, ben) = (known(1, "ana"), known(2, "ben"));
        let both = [ana.clone(), ben];
        for (of, people, fits) in [
            (filter(&[], &[]), &[][..], true),
            (filter(&[1], &[]), &[], false),
            (filter(&[1, 7], &[]), &both, true),
            (filter(&[7], &[]), &both, false),
            (filter(&[], &["ben", "zoe"]), &both, true),
            (filter(&[], &["ben"]), std::slice::from_ref(&ana), false),
            // Both of it is asked of one and the same.
            (filter(&[1], &["ben"]), &both, false),
            (filter(&[2], &["ben"]), &both, true),
        ] {
            assert_eq!(of.matches_people(people), fits, "{of:?} {people:?}");
        }
    }
}
