//! Where the index lives and how much of the machine it may take.

use std::{path::PathBuf, thread, time::Duration};

#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// Owned by the index alone; made when missing.
    pub dir: PathBuf,
    /// Length of every vector.
    pub dimensions: usize,
    /// Memory in which documents gather before they become a segment, in bytes; 15 MB at the least.
    pub writer_heap_bytes: usize,
    /// The most that the vectors may grow to, in bytes. It is address space, not disk or memory.
    pub vector_map_bytes: usize,
    /// Threads that link new vectors into the graph. They never are the async ones.
    pub build_threads: usize,
    /// Searches that may run at once; others wait.
    pub concurrent_searches: usize,
    /// How long a commit waits for more writes when several are waiting already.
    pub gather: Duration,
    /// What the graph pays for each node it keeps in sight, in comparisons of two vectors. Where comparing all
    /// candidates is cheaper, that is done, and is exact. At 0 the graph is always walked.
    pub graph_step_cost: usize,
}

impl EmbeddedSettings {
    pub fn new(dir: impl Into<PathBuf>, dimensions: usize) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            dir: dir.into(),
            dimensions,
            writer_heap_bytes: 64 << 20,
            vector_map_bytes: 64 << 30,
            build_threads: (cores / 2).clamp(1, 4),
            concurrent_searches: (cores * 2).max(4),
            gather: Duration::from_millis(25),
            graph_step_cost: 24,
        }
    }
}
