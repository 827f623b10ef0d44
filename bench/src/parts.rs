//! The parts of the benchmark. Each starts servers of its own on a folder that is thrown away, takes a
//! bounded time, and gives a section of Markdown.

mod import;
pub(crate) mod jobs;
mod memory;
mod read;
mod search;

use anyhow::Result;

use crate::process::Binary;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Import,
    Jobs,
    Read,
    Search,
    Memory,
}

impl Part {
    pub(crate) const ALL: [Self; 5] = [Self::Import, Self::Jobs, Self::Read, Self::Search, Self::Memory];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Jobs => "jobs",
            Self::Read => "read",
            Self::Search => "search",
            Self::Memory => "memory",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    pub(crate) async fn run(self, binary: &Binary) -> Result<String> {
        match self {
            Self::Import => import::run(binary).await,
            Self::Jobs => jobs::run(binary).await,
            Self::Read => read::run(binary).await,
            Self::Search => search::run(binary).await,
            Self::Memory => memory::run(binary).await,
        }
    }
}
