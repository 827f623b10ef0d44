//! `colloquy batch`: plans, starts, steers and watches batches through the API.

use std::time::Duration;

use anyhow::{Result, bail};
use colloquy_domain::money::MicroDollars;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    Outcome, Usage,
    text::{count, word},
};
use crate::{
    cli::{self, BatchCommand, BatchKind, BatchWork, Common},
    client::{self, Batch, Client},
    output::{self, bad, bold, faint, good, odd, plain},
};

const POLL: Duration = Duration::from_millis(500);

pub(crate) async fn run(common: &Common, args: cli::Batch) -> Result<Outcome> {
    if let BatchCommand::Plan(args) = &args.command {
        check(&args.work)?;
    }
    let connection = client::connect(common, &args.target).await?;
    if connection.is_own() && !watches(&args.command) {
        output::warn("this standalone ends with the command; a batch goes on whenever one runs");
    }
    let ended = command(common, &connection.client, args.command).await;
    connection.close().await;
    ended
}

fn watches(command: &BatchCommand) -> bool {
    match command {
        BatchCommand::Start(args) => args.watch,
        BatchCommand::Resume(args) | BatchCommand::Retry(args) => args.watch,
        BatchCommand::Show(args) => args.watch,
        BatchCommand::Plan(_) | BatchCommand::List(_) => true,
        BatchCommand::Pause(_) | BatchCommand::Cancel(_) => false,
    }
}

async fn command(common: &Common, client: &Client, command: BatchCommand) -> Result<Outcome> {
    let (field, input, watch) = match command {
        BatchCommand::Plan(args) => {
            let mut input = work(&args.work);
            input["everywhere"] = args.everywhere.into();
            ("planBatch", input, false)
        }
        BatchCommand::Start(args) => {
            let input = json!({ "batchId": args.id, "cap": args.cap, "acceptPartial": args.accept_partial,
                "perMinute": args.per_minute });
            ("startBatch", input, args.watch)
        }
        BatchCommand::Pause(args) => ("pauseBatch", json!({ "batchId": args.id }), false),
        BatchCommand::Cancel(args) => ("cancelBatch", json!({ "batchId": args.id }), false),
        BatchCommand::Resume(args) => {
            ("resumeBatch", json!({ "batchId": args.id, "cap": args.cap }), args.watch)
        }
        BatchCommand::Retry(args) => {
            ("retryBatchFailures", json!({ "batchId": args.id, "cap": args.cap }), args.watch)
        }
        BatchCommand::Show(args) => {
            let Some(found) = client.batch(&args.id).await? else {
                bail!("there is no batch {}", plain(&args.id));
            };
            return show(common, client, found, args.watch).await;
        }
        BatchCommand::List(args) => return list(common, &client.batches(args.number).await?),
    };
    match client.change_batch(field, input).await? {
        Ok(batch) => show(common, client, batch, watch).await,
        Err(errors) => {
            for error in &errors {
                output::error(plain(&error.to_string()));
            }
            Ok(Outcome::Failed)
        }
    }
}

/// The input of planning; a schedule has the same.
pub(super) fn work(args: &BatchWork) -> Value {
    let narrows = !(args.ids.is_empty() && args.kinds.is_empty() && args.tags.is_empty())
        || args.title.is_some()
        || [args.from, args.before, args.imported_from, args.imported_before].iter().any(Option::is_some);
    let ids = (!args.ids.is_empty()).then_some(&args.ids);
    let filter = narrows.then(|| {
        json!({ "conversationIds": ids, "kinds": args.kinds, "tags": args.tags, "titleContains": args.title,
            "occurredFrom": args.from, "occurredBefore": args.before, "createdFrom": args.imported_from,
            "createdBefore": args.imported_before })
    });
    json!({ "kind": args.work, "filter": filter, "all": args.all,
        "options": { "analyzer": args.analyzer, "overwriteEdits": args.overwrite_edits } })
}

/// An option that would change nothing is a mistake, and of this one better told.
pub(super) fn check(work: &BatchWork) -> Result<()> {
    if work.overwrite_edits && work.work != BatchKind::Reimport {
        return Err(Usage("--overwrite-edits is for `reimport`".to_owned()).into());
    }
    Ok(())
}

/// In the words of the shell.
fn reason(text: &str) -> String {
    plain(&text.replace("`overwriteEdits` says otherwise", "--overwrite-edits is given with the plan"))
}

