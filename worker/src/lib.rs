//! What happens later. A [`Worker`] claims jobs and runs their handlers; the [`Steward`], of which one leads
//! at a time, brings jobs to workers, gives back what was lost, numbers events and tidies up. Every effect
//! goes through a port, and every right to have one through a claim.

mod claimer;
mod completer;
mod direct;
mod erasures;
mod execute;
mod feeder;
mod handler;
mod handlers;
mod held;
mod housekeeping;
mod lasting;
mod meters;
mod numbering;
mod reconciler;
mod relay;
mod runner;
mod scheduler;
mod settings;
mod steward;
#[cfg(test)]
mod tests;
mod trouble;
mod watch;

pub use handler::{Handler, JobContext, Outcome};
pub use runner::{Worker, process_name};
pub use settings::{Concurrency, StewardSettings, WorkerSettings};
pub use steward::Steward;
pub use trouble::Trouble;
pub use watch::Watch;
