//! Searches are work for the CPU: they run off the async threads, and only so many at once.

use std::sync::Arc;

use colloquy_domain::{Error, Result};
use tokio::{sync::Semaphore, task};

#[derive(Debug, Clone)]
pub(crate) struct Searches {
    permits: Arc<Semaphore>,
}

impl Searches {
    pub(crate) fn new(at_once: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(at_once.max(1))) }
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|e| Error::internal(doing, e))?;
        let search = move || {
            // Kept until the work is done, even when the caller has stopped waiting for it.
            let _permit = permit;
            work()
        };
        task::spawn_blocking(search).await.map_err(|e| Error::internal(doing, e))?
    }
}
