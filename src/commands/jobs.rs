//! `colloquy jobs`: what administrators see of background work and do to it, as a client of the API. Only
//! pausing for every organization is no client's matter: it reads the settings, as `migrate` does.

mod queues;
mod show;

use std::io::{self, IsTerminal};

use anyhow::{Result, bail};
use colloquy_domain::jobs::{JobState, Queue};
use serde_json::json;

use super::{
    Outcome, Usage, prompt,
    text::{self, count},
};
use crate::{
    cli::{Change, Common, JobsCommand, ListJobs, PauseQueue, ShowJob, Which},
    client::{self, Client, Counts, JobFilter},
    config::Config,
    output::{self, bold, faint},
    roles,
};

pub(crate) async fn run(common: &Common, command: JobsCommand, config: Config) -> Result<Outcome> {
    match command {
        JobsCommand::List(args) => list(common, args).await,
        JobsCommand::Show(args) => show(common, args).await,
        JobsCommand::Retry(args) => change(common, &RETRY, args).await,
        JobsCommand::Cancel(args) => change(common, &CANCEL, args).await,
        JobsCommand::Discard(args) => change(common, &DISCARD, args).await,
        JobsCommand::Queues(args) => queues::run(common, args).await,
        JobsCommand::Pause(args) => pause(common, args, config, true).await,
        JobsCommand::Resume(args) => pause(common, args, config, false).await,
    }
}

fn filter(which: Which) -> JobFilter {
    let Which { kinds, states, queues, conversation, error, since, before, ids } = which;
    JobFilter {
        ids,
        conversation_id: conversation,
        error,
        created_from: since,
        created_before: before,
        ..JobFilter::names(&kinds, &queues, &states)
    }
}

async fn list(common: &Common, args: ListJobs) -> Result<Outcome> {
    let connection = client::connect(common, &args.target).await?;
    let listed = connection.client.jobs(&filter(args.which), args.number).await;
    connection.close().await;
    let listed = listed?;
    if common.json {
        output::json(&listed.nodes)?;
        return Ok(Outcome::Done);
    }
    if listed.jobs.is_empty() {
        output::line("no job fits")?;
        return Ok(Outcome::Done);
    }
    output::line(show::table(&listed.jobs, output::width()))?;
    let more = if listed.more { ", and there are more: raise -n" } else { "" };
    output::line(faint(format_args!("{}{more}", count(listed.jobs.len(), "job"))))?;
    Ok(Outcome::Done)
}

async fn show(common: &Common, args: ShowJob) -> Result<Outcome> {
    let connection = client::connect(common, &args.target).await?;
    let found = connection.client.job(&args.id).await;
    connection.close().await;
    let Some((node, job)) = found? else {
        bail!("there is no job {}; `colloquy jobs list` shows their ids", output::plain(&args.id));
    };
    match common.json {
        true => output::json(&node)?,
        false => output::line(show::details(&job))?,
    }
    Ok(Outcome::Done)
}

/// What is done to jobs, in the words of the API and of people.
struct Action {
    name: &'static str,
    /// The payload's fields.
    numbers: &'static str,
    asks: bool,
}

const RETRY: Action = Action { name: "retry", numbers: "matched retried leftToBatches", asks: false };
const CANCEL: Action = Action { name: "cancel", numbers: "matched cancelled asked", asks: true };
const DISCARD: Action = Action { name: "discard", numbers: "matched discarded cancelled", asks: true };

async fn change(common: &Common, action: &Action, args: Change) -> Result<Outcome> {
    let Change { which, all, dry_run, yes, target } = args;
    let filter = filter(which);
    let connection = client::connect(common, &target).await?;
    let asks = action.asks && !dry_run && !yes && io::stdin().is_terminal();
    let changed = Box::pin(change_with(&connection.client, action, &filter, all, dry_run, asks)).await;
    connection.close().await;
    let Some(counts) = changed? else {
        output::note("nothing was changed");
        return Ok(Outcome::Failed);
    };
    if common.json {
        let Counts { matched, retried, left_to_batches, cancelled, asked, discarded } = counts;
        let all = [
            ("matched", matched),
            ("retried", retried),
            ("leftToBatches", left_to_batches),
            ("cancelled", cancelled),
            ("asked", asked),
            ("discarded", discarded),
        ];
        let known = all.into_iter().filter_map(|(name, number)| Some((name.to_owned(), json!(number?))));
        let mut told: serde_json::Map<_, _> = known.collect();
        told.insert("dryRun".to_owned(), json!(dry_run));
        output::json(&told)?;
    } else {
        output::line(tell(&counts, dry_run))?;
    }
    Ok(Outcome::Done)
}

