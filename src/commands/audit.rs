//! `colloquy audit`: who did what, as a client of the API. Only what was done for every organization is no client's
//! matter: it reads the settings, as `migrate` does.

use anyhow::Result;

use super::{Outcome, Usage, text::word};
use crate::{
    cli::{self, Common},
    client::{self, AuditEntry},
    config::Config,
    output::{self, faint, odd, plain},
    roles,
};

pub(crate) async fn run(common: &Common, args: cli::Audit, config: Config) -> Result<Outcome> {
    let entries = match args.everywhere {
        true => of_installation(&args, config).await?,
        false => of_organization(common, &args).await?,
    };
    match common.json {
        true => output::json(&entries)?,
        false if entries.is_empty() => output::line("nothing is in the audit log")?,
        false => output::line(table(&entries))?,
    }
    Ok(Outcome::Done)
}

async fn of_organization(common: &Common, args: &cli::Audit) -> Result<Vec<AuditEntry>> {
    let connection = client::connect(common, &args.target).await?;
    let entries = connection.client.audit_log(args.number).await;
    connection.close().await;
    Ok(entries?)
}

async fn of_installation(args: &cli::Audit, config: Config) -> Result<Vec<AuditEntry>> {
    if args.target.server.is_some() {
        let message = "--everywhere asks no server; leave --server and COLLOQUY_SERVER out";
        return Err(Usage(message.to_owned()).into());
    }
    let entries = roles::read_audit(config, args.number.into()).await?;
    Ok(entries.into_iter().map(AuditEntry::from).collect())
}

/// A line an entry, below it with which arguments.
fn table(entries: &[AuditEntry]) -> String {
    let actions = entries.iter().map(|entry| entry.action.len()).max().unwrap_or(0).max(6);
    let mut lines = vec![faint(format!("{:<20}  {:<actions$}  {:<8}  WHO", "AT", "ACTION", "OUTCOME"))];
    for entry in entries {
        let AuditEntry { at, action, subject, outcome, detail, user, .. } = entry;
        let outcome = outcome.as_deref().map(word).unwrap_or_default();
        let padded = format!("{:<8}", plain(&outcome));
        let who = user.as_ref().map_or("-", |user| user.email.as_str());
        lines.push(format!(
            "{:<20}  {:<actions$}  {}  {}",
            at.format("%Y-%m-%d %H:%M:%SZ"),
            plain(action),
            if outcome == "refused" { odd(padded) } else { padded },
            plain(who),
        ));
        let subject = subject.iter().map(|subject| plain(subject));
        let arguments = detail.as_object().into_iter().flatten();
        let arguments =
            arguments.map(|(name, value)| format!("{}={}", plain(name), plain(&value.to_string())));
        let told: Vec<String> = subject.chain(arguments).collect();
        if !told.is_empty() {
            lines.push(faint(format_args!("{:22}{}", "", told.join("  "))));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_are_shown_with_what_they_are_about() {
        let entry = |action: &str, outcome: &str, user| {
            let entry = json!({ "id": "id", "at": "2026-03-01T10:00:00Z", "action": action, "subject": "mail",
                "outcome": outcome, "detail": { "changed": true }, "user": user });
            serde_json::from_value(entry).expect("an entry")
        };
        let entries = [
            entry("queues.pause", "DONE", None),
            entry("jobs.cancel", "REFUSED", Some(json!({ "email": "a@b.c" }))),
        ];
        assert_snapshot!(anstream::adapter::strip_str(&table(&entries)), @r"
        AT                    ACTION        OUTCOME   WHO
        2026-03-01 10:00:00Z  queues.pause  done      -
                              mail  changed=true
        2026-03-01 10:00:00Z  jobs.cancel   refused   a@b.c
                              mail  changed=true
        ");
    }
}