/// The batch, and with `watch` how it moves until it is over.
async fn show(common: &Common, client: &Client, mut value: Value, watch: bool) -> Result<Outcome> {
    let mut batch = Batch::read(&value)?;
    let id = batch.id.clone();
    if watch && !batch.is_over() {
        let bar = ProgressBar::new(batch.total).with_style(style());
        if common.json {
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        while !batch.is_over() {
            bar.set_length(batch.total);
            bar.set_position(batch.ended());
            bar.set_message(moving(&batch));
            tokio::time::sleep(POLL).await;
            let Some(now) = client.batch(&id).await? else { bail!("the batch is gone") };
            if common.json && now != value {
                output::json(&now)?;
            }
            value = now;
            batch = Batch::read(&value)?;
        }
        bar.finish_and_clear();
        if common.json {
            return Ok(outcome(&batch, true));
        }
    }
    match common.json {
        true => output::json(&value)?,
        false => tell(&batch)?,
    }
    Ok(outcome(&batch, watch))
}

fn outcome(batch: &Batch, watched: bool) -> Outcome {
    if watched && !batch.went_well() { Outcome::Failed } else { Outcome::Done }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:24} {pos}/{len}  {elapsed}  {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn money(micros: u64) -> String {
    MicroDollars(micros).to_string()
}

fn moving(batch: &Batch) -> String {
    let mut parts = vec![word(&batch.state), format!("{:.1}/s", batch.rate)];
    parts.extend(batch.seconds_left.map(|seconds| format!("{} left", span(seconds * 1000))));
    parts.extend((batch.failed > 0).then(|| format!("{} failed", batch.failed)));
    parts.extend((batch.spent > 0).then(|| money(batch.spent)));
    parts.join(", ")
}

/// `850 ms`, `12 s`, `3 min`, `5 h`.
fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms.div_ceil(1_000)),
        120_000..7_200_000 => format!("{} min", ms.div_ceil(60_000)),
        _ => format!("{} h", ms.div_ceil(3_600_000)),
    }
}

fn painted(batch: &Batch) -> String {
    let state = word(&batch.state);
    match batch.state.as_str() {
        "DONE" if batch.failed == 0 => good(state),
        "STOPPED" | "CANCELLED" => bad(state),
        "DONE" | "PAUSED" | "CANCELLING" => odd(state),
        _ => state,
    }
}

fn tell(batch: &Batch) -> Result<()> {
    output::line(format_args!("{}  {}  {}", bold(plain(&batch.id)), word(&batch.kind), painted(batch)))?;
    let plan = &batch.plan;
    let cap = batch.cap.map(|cap| format!(", cap {}", money(cap))).unwrap_or_default();
    output::line(format_args!(
        "  planned: {}, {}, {} of text, {}{cap}, about {} ({})",
        count(plan.conversations as usize, "conversation"),
        count(plan.segments as usize, "segment"),
        count(plan.tokens as usize, "token"),
        money(plan.price),
        span(plan.duration_ms),
        plain(&plan.duration_basis)
    ))?;
    for one in &plan.impossible {
        let conversations = count(one.conversations as usize, "conversation");
        output::line(format_args!("  {}: {conversations}: {}", odd("not possible"), reason(&one.reason)))?;
    }
    if batch.state != "PLANNED" {
        output::line(format_args!("  {}", numbers(batch)))?;
    }
    if let Some(reason) = &batch.reason {
        output::line(format_args!("  {}", odd(plain(reason))))?;
    }
    if let Some(report) = &batch.report {
        output::line(format_args!("  took {}", span(report.duration_ms)))?;
        for failures in &report.failures {
            let conversations = count(failures.conversations as usize, "conversation");
            output::line(format_args!("  {}: {conversations}: {}", bad("failed"), plain(&failures.message)))?;
        }
    }
    if batch.state == "PLANNED" {
        output::line(faint(format_args!(
            "  nothing is done yet: colloquy batch start {}",
            plain(&batch.id)
        )))?;
    }
    Ok(())
}

fn numbers(batch: &Batch) -> String {
    format!(
        "{} of {}: {} done, {} skipped, {} failed, {} cancelled, {} spent",
        batch.ended(),
        count(batch.total as usize, "conversation"),
        batch.done,
        batch.skipped,
        batch.failed,
        batch.cancelled,
        money(batch.spent)
    )
}

fn list(common: &Common, found: &[Value]) -> Result<Outcome> {
    if common.json {
        return output::json(&found).map(|()| Outcome::Done);
    }
    if found.is_empty() {
        output::line("no batches")?;
    }
    for value in found {
        let batch = Batch::read(value)?;
        let id = bold(plain(&batch.id));
        output::line(format_args!("{id}  {}  {}  {}", word(&batch.kind), painted(&batch), numbers(&batch)))?;
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_the_option_as_it_is_typed() {
        let told = reason("these are skipped, unless `overwriteEdits` says otherwise");
        assert_eq!(told, "these are skipped, unless --overwrite-edits is given with the plan");
    }

    #[test]
    fn spans_are_rounded_up_to_what_people_wait_by() {
        assert_eq!(
            [0, 999, 1_001, 119_000, 120_001, 7_200_001].map(span),
            ["0 ms", "999 ms", "2 s", "119 s", "3 min", "3 h"]
        );
    }
}
