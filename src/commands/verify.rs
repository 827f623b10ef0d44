//! `colloquy verify`: compares the search engines with PostgreSQL, page by page, and has mended what differs.

use std::collections::BTreeSet;

use anyhow::Result;
use indicatif::ProgressBar;

use super::{
    Outcome,
    text::{count, word},
};
use crate::{
    cli::{self, Common},
    client::{self, Client, IndexDifference},
    output::{self, bold, faint, odd, plain},
};

#[derive(Default)]
struct Sum {
    checked: u64,
    differing: BTreeSet<String>,
    mended: u64,
}

pub(crate) async fn run(common: &Common, args: cli::Verify) -> Result<Outcome> {
    let connection = client::connect(common, &args.target).await?;
    let ended = compare(common, &connection.client, args.repair).await;
    connection.close().await;
    ended
}

async fn compare(common: &Common, client: &Client, repair: bool) -> Result<Outcome> {
    let bar = if common.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    let (mut sum, mut after) = (Sum::default(), None::<String>);
    loop {
        let page = client.verify_index(after.as_deref(), repair).await?;
        for error in &page.user_errors {
            output::error(plain(&error.to_string()));
        }
        if !page.user_errors.is_empty() {
            return Ok(Outcome::Failed);
        }
        sum.checked += page.checked;
        sum.mended += page.mended;
        for difference in &page.differences {
            sum.differing.insert(difference.conversation_id.clone());
            match common.json {
                true => output::json(difference)?,
                false => bar.suspend(|| output::line(line(difference)))?,
            }
        }
        bar.set_message(format!("{} compared", count(usize::try_from(sum.checked)?, "conversation")));
        bar.tick();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    if !common.json {
        output::line(told(&sum, repair)?)?;
    }
    let well = sum.differing.is_empty() || repair;
    Ok(if well { Outcome::Done } else { Outcome::Failed })
}

fn line(difference: &IndexDifference) -> String {
    let IndexDifference { conversation_id, engine, kind, passages } = difference;
    let what = format!("{} {}", word(engine), word(kind));
    format!(
        "{}  {}  {}",
        plain(conversation_id),
        odd(plain(&what)),
        faint(format_args!("{passages} passages"))
    )
}

fn told(sum: &Sum, repair: bool) -> Result<String> {
    let checked = count(usize::try_from(sum.checked)?, "conversation");
    let differing = sum.differing.len();
    Ok(match (differing, repair) {
        (0, _) => format!("{} compared, and nothing differs", bold(checked)),
        (_, true) => format!("{checked} compared, {differing} differ, and jobs write them anew"),
        (_, false) => format!("{checked} compared, {differing} differ; --repair has them written anew"),
    })
}
