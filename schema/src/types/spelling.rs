//! What may have been meant.

use async_graphql::{Context, Result, SimpleObject};
use colloquy_domain::search::spelling::{Corrected, Correction, SpellingInput, correct};

use super::{facets::Counted, int};
use crate::{Wired, errors::fault, guards::actor};

/// A word that was put right.
#[derive(SimpleObject)]
pub(crate) struct WordCorrection {
    /// As it was typed.
    word: String,
    correction: String,
    /// Where the word begins in the query that was typed, in characters from 0.
    from: i32,
    /// Where it ends: the place of the character behind it.
    to: i32,
}

impl From<Correction> for WordCorrection {
    fn from(of: Correction) -> Self {
        let place = |at: usize| int(at as u64);
        Self {
            from: place(of.place.start),
            to: place(of.place.end),
            word: of.word,
            correction: of.correction,
        }
    }
}

/// A query with its words put right.
#[derive(SimpleObject)]
pub(crate) struct SearchCorrection {
    /// To be asked as it stands.
    query: String,
    /// In the order in which the words were typed.
    corrections: Vec<WordCorrection>,
}

impl From<Corrected> for SearchCorrection {
    fn from(of: Corrected) -> Self {
        Self { query: of.query, corrections: of.corrections.into_iter().map(Into::into).collect() }
    }
}

impl SearchCorrection {
    pub(super) async fn of(ctx: &Context<'_>, typed: &Counted) -> Result<Option<Self>> {
        let input = SpellingInput { query: &typed.query, mode: typed.mode, filter: &typed.filter };
        let found = correct(ctx.ports(), actor(ctx)?, input).await.map_err(fault)?;
        Ok(found.map(Self::from))
    }
}
