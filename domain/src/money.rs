//! Money in whole micro-dollars, so that sums are exact.

use std::{fmt, iter::Sum, ops::Add};

use serde::{Deserialize, Serialize};

/// A millionth of a US dollar. Never negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroDollars(pub u64);

impl MicroDollars {
    pub const ZERO: Self = Self(0);

    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for MicroDollars {
    type Output = Self;

    /// Half a billion dollars short of infinity, it stays there.
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for MicroDollars {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

/// As dollars with as many decimals as are needed, two at least: `$0.0125`.
impl fmt::Display for MicroDollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:06}", self.0 % 1_000_000);
        let kept = decimals.trim_end_matches('0').len().max(2);
        write!(f, "${}.{}", self.0 / 1_000_000, &decimals[..kept])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_shown_with_the_decimals_they_need() {
        let shown = |micros| MicroDollars(micros).to_string();
        assert_eq!(shown(0), "$0.00");
        assert_eq!(shown(12_500), "$0.0125");
        assert_eq!(shown(3_000_000), "$3.00");
        assert_eq!(shown(1), "$0.000001");
    }
}
