//! What is measured of a ranking, and how far a mean can be trusted.

use std::fmt;

/// A ranking as whether what stands at each place answers the question, and how many answers there are.
#[derive(Debug, Clone)]
pub(crate) struct Ranking {
    pub(crate) answers: Vec<bool>,
    pub(crate) of: usize,
}

impl Ranking {
    /// Järvelin and Kekäläinen's, over the first ten, with gains of 0 and 1.
    pub(crate) fn ndcg(&self) -> f64 {
        let gain = |at: usize| 1.0 / (2.0 + at as f64).log2();
        let found: f64 =
            self.answers.iter().take(10).enumerate().filter(|(_, is)| **is).map(|(at, _)| gain(at)).sum();
        found / (0..self.of.min(10)).map(gain).sum::<f64>()
    }

    /// The share of the answers among the first hundred.
    pub(crate) fn recall(&self) -> f64 {
        self.answers.iter().take(100).filter(|is| **is).count() as f64 / self.of as f64
    }

    /// One over the place of the first answer.
    pub(crate) fn reciprocal(&self) -> f64 {
        self.answers.iter().position(|is| *is).map_or(0.0, |at| 1.0 / (1 + at) as f64)
    }
}

/// What a leg or their fusion makes of every question.
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) rankings: Vec<Ranking>,
}

pub(crate) struct Summary {
    pub(crate) name: &'static str,
    pub(crate) hybrid: f64,
    pub(crate) words: f64,
    pub(crate) meaning: f64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.3} best-leg {:.3}", self.name, self.hybrid, self.words.max(self.meaning))
    }
}

/// Prints a table of the outcomes (words, meaning, hybrid), and by how much the last is better than the better leg.
pub(crate) fn report(title: &str, name: &'static str, outcomes: &[Outcome; 3]) -> Summary {
    println!("\n{title}, {} questions (95 % interval of 10,000 resamples)\n", outcomes[0].rankings.len());
    println!("| | nDCG@10 | recall@100 | MRR |\n|---|---|---|---|");
    for outcome in outcomes {
        let of =
            |measure: fn(&Ranking) -> f64| cell(&outcome.rankings.iter().map(measure).collect::<Vec<_>>());
        println!(
            "| {} | {} | {} | {} |",
            outcome.name,
            of(Ranking::ndcg),
            of(Ranking::recall),
            of(Ranking::reciprocal)
        );
    }
    let ndcg = |at: usize| outcomes[at].rankings.iter().map(Ranking::ndcg).collect::<Vec<_>>();
    let (words, meaning, hybrid) = (ndcg(0), ndcg(1), ndcg(2));
    let better = if mean(&words) >= mean(&meaning) { &words } else { &meaning };
    let gain: Vec<f64> = hybrid.iter().zip(better).map(|(ours, theirs)| ours - theirs).collect();
    println!("\nHYBRID less the better leg, paired: {}", cell(&gain));
    Summary { name, hybrid: mean(&hybrid), words: mean(&words), meaning: mean(&meaning) }
}

fn cell(values: &[f64]) -> String {
    let (low, high) = interval(values);
    format!("{:.3} ({low:.3} to {high:.3})", mean(values))
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The middle 95 % of the means of as many values drawn with replacement.
fn interval(values: &[f64]) -> (f64, f64) {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut means: Vec<f64> = (0..10_000)
        .map(|_| {
            (0..values.len()).map(|_| values[random.below(values.len())]).sum::<f64>() / values.len() as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    (means[means.len() / 40], means[means.len() - 1 - means.len() / 40])
}

/// Marsaglia's xorshift, so that every run draws the same.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}
