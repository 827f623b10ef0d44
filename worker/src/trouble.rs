//! Says once that something does not work, and once that it works again, however often it is tried.

use colloquy_domain::Error;

#[derive(Debug)]
pub struct Trouble {
    doing: &'static str,
    since_failures: u64,
}

impl Trouble {
    /// `doing` in the infinitive: "renew leases".
    pub fn new(doing: &'static str) -> Self {
        Self { doing, since_failures: 0 }
    }

    /// The value of a success; a failure is noted and gives `None`.
    pub fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => {
                if self.since_failures > 0 {
                    tracing::info!(doing = self.doing, failures = self.since_failures, "works again");
                    self.since_failures = 0;
                }
                Some(value)
            }
            Err(error) => {
                if self.since_failures == 0 {
                    tracing::warn!(doing = self.doing, error = error.chain(), "does not work, trying on");
                }
                self.since_failures += 1;
                None
            }
        }
    }
}
