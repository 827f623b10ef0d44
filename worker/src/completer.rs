//! Gathers the completions of the whole process, so that many jobs end in one transaction.

use std::{sync::Arc, time::Duration};

use colloquy_domain::{
    Error,
    accounts::SystemScope,
    ports::jobs::{Completion, Ledger},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    held::Held,
    lasting::{PATIENCE, safely},
};

const SCOPE: SystemScope = SystemScope::because("completions of one process are of every organization");
const BATCH: usize = 500;
/// How long the first completion of a batch waits for others.
const GATHER: Duration = Duration::from_millis(2);
/// Completions that wait before handlers do.
const WAITING: usize = 2000;
/// While PostgreSQL is away. After this the jobs run again, as after a crash.
const GIVE_UP: Duration = Duration::from_secs(120);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Completer {
    ledger: Arc<dyn Ledger>,
    held: Arc<Held>,
    incoming: mpsc::Receiver<Completion>,
}

impl Completer {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, held: Arc<Held>) -> (mpsc::Sender<Completion>, Self) {
        let (sender, incoming) = mpsc::channel(WAITING);
        (sender, Self { ledger, held, incoming })
    }

    /// Until every sender is gone and all is written.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.incoming.recv_many(&mut batch, BATCH).await > 0 {
            let deadline = Instant::now() + GATHER;
            while batch.len() < BATCH {
                let room = BATCH - batch.len();
                match timeout_at(deadline, self.incoming.recv_many(&mut batch, room)).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
            self.write(std::mem::take(&mut batch)).await;
        }
    }

    /// A batch that PostgreSQL refuses is written one by one, so that one bad completion spoils no other.
    async fn write(&self, batch: Vec<Completion>) {
        match self.persist(batch.clone()).await {
            Ok(()) => {}
            Err(error) if batch.len() == 1 => self.give_up(&batch, &error),
            Err(Error::Unavailable { .. }) => {
                let error = Error::unavailable("complete jobs", "PostgreSQL was away for too long");
                self.give_up(&batch, &error);
            }
            Err(error) => {
                tracing::warn!(jobs = batch.len(), error = error.chain(), "jobs are completed one by one");
                for completion in batch {
                    let one = vec![completion];
                    if let Err(error) = self.persist(one.clone()).await {
                        self.give_up(&one, &error);
                    }
                }
            }
        }
    }

    async fn persist(&self, batch: Vec<Completion>) -> Result<(), Error> {
        let claims: Vec<_> = batch.iter().map(|completion| completion.claim).collect();
        let deadline = Instant::now() + GIVE_UP;
        let mut pause = Duration::from_millis(50);
        let written = loop {
            let complete = self.ledger.complete(SCOPE, batch.clone());
            match safely("complete jobs", PATIENCE, complete).await {
                Err(error) if error.retryable() && Instant::now() < deadline => {
                    tracing::debug!(error = error.chain(), "could not complete jobs yet");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                other => break other?,
            }
        };
        for (claim, written) in claims.iter().zip(written) {
            if !written {
                tracing::info!(job_id = %claim.job_id, "a completion came after its claim was lost");
            }
            self.held.release(*claim);
        }
        Ok(())
    }

    fn give_up(&self, batch: &[Completion], error: &Error) {
        for completion in batch {
            let (job_id, error) = (completion.claim.job_id, error.chain());
            tracing::error!(%job_id, error, "a completion could not be written, the job runs again");
            self.held.release(completion.claim);
        }
    }
}
