//! Where a query stands in texts, by the analysis that finds it; no engine is asked.

use super::{
    analysis::{self, Token},
    query::{Clause, TextQuery},
};
use crate::language::Language;

/// UTF-8 byte offsets into a passage's text.
pub type Highlight = std::ops::Range<usize>;

/// A text, and the language by which its words are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokenText {
    pub text: String,
    pub language: Option<Language>,
}

/// The query's clauses as terms, to be looked for in many texts.
pub struct Highlighter {
    /// Stand in the texts' stems; a word by the rules of any language.
    stems: Vec<Sequence>,
    exact: Vec<Sequence>,
}

/// Terms, and how far each is from the first.
struct Sequence(Vec<(String, usize)>);

impl Highlighter {
    pub fn new(query: &TextQuery) -> Self {
        let mut made = Self { stems: Vec::new(), exact: Vec::new() };
        query.wanted().for_each(|clause| made.add(clause));
        made
    }

    fn add(&mut self, clause: &Clause) {
        self.exact.extend(Sequence::of(&analysis::exact(clause.text())));
        if let Clause::Word(text) = clause {
            self.stems.extend(analysis::readings(text).iter().filter_map(|tokens| Sequence::of(tokens)));
        }
    }

    /// Ascending, without overlap; what stands next to each other as one clause is one range.
    pub fn find(&self, spoken: &SpokenText) -> Vec<Highlight> {
        let mut found = places(&self.exact, || analysis::exact(&spoken.text));
        found.extend(places(&self.stems, || analysis::stemmed(&spoken.text, spoken.language)));
        merge(found)
    }
}

/// Where the query's words and phrases stand in each text, in ascending order without overlap.
pub fn highlight(query: &TextQuery, texts: &[SpokenText]) -> Vec<Vec<Highlight>> {
    let highlighter = Highlighter::new(query);
    texts.iter().map(|text| highlighter.find(text)).collect()
}

impl Sequence {
    fn of(tokens: &[Token]) -> Option<Self> {
        let first = tokens.first()?.position;
        Some(Self(tokens.iter().map(|token| (token.text.clone(), token.position - first)).collect()))
    }

    fn stands(&self, run: &[Token]) -> bool {
        let same = |(token, (term, after)): (&Token, &(String, usize))| {
            token.text == *term && token.position - run[0].position == *after
        };
        run.iter().zip(&self.0).all(same)
    }
}

fn places(sequences: &[Sequence], tokens: impl FnOnce() -> Vec<Token>) -> Vec<Highlight> {
    if sequences.is_empty() {
        return Vec::new();
    }
    let tokens = tokens();
    let of = |sequence: &Sequence| -> Vec<Highlight> {
        let runs = tokens.windows(sequence.0.len()).filter(|run| sequence.stands(run));
        runs.map(|run| run[0].start..run[run.len() - 1].end).collect()
    };
    sequences.iter().flat_map(of).collect()
}

fn merge(mut found: Vec<Highlight>) -> Vec<Highlight> {
    found.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Highlight> = Vec::with_capacity(found.len());
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked_in(language: Option<&str>, query: &str, text: &str) -> String {
        let query = TextQuery::parse(query).unwrap();
        let mut out = text.to_owned();
        let spoken = SpokenText { text: out.clone(), language: language.map(|code| code.parse().unwrap()) };
        for range in Highlighter::new(&query).find(&spoken).into_iter().rev() {
            out.insert(range.end, ']');
            out.insert(range.start, '[');
        }
        out
    }

    fn marked(query: &str, text: &str) -> String {
        marked_in(None, query, text)
    }

    #[test]
    fn words_match_in_any_form_and_phrases_in_theirs() {
        assert_eq!(marked("negotiate", "We Negotiated; negotiating."), "We [Negotiated]; [negotiating].");
        assert_eq!(
            marked("\"notice period\"", "A notice: period. Notice  period, notice periods"),
            "A [notice: period]. [Notice  period], notice periods"
        );
        assert_eq!(marked("bonus -salary", "salary and bonus"), "salary and [bonus]");
    }

    #[test]
    fn forms_are_those_of_the_texts_own_language() {
        assert_eq!(marked_in(Some("de"), "Häuser", "das Haus, ein house"), "das [Haus], ein house");
        assert_eq!(marked_in(Some("fr"), "avion", "L'avion, les avions"), "L'[avion], les [avions]");
        assert_eq!(marked_in(Some("fr"), "l'avion", "un avion"), "un [avion]");
        assert_eq!(marked_in(Some("nl"), "planning", "plan en planning"), "plan en [planning]");
        // Without accents a word is found as it stands.
        assert_eq!(marked_in(Some("es"), "hablaria", "hablaría"), "[hablaría]");
    }

    #[test]
    fn ranges_that_overlap_become_one() {
        assert_eq!(marked("\"a b\" \"b c\" c", "a b c d"), "[a b c] d");
        assert_eq!(marked("\"x x\"", "x x x"), "[x x x]");
    }

    #[test]
    fn ranges_are_bytes_on_character_borders() {
        assert_eq!(marked("会議 cafe", "来週の会議、Café"), "来週の[会議]、[Café]");
    }
}
