//! Texts to token ids, and which of them go through the model together.

use std::{cmp::Reverse, path::Path};

use colloquy_domain::{Error, Result};
use tokenizers::{TruncationParams, utils::truncation::TruncationDirection};

/// The length the model was trained for, `[CLS]` and `[SEP]` included.
pub(super) const MAX_TOKENS: usize = 256;

/// More text than 256 tokens of any language take; the tokenizer need not read on.
const MAX_BYTES: usize = 32 * 1024;

/// Limits of one run of the model, padding included. Short texts gain from company (16 of 16 tokens: 430 a
/// second, against 180 alone); from 128 tokens on they gain nothing, and larger runs only make queries wait
/// and take memory.
const MAX_BATCH_TEXTS: usize = 16;
const MAX_BATCH_TOKENS: usize = 256;

pub(super) struct Tokenizer(tokenizers::Tokenizer);

impl Tokenizer {
    pub(super) fn load(file: &Path) -> Result<Self> {
        let unusable = |error| Error::unavailable("load the tokenizer of the local embedding model", error);
        let mut tokenizer = tokenizers::Tokenizer::from_file(file).map_err(unusable)?;
        // The file asks for 128 tokens and pads to as many, which is not how the model was trained.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(TruncationParams {
                max_length: MAX_TOKENS,
                direction: TruncationDirection::Right,
                ..TruncationParams::default()
            }))
            .map_err(unusable)?;
        Ok(Self(tokenizer))
    }

    /// At least two ids, those of `[CLS]` and `[SEP]`, also for an empty text.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let text = &text[..text.floor_char_boundary(MAX_BYTES)];
        let encoding =
            self.0.encode_fast(text, true).map_err(|error| Error::internal("tokenise a text", error))?;
        Ok(encoding.get_ids().iter().map(|&id| i64::from(id)).collect())
    }
}

/// Positions of the texts of each run, by their lengths in tokens. Texts of like length go together, because
/// each is padded to the longest of its run; long ones go first, so that the threads end together.
pub(super) fn micro_batches(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&position| Reverse(lengths[position]));

    let mut batches: Vec<Vec<usize>> = Vec::new();
    for position in order {
        match batches.last_mut() {
            Some(batch)
                if batch.len() < MAX_BATCH_TEXTS
                    && (batch.len() + 1) * lengths[batch[0]] <= MAX_BATCH_TOKENS =>
            {
                batch.push(position);
            }
            _ => batches.push(vec![position]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micro_batches_hold_every_text_once_and_stay_within_their_limits() {
        let lengths: Vec<usize> = (0..500).map(|n| 2 + (n * 97) % 255).collect();
        let batches = micro_batches(&lengths);
        let mut seen: Vec<usize> = batches.concat();
        seen.sort_unstable();
        assert_eq!(seen, (0..500).collect::<Vec<_>>());
        for batch in &batches {
            let longest = batch.iter().map(|&n| lengths[n]).max().expect("no empty batch");
            assert!(batch.len() <= MAX_BATCH_TEXTS);
            assert!(batch.len() == 1 || batch.len() * longest <= MAX_BATCH_TOKENS);
        }
    }

    #[test]
    fn micro_batches_of_nothing_are_none() {
        assert!(micro_batches(&[]).is_empty());
    }
}
