//! How rare the terms of a query are in the shard that the search asks. A word stands in documents under a term of each
//! language, of which a document has one: for scores they are one word, as rare as all of them together. Otherwise the few
//! documents of a language would rank first for whatever is said in another. The server scores each term by itself, so
//! where a word stands in several languages the search is asked again with weights that make up for that.

use colloquy_domain::search::{
    analysis::{self, Token},
    query::{Clause, TextQuery},
};
use serde_json::{Map, Value};

use crate::{analysis::Form, query::EXACT_BOOST};

/// The part `term_vectors` of an answer.
pub(crate) struct Statistics(Map<String, Value>);

impl Statistics {
    pub(crate) fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// Whether a word stands there under the terms of more than one language.
    pub(crate) fn mixes(&self, query: &TextQuery) -> bool {
        query.wanted().any(|clause| match clause {
            Clause::Word(text) => {
                let stands = |tokens: &&Vec<Token>| {
                    tokens.iter().all(|token| self.holding(Form::Stemmed, &token.text) > 0.0)
                };
                analysis::readings(text).iter().filter(stands).count() > 1
            }
            Clause::Phrase(_) => false,
        })
    }

    /// What turns the score of one reading of a word into that of the word.
    pub(crate) fn weight(&self, readings: &[Vec<Token>], reading: &[Token]) -> f32 {
        let alone: f64 = reading
            .iter()
            .map(|token| self.rarity(Form::Stemmed, self.holding(Form::Stemmed, &token.text)))
            .sum();
        (self.pooled(readings, reading) / alone.max(f64::MIN_POSITIVE)) as f32
    }

    /// What a passage of average length scores that holds every clause once, and of each group the rarest, where an
    /// inverse document frequency of one scores one: BM25 gives each term its own then. What is not there is rarest of
    /// all.
    pub(crate) fn whole(&self, query: &TextQuery) -> f32 {
        let of = |clause: &Clause| {
            let exact = analysis::exact(clause.text());
            let same_form: f64 = exact
                .iter()
                .map(|token| self.rarity(Form::Exact, self.holding(Form::Exact, &token.text)))
                .sum();
            match clause {
                Clause::Word(text) => {
                    let readings = analysis::readings(text);
                    let longest = readings.iter().max_by_key(|tokens| tokens.len());
                    let any_form = longest.map_or(0.0, |longest| self.pooled(&readings, longest));
                    any_form + f64::from(EXACT_BOOST) * same_form
                }
                Clause::Phrase(_) => same_form,
            }
        };
        let each: f64 = query.clauses.iter().map(of).sum();
        let rarest: f64 = query.either.iter().map(|group| group.iter().map(of).fold(0.0, f64::max)).sum();
        (each + rarest) as f32
    }

    /// The sum of the inverse document frequencies of a reading's terms, each with those that stand for the same in
    /// other readings. They are aligned at their ends: what one of them leaves out stands in front.
    fn pooled(&self, readings: &[Vec<Token>], reading: &[Token]) -> f64 {
        let of = |back: usize| {
            let terms = readings.iter().filter_map(|tokens| tokens.iter().nth_back(back));
            let mut terms: Vec<&str> = terms.map(|token| token.text.as_str()).collect();
            terms.sort_unstable();
            terms.dedup();
            let holding: f64 = terms.into_iter().map(|term| self.holding(Form::Stemmed, term)).sum();
            self.rarity(Form::Stemmed, holding)
        };
        (0..reading.len()).map(of).sum()
    }

    /// As BM25 has it.
    fn rarity(&self, form: Form, holding: f64) -> f64 {
        let all = number(&self.field(form)["field_statistics"]["doc_count"]);
        let holding = holding.min(all);
        ((all - holding + 0.5) / (holding + 0.5)).ln_1p()
    }

    /// In how many documents a term is.
    fn holding(&self, form: Form, term: &str) -> f64 {
        number(&self.field(form)["terms"][term]["doc_freq"])
    }

    fn field(&self, form: Form) -> &Value {
        self.0.get(form.field()).unwrap_or(&Value::Null)
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0).max(0.0)
}
