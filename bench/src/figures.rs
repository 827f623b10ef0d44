//! Medians, percentiles, and tables of them.

use std::{fmt::Write, time::Duration};

/// Times of one kind, in order.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// By nearest rank; zero where there is none.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        let rank = (self.0.len() as f64 * percent / 100.0).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    pub(crate) fn p50(&self) -> String {
        milliseconds(self.percentile(50.0))
    }

    pub(crate) fn p99(&self) -> String {
        milliseconds(self.percentile(99.0))
    }
}

/// The middle value; zero where there is none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

pub(crate) fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    match milliseconds {
        ..10.0 => format!("{milliseconds:.2} ms"),
        10.0..100.0 => format!("{milliseconds:.1} ms"),
        _ => format!("{milliseconds:.0} ms"),
    }
}

/// A section: heading, how it was measured, and a table of name, figure and aim.
pub(crate) fn section(title: &str, method: &str, rows: &[Row]) -> String {
    let mut text = format!("### {title}\n\n{method}\n\n| what | figure | aim |\n|---|---|---|\n");
    for Row { what, figure, aim } in rows {
        // Writing to a string cannot fail.
        let _written = writeln!(text, "| {what} | {figure} | {aim} |");
    }
    text
}

pub(crate) struct Row {
    what: String,
    figure: String,
    aim: &'static str,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self { what: what.into(), figure: figure.into(), aim: "" }
    }

    pub(crate) fn aim(self, aim: &'static str) -> Self {
        Self { aim, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let times = Times::new((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!(times.percentile(50.0), Duration::from_millis(100));
        assert_eq!(times.percentile(99.0), Duration::from_millis(198));
        assert_eq!(times.percentile(100.0), Duration::from_millis(200));
        assert_eq!(Times::new(Vec::new()).percentile(99.0), Duration::ZERO);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 9.0, 2.0]) - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn small_times_keep_their_digits() {
        assert_eq!(milliseconds(Duration::from_micros(1_234)), "1.23 ms");
        assert_eq!(milliseconds(Duration::from_micros(56_780)), "56.8 ms");
        assert_eq!(milliseconds(Duration::from_millis(1_234)), "1234 ms");
    }
}
