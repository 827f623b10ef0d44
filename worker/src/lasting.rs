//! What must go on as long as its worker does: calls that neither end nor come back count as failed, and a task
//! that panics begins again, so that no worker lives on without doing its work.

use std::{panic::AssertUnwindSafe, time::Duration};

use colloquy_domain::{Error, Result};
use futures::FutureExt;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::runner::pause;

/// More than PostgreSQL gives a statement by default, and the pool a connection.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Before a task begins again.
const PAUSE: Duration = Duration::from_secs(1);

/// One call of a port. One that panics or takes longer has failed.
pub(crate) async fn safely<T>(
    doing: &'static str,
    limit: Duration,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    match timeout(limit, AssertUnwindSafe(call).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => Err(Error::internal(doing, "it panicked")),
        Err(elapsed) => Err(Error::unavailable(doing, elapsed)),
    }
}

/// Until `stop` is cancelled and the task has ended; one that ends before begins again.
pub(crate) async fn lasting<F: Future>(
    task: &'static str,
    stop: &CancellationToken,
    mut begin: impl FnMut() -> F,
) {
    loop {
        let panicked = AssertUnwindSafe(begin()).catch_unwind().await.is_err();
        if stop.is_cancelled() {
            return;
        }
        tracing::error!(task, panicked, "a task ended that must not, it begins again");
        pause(stop, PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_begins_again_until_it_is_stopped() {
        let stop = CancellationToken::new();
        let begun = AtomicUsize::new(0);
        let task = || async {
            if begun.fetch_add(1, Ordering::Relaxed) < 2 {
                panic!("as told");
            }
            stop.cancel();
        };
        lasting("try", &stop, task).await;
        assert_eq!(begun.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_call_that_panics_or_hangs_has_failed() {
        async fn panics() -> Result<()> {
            panic!("as told")
        }
        let panicked = safely("try", PATIENCE, panics()).await;
        assert!(matches!(panicked, Err(Error::Internal { .. })));
        let hung = safely::<()>("try", Duration::from_millis(10), std::future::pending()).await;
        assert!(matches!(hung, Err(Error::Unavailable { .. })));
    }
}
