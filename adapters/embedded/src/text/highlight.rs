//! Where the query stands in a text, by the analyzers that found it.

use colloquy_domain::{
    ports::search::Highlight,
    search::query::{Clause, TextQuery},
};

use super::analysis::{Analysis, tokens};

/// The query's clauses as terms, to be looked for in many texts.
pub(crate) struct Highlighter {
    analysis: Analysis,
    words: Vec<Vec<String>>,
    phrases: Vec<Vec<String>>,
}

impl Highlighter {
    pub(crate) fn new(query: &TextQuery) -> Self {
        let mut analysis = Analysis::default();
        let (mut words, mut phrases) = (Vec::new(), Vec::new());
        for clause in query.wanted() {
            let (analyzer, list) = match clause {
                Clause::Word(_) => (&mut analysis.stemmed, &mut words),
                Clause::Phrase(_) => (&mut analysis.exact, &mut phrases),
            };
            let terms: Vec<String> = tokens(analyzer, clause.text()).into_iter().map(|t| t.text).collect();
            if !terms.is_empty() {
                list.push(terms);
            }
        }
        Self { analysis, words, phrases }
    }

    /// Ascending, without overlap; what stands next to each other as one clause is one range.
    pub(crate) fn find(&mut self, text: &str) -> Vec<Highlight> {
        let mut found = Vec::new();
        for (analyzer, clauses) in
            [(&mut self.analysis.stemmed, &self.words), (&mut self.analysis.exact, &self.phrases)]
        {
            if clauses.is_empty() {
                continue;
            }
            let tokens = tokens(analyzer, text);
            for terms in clauses {
                let places = tokens.windows(terms.len()).filter(|run| {
                    let adjacent = run[run.len() - 1].position - run[0].position == run.len() - 1;
                    adjacent && run.iter().zip(terms).all(|(token, term)| token.text == *term)
                });
                found.extend(places.map(|run| run[0].offset_from..run[run.len() - 1].offset_to));
            }
        }
        merge(found)
    }
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

    fn marked(query: &str, text: &str) -> String {
        let query = TextQuery::parse(query).unwrap();
        let mut out = text.to_owned();
        for range in Highlighter::new(&query).find(text).into_iter().rev() {
            out.insert(range.end, ']');
            out.insert(range.start, '[');
        }
        out
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
    fn ranges_that_overlap_become_one() {
        assert_eq!(marked("\"a b\" \"b c\" c", "a b c d"), "[a b c] d");
        assert_eq!(marked("\"x x\"", "x x x"), "[x x x]");
    }

    #[test]
    fn ranges_are_bytes_on_character_borders() {
        assert_eq!(marked("会議 cafe", "来週の会議、Café"), "来週の[会議]、[Café]");
    }
}
