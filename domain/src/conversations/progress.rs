//! Watching a conversation's current revision on its way: each stage is told once, first those that were
//! reached already (or, with a cursor, those since), then as they come, until all have come or one has failed.

use std::collections::HashSet;

use async_stream::try_stream;
use chrono::TimeDelta;
use futures::{Stream, StreamExt, pin_mut};

use crate::{
    Error, Result,
    accounts::Tenant,
    conversations::RevisionNumber,
    events::{
        EventKind, LogPosition, Stage, Topic,
        feed::{Feed, FeedItem},
    },
    ids::{ConversationId, JobId},
    ports::{Ports, store::conversations::Progress},
    time::Timestamp,
};

/// An event of a stage that was reached longer ago than this has its position by now, or is trimmed.
const NUMBERED_BY: TimeDelta = TimeDelta::hours(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub revision: RevisionNumber,
    pub stage: Stage,
    pub at: Timestamp,
    /// For FAILED: the job that died.
    pub failed_job: Option<JobId>,
    pub cursor: LogPosition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Stage(Reached),
    /// The watcher was too slow; it may go on from here.
    Lagged(LogPosition),
}

pub async fn watch(
    ports: &Ports,
    feed: &Feed,
    tenant: Tenant,
    id: ConversationId,
    after: Option<LogPosition>,
) -> Result<impl Stream<Item = Result<Told>> + Send + 'static + use<>> {
    // The position first: what happens while the state is read comes again as an event, and is told once.
    let now = feed.now().await?;
    let state = ports.conversations.progress(tenant, &[id]).await?.into_iter().next();
    let state = state.ok_or_else(|| Error::not_found("conversation", id))?;
    let topic = Topic::Conversation(id);
    let mut run = Run::new(state.revision);
    let mut known = Vec::new();
    match after {
        None => known = run.tell_state(&state, now),
        Some(after) => {
            let old = ports.clock.now() - NUMBERED_BY;
            run.over_with(state.reached.iter().filter(|(_, at)| *at < old).map(|(stage, _)| *stage));
            let before = feed.kept_until(tenant, topic, after).await?;
            let stages: Vec<Stage> = before.iter().filter_map(|event| run.stage_of(&event.kind)).collect();
            run.told.extend(stages);
        }
    }
    let from = after.unwrap_or(now);
    let past = feed.past(tenant, topic, from, now).await?;
    let live = feed.follow(tenant, topic, now.max(from)).await?;

    let feed = feed.clone();
    Ok(try_stream! {
        for reached in known {
            yield Told::Stage(reached);
        }
        pin_mut!(past, live);
        while let Some(item) = past.next().await {
            if let Some(told) = run.take(&feed, item?) {
                yield told;
            }
        }
        while !run.is_over() {
            let Some(item) = live.next().await else { break };
            let told = run.take(&feed, item?);
            if let Some(told) = told {
                yield told;
            }
            if matches!(told, Some(Told::Lagged(_))) {
                break;
            }
        }
    })
}

/// How far one watch has come.
struct Run {
    revision: RevisionNumber,
    /// To this watcher, also before its cursor: a job may run twice and leave its event twice.
    told: HashSet<Stage>,
    /// Reached so long ago that no event need come any more.
    passed: HashSet<Stage>,
}

impl Run {
    fn new(revision: RevisionNumber) -> Self {
        Self { revision, told: HashSet::new(), passed: HashSet::new() }
    }

    fn tell_state(&mut self, state: &Progress, cursor: LogPosition) -> Vec<Reached> {
        let reached = state.reached.iter().map(|(stage, at)| Reached {
            revision: state.revision,
            stage: *stage,
            at: *at,
            failed_job: state.failed_job.filter(|_| *stage == Stage::Failed),
            cursor,
        });
        let mut reached: Vec<_> = reached.collect();
        reached.sort_by_key(|reached| (reached.at, reached.stage));
        self.told.extend(reached.iter().map(|reached| reached.stage));
        reached
    }

    fn over_with(&mut self, stages: impl Iterator<Item = Stage>) {
        self.passed.extend(stages);
    }

    fn stage_of(&self, kind: &EventKind) -> Option<Stage> {
        match kind {
            EventKind::Progress { revision, stage, .. } if *revision == self.revision => Some(*stage),
            _ => None,
        }
    }

    fn take(&mut self, feed: &Feed, item: FeedItem) -> Option<Told> {
        match item {
            FeedItem::Lagged(at) => Some(Told::Lagged(at)),
            FeedItem::Event(event) => {
                self.tell(&event.kind, event.at, feed.position(&event)).map(Told::Stage)
            }
        }
    }

    /// What an event tells that was not told yet.
    fn tell(&mut self, kind: &EventKind, at: Timestamp, cursor: LogPosition) -> Option<Reached> {
        let stage = self.stage_of(kind)?;
        let EventKind::Progress { job_id, .. } = kind else {
            return None;
        };
        self.told.insert(stage).then_some(Reached {
            revision: self.revision,
            stage,
            at,
            failed_job: *job_id,
            cursor,
        })
    }

    fn is_over(&self) -> bool {
        let reached = |stage: Stage| self.told.contains(&stage) || self.passed.contains(&stage);
        reached(Stage::Failed) || [Stage::Indexed, Stage::Embedded, Stage::Analyzed].into_iter().all(reached)
    }
}
