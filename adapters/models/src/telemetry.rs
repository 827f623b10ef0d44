//! What embedding reports: how long callers waited, and how many texts went in.

use std::time::Instant;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

const DURATION: &str = "colloquy_embedding_duration_seconds";
const TEXTS: &str = "colloquy_embedded_texts_total";

pub(crate) fn describe() {
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "From the call for vectors to their return, waiting included, by kind: query or passages"
    );
    describe_counter!(TEXTS, Unit::Count, "Texts that were embedded, by kind: query or passages");
}

/// Reports one call that succeeded.
pub(crate) fn record(kind: &'static str, texts: usize, started: Instant) {
    histogram!(DURATION, "kind" => kind).record(started.elapsed());
    counter!(TEXTS, "kind" => kind).increment(texts as u64);
}
