//! `colloquy export`: transcripts as files in a folder, one a conversation, or to standard output.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use indicatif::ProgressBar;
use serde::Serialize;

use super::{Outcome, Usage, text::count};
use crate::{
    cli::{self, Common},
    client::{self, Client, ExportedConversation, ExportedFile, Which},
    output::{self, bold, faint, good, plain},
};

/// Files of one name, before something must be wrong.
const MAX_SAME_NAMES: usize = 10_000;

#[derive(Default)]
struct Sum {
    written: usize,
    same: usize,
    failed: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    id: &'a str,
    title: Option<&'a str>,
    file: Option<String>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

pub(crate) async fn run(common: &Common, args: cli::Export) -> Result<Outcome> {
    if args.revision.is_some() && args.ids.len() != 1 {
        return Err(Usage("--revision is of one conversation, which is named by its id".to_owned()).into());
    }
    let folder = (args.output != Path::new("-")).then(|| args.output.clone());
    if let Some(folder) = &folder {
        fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    }
    let connection = client::connect(common, &args.target).await?;
    let ended = export(common, &connection.client, &args, folder.as_deref()).await;
    connection.close().await;
    ended
}

async fn export(
    common: &Common,
    client: &Client,
    args: &cli::Export,
    folder: Option<&Path>,
) -> Result<Outcome> {
    let which =
        Which { kinds: args.kinds.clone(), tags: args.tags.clone(), title_contains: args.title.clone() };
    let bar = if common.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    let mut sum = Sum::default();
    let (mut ids, mut after) = (args.ids.clone(), None);
    loop {
        if args.ids.is_empty() {
            (ids, after) = client.conversation_ids(&which, after.as_deref()).await?;
        }
        for id in &ids {
            one(common, client, args, folder, id, &mut sum, &bar).await?;
            bar.set_message(count(sum.written + sum.same + sum.failed, "conversation"));
            bar.tick();
        }
        if after.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    if !common.json && folder.is_some() {
        output::line(told(&sum))?;
    }
    Ok(if sum.failed == 0 { Outcome::Done } else { Outcome::Failed })
}

async fn one(
    common: &Common,
    client: &Client,
    args: &cli::Export,
    folder: Option<&Path>,
    id: &str,
    sum: &mut Sum,
    bar: &ProgressBar,
) -> Result<()> {
    let found = match client.export(id, args.format, args.revision).await {
        Ok(Some(found)) => found,
        Ok(None) => return failed(common, id, "there is no such conversation", sum, bar),
        Err(trouble) => return failed(common, id, &trouble.to_string(), sum, bar),
    };
    let ExportedConversation { title, export } = found;
    let Some(folder) = folder else {
        sum.written += 1;
        return io::stdout().write_all(export.content.as_bytes()).context("write to standard output");
    };
    let (file, new) = keep(folder, &export)?;
    *if new { &mut sum.written } else { &mut sum.same } += 1;
    let outcome = if new { "written" } else { "already-there" };
    let shown = file.display().to_string();
    match common.json {
        true => output::json(&Line { id, title: Some(&title), file: Some(shown), outcome, error: None }),
        false => {
            let state = if new { good("exported     ") } else { faint("already there") };
            bar.suspend(|| output::line(format_args!("{state}  {}", bold(plain(&shown)))))
        }
    }
}

fn failed(common: &Common, id: &str, error: &str, sum: &mut Sum, bar: &ProgressBar) -> Result<()> {
    sum.failed += 1;
    match common.json {
        true => output::json(&Line { id, title: None, file: None, outcome: "failed", error: Some(error) }),
        false => {
            bar.suspend(|| output::error(format_args!("{}: {}", plain(id), plain(error))));
            Ok(())
        }
    }
}

/// Where the file stands now, and whether it was written. What stands there with other content is left.
fn keep(folder: &Path, export: &ExportedFile) -> Result<(PathBuf, bool)> {
    // The server made the name; it is not trusted with a path all the same.
    let name = export.file_name.rsplit(['/', '\\']).next().unwrap_or_default().trim_start_matches('.');
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, "txt"));
    for number in 1..=MAX_SAME_NAMES {
        let name =
            if number == 1 { format!("{stem}.{ending}") } else { format!("{stem} ({number}).{ending}") };
        let path = folder.join(name);
        match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(export.content.as_bytes())
                    .with_context(|| format!("write {}", path.display()))?;
                return Ok((path, true));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read(&path).is_ok_and(|there| there == export.content.as_bytes()) {
                    return Ok((path, false));
                }
            }
            Err(error) => return Err(error).with_context(|| format!("write {}", path.display())),
        }
    }
    anyhow::bail!("{MAX_SAME_NAMES} files named {stem} stand in {} already", folder.display())
}

fn told(sum: &Sum) -> String {
    let parts = [(sum.written, "exported"), (sum.same, "there already"), (sum.failed, "failed")];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if parts.is_empty() { "there is nothing to export".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_once_and_never_over_others() {
        let folder = tempfile::tempdir().unwrap();
        let export = |name: &str, content: &str| {
            let export = ExportedFile { file_name: name.to_owned(), content: content.to_owned() };
            let (path, new) = keep(folder.path(), &export).unwrap();
            (path.strip_prefix(folder.path()).unwrap().display().to_string(), new)
        };
        assert_eq!(export("Weekly.vtt", "one"), ("Weekly.vtt".to_owned(), true));
        assert_eq!(export("Weekly.vtt", "one"), ("Weekly.vtt".to_owned(), false));
        assert_eq!(export("Weekly.vtt", "two"), ("Weekly (2).vtt".to_owned(), true));
        assert_eq!(export("Weekly.vtt", "two"), ("Weekly (2).vtt".to_owned(), false));
        assert_eq!(export("../../x/.hidden.md", "three"), ("hidden.md".to_owned(), true));
        assert_eq!(fs::read(folder.path().join("Weekly.vtt")).unwrap(), b"one");
    }

    #[test]
    fn the_summary_counts_what_there_is() {
        assert_eq!(told(&Sum::default()), "there is nothing to export");
        assert_eq!(told(&Sum { written: 2, same: 1, failed: 1 }), "2 exported, 1 there already, 1 failed");
    }
}
