//! How long jobs of a kind may run, how often they are tried, and how long they wait in between: the section `jobs` of
//! the configuration. What is not set there is the kind's own.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::jobs::{JobKind, retry::Backoff};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobRules {
    pub kinds: BTreeMap<JobKind, KindSettings>,
}

/// As they are set, for one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KindSettings {
    /// A handler may run for so long before it is abandoned and the attempt counts as failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    /// Written with each job when it is enqueued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u16>,
    /// The wait after the first failed attempt; each one after is twice as long …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_first_ms: Option<u32>,
    /// … up to this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_longest_ms: Option<u32>,
}

/// As they hold, for one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindRules {
    pub timeout: Duration,
    pub attempts: u32,
    pub backoff: Backoff,
}

impl JobRules {
    pub fn of(&self, kind: JobKind) -> KindRules {
        let set = self.kinds.get(&kind).copied().unwrap_or_default();
        let time = |set: Option<u32>, own| set.map_or(own, |ms| Duration::from_millis(ms.into()));
        KindRules {
            timeout: time(set.timeout_ms, kind.timeout()),
            attempts: set.attempts.map_or(kind.max_attempts(), u32::from),
            backoff: Backoff {
                first: time(set.backoff_first_ms, Backoff::USUAL.first),
                longest: time(set.backoff_longest_ms, Backoff::USUAL.longest),
            },
        }
    }

    /// The same with every setting of every kind, to be shown.
    pub fn in_full(&self) -> Self {
        let ms = |time: Duration| u32::try_from(time.as_millis()).ok();
        let shown = |kind| {
            let KindRules { timeout, attempts, backoff } = self.of(kind);
            let settings = KindSettings {
                timeout_ms: ms(timeout),
                attempts: u16::try_from(attempts).ok(),
                backoff_first_ms: ms(backoff.first),
                backoff_longest_ms: ms(backoff.longest),
            };
            (kind, settings)
        };
        Self { kinds: JobKind::ALL.into_iter().map(shown).collect() }
    }

    /// What makes no sense of what is set, by key.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (kind, set) in &self.kinds {
            let key = |name: &str| format!("`jobs.kinds.{kind}.{name}`");
            if set.timeout_ms == Some(0) {
                problems.push(format!("{}: no handler ends within 0 ms", key("timeout_ms")));
            }
            if set.attempts == Some(0) {
                problems.push(format!("{}: a job is tried once at least", key("attempts")));
            }
            let Backoff { first, longest } = self.of(*kind).backoff;
            if first > longest {
                let named =
                    if set.backoff_first_ms.is_some() { "backoff_first_ms" } else { "backoff_longest_ms" };
                problems.push(format!(
                    "{}: the first wait of {} ms is longer than the longest of {} ms",
                    key(named),
                    first.as_millis(),
                    longest.as_millis()
                ));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: JobKind = JobKind::SendEmail;

    fn with(settings: KindSettings) -> JobRules {
        JobRules { kinds: BTreeMap::from([(KIND, settings)]) }
    }

    #[test]
    fn what_is_not_set_is_the_kinds_own() {
        let own = JobRules::default().of(KIND);
        assert_eq!((own.timeout, own.attempts), (KIND.timeout(), KIND.max_attempts()));
        assert_eq!(own.backoff, Backoff::USUAL);
        let rules =
            with(KindSettings { attempts: Some(2), backoff_first_ms: Some(7), ..KindSettings::default() });
        let first = Duration::from_millis(7);
        let expected = KindRules { attempts: 2, backoff: Backoff { first, ..Backoff::USUAL }, ..own };
        assert_eq!(rules.of(KIND), expected);
        assert_eq!(rules.of(JobKind::Probe), JobRules::default().of(JobKind::Probe));
        assert!(rules.problems().is_empty());
    }

    #[test]
    fn what_is_shown_means_the_same_and_leaves_out_no_kind() {
        let rules = with(KindSettings { timeout_ms: Some(1_500), ..KindSettings::default() });
        let shown = rules.in_full();
        assert_eq!(shown.kinds.len(), JobKind::ALL.len());
        for kind in JobKind::ALL {
            assert_eq!(shown.of(kind), rules.of(kind), "{kind}");
        }
        assert_eq!(shown.in_full(), shown);
        // Names in settings are those of rows.
        let names: Vec<_> = shown.kinds.keys().map(|kind| serde_json::to_value(kind).unwrap()).collect();
        assert_eq!(names, shown.kinds.keys().map(|kind| kind.as_str()).collect::<Vec<_>>());
    }

    #[test]
    fn what_makes_no_sense_is_named_by_its_key() {
        let problem = |settings: KindSettings| with(settings).problems().join("\n");
        let none = KindSettings::default();
        assert!(
            problem(KindSettings { attempts: Some(0), ..none })
                .starts_with("`jobs.kinds.send_email.attempts`: ")
        );
        assert!(
            problem(KindSettings { timeout_ms: Some(0), ..none })
                .starts_with("`jobs.kinds.send_email.timeout_ms`: ")
        );
        let both = KindSettings { backoff_first_ms: Some(9), backoff_longest_ms: Some(8), ..none };
        let told = problem(both);
        assert!(told.starts_with("`jobs.kinds.send_email.backoff_first_ms`: "), "{told}");
        assert!(told.contains("9 ms") && told.contains("8 ms"), "{told}");
        // One that is set beside one that is not.
        let told = problem(KindSettings { backoff_longest_ms: Some(1_999), ..none });
        assert!(told.starts_with("`jobs.kinds.send_email.backoff_longest_ms`: "), "{told}");
        assert!(problem(KindSettings { backoff_longest_ms: Some(2_000), ..none }).is_empty());
        assert!(
            problem(KindSettings { backoff_first_ms: Some(0), backoff_longest_ms: Some(0), ..none })
                .is_empty()
        );
    }
}
