//! The engines, each asked within its deadline.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, timeout};

use super::{
    explain::{LegReport, Outcome},
    query::{SearchFilter, TextQuery},
};
use crate::{
    Error, Result,
    accounts::Tenant,
    ports::{
        Ports,
        search::{After, EngineHit, TextHits},
    },
};

/// For an engine that nobody can stand in for.
pub(super) const ALONE: Duration = Duration::from_secs(5);

/// What an engine said, and how long it took.
pub(super) struct Said<T> {
    pub(super) answer: Result<T>,
    pub(super) report: LegReport,
}

pub(super) struct Legs<'a> {
    pub(super) ports: &'a Ports,
    pub(super) tenant: Tenant,
    pub(super) filter: &'a SearchFilter,
    pub(super) deadline: Duration,
}

impl Legs<'_> {
    pub(super) async fn text(&self, query: &TextQuery, after: Option<After>, limit: usize) -> Said<TextHits> {
        let engine = self.ports.search.text.as_ref();
        let name = engine.map_or("none", |engine| engine.name());
        let ask = async {
            let engine = engine.ok_or_else(no_text_engine)?;
            engine.page(self.tenant, query, self.filter, after, limit).await
        };
        self.within_deadline(false, name, limit, |found: &TextHits| found.hits.len(), ask).await
    }

    pub(super) async fn semantic(&self, query: &str, limit: usize) -> Said<Vec<EngineHit>> {
        let engine = self.ports.search.vectors.as_ref();
        let name = engine.map_or("none", |engine| engine.name());
        let ask = async {
            let embedder = self.ports.search.embedder.as_ref().ok_or_else(no_meaning)?;
            let engine = engine.ok_or_else(no_meaning)?;
            let vector = embedder.embed_query(query).await?;
            engine.search(self.tenant, &vector, self.filter, limit).await
        };
        self.within_deadline(true, name, limit, Vec::len, ask).await
    }

    pub(super) async fn near(&self, vector: &[f32], limit: usize) -> Said<Vec<EngineHit>> {
        let engine = self.ports.search.vectors.as_ref();
        let name = engine.map_or("none", |engine| engine.name());
        let ask = async {
            let engine = engine.ok_or_else(no_meaning)?;
            engine.search(self.tenant, vector, self.filter, limit).await
        };
        self.within_deadline(true, name, limit, Vec::len, ask).await
    }

    async fn within_deadline<T>(
        &self,
        is_semantic: bool,
        engine: &str,
        asked: usize,
        hits: impl Fn(&T) -> usize,
        work: impl Future<Output = Result<T>>,
    ) -> Said<T> {
        let started = Instant::now();
        let answer = timeout(self.deadline, work).await;
        let outcome = match &answer {
            Ok(Ok(_)) => Outcome::Answered,
            Ok(Err(_)) => Outcome::Failed,
            Err(_) => Outcome::Late,
        };
        let leg = if is_semantic { "semantic" } else { "text" };
        let answer = answer.unwrap_or_else(|late| {
            Err(Error::unavailable("search in time", format!("the {leg} leg: {late}")))
        });
        let report = LegReport {
            is_semantic,
            engine: engine.to_owned(),
            outcome,
            asked,
            hits: answer.as_ref().map_or(0, hits),
            deadline_ms: self.deadline.as_millis() as u64,
            took_ms: started.elapsed().as_millis() as u64,
            weight: None,
            trust: None,
            whole: None,
            stretch: None,
        };
        Said { answer, report }
    }
}

fn no_text_engine() -> Error {
    no_engine("there is no full-text engine in this server's settings")
}

fn no_meaning() -> Error {
    no_engine("there is no embedding model or vector engine in this server's settings")
}

fn no_engine(why: &'static str) -> Error {
    Error::unavailable("search", why)
}