/// `None` where somebody was asked and did not want it.
async fn change_with(
    client: &Client,
    action: &Action,
    filter: &JobFilter,
    all: bool,
    dry_run: bool,
    asks: bool,
) -> Result<Option<Counts>> {
    if asks {
        let counted = client.change_jobs(action.name, action.numbers, filter, all, true).await?;
        if counted.matched == Some(0) {
            return Ok(Some(counted));
        }
        let question = format!("{}. Go on? [y/N] ", tell(&counted, true));
        // An empty line, or Ctrl-C, is a no.
        let answer = prompt::ask(question).await.unwrap_or_default();
        if !matches!(answer.to_lowercase().as_str(), "y" | "yes") {
            return Ok(None);
        }
    }
    Ok(Some(client.change_jobs(action.name, action.numbers, filter, all, dry_run).await?))
}

fn tell(counts: &Counts, dry_run: bool) -> String {
    let Counts { matched, retried, left_to_batches, cancelled, asked, discarded } = counts;
    if *matched == Some(0) {
        return "no job fits that this could be done to".to_owned();
    }
    let would = if dry_run { "would be " } else { "" };
    let mut parts = Vec::new();
    let mut part = |number: &Option<usize>, what: &str, always: bool| {
        if let Some(number) = number.filter(|number| always || *number > 0) {
            parts.push(format!("{} {would}{what}", count(number, "job")));
        }
    };
    part(retried, "retried", true);
    part(discarded, "discarded", true);
    part(cancelled, "cancelled", discarded.is_none());
    part(asked, "asked to stop", false);
    let to_batches = left_to_batches.unwrap_or_default();
    if to_batches > 0 {
        parts.push(format!(
            "{} left to the batch: one that pays for it runs it again by `colloquy batch retry`, at today's price and within the cap, and one that was cancelled does not",
            count(to_batches, "job")
        ));
    }
    let left = |(matched, retried)| usize::saturating_sub(matched, retried + to_batches);
    let left = matched.zip(*retried).map_or(0, left);
    if left > 0 {
        parts.push(format!("{} left, since another stands for the same work", count(left, "job")));
    }
    parts.join(", ")
}

async fn pause(common: &Common, args: PauseQueue, config: Config, paused: bool) -> Result<Outcome> {
    let PauseQueue { queue, everywhere, target } = args;
    let changed = if everywhere {
        if target.server.is_some() {
            let message = "--everywhere asks no server; leave --server and COLLOQUY_SERVER out";
            return Err(Usage(message.to_owned()).into());
        }
        roles::run_pause(config, queue, paused).await?
    } else {
        let connection = client::connect(common, &target).await?;
        let changed = connection.client.pause_queue(queue, paused).await;
        connection.close().await;
        changed?
    };
    if common.json {
        let told = json!({ "queue": queue.as_str(), "paused": paused, "everywhere": everywhere, "changed": changed });
        output::json(&told)?;
    } else {
        output::line(paused_line(queue, paused, everywhere, changed))?;
    }
    Ok(Outcome::Done)
}

fn paused_line(queue: Queue, paused: bool, everywhere: bool, changed: bool) -> String {
    let whose = if everywhere { "every organization" } else { "your organization" };
    let queue = bold(queue.as_str());
    match (paused, changed) {
        (true, true) => format!("{queue} is paused for {whose}; what runs ends"),
        (true, false) => format!("{queue} was paused for {whose} already"),
        (false, true) => format!("{queue} goes on for {whose}"),
        (false, false) => format!("{queue} was not paused for {whose}"),
    }
}

/// How a state reads, with its colour.
fn state(name: &str) -> String {
    let word = text::word(name);
    let is = |state: JobState| state.as_str() == name;
    if is(JobState::Dead) {
        output::bad(word)
    } else if is(JobState::Done) {
        output::good(word)
    } else if is(JobState::Cancelled) {
        faint(word)
    } else {
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_in_numbers() {
        let retried = Counts { matched: Some(3), retried: Some(2), ..Counts::default() };
        assert_eq!(
            tell(&retried, false),
            "2 jobs retried, 1 job left, since another stands for the same work"
        );
        let priced =
            Counts { matched: Some(4), retried: Some(1), left_to_batches: Some(1), ..Counts::default() };
        assert_eq!(
            tell(&priced, true),
            "1 job would be retried, 1 job left to the batch: one that pays for it runs it again by `colloquy batch retry`, at today's price and within the cap, and one that was cancelled does not, 2 jobs left, since another stands for the same work"
        );
        let cancelled =
            Counts { matched: Some(1), cancelled: Some(1_200), asked: Some(1), ..Counts::default() };
        assert_eq!(tell(&cancelled, true), "1,200 jobs would be cancelled, 1 job would be asked to stop");
        let discarded =
            Counts { matched: Some(1), discarded: Some(1), cancelled: Some(0), ..Counts::default() };
        assert_eq!(tell(&discarded, false), "1 job discarded");
        let none = Counts { matched: Some(0), retried: Some(0), ..Counts::default() };
        assert_eq!(tell(&none, false), "no job fits that this could be done to");
    }
}
