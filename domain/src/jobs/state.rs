//! The life of a job as a pure function, so that it can be tested over every interleaving; the ledger applies
//! it in SQL and its contract tests hold the two together.
//!
//! READY → DISPATCHED → RUNNING → DONE | READY (retry) | DEAD, and CANCELLED from any waiting state. A job
//! whose worker vanished goes back to READY as a *suspect*: it runs alone from then on, so that one that
//! kills its worker burns its own attempts and nobody else's.

use serde::{Deserialize, Serialize};

use crate::ids::ClaimToken;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// Waits for its time, then to be dispatched.
    Ready,
    /// On its way to a worker.
    Dispatched,
    Running,
    Done,
    /// Out of attempts or beyond help; kept for inspection.
    Dead,
    Cancelled,
}

impl JobState {
    pub const ALL: [Self; 6] =
        [Self::Ready, Self::Dispatched, Self::Running, Self::Done, Self::Dead, Self::Cancelled];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Dispatched => "DISPATCHED",
            Self::Running => "RUNNING",
            Self::Done => "DONE",
            Self::Dead => "DEAD",
            Self::Cancelled => "CANCELLED",
        }
    }

    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Dead | Self::Cancelled)
    }
}

/// The part of a row that the rules look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    pub state: JobState,
    pub attempts: u32,
    pub max_attempts: u32,
    pub claim: Option<ClaimToken>,
    pub suspect: bool,
}

/// What happens to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Dispatch,
    /// The dispatch was not claimed by its deadline, or could not be pushed.
    Recall,
    /// A worker takes it; `alone` where no other job is claimed with it.
    Claim {
        token: ClaimToken,
        alone: bool,
    },
    /// The handler ended well.
    Complete {
        token: ClaimToken,
    },
    /// The handler failed; `fatal` where no attempt will succeed.
    Fail {
        token: ClaimToken,
        fatal: bool,
    },
    /// The worker gives back what its handler did not begin.
    HandBack {
        token: ClaimToken,
    },
    /// The lease ran out: the worker is gone, or as good as gone.
    Expire,
    Cancel,
}

impl Life {
    pub fn new(max_attempts: u32) -> Self {
        Self { state: JobState::Ready, attempts: 0, max_attempts, claim: None, suspect: false }
    }

    /// The life after `change`, or `None` where the change comes too late or from one who lost the claim;
    /// then nothing happens.
    pub fn after(self, change: Change) -> Option<Self> {
        use JobState::{Cancelled, Dead, Dispatched, Done, Ready, Running};
        let holds = |token| self.state == Running && self.claim == Some(token);
        let unclaimed = |state| Self { state, claim: None, ..self };
        match change {
            Change::Dispatch if self.state == Ready => Some(unclaimed(Dispatched)),
            Change::Recall if self.state == Dispatched => Some(unclaimed(Ready)),
            Change::Claim { token, alone } if matches!(self.state, Ready | Dispatched) => {
                // A suspect is claimed alone and pays in advance: it may not live to pay later.
                if self.suspect && !alone {
                    return None;
                }
                let attempts = self.attempts + u32::from(self.suspect);
                Some(Self { state: Running, claim: Some(token), attempts, ..self })
            }
            Change::Complete { token } if holds(token) => {
                Some(Self { attempts: self.spent(), suspect: false, ..unclaimed(Done) })
            }
            Change::Fail { token, fatal } if holds(token) => {
                let attempts = self.spent();
                let state = if fatal || attempts >= self.max_attempts { Dead } else { Ready };
                Some(Self { attempts, suspect: false, ..unclaimed(state) })
            }
            Change::HandBack { token } if holds(token) => {
                let attempts = self.attempts - u32::from(self.suspect);
                Some(Self { attempts, ..unclaimed(Ready) })
            }
            Change::Expire if self.state == Running => {
                let state = if self.suspect && self.attempts >= self.max_attempts { Dead } else { Ready };
                Some(Self { suspect: true, ..unclaimed(state) })
            }
            Change::Cancel if matches!(self.state, Ready | Dispatched) => Some(unclaimed(Cancelled)),
            _ => None,
        }
    }

    /// Attempts with the running one: a suspect has paid for it at the claim.
    fn spent(self) -> u32 {
        self.attempts + u32::from(!self.suspect)
    }
}
