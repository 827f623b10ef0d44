//! The life of a job as a pure function, so that it can be tested over every interleaving; the ledger applies
//! it in SQL and its contract tests hold the two together.
//!
//! WAITING (for other jobs) → READY → RUNNING → DONE | READY (retry) | DEAD, and CANCELLED from
//! any state that is not final: at once where nobody runs the job, else as soon as its handler has stopped. A
//! dead or cancelled job can be revived, which gives it all its attempts anew. A job whose worker vanished goes back to
//! READY as a *suspect*: nothing runs beside it from then on, so that one that kills its worker burns its own
//! attempts and nobody else's. To be on the way to a worker is no state: a dispatch says which jobs a worker might claim.

use serde::{Deserialize, Serialize};

use crate::ids::ClaimToken;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// Waits for other jobs to be done.
    Waiting,
    /// Waits for its time, then for a worker.
    Ready,
    Running,
    Done,
    /// Out of attempts or beyond help; kept for inspection.
    Dead,
    Cancelled,
}

impl JobState {
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Ready, Self::Running, Self::Done, Self::Dead, Self::Cancelled];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Ready => "READY",
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
    /// Has paid for the attempt under way.
    pub paid: bool,
    /// Somebody wants it cancelled while it runs.
    pub unwanted: bool,
    /// Jobs that must be done before.
    pub waits_for: u32,
}

/// What happens to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A worker takes it; `apart` where nothing but suspects is meant to be claimed with it.
    Claim {
        token: ClaimToken,
        apart: bool,
    },
    /// The handler of a suspect begins: it pays in advance, since it may not live to pay later.
    Begin {
        token: ClaimToken,
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
    /// The handler was stopped since somebody wanted it.
    Cancelled {
        token: ClaimToken,
    },
    /// A job that this one waits for is done.
    Release,
    /// All attempts anew, for what is dead or cancelled.
    Revive,
}

impl Life {
    pub fn new(max_attempts: u32) -> Self {
        Self::waiting_for(0, max_attempts)
    }

    pub fn waiting_for(waits_for: u32, max_attempts: u32) -> Self {
        let state = if waits_for == 0 { JobState::Ready } else { JobState::Waiting };
        Self {
            state,
            attempts: 0,
            max_attempts,
            claim: None,
            suspect: false,
            paid: false,
            unwanted: false,
            waits_for,
        }
    }

    /// The life after `change`, or `None` where the change comes too late or from one who lost the claim;
    /// then nothing happens.
    pub fn after(self, change: Change) -> Option<Self> {
        use JobState::{Cancelled, Dead, Done, Ready, Running, Waiting};
        let holds = |token| self.state == Running && self.claim == Some(token);
        let unclaimed = |state| Self { state, claim: None, paid: false, ..self };
        // What is unwanted does not run again.
        let again = || if self.unwanted { Cancelled } else { Ready };
        match change {
            Change::Claim { token, apart } if self.state == Ready => {
                (!self.suspect || apart).then_some(Self { state: Running, claim: Some(token), ..self })
            }
            Change::Begin { token } if holds(token) && self.suspect && !self.paid => {
                Some(Self { attempts: self.attempts + 1, paid: true, ..self })
            }
            Change::Complete { token } if holds(token) => {
                Some(Self { attempts: self.spent(), suspect: false, ..unclaimed(Done) })
            }
            Change::Fail { token, fatal } if holds(token) => {
                let attempts = self.spent();
                let state = match fatal || attempts >= self.max_attempts {
                    true if !self.unwanted => Dead,
                    _ => again(),
                };
                Some(Self { attempts, suspect: false, ..unclaimed(state) })
            }
            Change::HandBack { token } if holds(token) => {
                let attempts = self.attempts - u32::from(self.paid);
                Some(Self { attempts, ..unclaimed(again()) })
            }
            Change::Expire if self.state == Running => {
                let dies = self.paid && self.attempts >= self.max_attempts && !self.unwanted;
                Some(Self { suspect: true, ..unclaimed(if dies { Dead } else { again() }) })
            }
            Change::Cancel if matches!(self.state, Waiting | Ready) => Some(unclaimed(Cancelled)),
            Change::Cancel if self.state == Running => Some(Self { unwanted: true, ..self }),
            Change::Cancelled { token } if holds(token) => {
                Some(Self { attempts: self.spent(), suspect: false, ..unclaimed(Cancelled) })
            }
            // One that was cancelled knows it too, for when it is revived.
            Change::Release if matches!(self.state, Waiting | Cancelled) => {
                let waits_for = self.waits_for.saturating_sub(1);
                let state = if self.state == Waiting && waits_for == 0 { Ready } else { self.state };
                Some(Self { waits_for, ..unclaimed(state) })
            }
            Change::Revive if matches!(self.state, Dead | Cancelled) => {
                let state = if self.waits_for == 0 { Ready } else { Waiting };
                Some(Self { attempts: 0, suspect: false, unwanted: false, ..unclaimed(state) })
            }
            _ => None,
        }
    }

    /// Attempts with the one under way.
    fn spent(self) -> u32 {
        self.attempts + u32::from(!self.paid)
    }
}
