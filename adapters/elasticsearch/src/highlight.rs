//! Where the query stands in a text, by the analysis that finds it; no server is asked.

use colloquy_domain::{
    ports::search::Highlight,
    search::query::{Clause, TextQuery},
};

use crate::analysis::{Form, Token, tokens};

/// The query's clauses as terms, to be looked for in many texts.
pub(crate) struct Highlighter {
    words: Vec<Vec<String>>,
    phrases: Vec<Vec<String>>,
}

impl Highlighter {
    pub(crate) fn new(query: &TextQuery) -> Self {
        let (mut words, mut phrases) = (Vec::new(), Vec::new());
        for clause in query.wanted() {
            let (form, list) = match clause {
                Clause::Word(_) => (Form::Stemmed, &mut words),
                Clause::Phrase(_) => (Form::Exact, &mut phrases),
            };
            let terms: Vec<String> = tokens(form, clause.text()).into_iter().map(|t| t.text).collect();
            if !terms.is_empty() {
                list.push(terms);
            }
        }
        Self { words, phrases }
    }

    /// Ascending, without overlap; what stands next to each other as one clause is one range.
    pub(crate) fn find(&self, text: &str) -> Vec<Highlight> {
        let mut found = Vec::new();
        for (form, clauses) in [(Form::Stemmed, &self.words), (Form::Exact, &self.phrases)] {
            if clauses.is_empty() {
                continue;
            }
            let tokens = tokens(form, text);
            found.extend(clauses.iter().flat_map(|terms| places(&tokens, terms)));
        }
        merge(found)
    }
}

fn places(tokens: &[Token], terms: &[String]) -> Vec<Highlight> {
    let runs = tokens.windows(terms.len()).filter(|run| {
        let adjacent = run[run.len() - 1].position - run[0].position == run.len() - 1;
        adjacent && run.iter().zip(terms).all(|(token, term)| token.text == *term)
    });
    runs.map(|run| run[0].start..run[run.len() - 1].end).collect()
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
